/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Choice and framing of lines, see access_log.h: a file gets them as they are, syslog with a header
 * of RFC 5424, the journal as a message among fields. What writes them is core/process/log_file.h.
 */
#include "edge/log/access_log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/check.h"
#include "core/process/log_file.h"
#include "edge/facts/client.h"
#include "edge/log/format.h"
#include "edge/log/text.h"

#define ACCESS_LOG_MAGIC 0x41636c67u
#define CACHE_LINE 64

/* Severities of RFC 5424, which are the journal's priorities too. */
#define SEVERITY_WARNING 4
#define SEVERITY_INFO 6

/* RFC 5424 section 6: what of a name is passed on, by its limits. */
#define HOSTNAME_MAX 255
#define PROGRAM_MAX 48
/* "<191>1 ", a time, names, numbers and spaces. */
#define HEADER_MAX (128 + HOSTNAME_MAX + 2 * PROGRAM_MAX)
/* Names and numbers of fields; their values as in a line. */
#define FIELDS_MAX                                                                                 \
	(1024 +                                                                                    \
	 EDGE_LOG_ESCAPED * (EDGE_LOG_METHOD_MAX + EDGE_LOG_HOST_MAX + EDGE_LOG_TARGET_MAX +       \
			     EDGE_LOG_ID_MAX + 4 * EDGE_LOG_NAME_MAX))

/* Rules */

struct edge_log_rules {
	struct edge_log_format *format;
	uint64_t below; /* hashes that are in the sample */
	bool all;       /* are */
	bool failures;  /* those are always wanted */
	unsigned facility;
};

struct edge_log_rules *edge_log_rules_create(const struct cfg_access_log *config)
{
	struct edge_log_rules *rules = xcalloc(1, sizeof(*rules));

	*rules = (struct edge_log_rules){
	    .format = edge_log_format_create(config->format),
	    .all = config->sample >= 100,
	    .below = config->sample >= 100 ? UINT64_MAX : (uint64_t)(config->sample / 100 * 0x1p64),
	    .failures = config->failures == CFG_LOG_FAILURES_ALL,
	    .facility = config->syslog.facility,
	};
	return rules;
}

void edge_log_rules_destroy(struct edge_log_rules **rulesp)
{
	struct edge_log_rules *rules = TAKE(rulesp);

	if (rules == NULL)
		return;
	edge_log_format_destroy(&rules->format);
	free(rules);
}

/* It got no response, one that says so, or one that was broken off. */
static bool has_failed(const struct edge_log_entry *e)
{
	return e->status == 0 || e->status >= 500 || (e->status < 400 && e->end != REASON_DONE);
}

bool edge_log_is_wanted(const struct edge_log_rules *rules, const struct edge_log_entry *e,
			uint64_t number)
{
	struct span id = e->facts->request_id;

	if (rules->all || (rules->failures && has_failed(e)))
		return true;
	return (id.n > 0 ? XXH3_64bits(id.p, id.n) : XXH3_64bits(&number, sizeof(number))) <
	       rules->below;
}

/* The log */

/* One loop's. */
struct shard {
	_Alignas(CACHE_LINE) uint64_t n; /* requests so far */
};

struct edge_access_log {
	unsigned magic;
	struct log_file *file;
	enum log_target_kind kind;
	/* Between the time and the message: "host program pid access - ". */
	char names[HEADER_MAX];
	char program[PROGRAM_MAX + 1], node[EDGE_LOG_NAME_MAX + 1];
	struct shard *shards;
};

/* Whether the output is called that. */
static bool is(const struct cfg_access_log *config, const char *word)
{
	return strcmp(config->output, word) == 0;
}

static struct log_target target_of(const struct cfg_access_log *config)
{
	struct log_target udp = {.kind = LOG_TARGET_UDP};

	CHECK(config->output[0] != '\0');
	if (is(config, "-"))
		return (struct log_target){.kind = LOG_TARGET_INHERITED, .fd = STDOUT_FILENO};
	if (is(config, CFG_OUTPUT_JOURNALD))
		return (struct log_target){.kind = LOG_TARGET_JOURNAL};
	if (!is(config, CFG_OUTPUT_SYSLOG))
		return (struct log_target){.kind = LOG_TARGET_FILE, .path = config->output};
	if (strchr(config->syslog.receiver, '/') != NULL)
		return (struct log_target){.kind = LOG_TARGET_SOCKET,
					   .path = config->syslog.receiver};
	CHECK(net_addr_parse(config->syslog.receiver, CFG_SYSLOG_PORT, &udp.addr));
	return udp;
}

static const char *name_of(const struct cfg_access_log *config)
{
	if (is(config, "-"))
		return "standard output";
	if (is(config, CFG_OUTPUT_JOURNALD))
		return "the journal";
	return is(config, CFG_OUTPUT_SYSLOG) ? config->syslog.receiver : config->output;
}

struct edge_access_log *edge_access_log_open(const struct cfg_access_log *config,
					     const char *program, const char *node,
					     struct loop_group *group, char **error)
{
	struct log_target target = target_of(config);
	struct log_file *file = log_file_open(name_of(config), &target, group, error);
	struct edge_access_log *log;
	char host[HOSTNAME_MAX + 1] = "-";

