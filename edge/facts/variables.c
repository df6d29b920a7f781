/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Variables, one by one, and how their values are written so that they stay what they are: the path
 * in normal form is decoded, hence always written percent-encoded; what came in the target is
 * proper already; all else is text.
 */
#include "edge/facts/variables.h"

#include <string.h>

#include "core/http/chars.h"
#include "core/http/cookie.h"
#include "core/http/path.h"
#include "core/http/query.h"
#include "edge/clients/client_cert.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "geo/places.h"

static void put(struct edge_writer *w, char c)
{
	if (w->n < w->cap)
		w->p[w->n] = c;
	w->n++;
}

static void put_all(struct edge_writer *w, struct span s)
{
	if (s.n > 0 && w->n < w->cap)
		memcpy(w->p + w->n, s.p, s.n < w->cap - w->n ? s.n : w->cap - w->n);
	w->n += s.n;
}

static void put_encoded(struct edge_writer *w, char c)
{
	static const char hex[] = "0123456789ABCDEF";

	put(w, '%');
	put(w, hex[(unsigned char)c >> 4]);
	put(w, hex[(unsigned char)c & 15]);
}

/* pchar and "/" of RFC 3986, but for "%". */
static bool is_path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static bool is_octet(struct span s, size_t at)
{
	return s.p[at] == '%' && s.n - at > 2 && http_hex_value(s.p[at + 1]) >= 0 &&
	       http_hex_value(s.p[at + 2]) >= 0;
}

/* What would divide a query, or is a space in it: a value there is to stay one value. */
#define DIVIDES_QUERY "&;=+"

/* As a part of a path, or of a query when that has begun. `octets`: what is percent-encoding
 * already stays. */
static void put_part(struct edge_writer *w, struct span s, bool octets, const char *divides_query)
{
	const char *divides = w->in_query ? divides_query : "";

	for (size_t i = 0; i < s.n; i++) {
		if ((is_path_char(s.p[i]) && strchr(divides, s.p[i]) == NULL) ||
		    (octets && is_octet(s, i)))
			put(w, s.p[i]);
		else
			put_encoded(w, s.p[i]);
	}
}

/* A proper URL, or a part of one. In a text of the operator's the rest is encoded. */
static void put_url(struct edge_writer *w, struct span s)
{
	w->in_query |= w->use == EDGE_TEXT_TARGET && s.n > 0 && memchr(s.p, '?', s.n) != NULL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] > ' ' && s.p[i] < 0x7f)
			put(w, s.p[i]);
		else
			put_encoded(w, s.p[i]);
	}
}

static void put_text(struct edge_writer *w, struct span s)
{
	if (w->use == EDGE_TEXT_TARGET)
		put_part(w, s, false, DIVIDES_QUERY);
	else
		put_all(w, s);
}

/* It is decoded, but for what is read differently, which stays as it is. */
void edge_write_path(struct edge_writer *w, struct span path)
{
	put_part(w, path, true, DIVIDES_QUERY);
}

static void put_number(struct edge_writer *w, unsigned number)
{
	char space[HTTP_DIGITS_MAX];

	put_all(w, http_digits(number, space));
}

void edge_write_literal(struct edge_writer *w, struct span text)
{
	if (w->use == EDGE_TEXT_TARGET)
		put_url(w, text);
	else
		put_all(w, text);
}

static struct span text_of(const char *text)
{
	return span_of(text ? text : "");
}

/* The first of that name, both percent-encoded. */
static void put_parameter(struct edge_writer *w, struct span query, struct span name)
{
	struct http_param param;

	while (http_query_next(&query, "&", &param)) {
		if (!http_query_same(param.name, name))
			continue;
		/* It is of a query already, where some take ";" for "&". */
		if (w->use == EDGE_TEXT_TARGET)
			put_part(w, param.value, true, ";");
		else if (w->use != EDGE_TEXT_KEY)
			put_all(w, param.value);
		while (w->use == EDGE_TEXT_KEY && param.value.n > 0)
			put(w, http_query_byte(&param.value));
		return;
	}
}

static void put_cookie(struct edge_writer *w, const struct http_fields *fields, struct span name)
{
	struct span value;

	if (http_cookie_find(fields, name, &value))
		put_text(w, value);
}

/* RFC 9110 section 5.3: several fields of a name are one list. Cookie is none, but HTTP/2 may
 * divide it (RFC 9113 section 8.2.3). */
