/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Outliers and breakers: what requests have counted is read from the slots of all loops, a thousand
 * servers in about a millisecond, and only of origins that want it. Control loop only; owns
 * nothing.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/servers/lookout.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/outcome.h"
#include "origin-link/servers/link.h"

static struct outlier_counts counts_of(const struct outcome_sums *sums)
{
	const struct outcome_histogram *h = &sums->times[OUTCOME_TIME_FIRST_BYTE];
	struct outlier_counts c = {
	    .gateway_errors = sums->gateway_errors,
	    .timed = outcome_histogram_count(h),
	    .us = h->us,
	};
	uint64_t queued;

	for (unsigned i = 0; i < OUTCOME_REASONS; i++)
		c.failures += sums->failures[i];
	c.whole = sums->attempts - sums->abandoned - sums->shortages - c.failures;
	queued = sums->failures[REASON_ORIGIN_QUEUE_FULL - OUTCOME_REASON_FIRST] +
		 sums->failures[REASON_ORIGIN_QUEUE_TIMEOUT - OUTCOME_REASON_FIRST];
	c.failures -= queued;
	for (unsigned i = 0; i < ARRAY_SIZE(sums->answers); i++)
		c.answers += sums->answers[i];
	return c;
}

/* Loops count on while they are read, one number after the other: what seems to have become less
 * is not new. */
static uint64_t more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static struct outlier_counts news_of(struct olink_address *a, struct outlier_counts now)
{
	struct outlier_counts before = a->counted;

	/* What was before we began to look is not news. */
	if (!a->is_counted)
		before = now;
	a->is_counted = true;
	a->counted = now;
	return (struct outlier_counts){
	    .answers = more(now.answers, before.answers),
	    .gateway_errors = more(now.gateway_errors, before.gateway_errors),
	    .whole = more(now.whole, before.whole),
	    .failures = more(now.failures, before.failures),
	    .timed = more(now.timed, before.timed),
	    .us = more(now.us, before.us),
	};
}

/* The addresses of an origin, and what all of them have done since the last look. One that joins
 * brings nothing of what was before. */
struct members {
	struct breaker_counts news;
	unsigned n;
	struct olink_address **addresses;
	struct outlier_member *v;
};

static struct members members_of(const struct olink_origins *o, const struct cfg_origin *origin)
{
	struct members m = {0};
	unsigned most = 0;

	for (unsigned i = 0; i < origin->n_servers; i++) {
		const struct olink_addresses *list = server_addresses(o->servers[origin->id][i]);

		most += list ? list->n : 0;
	}
	m.addresses = xcalloc(most + 1, sizeof(struct olink_address *));
	m.v = xcalloc(most + 1, sizeof(*m.v));
	for (unsigned i = 0; i < origin->n_servers; i++) {
		const struct olink_addresses *list = server_addresses(o->servers[origin->id][i]);

		for (unsigned k = 0; list && k < list->n; k++) {
			struct olink_address *a = list->v[k];
			struct outcome_sums sums;
			struct outlier_counts news;

			endpoint_sums(a->endpoint, &sums);
			news = news_of(a, counts_of(&sums));
			m.news.bad += news.failures + news.gateway_errors;
			m.news.good += more(news.whole, news.gateway_errors);
			m.addresses[m.n] = a;
			m.v[m.n++] = (struct outlier_member){
			    .outlier = &a->outlier,
			    .news = news,
			    .is_up = address_is_proven(a) && !a->server->is_drained,
			};
		}
	}
	return m;
}

static void look_for_outliers(const struct cfg_origin *origin, struct members *m, mono_time now)
{
	enum outlier_event *events = xcalloc(m->n + 1, sizeof(*events));

	outlier_look(&origin->health.outliers, m->v, m->n, now, events);
	for (unsigned i = 0; i < m->n; i++) {
		if (events[i] != OUTLIER_NOTHING)
			address_outlier_changed(m->addresses[i]);
	}
	free(events);
}

static void look_at(struct olink_origins *o, const struct cfg_origin *origin, mono_time now)
{
	struct members m = members_of(o, origin);

	if (origin->breaker.enabled)
		gate_look(&o->gates[origin->id], origin, &m.news, now);
	if (origin->health.outliers.enabled)
		look_for_outliers(origin, &m, now);
	free(m.addresses);
	free(m.v);
}

void lookout_look(struct olink_origins *o, mono_time now)
{
	LOOP_ASSERT_OWNER(o->olink->group->control);
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		const struct cfg_origin *origin = &o->fleet->origins[i];

		if (origin->health.outliers.enabled || origin->breaker.enabled)
			look_at(o, origin, now);
	}
}