	if (file == NULL)
		return NULL;
	log = xcalloc(1, sizeof(*log));
	log->magic = ACCESS_LOG_MAGIC;
	log->file = file;
	log->kind = target.kind;
	log->shards = aligned_alloc(CACHE_LINE, (group->n_workers + 1) * sizeof(*log->shards));
	CHECK(log->shards != NULL);
	memset(log->shards, 0, (group->n_workers + 1) * sizeof(*log->shards));
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		strcpy(host, "-");
	snprintf(log->program, sizeof(log->program), "%s", program);
	snprintf(log->node, sizeof(log->node), "%s", node);
	snprintf(log->names, sizeof(log->names), " %s %s %ld access - ", host, log->program,
		 (long)getpid());
	return log;
}

/* Framing */

static unsigned severity_of(const struct edge_log_entry *e)
{
	return has_failed(e) ? SEVERITY_WARNING : SEVERITY_INFO;
}

/* RFC 5424 section 6.2. The time is when the line is made. */
static char *put_header(char *p, const struct edge_access_log *log,
			const struct edge_log_rules *rules, const struct edge_log_entry *e)
{
	wall_time now = {e->time.ns + e->total.ns};

	p = log_put_number(log_put(p, SPAN("<")), rules->facility * 8 + severity_of(e));
	p = log_put_time(log_put(p, SPAN(">1 ")), now);
	return log_put(p, span_of(log->names));
}

static char *put_field(char *p, struct span name, struct span value, size_t max)
{
	if (value.n == 0)
		return p;
	*p++ = LOG_FIELD_END;
	return log_put_escaped(log_put(p, name), value, max);
}

static char *put_number(char *p, struct span name, uint64_t number)
{
	*p++ = LOG_FIELD_END;
	return log_put_number(log_put(p, name), number);
}

static char *put_fields(char *p, const struct edge_access_log *log, const struct edge_log_entry *e)
{
	const struct edge_facts *f = e->facts;
	const struct http_head *request = f->request;
	char server[NET_ADDR_TEXT] = "";

	if (e->server.sa.sa_family != AF_UNSPEC)
		net_addr_format(&e->server, server);
	p = put_number(p, SPAN("PRIORITY="), severity_of(e));
	p = put_field(p, SPAN("SYSLOG_IDENTIFIER="), span_of(log->program), PROGRAM_MAX);
	p = put_field(p, SPAN("PERIGEE_NODE="), span_of(log->node), EDGE_LOG_NAME_MAX);
	p = put_field(p, SPAN("PERIGEE_CLIENT="), span_of(f->client->ip), NET_ADDR_TEXT);
	p = put_field(p, SPAN("PERIGEE_METHOD="), request->method, EDGE_LOG_METHOD_MAX);
	p = put_field(p, SPAN("PERIGEE_HOST="), request->authority, EDGE_LOG_HOST_MAX);
	p = put_field(p, SPAN("PERIGEE_TARGET="), request->target, EDGE_LOG_TARGET_MAX);
	p = put_number(p, SPAN("PERIGEE_STATUS="), (uint64_t)e->status);
	p = put_number(p, SPAN("PERIGEE_BYTES="), e->bytes_out);
	p = put_number(p, SPAN("PERIGEE_DURATION_US="), (uint64_t)MAX(dur_to_us(e->total), 0));
	p = put_field(p, SPAN("PERIGEE_SITE="), f->site, EDGE_LOG_NAME_MAX);
	p = put_field(p, SPAN("PERIGEE_ROUTE="), f->route, EDGE_LOG_NAME_MAX);
	p = put_field(p, SPAN("PERIGEE_ORIGIN="), f->origin, EDGE_LOG_NAME_MAX);
	p = put_field(p, SPAN("PERIGEE_SERVER="), span_of(server), NET_ADDR_TEXT);
	p = put_field(p, SPAN("PERIGEE_REQUEST_ID="), f->request_id, EDGE_LOG_ID_MAX);
	return put_field(p, SPAN("PERIGEE_END="), span_of(reason_text(e->end)), EDGE_LOG_NAME_MAX);
}

bool edge_access_log_write(struct edge_access_log *log, struct loop *loop,
			   const struct edge_log_rules *rules, const struct edge_log_entry *e)
{
	char line[HEADER_MAX + EDGE_LOG_LINE_MAX + FIELDS_MAX + 1], *p = line;

	MAGIC_CHECK(log, ACCESS_LOG_MAGIC);
	if (!edge_log_is_wanted(rules, e, log->shards[loop_index(loop)].n++))
		return false;
	if (log->kind == LOG_TARGET_SOCKET || log->kind == LOG_TARGET_UDP)
		p = put_header(p, log, rules, e);
	else if (log->kind == LOG_TARGET_JOURNAL)
		p = log_put(p, SPAN("MESSAGE="));
	p += edge_log_format_write(rules->format, e, p);
	if (log->kind == LOG_TARGET_JOURNAL)
		p = put_fields(p, log, e);
	*p++ = '\n';
	log_file_append(log->file, loop, line, (size_t)(p - line));
	return true;
}

uint64_t edge_access_log_dropped(const struct edge_access_log *log)
{
	return log_file_dropped(log->file);
}

void edge_access_log_reopen(struct edge_access_log *log)
{
	MAGIC_CHECK(log, ACCESS_LOG_MAGIC);
	log_file_reopen(log->file);
}

void edge_access_log_close(struct edge_access_log **logp)
{
	struct edge_access_log *log = TAKE(logp);

	if (log == NULL)
		return;
	MAGIC_CHECK(log, ACCESS_LOG_MAGIC);
	log_file_close(&log->file);
	free(log->shards);
	log->magic = MAGIC_DEAD;
	free(log);
}
