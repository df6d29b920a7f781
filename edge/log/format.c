/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lines of the access log, see format.h. Formatted by hand, into a buffer that is large enough for
 * the largest of all: only a text of the operator's may become longer, and is cut.
 */
#include "edge/log/format.h"

#include <stdlib.h>
#include <string.h>

#include "config/http.h"
#include "core/base/check.h"
#include "edge/facts/client.h"
#include "edge/facts/variables.h"
#include "edge/log/text.h"
#include "geo/places.h"

/* So many attempts are told of; what comes after them is counted in retries. Each takes less than
 * this. */
#define TRIES_MAX 4
#define TRY_MAX 128

/* Of JSON: each byte that a stranger chooses may become six; the rest is names and numbers. */
_Static_assert(EDGE_LOG_ESCAPED *(EDGE_LOG_METHOD_MAX + 3 * EDGE_LOG_HOST_MAX +
				  EDGE_LOG_TARGET_MAX + EDGE_LOG_ID_MAX + 5 * EDGE_LOG_NAME_MAX) +
		       2 * EDGE_LOG_NAME_MAX + TRIES_MAX * TRY_MAX + 2048 <=
		   EDGE_LOG_LINE_MAX,
	       "a line of JSON has room");
_Static_assert(EDGE_LOG_ESCAPED *(EDGE_LOG_NAME_MAX + EDGE_LOG_METHOD_MAX + EDGE_LOG_TARGET_MAX +
				  2 * EDGE_LOG_FIELD_MAX) +
		       256 <=
		   EDGE_LOG_LINE_MAX,
	       "a line of the combined format has room");

/* Of one variable in a text of the operator's. */
#define VALUE_MAX 1024
_Static_assert(TRIES_MAX *TRY_MAX <= VALUE_MAX, "all attempts have room in a value");
#define CUT SPAN("...")

typedef size_t write_line(const struct edge_log_format *format, const struct edge_log_entry *e,
			  char *out);

struct edge_log_format {
	write_line *write;
	/* Of a text of the operator's. */
	struct cfg_template_part *parts;
	unsigned n;
};

/* JSON. Inline, so that the compiler knows the length of each key. */

static inline char *put_text(char *p, struct span key, struct span value, size_t max)
{
	return log_put_json(log_put(p, key), value, max);
}

/* A word of ours or of a library's, in which there is nothing to escape. */
static inline char *put_word(char *p, struct span key, const char *word)
{
	p = log_put(log_put(p, key), SPAN("\""));
	return log_put(log_put(p, span_of(word)), SPAN("\""));
}

/* What is not known has no member. */
static inline char *put_known(char *p, struct span key, struct span value, size_t max)
{
	return value.n > 0 ? put_text(p, key, value, max) : p;
}

static inline char *put_number(char *p, struct span key, uint64_t n)
{
	return log_put_number(log_put(p, key), n);
}

static inline char *put_us(char *p, struct span key, duration d)
{
	return d.ns >= 0 ? log_put_us(log_put(p, key), d) : p;
}

static inline char *put_bool(char *p, struct span key, bool value)
{
	return log_put(log_put(p, key), value ? SPAN("true") : SPAN("false"));
}

static char *put_client(char *p, const struct edge_log_entry *e)
{
	const struct edge_client *client = e->facts->client;
	const struct http_head *request = e->facts->request;

	p = put_word(p, SPAN(",\"client\":"), client->ip);
	p = put_text(p, SPAN(",\"method\":"), request->method, EDGE_LOG_METHOD_MAX);
	p = put_text(p, SPAN(",\"host\":"), request->authority, EDGE_LOG_HOST_MAX);
	p = put_text(p, SPAN(",\"target\":"), request->target, EDGE_LOG_TARGET_MAX);
	p = put_word(p, SPAN(",\"protocol\":"), client->protocol);
	return put_word(p, SPAN(",\"tls\":"), client->tls);
}

static char *put_tls(char *p, const struct edge_client *client)
{
	if (client->tls == NULL || client->tls[0] == '\0')
		return p;
	if (client->sni != NULL)
		p = put_known(p, SPAN(",\"sni\":"), span_of(client->sni), EDGE_LOG_HOST_MAX);
	if (client->tls_suite != NULL)
		p = put_word(p, SPAN(",\"tls_suite\":"), client->tls_suite);
	if (client->tls_group != NULL)
		p = put_word(p, SPAN(",\"tls_group\":"), client->tls_group);
	if (client->ja4 != NULL && client->ja4[0] != '\0')
		p = put_word(p, SPAN(",\"tls_ja4\":"), client->ja4);
	p = put_bool(p, SPAN(",\"tls_resumed\":"), client->tls_resumed);
	return put_us(p, SPAN(",\"handshake_us\":"), client->handshake);
}

