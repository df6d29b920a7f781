/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was seen of servers as metrics with the labels `origin` and `server`, and the breakers of
 * their origins. Control loop.
 *
 * How many series that makes is bounded, whatever the configuration: `server` is what that says, so
 * that addresses which come and go make no new ones; SERVERS_MAX servers have labels of their own,
 * always the first of the configuration, and all others are one; and of each there are at most 36
 * counts (15 of them reasons of failures, which are there only once they have happened), and of
 * the five stages 12 values of a histogram whose buckets are every other one of what is counted.
 * So there are 24,000 at most, and 1,000 on an edge with 20 servers: Prometheus takes a few KiB for
 * each. Of breakers there are three for each of 256 origins, and for all others together.
 */
#include "origin-link/server_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/servers/gate.h"
#include "origin-link/servers/seen.h"
#include "origin-link/servers/server.h"

#define SERVERS_MAX 256

/* One server, or all that have no labels of their own. */
struct series {
	char *labels; /* origin="app",server="a:80" */
	struct outcome_sums sums;
	struct endpoint_facts facts;
	unsigned states[ADDRESS_STATES]; /* addresses */
};

/* As a label's value has it: what would end it is escaped. */
static char *escaped(const char *text)
{
	char *out = xcalloc(2, strlen(text) + 1), *p = out;

	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text == '\n' ? ' ' : *text;
	}
	return out;
}

/* `extra`: further labels, with a comma before them, or "". */
static void put(json_t *counters, const struct series *s, const char *name, const char *extra,
		json_t *value)
{
	char *whole = xasprintf("olink_server_%s{%s%s}", name, s->labels, extra);

	json_object_set_new(counters, whole, value);
	free(whole);
}

static void put_count(json_t *counters, const struct series *s, const char *name, const char *extra,
		      uint64_t n)
{
	put(counters, s, name, extra, json_integer((json_int_t)n));
}

static void put_counts(json_t *counters, const struct series *s)
{
	const struct outcome_sums *sums = &s->sums;
	char extra[64];

	put_count(counters, s, "attempts_total", "", sums->attempts);
	put_count(counters, s, "retries_total", "", sums->retries);
	put_count(counters, s, "abandoned_total", "", sums->abandoned);
	put_count(counters, s, "shortages_total", "", sums->shortages);
	put_count(counters, s, "opened_total", "", sums->opened);
	put_count(counters, s, "warmed_total", "", sums->warm);
	put_count(counters, s, "leases_total", ",reused=\"yes\"", sums->reused);
	put_count(counters, s, "leases_total", ",reused=\"no\"", sums->fresh);
	for (unsigned i = 1; i < ARRAY_SIZE(sums->answers); i++) {
		snprintf(extra, sizeof(extra), ",class=\"%uxx\"", i);
		put_count(counters, s, "answers_total", extra, sums->answers[i]);
	}
	for (unsigned i = 0; i < OUTCOME_REASONS; i++) {
		snprintf(extra, sizeof(extra), ",reason=\"%s\"",
			 reason_text(OUTCOME_REASON_FIRST + i));
		if (sums->failures[i] > 0)
			put_count(counters, s, "failures_total", extra, sums->failures[i]);
	}
}

static void put_facts(json_t *counters, const struct series *s)
{
	put_count(counters, s, "in_flight", "", s->facts.in_flight);
	put_count(counters, s, "waiting", "", s->facts.waiting);
	put_count(counters, s, "idle", "", s->facts.idle);
	put_count(counters, s, "open", "", s->facts.open);
	for (unsigned i = 0; i < ARRAY_SIZE(s->states); i++) {
		char extra[32];

		snprintf(extra, sizeof(extra), ",state=\"%s\"", address_state_name(i));
		put_count(counters, s, "addresses", extra, s->states[i]);
	}
}