static void put_fields(struct edge_writer *w, const struct http_head *head, struct span name)
{
	const struct http_field *field;
	bool is_cookie = span_equal_nocase(name, SPAN("Cookie")), more = false;
	unsigned from = 0;

	while (head && (field = http_fields_find(&head->fields, name, &from)) != NULL) {
		if (more)
			put_text(w, is_cookie ? SPAN("; ") : SPAN(", "));
		put_text(w, field->value);
		more = true;
	}
}

/* Within a query it is one value of that. */
static void put_target(struct edge_writer *w, struct span target)
{
	if (w->in_query)
		put_text(w, target);
	else if (w->use == EDGE_TEXT_TARGET && span_equal(target, SPAN("*")))
		put_url(w, SPAN("/"));
	else
		put_url(w, target);
}

static void put_port(struct edge_writer *w, const struct http_head *request)
{
	struct span host, port;

	if (http_authority_split(request->authority, &host, &port) && port.n > 0)
		put_all(w, port);
	else
		put_all(w, span_equal(request->scheme, SPAN("http")) ? SPAN("80") : SPAN("443"));
}

static void put_host(struct edge_writer *w, const struct http_head *request)
{
	struct span host, port;

	if (http_authority_split(request->authority, &host, &port))
		put_url(w, host);
}

/* Of IPv4 the address. */
static void put_network(struct edge_writer *w, const struct net_addr *addr)
{
	struct net_prefix network = edge_client_network(addr);
	char text[NET_ADDR_TEXT];

	net_prefix_format(&network, text);
	if (network.family == AF_INET)
		*strchrnul(text, '/') = '\0';
	put_text(w, span_of(text));
}

static void write_client(struct edge_writer *w, enum cfg_variable variable,
			 const struct edge_facts *facts)
{
	const struct edge_client *client = facts->client;
	bool over_tls = client->tls && client->tls[0] != '\0';

	switch (variable) {
	case CFG_VAR_CLIENT_IP:
		put_text(w, text_of(client->ip));
		break;
	case CFG_VAR_CLIENT_NETWORK:
		put_network(w, &client->addr);
		break;
	case CFG_VAR_CLIENT_PORT:
		put_number(w, net_addr_port(&client->addr));
		break;
	case CFG_VAR_TLS_VERSION:
		put_text(w, text_of(client->tls));
		break;
	case CFG_VAR_TLS_SUITE:
		put_text(w, text_of(client->tls_suite));
		break;
	case CFG_VAR_TLS_GROUP:
		put_text(w, text_of(client->tls_group));
		break;
	case CFG_VAR_TLS_SNI:
		put_text(w, text_of(client->sni));
		break;
	case CFG_VAR_TLS_RESUMED:
		put_text(w, !over_tls ? SPAN("") : client->tls_resumed ? SPAN("yes") : SPAN("no"));
		break;
	case CFG_VAR_TLS_JA4:
		put_text(w, text_of(client->ja4));
		break;
	case CFG_VAR_TLS_EARLY:
		put_text(w, !over_tls ? SPAN("") : facts->early ? SPAN("yes") : SPAN("no"));
		break;
	case CFG_VAR_PROTOCOL:
		put_text(w, text_of(client->protocol));
		break;
	default:
		break;
	}
}

struct span edge_facts_client_cert(const struct edge_facts *facts, enum cfg_client_field which)
{
	if (facts->client_cert_asked && which == CFG_CLIENT_FIELD_VERDICT)
		return span_of(edge_client_verdict_text(facts->client_verdict));
	return facts->client_verdict == EDGE_CLIENT_OK
		   ? edge_client_cert_fact(facts->client_cert, which)
		   : SPAN("");
}

unsigned edge_facts_client_sans(const struct edge_facts *facts, const struct span **sans)
{
	if (facts->client_verdict != EDGE_CLIENT_OK)
		return 0;
	*sans = facts->client_cert->sans;
	return facts->client_cert->n_sans;
}

_Static_assert(CFG_VAR_CLIENT_CERT_VERDICT - CFG_VAR_CLIENT_CERT_SUBJECT ==
		   CFG_CLIENT_FIELD_VERDICT - CFG_CLIENT_FIELD_SUBJECT,
	       "variables and fields of certificates are in one order");

struct span edge_client_cert_value(enum cfg_variable variable, const struct edge_facts *facts)
{
	return edge_facts_client_cert(facts, CFG_CLIENT_FIELD_SUBJECT +
						 (variable - CFG_VAR_CLIENT_CERT_SUBJECT));
}