static char *put_client_cert(char *p, const struct edge_facts *f)
{
	p = put_known(p, SPAN(",\"client_cert\":"),
		      edge_facts_client_cert(f, CFG_CLIENT_FIELD_VERDICT), EDGE_LOG_NAME_MAX);
	p = put_known(p, SPAN(",\"client_cert_subject\":"),
		      edge_facts_client_cert(f, CFG_CLIENT_FIELD_SUBJECT), EDGE_LOG_HOST_MAX);
	return put_known(p, SPAN(",\"client_cert_serial\":"),
			 edge_facts_client_cert(f, CFG_CLIENT_FIELD_SERIAL), EDGE_LOG_NAME_MAX);
}

static char *put_place(char *p, const struct geo_place *place)
{
	if (place == NULL)
		return p;
	p = put_known(p, SPAN(",\"country\":"), span_of(place->country), EDGE_LOG_NAME_MAX);
	return place->asn > 0 ? put_number(p, SPAN(",\"asn\":"), place->asn) : p;
}

/* What an attempt has come to, in a word. */
static char *put_try_end(char *p, const struct olink_try *try)
{
	switch (try->end) {
	case OLINK_TRY_CONNECT:
	case OLINK_TRY_BROKE:
		return log_put(p, span_of(reason_text(try->reason)));
	case OLINK_TRY_STATUS:
		return log_put_number(p, (uint64_t)try->status);
	case OLINK_TRY_VANISHED:
	case OLINK_TRY_TOOK_LONG:
	case OLINK_TRY_LOST:
		break;
	}
	return log_put(p, span_of(olink_try_end_text(try->end)));
}

static char *put_tries(char *p, const struct olink_try *try)
{
	char server[NET_ADDR_TEXT];

	for (unsigned i = 0; try != NULL && i < TRIES_MAX; try = try->next, i++) {
		p = log_put(p, i == 0 ? SPAN(",\"tries\":[") : SPAN(","));
		p = put_word(p, SPAN("{\"server\":"), net_addr_format(&try->addr, server));
		p = log_put(put_try_end(log_put(p, SPAN(",\"end\":\"")), try), SPAN("\""));
		p = log_put(put_us(p, SPAN(",\"us\":"), try->time), SPAN("}"));
	}
	return log_put(p, SPAN("]"));
}

static char *put_origin(char *p, const struct edge_log_entry *e)
{
	char server[NET_ADDR_TEXT] = "";

	if (e->server.sa.sa_family != AF_UNSPEC)
		net_addr_format(&e->server, server);
	p = put_text(p, SPAN(",\"site\":"), e->facts->site, EDGE_LOG_NAME_MAX);
	p = put_text(p, SPAN(",\"origin\":"), e->facts->origin, EDGE_LOG_NAME_MAX);
	p = put_word(p, SPAN(",\"server\":"), server);
	p = put_bool(p, SPAN(",\"reused\":"), e->reused);
	if (!e->asked)
		return p;
	if (e->retries > 0)
		p = put_number(p, SPAN(",\"retries\":"), e->retries);
	if (e->tries != NULL)
		p = put_tries(p, e->tries);
	p = put_us(p, SPAN(",\"queue_us\":"), e->queue);
	p = put_us(p, SPAN(",\"connect_us\":"), e->connect);
	return put_us(p, SPAN(",\"origin_us\":"), e->response);
}

