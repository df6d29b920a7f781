/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering a query, see steer.h: by the front of the pool when that is current, else by looking at
 * every member.
 */
#include "dns/steer/steer.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/steer/fronts.h"
#include "fleet/verdicts.h"
#include "geo/places.h"
#include "geo/ranges.h"

struct question {
	const struct steer_state *state;
	const struct steer_pool *pool;
	const struct net_prefix *client;
	const struct steer_fronts *fronts; /* NULL: they are not current */
	struct steer_network network;      /* of weighted pools */
	mono_time now;
};

static const struct steer_spot *spot_at(const struct question *q, uint8_t *scope)
{
	struct geo_found found = geo_ranges_find(geo_places_ranges(q->state->places), q->client);

	*scope = found.scope;
	return steer_spot_of(&q->state->steering->spots, found.value);
}

static void pick_by_front(const struct question *q, const struct steer_front *front,
			  struct steer_choice *choice)
{
	const struct steer_edge *edges = q->state->steering->edges;
	struct geo_found found = {0};

	choice->by_front = true;
	switch (front->kind) {
	case STEER_FRONT_PLACES:
		steer_front_pick_at(front, q->pool, edges, spot_at(q, &choice->scope), &q->network,
				    &choice->pick);
		return;
	case STEER_FRONT_RANGES:
		found = geo_ranges_find(front->ranges, q->client);
		break;
	case STEER_FRONT_ONE:
		break;
	}
	choice->scope = found.scope;
	steer_front_pick(front, q->pool, edges, found.value, &q->network, &choice->pick);
}

static bool depends_on_place(const struct steer_pool *pool)
{
	return pool->policy == CFG_POLICY_NEAREST || pool->policy == CFG_POLICY_CONTINENT ||
	       pool->overridden;
}

static __attribute__((cold)) void pick_by_members(const struct question *q,
						  struct steer_choice *choice)
{
	static const struct steer_spot anywhere;
	const struct steer_spot *spot = &anywhere;

	if (depends_on_place(q->pool))
		spot = spot_at(q, &choice->scope);
	choice->pick = steer_choose(q->pool, q->state->steering->edges, choice->family, spot,
				    &q->network, q->state->verdicts, q->now);
	if (choice->pick.candidates <= 1)
		choice->scope = 0;
}

static struct dns_offered offered_by(const struct question *q, uint16_t id,
				     enum steer_family family)
{
	if (q->fronts != NULL)
		return q->fronts->offered[(unsigned)id * STEER_FAMILIES + family];
	return dns_offer_judge(&q->state->steering->edges[id].offer, id, family, q->state->verdicts,
			       q->now);
}

/* What the addresses of the chosen edges mean for what is answered, and for how long. */
static void judge_offers(const struct question *q, struct steer_choice *choice)
{
	const struct steer_edge *edges = q->state->steering->edges;
	bool failing = false;

	for (unsigned i = 0; i < choice->pick.n; i++) {
		uint16_t id = choice->pick.edges[i];
		struct dns_offered offered = offered_by(q, id, choice->family);

		failing = failing || offered.failing;
		if (offered.whole && choice->pick.n == 1)
			choice->whole = &edges[id].offer.addresses[choice->family].rrs;
	}
	if (choice->reason != DNS_STEER_STATIC && (failing || choice->reason != DNS_STEER_HEALTHY))
		choice->ttl = MIN(choice->ttl, DNS_FAILING_TTL);
}

void dns_steer(const struct steer_state *state, const struct dns_steered *steered,
	       enum steer_family family, const struct net_prefix *client, mono_time now,
	       struct steer_choice *choice)
{
	const struct steer_pool *pool = &state->steering->pools.v[steered->pool];
	struct question q = {.state = state, .pool = pool, .client = client, .now = now};
	const struct steer_front *front = NULL;

	*choice = (struct steer_choice){.steered = steered, .family = family, .ttl = steered->ttl};
	if (pool->n > 0 && pool->of_family[family] == 0) {
		choice->reason = DNS_STEER_NO_FAMILY;
		return;
	}
	if (pool->policy == CFG_POLICY_WEIGHTED)
		q.network = steer_network_of(client);
	if (steer_fronts_current(state->fronts, state->verdicts, now))
		q.fronts = state->fronts;
	if (q.fronts != NULL)
		front = q.fronts->v[steered->pool * STEER_FAMILIES + family];
	if (front != NULL)
		pick_by_front(&q, front, choice);
	else
		pick_by_members(&q, choice);
	choice->reason = steer_tier_reason(pool, choice->pick.tier);
	if (pool->policy == CFG_POLICY_WEIGHTED && choice->pick.rivals > 1)
		choice->scope = MAX(choice->scope, q.network.scope);
	judge_offers(&q, choice);
}

static int compare_records(const void *a, const void *b)
{
	return knot_rdata_cmp(*(const knot_rdata_t *const *)a, *(const knot_rdata_t *const *)b);
}

/* Sorted, and each once: edges may share an address. */
static bool put_together(const knot_rdata_t **records, unsigned n, knot_mm_t *mm,
			 knot_rdataset_t *out)
{
	size_t size = knot_rdata_size(records[0]->len);
	uint8_t *at;

	qsort(records, n, sizeof(*records), compare_records);
	at = mm->alloc(mm->ctx, n * size);
	if (at == NULL)
		return false;
	*out = (knot_rdataset_t){.rdata = (knot_rdata_t *)at};
	for (unsigned i = 0; i < n; i++) {
		if (i > 0 && compare_records(&records[i - 1], &records[i]) == 0)
			continue;
		memcpy(at + out->size, records[i], size);
		out->size += (uint32_t)size;
		out->count++;
	}
	return true;
}

static __attribute__((noinline)) bool collect_records(const struct steer_state *state,
						      const struct steer_choice *choice,
						      mono_time now, knot_mm_t *mm,
						      knot_rdataset_t *out)
{
	const struct steer_edge *edges = state->steering->edges;
	const knot_rdata_t **records;
	unsigned room = 0, n = 0;

	for (unsigned i = 0; i < choice->pick.n; i++)
		room += edges[choice->pick.edges[i]].offer.addresses[choice->family].rrs.count;
	records = mm == NULL ? NULL : mm->alloc(mm->ctx, room * sizeof(*records));
	if (records == NULL)
		return false;
	for (unsigned i = 0; i < choice->pick.n; i++) {
		uint16_t id = choice->pick.edges[i];

		n += dns_offer_list(&edges[id].offer, id, choice->family, state->verdicts, now,
				    records + n);
	}
	return put_together(records, n, mm, out);
}

bool dns_steer_records(const struct steer_state *state, const struct steer_choice *choice,
		       mono_time now, knot_mm_t *mm, knot_rdataset_t *out)
{
	CHECK(choice->pick.n > 0);
	if (choice->whole == NULL)
		return collect_records(state, choice, now, mm, out);
	*out = *choice->whole;
	return true;
}
