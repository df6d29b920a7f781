/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See buckets.h. A limit is known by the hash of its space, name and key; a bucket by that and the
 * hash of the key's value.
 */
#include "edge/limit/buckets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/facts/facts.h"
#include "edge/facts/match.h"
#include "edge/facts/template.h"

/* A name has 63 letters, each of the three numbers ten digits. */
#define ITEM_MAX 128

struct bucket {
	const struct cfg_limit *cfg;
	struct edge_match *when;
	struct edge_template *key; /* NULL: one for all */
	struct edge_rate rate;
	uint64_t identity;
};

struct edge_buckets {
	const char *space;
	unsigned n;
	struct bucket v[];
};

/* Names and keys are the operator's: this needs no secret, and is the same after a reload. */
static uint64_t identity_of(const struct cfg_limit *limit, const char *space)
{
	static const struct siphash_seed seed = {{0}};
	char *text = xasprintf("%s/%s/%s", space, limit->name, limit->key);
	uint64_t identity = siphash(&seed, text, strlen(text)) | 1; /* 0 is nobody's */

	free(text);
	return identity;
}

struct edge_buckets *edge_buckets_create(const struct cfg_limit *limits, unsigned n,
					 const char *space)
{
	struct edge_buckets *b;

	if (n == 0)
		return NULL;
	b = xcalloc(1, sizeof(*b) + n * sizeof(b->v[0]));
	b->space = space;
	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		const struct cfg_limit *limit = &limits[i];
		unsigned burst = limit->burst > 0 ? limit->burst : limit->rate.count;

		b->v[i] = (struct bucket){
		    .cfg = limit,
		    .when = edge_match_create(&limit->when),
		    .key = limit->key[0] != '\0' ? edge_template_create(limit->key, EDGE_TEXT_KEY)
						 : NULL,
		    .rate = edge_rate_of(&limit->rate, burst),
		    .identity = identity_of(limit, space),
		};
	}
	return b;
}

void edge_buckets_destroy(struct edge_buckets **bp)
{
	struct edge_buckets *b = TAKE(bp);

	for (unsigned i = 0; b != NULL && i < b->n; i++) {
		edge_match_destroy(&b->v[i].when);
		edge_template_destroy(&b->v[i].key);
	}
	free(b);
}

/* Taking */

/* False: the request has no key, so it is not limited. A key that is too long for us is one of its
 * own, or a long one would be a way around every limit. */
static bool find_key(const struct bucket *bucket, const struct edge_guard *guard,
		     const struct edge_facts *facts, struct arena *arena, uint64_t *key)
{
	struct span value = SPAN("");

	if (bucket->key != NULL && edge_template_expand(bucket->key, facts, arena, &value) &&
	    value.n == 0)
		return false;
	*key = edge_guard_key(guard, value.p, value.n) ^ bucket->identity;
	return true;
}

static void tell(struct edge_limit_report *report, const struct bucket *bucket,
		 const struct edge_rate_state *state)
{
	enum cfg_tell when = bucket->cfg->tell;

	if (when == CFG_TELL_NEVER || (when == CFG_TELL_REFUSED && state->allowed) ||
	    report->n_told == EDGE_TOLD_MAX)
		return;
	report->told[report->n_told++] = (struct edge_told){
	    .limit = bucket->cfg,
	    .quota = bucket->rate.burst,
	    .window = DUR_NS(bucket->rate.interval.ns * bucket->rate.burst),
	    .state = *state,
	};
}

/* False: it is over the limit. */
static bool take(const struct bucket *bucket, struct edge_guard *guard,
		 const struct edge_facts *facts, struct arena *arena, mono_time now,
		 struct edge_limit_report *report)
{
	/* What its condition captures is for its key alone: the rest is the route's. */
	struct edge_facts own = *facts;
	struct edge_limit_counts *counts;
	struct edge_rate_state state;
	uint64_t key;

	if (edge_match_judge(bucket->when, &own) == EDGE_MATCH_NO ||
	    !find_key(bucket, guard, &own, arena, &key))
		return true;
	state = edge_rates_take(guard->rates, key, &bucket->rate, now);
	tell(report, bucket, &state);
	counts = edge_guard_counts(guard, bucket->identity);
	if (counts != NULL)
		atomic_fetch_add_explicit(state.allowed ? &counts->allowed : &counts->refused, 1,
					  memory_order_relaxed);
	if (!state.allowed) {
		report->refused = bucket->cfg;
		report->wait = state.wait;
	}
	return state.allowed;
}

bool edge_buckets_take(const struct edge_buckets *b, struct edge_guard *guard,
		       const struct edge_facts *facts, struct arena *arena, mono_time now,
		       struct edge_limit_report *report)
{
	for (unsigned i = 0; b != NULL && i < b->n; i++) {
		if (!take(&b->v[i], guard, facts, arena, now, report))
			return false;
	}
	return true;
}

/* Fields */

/* Of zero too, which is as long as no sooner second can be told. */
static unsigned long long seconds_up(duration d)
{
	return (unsigned long long)((d.ns + DUR_S(1).ns - 1) / DUR_S(1).ns);
}

struct span edge_limit_retry_after(duration wait, struct arena *arena)
{
	char text[ITEM_MAX];
	int n = snprintf(text, sizeof(text), "%llu", MAX(seconds_up(wait), 1));
	char *copy = arena_copy(arena, text, (size_t)n);

	return (struct span){copy, copy != NULL ? (size_t)n : 0};
}

/* A window is of one second at least. */
static int write_policy(char *out, const struct edge_told *told)
{
	return snprintf(out, ITEM_MAX, "\"%s\";q=%u;w=%llu", told->limit->name, told->quota,
			MAX(seconds_up(told->window), 1));
}

static int write_limit(char *out, const struct edge_told *told)
{
	return snprintf(out, ITEM_MAX, "\"%s\";r=%u;t=%llu", told->limit->name, told->state.left,
			seconds_up(told->state.wait));
}

static bool write_list(const struct edge_limit_report *report, struct arena *arena,
		       int (*write)(char *out, const struct edge_told *told), struct span *list)
{
	char text[EDGE_TOLD_MAX * (ITEM_MAX + 2)];
	size_t n = 0;

	for (unsigned i = 0; i < report->n_told; i++) {
		int written;

		if (i > 0)
			n = (size_t)((char *)mempcpy(text + n, ", ", 2) - text);
		written = write(text + n, &report->told[i]);
		CHECK(written > 0 && written < ITEM_MAX);
		n += (size_t)written;
	}
	*list = (struct span){n > 0 ? arena_copy(arena, text, n) : "", n};
	return list->p != NULL;
}

bool edge_limit_fields(const struct edge_limit_report *report, struct arena *arena,
		       struct span *policy, struct span *limit)
{
	return write_list(report, arena, write_policy, policy) &&
	       write_list(report, arena, write_limit, limit);
}

void edge_buckets_each(const struct edge_buckets *b, const struct edge_guard *guard,
		       edge_buckets_visit *visit, void *arg)
{
	for (unsigned i = 0; b != NULL && i < b->n; i++) {
		struct edge_limit_counts *counts = edge_guard_counts(guard, b->v[i].identity);

		visit(arg, b->v[i].cfg, b->space,
		      counts != NULL ? atomic_load(&counts->allowed) : 0,
		      counts != NULL ? atomic_load(&counts->refused) : 0);
	}
}