static size_t write_json(const struct edge_log_format *format, const struct edge_log_entry *e,
			 char *out)
{
	const struct edge_facts *f = e->facts;
	char *p = out;

	p = log_put_time(log_put(p, SPAN("{\"time\":\"")), e->time);
	p = put_client(log_put(p, SPAN("\"")), e);
	p = put_number(p, SPAN(",\"status\":"), (uint64_t)e->status);
	p = put_number(p, SPAN(",\"bytes_in\":"), e->bytes_in);
	p = put_number(p, SPAN(",\"bytes\":"), e->bytes_out);
	p = put_origin(p, e);
	p = put_us(p, SPAN(",\"duration_us\":"), e->total);
	p = put_us(p, SPAN(",\"first_byte_us\":"), e->first_byte);
	p = put_known(p, SPAN(",\"route\":"), f->route, EDGE_LOG_NAME_MAX);
	p = put_known(p, SPAN(",\"user\":"), f->user, EDGE_LOG_NAME_MAX);
	p = put_known(p, SPAN(",\"request_id\":"), f->request_id, EDGE_LOG_ID_MAX);
	p = put_known(p, SPAN(",\"trace_id\":"), f->trace_id, EDGE_LOG_NAME_MAX);
	p = put_tls(p, f->client);
	if (f->early)
		p = put_bool(p, SPAN(",\"tls_early\":"), true);
	p = put_client_cert(p, f);
	p = put_place(p, f->place);
	p = put_known(p, SPAN(",\"refused_by\":"), f->refused_by, EDGE_LOG_NAME_MAX);
	p = put_word(p, SPAN(",\"end\":"), reason_text(e->end));
	p = log_put(p, SPAN("}"));
	return (size_t)(p - out);
}

/* Apache's combined format */

static char *put_or_dash(char *p, struct span s, size_t max)
{
	return s.n > 0 ? log_put_escaped(p, s, max) : log_put(p, SPAN("-"));
}

static char *put_field(char *p, const struct http_head *request, struct span name)
{
	const struct http_field *field = http_fields_find(&request->fields, name, NULL);

	p = put_or_dash(log_put(p, SPAN(" \"")), field != NULL ? field->value : SPAN(""),
			EDGE_LOG_FIELD_MAX);
	return log_put(p, SPAN("\""));
}

static char *put_request_line(char *p, const struct edge_facts *f)
{
	const struct http_head *request = f->request;

	/* There was none that could be read. */
	if (request->method.n == 0)
		return log_put(p, SPAN("-"));
	p = log_put_escaped(p, request->method, EDGE_LOG_METHOD_MAX);
	p = log_put_escaped(log_put(p, SPAN(" ")), request->target, EDGE_LOG_TARGET_MAX);
	return log_put(log_put(p, SPAN(" ")), span_of(f->client->protocol));
}

static size_t write_combined(const struct edge_log_format *format, const struct edge_log_entry *e,
			     char *out)
{
	const struct edge_facts *f = e->facts;
	char *p = log_put(out, span_of(f->client->ip));

	p = put_or_dash(log_put(p, SPAN(" - ")), f->user, EDGE_LOG_NAME_MAX);
	p = log_put_common_time(log_put(p, SPAN(" [")), e->time);
	p = put_request_line(log_put(p, SPAN("] \"")), f);
	p = log_put_number(log_put(p, SPAN("\" ")), (uint64_t)e->status);
	p = log_put(p, SPAN(" "));
	p = e->bytes_out > 0 ? log_put_number(p, e->bytes_out) : log_put(p, SPAN("-"));
	p = put_field(p, f->request, SPAN("Referer"));
	p = put_field(p, f->request, SPAN("User-Agent"));
	return (size_t)(p - out);
}

/* A text of the operator's */

static char *put_duration(char *p, duration d)
{
	return d.ns >= 0 ? log_put_us(p, d) : p;
}

static char *put_server(char *p, const struct net_addr *server)
{
	return server->sa.sa_family == AF_UNSPEC ? p : p + strlen(net_addr_format(server, p));
}

static char *put_tries_text(char *p, const struct olink_try *try)
{
	for (unsigned i = 0; try != NULL && i < TRIES_MAX; try = try->next, i++) {
		p = put_server(i == 0 ? p : log_put(p, SPAN(", ")), &try->addr);
		p = put_try_end(log_put(p, SPAN(" ")), try);
	}
	return p;
}

