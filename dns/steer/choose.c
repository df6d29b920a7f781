/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The choice by looking at every member, see choose.h.
 */
#include "dns/steer/choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "fleet/verdicts.h"
#include "geo/ranges.h"

/* Networks that are given out as one: RFC 7871 section 11.1 has resolvers send no more of an
 * address than this. */
#define NETWORK_IPV4 24
#define NETWORK_IPV6 56

/* Groups of keys: below them, the ranks of an override. */
#define GROUP_FIRST STEER_GROUP_POLICY
#define GROUP_SECOND (GROUP_FIRST + 1)
#define GROUP_THIRD (GROUP_FIRST + 2)

const char *dns_steer_policy_text(enum cfg_policy policy)
{
	switch (policy) {
	case CFG_POLICY_NEAREST:
		return "nearest";
	case CFG_POLICY_CONTINENT:
		return "continent";
	case CFG_POLICY_WEIGHTED:
		return "weighted";
	case CFG_POLICY_FAILOVER:
		return "failover";
	case CFG_POLICY_STATIC:
		return "static";
	}
	return "?";
}

const char *dns_steer_reason_text(enum dns_steer_reason reason)
{
	switch (reason) {
	case DNS_STEER_HEALTHY:
		return "healthy";
	case DNS_STEER_STATIC:
		return "static, whatever the checks say";
	case DNS_STEER_DRAINED:
		return "drained, but no active one is up";
	case DNS_STEER_UNPROBED:
		return "health not known";
	case DNS_STEER_NONE_UP:
		return "none is up";
	case DNS_STEER_SERVFAIL:
		return "none is up: SERVFAIL";
	case DNS_STEER_NO_FAMILY:
		return "no edge has an address of this family";
	}
	return "?";
}

enum steer_tier steer_tier_of(const struct steer_pool *pool, const struct steer_edge *edge,
			      enum steer_family family, enum health_state state)
{
	bool active = edge->active;
	bool strict = pool->none_up == CFG_NONE_UP_SERVFAIL;

	if (edge->offer.addresses[family].rrs.count == 0)
		return STEER_TIER_NONE;
	if (state == HEALTH_UP || pool->policy == CFG_POLICY_STATIC)
		return active ? STEER_TIER_UP : STEER_TIER_DRAINED;
	if (state == HEALTH_UNKNOWN && active)
		return STEER_TIER_UNKNOWN;
	if (strict)
		return STEER_TIER_NONE;
	return active ? STEER_TIER_ACTIVE : STEER_TIER_REST;
}

enum dns_steer_reason steer_tier_reason(const struct steer_pool *pool, enum steer_tier tier)
{
	if (pool->policy == CFG_POLICY_STATIC && tier != STEER_TIER_NONE)
		return DNS_STEER_STATIC;
	switch (tier) {
	case STEER_TIER_UP:
		return DNS_STEER_HEALTHY;
	case STEER_TIER_DRAINED:
		return DNS_STEER_DRAINED;
	case STEER_TIER_UNKNOWN:
		return DNS_STEER_UNPROBED;
	case STEER_TIER_ACTIVE:
	case STEER_TIER_REST:
		return DNS_STEER_NONE_UP;
	case STEER_TIER_NONE:
		break;
	}
	return DNS_STEER_SERVFAIL;
}

struct steer_network steer_network_of(const struct net_prefix *client)
{
	unsigned outer;
	struct net_prefix network = geo_unwrap(client, &outer);
	unsigned len = network.family == AF_INET ? NETWORK_IPV4 : NETWORK_IPV6;
	uint8_t key[1 + NETWORK_IPV6 / 8] = {network.family};

	memcpy(key + 1, network.bytes, len / 8);
	return (struct steer_network){XXH3_64bits(key, 1 + len / 8), (uint8_t)(outer + len)};
}

/* The weighted rendezvous: the edge with the lowest of these serves the network. That is a random
 * time until an event of rate `weight`, so each is the first as often as its weight says, and when
 * one comes or goes, only the networks move that are its own. */
static __attribute__((noinline)) double rendezvous(const struct steer_network *network,
						   const struct steer_edge *edge, unsigned weight,
						   double limit)
{
	const uint64_t pair[] = {network->hash, edge->name_hash};
	/* In (0, 1], of as many bits as a double holds. */
	double uniform = (double)((XXH3_64bits(pair, sizeof(pair)) >> 11) + 1) * 0x1p-53;

	/* The logarithm is never greater than this, but for errors of rounding. */
	if (1 - uniform > limit * weight * (1 + 1e-12))
		return (double)INFINITY;
	return -log(uniform) / weight;
}

static int compare_firsts(const void *a, const void *b)
{
	return ((const struct steer_first *)a)->edge - ((const struct steer_first *)b)->edge;
}

uint32_t steer_override_rank(const struct steer_override *override, uint16_t edge)
{
	struct steer_first wanted = {.edge = edge};
	const struct steer_first *found =
	    bsearch(&wanted, override->v, override->n, sizeof(wanted), compare_firsts);

	return found == NULL ? GROUP_FIRST : found->rank;
}