static void put_histogram(json_t *counters, const struct series *s, enum outcome_time time)
{
	const struct outcome_histogram *h = &s->sums.times[time];
	const char *stage = outcome_time_text(time);
	uint64_t n = outcome_histogram_count(h), below = 0;
	char extra[64];

	if (n == 0)
		return;
	for (unsigned i = 0; i < OUTCOME_BUCKETS - 1; i++) {
		below += h->n[i];
		snprintf(extra, sizeof(extra), ",stage=\"%s\",le=\"%g\"", stage,
			 (double)dur_to_us(outcome_bound(i)) / 1e6);
		if (i % 2 == 1)
			put_count(counters, s, "seconds_bucket", extra, below);
	}
	snprintf(extra, sizeof(extra), ",stage=\"%s\",le=\"+Inf\"", stage);
	put_count(counters, s, "seconds_bucket", extra, n);
	snprintf(extra, sizeof(extra), ",stage=\"%s\"", stage);
	put_count(counters, s, "seconds_count", extra, n);
	put(counters, s, "seconds_sum", extra, json_real((double)h->us / 1e6));
}

static void put_series(json_t *counters, const struct series *s)
{
	put_counts(counters, s);
	put_facts(counters, s);
	for (unsigned i = 0; i < OUTCOME_TIMES; i++)
		put_histogram(counters, s, (enum outcome_time)i);
}

static void add_server(struct series *s, const struct olink_server *server)
{
	const struct olink_addresses *list = server_addresses(server);

	seen_add_sums(server, &s->sums);
	for (unsigned i = 0; list && i < list->n; i++) {
		struct endpoint_facts facts = endpoint_facts(list->v[i]->endpoint);

		s->facts.in_flight += facts.in_flight;
		s->facts.waiting += facts.waiting;
		s->facts.idle += facts.idle;
		s->facts.open += facts.open;
		s->states[address_state(list->v[i])]++;
	}
}

static void put_server(json_t *counters, const struct cfg_origin *origin,
		       const struct olink_server *server)
{
	struct series s = {.labels = NULL};
	char *name = escaped(origin->name), *host = escaped(server->host);
	bool is_ipv6 = strchr(host, ':') != NULL;

	s.labels = xasprintf("origin=\"%s\",server=\"%s%s%s:%u\"", name, is_ipv6 ? "[" : "", host,
			     is_ipv6 ? "]" : "", server->port);
	add_server(&s, server);
	put_series(counters, &s);
	free(s.labels);
	free(name);
	free(host);
}

void server_metrics_add(const struct cfg_fleet *fleet, struct olink_server *const *const *servers,
			json_t *counters)
{
	struct series others = {.labels = NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < fleet->n_origins; i++) {
		for (unsigned j = 0; j < fleet->origins[i].n_servers; j++) {
			if (n++ < SERVERS_MAX)
				put_server(counters, &fleet->origins[i], servers[i][j]);
			else
				add_server(&others, servers[i][j]);
		}
	}
	if (n <= SERVERS_MAX)
		return;
	others.labels = xstrdup("origin=\"others\",server=\"others\"");
	put_series(counters, &others);
	free(others.labels);
}

/* `n`: breakers, by state. */
static void put_breakers(json_t *counters, const char *origin, const unsigned n[BREAKER_TRIAL + 1])
{
	char *name = escaped(origin);

	for (unsigned i = 0; i <= BREAKER_TRIAL; i++) {
		char *whole = xasprintf("olink_origin_breakers{origin=\"%s\",state=\"%s\"}", name,
					breaker_state_text((enum breaker_state)i));

		json_object_set_new(counters, whole, json_integer(n[i]));
		free(whole);
	}
	free(name);
}

void server_metrics_add_breakers(const struct cfg_fleet *fleet, const struct gate *gates,
				 json_t *counters)
{
	unsigned others[BREAKER_TRIAL + 1] = {0}, n = 0;

	for (unsigned i = 0; i < fleet->n_origins; i++) {
		enum breaker_state state = gates[i].breaker.state;
		unsigned one[BREAKER_TRIAL + 1] = {0};

		if (!fleet->origins[i].breaker.enabled)
			continue;
		one[state] = 1;
		if (n++ < SERVERS_MAX)
			put_breakers(counters, fleet->origins[i].name, one);
		else
			others[state]++;
	}
	if (n > SERVERS_MAX)
		put_breakers(counters, "others", others);
}