/* What only the log knows; with room for a number, a time or an address. */
static char *put_value(char *p, enum cfg_variable variable, const struct edge_log_entry *e)
{
	switch (variable) {
	case CFG_VAR_TIME:
		return log_put_time(p, e->time);
	case CFG_VAR_STATUS:
		return log_put_number(p, (uint64_t)e->status);
	case CFG_VAR_BYTES:
		return log_put_number(p, e->bytes_out);
	case CFG_VAR_BYTES_IN:
		return log_put_number(p, e->bytes_in);
	case CFG_VAR_DURATION_US:
		return put_duration(p, e->total);
	case CFG_VAR_FIRST_BYTE_US:
		return put_duration(p, e->first_byte);
	case CFG_VAR_HANDSHAKE_US:
		return put_duration(p, e->facts->client->handshake);
	case CFG_VAR_QUEUE_US:
		return e->asked ? put_duration(p, e->queue) : p;
	case CFG_VAR_CONNECT_US:
		return e->asked ? put_duration(p, e->connect) : p;
	case CFG_VAR_ORIGIN_US:
		return e->asked ? put_duration(p, e->response) : p;
	case CFG_VAR_SERVER:
		return put_server(p, &e->server);
	case CFG_VAR_REUSED:
		return log_put(p, e->reused ? SPAN("yes") : SPAN("no"));
	case CFG_VAR_RETRIES:
		return log_put_number(p, e->retries);
	case CFG_VAR_TRIES:
		return put_tries_text(p, e->tries);
	case CFG_VAR_END:
		return log_put(p, span_of(reason_text(e->end)));
	default:
		CHECK(false);
	}
	return p;
}

/* The whole length of the value, of which the first `size` bytes are written. */
static size_t value_of(const struct cfg_template_part *part, const struct edge_log_entry *e,
		       char *value, size_t size)
{
	struct edge_writer w = {.p = value, .cap = size, .use = EDGE_TEXT_PLAIN};

	if (part->variable == CFG_VAR_STATUS || cfg_variable_known(part->variable) == CFG_KNOWN_END)
		return (size_t)(put_value(value, part->variable, e) - value);
	edge_write_variable(&w, part, e->facts);
	return w.n;
}

static char *put_part(char *p, const struct cfg_template_part *part, const struct edge_log_entry *e)
{
	char value[VALUE_MAX];
	size_t n;

	if (!part->is_variable)
		return log_put(p, (struct span){part->text, part->n});
	n = value_of(part, e, value, sizeof(value));
	if (n <= sizeof(value))
		return log_put_escaped(p, (struct span){value, n}, sizeof(value));
	p = log_put_escaped(p, (struct span){value, sizeof(value)}, sizeof(value));
	return log_put(p, CUT);
}

/* A part, escaped and marked as cut, has room while it begins before this. */
#define OWN_LINE_MAX (EDGE_LOG_LINE_MAX - EDGE_LOG_ESCAPED * VALUE_MAX - 8)
_Static_assert(CFG_LOG_FORMAT_MAX <= EDGE_LOG_ESCAPED * VALUE_MAX, "a piece of text has room too");

static size_t write_own(const struct edge_log_format *format, const struct edge_log_entry *e,
			char *out)
{
	char *p = out;

	for (unsigned i = 0; i < format->n; i++) {
		if (p - out > OWN_LINE_MAX)
			return (size_t)(log_put(p, CUT) - out);
		p = put_part(p, &format->parts[i], e);
	}
	return (size_t)(p - out);
}

/* All of them */

static void compile(struct edge_log_format *format, const char *text)
{
	struct cfg_template_part part;
	const char *rest = text;

	while (cfg_template_next(&rest, &part))
		format->n++;
	format->parts = xcalloc(format->n, sizeof(*format->parts));
	for (unsigned i = 0; i < format->n; i++)
		CHECK(cfg_template_next(&text, &format->parts[i]));
}

struct edge_log_format *edge_log_format_create(const char *text)
{
	struct edge_log_format *format = xcalloc(1, sizeof(*format));

	if (strcmp(text, CFG_LOG_JSON) == 0) {
		format->write = write_json;
	} else if (strcmp(text, CFG_LOG_COMBINED) == 0) {
		format->write = write_combined;
	} else {
		format->write = write_own;
		compile(format, text);
	}
	return format;
}

void edge_log_format_destroy(struct edge_log_format **formatp)
{
	struct edge_log_format *format = TAKE(formatp);

	if (format == NULL)
		return;
	free(format->parts);
	free(format);
}

size_t edge_log_format_write(const struct edge_log_format *format, const struct edge_log_entry *e,
			     char out[EDGE_LOG_LINE_MAX])
{
	size_t n = format->write(format, e, out);

	CHECK(n <= EDGE_LOG_LINE_MAX);
	return n;
}
