/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The choice: which edges of a pool serve a client. Pure, and the definition of what is right: it
 * looks at every member. What is prepared for many clients (dns/steer/front.h) says the same for
 * less. Any thread.
 *
 * Members are of a tier by what is known of them: those who are best known to serve come first, and
 * only members of the best tier that has any are chosen. Among them the policy decides:
 *
 *   nearest    by distance and bias, unlocated edges last, ties in the order of the file
 *   continent  the same among edges of the client's continent; without one of them, by the order
 *   weighted   by a rendezvous of the client's network (/24, /56) with the edges, by weight;
 *              those of weight 0 only where there is no other
 *   failover   by the order
 *   static     by the order, whatever the checks say
 *
 * Edges that an override names for the client come before all others, but for static.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "dns/steer/pool.h"
#include "dns/steer/spot.h"
#include "origin-link/health/health.h"

struct fleet_verdicts;

enum steer_tier {
	STEER_TIER_UP,      /* active and up */
	STEER_TIER_DRAINED, /* drained, and up */
	STEER_TIER_UNKNOWN, /* active, and nobody knows */
	STEER_TIER_ACTIVE,  /* active, and down */
	STEER_TIER_REST,    /* drained, and not up */
	STEER_TIER_NONE,    /* has no address of the family, or must not be named */
};

enum dns_steer_reason {
	DNS_STEER_HEALTHY,   /* active and up */
	DNS_STEER_STATIC,    /* as the order says, whatever is known */
	DNS_STEER_DRAINED,   /* up, but drained: no active one is */
	DNS_STEER_UNPROBED,  /* active, and nothing is known: none is up */
	DNS_STEER_NONE_UP,   /* down: as if all were up, as none_up says */
	DNS_STEER_SERVFAIL,  /* nobody, as none_up says; or there are no edges */
	DNS_STEER_NO_FAMILY, /* nobody: no edge of the pool has an address of that family */
};
/* For people. */
const char *dns_steer_policy_text(enum cfg_policy policy);
const char *dns_steer_reason_text(enum dns_steer_reason reason);

/* The tier of an edge as a member of that pool, its addresses of the family being in that state. */
enum steer_tier steer_tier_of(const struct steer_pool *pool, const struct steer_edge *edge,
			      enum steer_family family, enum health_state state);
enum dns_steer_reason steer_tier_reason(const struct steer_pool *pool, enum steer_tier tier);

/* What weights are divided by: a network of clients. */
struct steer_network {
	uint64_t hash;
	uint8_t scope; /* its length, in the terms of the address that was given */
};
struct steer_network steer_network_of(const struct net_prefix *client);

struct steer_pick {
	uint16_t edges[STEER_ANSWERS_MAX]; /* ids, the best one first */
	unsigned n;
	enum steer_tier tier;
	unsigned candidates; /* members of that tier */
	unsigned rivals;     /* of them, those among whom the policy decided; 0: an override did */
	/* How much farther the first is that is not named; INFINITY: there is none, or it is no
	 * matter of distance. */
	double margin_km;
};

struct steer_pick steer_choose(const struct steer_pool *pool, const struct steer_edge *edges,
			       enum steer_family family, const struct steer_spot *spot,
			       const struct steer_network *network,
			       const struct fleet_verdicts *verdicts, mono_time now);

/* The parts of it, for fronts: the best few of what is offered. */
struct steer_key {
	uint32_t group; /* smaller ones are better; then by value, then by tie */
	uint32_t tie;
	double value;
	uint16_t edge;
};

bool steer_key_better(const struct steer_key *a, const struct steer_key *b);

#define STEER_GROUP_POLICY (UINT16_MAX + 1) /* below it are the ranks of an override */

struct steer_selection {
	struct steer_key v[STEER_ANSWERS_MAX + 1]; /* one more than is named: for the margin */
	unsigned n, max;
	double limit;        /* in the policy's first group, a greater value is not selected */
	unsigned offered[3]; /* by group, from STEER_GROUP_POLICY on */
};

/* The rank of an edge in the override; STEER_GROUP_POLICY when it is not there. */
uint32_t steer_override_rank(const struct steer_override *override, uint16_t edge);
void steer_selection_init(struct steer_selection *selection, const struct steer_pool *pool);
void steer_select(struct steer_selection *selection, const struct steer_key *key);
/* `here` is the spot's vector when it is located. `network` is for weighted pools. A value above
 * `limit` (INFINITY: none) may be told as INFINITY, which takes less time. */
void steer_key_of(const struct steer_pool *pool, unsigned member, const struct steer_edge *edges,
		  const struct steer_spot *spot, const struct geo_vector *here,
		  const struct steer_network *network, double limit, struct steer_key *key);
/* All of the pick but tier and candidates. */
void steer_selection_end(const struct steer_selection *selection, struct steer_pick *pick);
