/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was seen of a server: sums, and how they are told. Control loop; the counts themselves are
 * the loops' (origin-link/conns/outcome.h).
 */
#include "origin-link/servers/seen.h"

#include "core/base/check.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/servers/server.h"

/* Sums */

/* `to` and `n` are arrays of counts, as all of outcome_sums is. */
#define SUMS (sizeof(struct outcome_sums) / sizeof(uint64_t))

union counts {
	struct outcome_sums sums;
	uint64_t v[SUMS];
};

static void add(union counts *to, const union counts *n)
{
	for (size_t i = 0; i < SUMS; i++)
		to->v[i] += n->v[i];
}

/* What the address has added since the server has it. */
static union counts since(const struct olink_address *a)
{
	const union counts base = {.sums = a->counted_before};
	union counts now;

	endpoint_sums(a->endpoint, &now.sums);
	for (size_t i = 0; i < SUMS; i++)
		now.v[i] -= base.v[i];
	return now;
}

void seen_begin(struct olink_address *a)
{
	endpoint_sums(a->endpoint, &a->counted_before);
}

void seen_end(struct olink_server *server, const struct olink_address *a)
{
	union counts past = {.sums = server->counted}, n = since(a);

	add(&past, &n);
	server->counted = past.sums;
}

void seen_add_sums(const struct olink_server *server, struct outcome_sums *sums)
{
	const struct olink_addresses *list = server_addresses(server);
	const union counts past = {.sums = server->counted};
	union counts all = {.sums = *sums};

	add(&all, &past);
	for (unsigned i = 0; list && i < list->n; i++) {
		union counts n = since(list->v[i]);

		add(&all, &n);
	}
	*sums = all.sums;
}

/* Telling */

static json_t *failures(const struct outcome_sums *sums)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < OUTCOME_REASONS; i++) {
		if (sums->failures[i] > 0)
			json_object_set_new(all, reason_text(OUTCOME_REASON_FIRST + i),
					    json_integer((json_int_t)sums->failures[i]));
	}
	return all;
}

static json_t *answers(const struct outcome_sums *sums)
{
	char text[] = "0xx";
	json_t *all = json_object();

	for (unsigned i = 1; i < ARRAY_SIZE(sums->answers); i++) {
		text[0] = (char)('0' + i);
		if (sums->answers[i] > 0)
			json_object_set_new(all, text, json_integer((json_int_t)sums->answers[i]));
	}
	return all;
}

/* To the hundredth of a percent: what is told apart is 99.9 and 99.99. */
static json_t *share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? json_real((double)(part * 10000 / whole) / 100.0) : json_null();
}

static json_t *traffic(const struct outcome_sums *sums)
{
	return json_pack("{s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "attempts",
			 (json_int_t)sums->attempts, "answers", answers(sums), "failures",
			 failures(sums), "retries", (json_int_t)sums->retries, "abandoned",
			 (json_int_t)sums->abandoned, "shortages", (json_int_t)sums->shortages,
			 "opened", (json_int_t)sums->opened, "warmed", (json_int_t)sums->warm,
			 "reused", (json_int_t)sums->reused, "reused_percent",
			 share(sums->reused, sums->reused + sums->fresh));
}

static json_t *milliseconds(duration time)
{
	return json_real((double)dur_to_us(time) / 1000.0);
}

static json_t *times(const struct outcome_sums *sums)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < OUTCOME_TIMES; i++) {
		const struct outcome_histogram *h = &sums->times[i];
		uint64_t n = outcome_histogram_count(h);

		if (n == 0)
			continue;
		json_object_set_new(all, outcome_time_text((enum outcome_time)i),
				    json_pack("{s:I, s:o, s:o, s:o, s:o}", "count", (json_int_t)n,
					      "mean_ms", milliseconds(DUR_US(h->us / n)), "p50_ms",
					      milliseconds(outcome_quantile(h, 0.5)), "p90_ms",
					      milliseconds(outcome_quantile(h, 0.9)), "p99_ms",
					      milliseconds(outcome_quantile(h, 0.99))));
	}
	return all;
}

void seen_add_status(const struct olink_server *server, json_t *status)
{
	struct outcome_sums sums = {0};

	seen_add_sums(server, &sums);
	json_object_set_new(status, "traffic", traffic(&sums));
	json_object_set_new(status, "times", times(&sums));
}
