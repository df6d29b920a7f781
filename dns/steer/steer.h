/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering: which edge serves a client. Pure: a ranking of edges (from the geo map), the site's
 * edges, their admin state and health go in; one edge, its TTL and the scope of the choice come
 * out. The answer path and `explain` call the same function. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libknot/rdataset.h>

struct cfg_edge;
struct cfg_fleet;
struct cfg_steered;
struct cfg_zone;
struct diag;
struct geo_ranking;
struct health;

/* An edge that has begun to fail may be down in seconds: nobody should keep it for longer. */
#define DNS_FAILING_TTL 5

/* What every steered name asks of an edge: its addresses as rdata, and how it does. */
struct dns_edge {
	const struct cfg_edge *config;
	const struct health *health;
	knot_rdataset_t a, aaaa;
};

/* Which edges are a site's, for all sites that steered names refer to. Built with the view. */
struct dns_members {
	bool **by_site; /* by site id, and then by edge id; NULL: nobody asked */
	bool *all;      /* of sites that all edges serve; NULL: nobody asked */
	unsigned n_sites;
	size_t bytes;
};

/* One steered name; built with the view, immutable. */
struct dns_steered {
	const struct cfg_steered *config;
	const bool *member; /* by edge id: belongs to the site; of dns_members */
	uint32_t ttl;       /* seconds */
};

enum dns_steer_reason {
	DNS_STEER_HEALTHY,  /* nearest of those that are active and up */
	DNS_STEER_UNPROBED, /* nearest of the active ones: no probe has ended yet */
	DNS_STEER_NONE_UP,  /* nearest of all, as none_up says */
	DNS_STEER_SERVFAIL, /* nobody, as none_up says */
};
/* For people. */
const char *dns_steer_reason_text(enum dns_steer_reason reason);

struct dns_choice {
	const struct dns_edge *edge; /* NULL with DNS_STEER_SERVFAIL */
	enum dns_steer_reason reason;
	uint32_t ttl;  /* seconds */
	uint8_t scope; /* the ranking's; 0 when every client would be told the same */
};

/* `edges` is indexed by edge id. */
struct dns_choice dns_steer(const struct dns_steered *steered, const struct dns_edge *edges,
			    const struct geo_ranking *ranking);

/* What the steered names of a zone's configuration ask for, in their order. False with every error
 * in `diag`. `out` has room for zone->n_steered, and must not outlive `members`. */
bool dns_steer_attach(const struct cfg_zone *zone, const struct cfg_fleet *fleet,
		      struct dns_members *members, struct dns_steered *out, struct diag *diag);

void dns_members_init(struct dns_members *members, const struct cfg_fleet *fleet);
void dns_members_fini(struct dns_members *members);

void dns_edge_init(struct dns_edge *edge, const struct cfg_edge *config,
		   const struct health *health);
void dns_edge_fini(struct dns_edge *edge);