/* By the policy alone. */
static void key_by_policy(const struct steer_pool *pool, unsigned member,
			  const struct steer_edge *edge, const struct steer_spot *spot,
			  const struct geo_vector *here, const struct steer_network *network,
			  double limit, struct steer_key *key)
{
	unsigned value = pool->values == NULL ? 0 : pool->values[member];

	switch (pool->policy) {
	case CFG_POLICY_CONTINENT:
		if (spot->continent == 0 || edge->continent != spot->continent) {
			key->group = value != STEER_RANK_NONE ? GROUP_SECOND : GROUP_THIRD;
			key->tie = value != STEER_RANK_NONE ? value : key->tie;
			return;
		}
		break;
	case CFG_POLICY_WEIGHTED:
		key->group = value > 0 ? GROUP_FIRST : GROUP_SECOND;
		key->value = rendezvous(network, edge, MAX(value, 1), limit);
		return;
	case CFG_POLICY_FAILOVER:
	case CFG_POLICY_STATIC:
		key->tie = value;
		return;
	case CFG_POLICY_NEAREST:
		break;
	}
	if (!spot->located)
		return;
	key->value = (double)INFINITY;
	if (edge->located &&
	    geo_chord_within(geo_chord_square(here, &edge->at), limit - edge->bias_km))
		key->value = geo_vector_km(here, &edge->at) + edge->bias_km;
}

void steer_key_of(const struct steer_pool *pool, unsigned member, const struct steer_edge *edges,
		  const struct steer_spot *spot, const struct geo_vector *here,
		  const struct steer_network *network, double limit, struct steer_key *key)
{
	uint16_t id = pool->members[member];

	key->group = GROUP_FIRST;
	key->tie = id;
	key->value = 0;
	key->edge = id;
	if (spot->override != NULL && pool->overridden)
		key->group = steer_override_rank(spot->override, id);
	if (key->group == GROUP_FIRST)
		key_by_policy(pool, member, &edges[id], spot, here, network, limit, key);
}

bool steer_key_better(const struct steer_key *a, const struct steer_key *b)
{
	if (a->group != b->group)
		return a->group < b->group;
	if (a->value != b->value)
		return a->value < b->value;
	return a->tie < b->tie;
}

void steer_selection_init(struct steer_selection *selection, const struct steer_pool *pool)
{
	*selection = (struct steer_selection){.max = pool->answers + 1, .limit = (double)INFINITY};
}

void steer_select(struct steer_selection *s, const struct steer_key *key)
{
	unsigned at = s->n;

	if (key->group >= GROUP_FIRST)
		s->offered[key->group - GROUP_FIRST]++;
	if (s->n == s->max) {
		if (!steer_key_better(key, &s->v[s->n - 1]))
			return;
		at--;
	} else {
		s->n++;
	}
	for (; at > 0 && steer_key_better(key, &s->v[at - 1]); at--)
		s->v[at] = s->v[at - 1];
	s->v[at] = *key;
	if (s->n == s->max && s->v[s->n - 1].group <= GROUP_FIRST)
		s->limit =
		    s->v[s->n - 1].group == GROUP_FIRST ? s->v[s->n - 1].value : -(double)INFINITY;
}

void steer_selection_end(const struct steer_selection *s, struct steer_pick *pick)
{
	uint32_t last = GROUP_THIRD;

	pick->n = 0;
	pick->margin_km = (double)INFINITY;
	pick->rivals = 0;
	for (unsigned i = 0; i < s->n; i++) {
		const struct steer_key *key = &s->v[i];

		/* Of the groups after the overrides only the first counts that has anybody. */
		if (key->group > last)
			break;
		if (key->group >= GROUP_FIRST)
			last = key->group;
		if (pick->n < s->max - 1) {
			pick->edges[pick->n++] = key->edge;
			if (key->group >= GROUP_FIRST)
				pick->rivals = s->offered[key->group - GROUP_FIRST];
		} else if (key->group == GROUP_FIRST && s->v[i - 1].group == GROUP_FIRST &&
			   s->v[i - 1].value < (double)INFINITY) {
			pick->margin_km = key->value - s->v[i - 1].value;
		}
	}
}

struct steer_pick steer_choose(const struct steer_pool *pool, const struct steer_edge *edges,
			       enum steer_family family, const struct steer_spot *spot,
			       const struct steer_network *network,
			       const struct fleet_verdicts *verdicts, mono_time now)
{
	struct geo_vector here = geo_vector_of(spot->latitude, spot->longitude);
	uint8_t af = steer_family_af(family);
	struct steer_pick pick = {.tier = STEER_TIER_NONE};
	struct steer_selection selection;

	steer_selection_init(&selection, pool);
	for (unsigned i = 0; i < pool->n; i++) {
		const struct steer_edge *edge = &edges[pool->members[i]];
		enum steer_tier tier =
		    steer_tier_of(pool, edge, family,
				  fleet_verdicts_edge_state(verdicts, pool->members[i], af, now));
		struct steer_key key;

		if (tier > pick.tier || tier == STEER_TIER_NONE)
			continue;
		if (tier < pick.tier) {
			pick.tier = tier;
			pick.candidates = 0;
			steer_selection_init(&selection, pool);
		}
		pick.candidates++;
		steer_key_of(pool, i, edges, spot, &here, network, selection.limit, &key);
		steer_select(&selection, &key);
	}
	steer_selection_end(&selection, &pick);
	return pick;
}