static void write_place(struct edge_writer *w, enum cfg_variable variable,
			const struct geo_place *place)
{
	if (variable == CFG_VAR_CLIENT_COUNTRY)
		put_text(w, span_of(place->country));
	else if (variable == CFG_VAR_CLIENT_CONTINENT)
		put_text(w, span_of(place->continent));
	else if (place->asn > 0)
		put_number(w, place->asn);
}

static void write_request(struct edge_writer *w, const struct cfg_template_part *part,
			  const struct http_head *request)
{
	struct span argument = {part->text, part->n};

	switch (part->variable) {
	case CFG_VAR_METHOD:
		put_text(w, request->method);
		break;
	case CFG_VAR_SCHEME:
		put_text(w, request->scheme);
		break;
	case CFG_VAR_HOST:
		put_host(w, request);
		break;
	case CFG_VAR_PORT:
		put_port(w, request);
		break;
	case CFG_VAR_QUERY:
		put_url(w, http_query_of(request->target));
		break;
	case CFG_VAR_TARGET:
		put_target(w, request->target);
		break;
	case CFG_VAR_QUERY_NAME:
		put_parameter(w, http_query_of(request->target), argument);
		break;
	case CFG_VAR_FIELD_NAME:
		put_fields(w, request, argument);
		break;
	case CFG_VAR_COOKIE_NAME:
		put_cookie(w, &request->fields, argument);
		break;
	default:
		break;
	}
}

static void write_name(struct edge_writer *w, enum cfg_variable variable,
		       const struct edge_facts *facts)
{
	switch (variable) {
	case CFG_VAR_NODE:
		put_text(w, facts->node);
		break;
	case CFG_VAR_SITE:
		put_text(w, facts->site);
		break;
	case CFG_VAR_ROUTE:
		put_text(w, facts->route);
		break;
	case CFG_VAR_ORIGIN:
		put_text(w, facts->origin);
		break;
	case CFG_VAR_USER:
		put_text(w, facts->user);
		break;
	case CFG_VAR_REFUSED_BY:
		put_text(w, facts->refused_by);
		break;
	case CFG_VAR_REQUEST_ID:
		put_text(w, facts->request_id);
		break;
	case CFG_VAR_TRACE_ID:
		put_text(w, facts->trace_id);
		break;
	default:
		break;
	}
}

void edge_write_variable(struct edge_writer *w, const struct cfg_template_part *part,
			 const struct edge_facts *facts)
{
	switch (part->variable) {
	case CFG_VAR_CLIENT_IP:
	case CFG_VAR_CLIENT_NETWORK:
	case CFG_VAR_CLIENT_PORT:
	case CFG_VAR_TLS_VERSION:
	case CFG_VAR_TLS_SUITE:
	case CFG_VAR_TLS_GROUP:
	case CFG_VAR_TLS_SNI:
	case CFG_VAR_TLS_RESUMED:
	case CFG_VAR_TLS_JA4:
	case CFG_VAR_TLS_EARLY:
	case CFG_VAR_PROTOCOL:
		if (facts->client)
			write_client(w, part->variable, facts);
		break;
	case CFG_VAR_CLIENT_COUNTRY:
	case CFG_VAR_CLIENT_CONTINENT:
	case CFG_VAR_CLIENT_ASN:
		if (facts->place)
			write_place(w, part->variable, facts->place);
		break;
	case CFG_VAR_CLIENT_CERT_SUBJECT:
	case CFG_VAR_CLIENT_CERT_ISSUER:
	case CFG_VAR_CLIENT_CERT_SERIAL:
	case CFG_VAR_CLIENT_CERT_SANS:
	case CFG_VAR_CLIENT_CERT_FINGERPRINT:
	case CFG_VAR_CLIENT_CERT_VERDICT:
		put_text(w, edge_client_cert_value(part->variable, facts));
		break;
	case CFG_VAR_PATH:
		if (facts->path)
			edge_write_path(w, facts->path->text);
		break;
	case CFG_VAR_MATCH:
		if (part->number < facts->captures.n)
			edge_write_path(w, facts->captures.v[part->number]);
		break;
	case CFG_VAR_STATUS:
		if (facts->response)
			put_number(w, (unsigned)facts->response->status);
		break;
	case CFG_VAR_RESPONSE_NAME:
		put_fields(w, facts->response, (struct span){part->text, part->n});
		break;
	default:
		write_name(w, part->variable, facts);
		if (facts->request)
			write_request(w, part, facts->request);
		break;
	}
}
