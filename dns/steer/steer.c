/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering, see steer.h. The choice is made afresh for each answer: health may have changed since
 * the last one, and walking a short ranking costs less than keeping anything.
 */
#include "dns/steer/steer.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "geo/map.h"
#include "origin-link/servers/health.h"

const char *dns_steer_reason_text(enum dns_steer_reason reason)
{
	switch (reason) {
	case DNS_STEER_HEALTHY:
		return "nearest healthy";
	case DNS_STEER_UNPROBED:
		return "nearest, health not yet known";
	case DNS_STEER_NONE_UP:
		return "nearest, none is up";
	case DNS_STEER_SERVFAIL:
		return "none is up";
	}
	return "?";
}

/* What is asked of an edge to be a candidate, from the strictest to none. */
enum standard {
	STANDARD_UP,
	STANDARD_ACTIVE,
	STANDARD_ANY,
};

static bool meets(const struct dns_steered *steered, const struct dns_edge *edge,
		  enum standard standard)
{
	if (!steered->member[edge->config->id])
		return false;
	switch (standard) {
	case STANDARD_UP:
		return edge->config->admin == CFG_ADMIN_ACTIVE &&
		       health_get(edge->health) == HEALTH_UP;
	case STANDARD_ACTIVE:
		return edge->config->admin == CFG_ADMIN_ACTIVE;
	case STANDARD_ANY:
		break;
	}
	return true;
}

/* The nearest candidate; *others tells whether there was another one. */
static const struct dns_edge *nearest(const struct dns_steered *steered,
				      const struct dns_edge *edges,
				      const struct geo_ranking *ranking, enum standard standard,
				      bool *others)
{
	const struct dns_edge *first = NULL;

	*others = false;
	for (unsigned i = 0; i < ranking->n; i++) {
		const struct dns_edge *edge = &edges[ranking->edges[i]];

		if (!meets(steered, edge, standard))
			continue;
		if (first != NULL) {
			*others = true;
			break;
		}
		first = edge;
	}
	return first;
}

/* Active members exist, and no probe of any of them has ended. */
static bool all_unknown(const struct dns_steered *steered, const struct dns_edge *edges,
			const struct geo_ranking *ranking)
{
	bool some = false;

	for (unsigned i = 0; i < ranking->n; i++) {
		const struct dns_edge *edge = &edges[ranking->edges[i]];

		if (!meets(steered, edge, STANDARD_ACTIVE))
			continue;
		if (health_get(edge->health) != HEALTH_UNKNOWN)
			return false;
		some = true;
	}
	return some;
}

struct dns_choice dns_steer(const struct dns_steered *steered, const struct dns_edge *edges,
			    const struct geo_ranking *ranking)
{
	struct dns_choice choice = {.ttl = steered->ttl, .reason = DNS_STEER_HEALTHY};
	bool others;

	choice.edge = nearest(steered, edges, ranking, STANDARD_UP, &others);
	if (choice.edge == NULL && all_unknown(steered, edges, ranking)) {
		choice.reason = DNS_STEER_UNPROBED;
		choice.edge = nearest(steered, edges, ranking, STANDARD_ACTIVE, &others);
	} else if (choice.edge == NULL && steered->config->none_up == CFG_NONE_UP_SERVFAIL) {
		choice.reason = DNS_STEER_SERVFAIL;
		return choice;
	} else if (choice.edge == NULL) {
		choice.reason = DNS_STEER_NONE_UP;
		choice.edge = nearest(steered, edges, ranking, STANDARD_ACTIVE, &others);
		if (choice.edge == NULL)
			choice.edge = nearest(steered, edges, ranking, STANDARD_ANY, &others);
	}
	if (choice.edge == NULL) { /* a site without edges */
		choice.reason = DNS_STEER_SERVFAIL;
		return choice;
	}
	if (others)
		choice.scope = ranking->scope;
	if (choice.reason != DNS_STEER_HEALTHY || atomic_load(&choice.edge->health->failing))
		choice.ttl = MIN(choice.ttl, DNS_FAILING_TTL);
	return choice;
}

/* A fleet has a few sites with lists of edges; this is room for 10,000 of 25,000 edges. */
#define MEMBERS_BYTES_MAX ((size_t)256 << 20)

void dns_members_init(struct dns_members *members, const struct cfg_fleet *fleet)
{
	*members = (struct dns_members){
	    .by_site = xcalloc(fleet->n_sites + 1, sizeof(*members->by_site)),
	    .n_sites = fleet->n_sites,
	};
}

void dns_members_fini(struct dns_members *members)
{
	for (unsigned i = 0; i < members->n_sites; i++)
		free(members->by_site[i]);
	free(members->by_site);
	free(members->all);
	*members = (struct dns_members){0};
}

/* NULL when there is no room. */
static const bool *members_of(struct dns_members *members, const struct cfg_fleet *fleet,
			      const struct cfg_site *site)
{
	bool **set = site->n_edges == fleet->n_edges ? &members->all : &members->by_site[site->id];

	if (*set != NULL)
		return *set;
	members->bytes += fleet->n_edges;
	if (members->bytes > MEMBERS_BYTES_MAX)
		return NULL;
	*set = xcalloc(fleet->n_edges + 1, sizeof(**set));
	for (unsigned i = 0; i < site->n_edges; i++)
		(*set)[site->edges[i]->id] = true;
	return *set;
}

bool dns_steer_attach(const struct cfg_zone *zone, const struct cfg_fleet *fleet,
		      struct dns_members *members, struct dns_steered *out, struct diag *diag)
{
	for (unsigned i = 0; i < zone->n_steered; i++) {
		const struct cfg_steered *config = &zone->steered[i];

		out[i] = (struct dns_steered){
		    .config = config,
		    .member = members_of(members, fleet, config->site),
		    .ttl = (uint32_t)(config->ttl.ns / DUR_S(1).ns),
		};
		if (out[i].member == NULL) {
			diag_add(diag, config->place,
				 "too large: the lists of edges of steered sites take more than "
				 "%zu MiB of memory",
				 MEMBERS_BYTES_MAX >> 20);
			return false;
		}
	}
	return true;
}

void dns_edge_init(struct dns_edge *edge, const struct cfg_edge *config,
		   const struct health *health)
{
	*edge = (struct dns_edge){.config = config, .health = health};
	for (unsigned i = 0; i < config->addresses.n; i++) {
		const struct net_addr *addr = &config->addresses.v[i];
		bool v4 = addr->sa.sa_family == AF_INET;
		union {
			knot_rdata_t rdata;
			uint8_t room[sizeof(knot_rdata_t) + 16];
		} u;

		if (v4)
			knot_rdata_init(&u.rdata, 4, (const uint8_t *)&addr->in.sin_addr);
		else
			knot_rdata_init(&u.rdata, 16, (const uint8_t *)&addr->in6.sin6_addr);
		CHECK(knot_rdataset_add(v4 ? &edge->a : &edge->aaaa, &u.rdata, NULL) == KNOT_EOK);
	}
}

void dns_edge_fini(struct dns_edge *edge)
{
	knot_rdataset_clear(&edge->a, NULL);
	knot_rdataset_clear(&edge->aaaa, NULL);
}
