/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration of a fleet, typed: what the option table fills and everything else reads.
 * Immutable after cfg_load(); belongs to the snapshot that was built from it. Names refer to each
 * other by pointer, already resolved and checked. Strings are never NULL unless said so.
 */
#pragma once

#include "config/check.h"
#include "config/http.h"
#include "config/origin.h"
#include "config/site.h"
#include "config/tls.h"
#include "core/base/log.h"

const char *cfg_admin_text(enum cfg_admin admin);

/* edges.NAME.relay: how it reaches origins for other edges, and others for itself. Paths are NULL
 * when there are none; where it listens there are all three. */
struct cfg_edge_relay {
	struct cfg_addrs listen;   /* none: it is no relay */
	struct cfg_server address; /* where other edges reach it; host NULL: its first address, and
				      the port of the first of `listen` */
	const char *certificate;   /* names the edge, and is for servers and clients of TLS */
	const char *key;
	const char *ca;                 /* whom the certificates of all edges come from */
	const char *congestion_control; /* of connections that it has accepted; "": the kernel's */
};

/* edges.NAME: a node that terminates TLS. */
struct cfg_edge {
	const char *name;
	struct cfg_place place;
	unsigned id; /* index in cfg_fleet.edges */
	struct cfg_coords location;
	const char *continent;         /* "": not known; else one of AF AN AS EU NA OC SA */
	struct cfg_addrs addresses;    /* what DNS answers; port 0 */
	struct cfg_addrs listen;       /* default: *:443; none: see cfg_edge_takes_clients() */
	struct cfg_addrs listen_plain; /* without TLS: see cfg_http.plain; default: none */
	enum cfg_admin admin;
	double bias_km; /* added to the distance of every client: > 0 sends clients elsewhere */
	/* Share of clients where they are divided by weight, 1; 0: only when no other is usable. */
	unsigned weight;
	struct cfg_edge_relay relay;
	const char *control;    /* path of the control socket */
	unsigned workers;       /* 0: one per processor */
	struct cfg_check check; /* what perigee-dns does; default https, well-known path */
};

/* False of one that is only a relay: it serves no site, and nobody is sent there. */
static inline bool cfg_edge_takes_clients(const struct cfg_edge *edge)
{
	return edge->listen.n > 0;
}

/* nameservers.NAME: a node that runs perigee-dns. */
struct cfg_nameserver {
	const char *name;
	struct cfg_place place;
	struct cfg_addrs listen; /* default: *:53; UDP and TCP */
	const char *control;
	const char *state; /* path of the file that keeps the last verdicts; "": none */
	unsigned workers;
};

/* What a steered name says when none of its edges is up. */
enum cfg_none_up {
	CFG_NONE_UP_NEAREST, /* as if all were up (default): a wrong guess beats silence */
	CFG_NONE_UP_SERVFAIL,
};

/* How a steered name chooses among the edges of its site that are usable. */
enum cfg_policy {
	CFG_POLICY_NEAREST,   /* by distance and bias */
	CFG_POLICY_CONTINENT, /* the nearest of the client's continent; else by `order` */
	CFG_POLICY_WEIGHTED,  /* by weight, the same one for the same network of clients */
	CFG_POLICY_FAILOVER,  /* the first of `order` */
	CFG_POLICY_STATIC,    /* `order`, usable or not */
};

struct cfg_weight {
	const struct cfg_edge *edge;
	struct cfg_place place;
	unsigned weight; /* 0: only when no other is usable */
};

/* zones.NAME.steered.OWNER: A and AAAA of OWNER are chosen per client. */
struct cfg_steered {
	const char *owner; /* relative to the zone ("www", "@", "*.app"), no trailing dot */
	struct cfg_place place;
	const struct cfg_site *site;
	duration ttl; /* 30 s */
	enum cfg_policy policy;
	/* With CFG_POLICY_CONTINENT, _FAILOVER and _STATIC; else NULL and 0. Default: the site's.
	 */
	const struct cfg_edge **order;
	unsigned n_order;
	/* With CFG_POLICY_WEIGHTED; edges that are not here have their own weight. */
	struct cfg_weight *weights;
	unsigned n_weights;
	unsigned answers; /* edges in an answer, 1 */
	enum cfg_none_up none_up;
};

struct cfg_zone {
	const char *name; /* lower case, no trailing dot */
	struct cfg_place place;
	const char *file; /* path of an RFC 1035 master file */
	struct cfg_steered *steered;
	unsigned n_steered;
};

/* An item of geo.overrides: what is done with clients that are in one of its networks, autonomous
 * systems, countries or continents, of which there is at least one. The most specific counts: the
 * longest network, then the autonomous system, the country, the continent; among equals the first
 * of the file. */
struct cfg_override {
	struct cfg_place place;
	struct cfg_prefixes networks;
	struct cfg_uints asns;
	struct cfg_strings countries;  /* ISO 3166-1 alpha-2, upper case */
	struct cfg_strings continents; /* as cfg_edge.continent */
	/* Either: they are taken to be here, */
	struct cfg_coords location;
	/* or these come first for them, in this order, those that belong to the site. */
	const struct cfg_edge **edges;
	unsigned n_edges;
};

struct cfg_geo {
	struct cfg_place place;
	struct cfg_strings databases; /* paths; none: every client is at an unknown place */
	/* Where clients of unknown place are taken to be; not set: edges in order of the file. */
	struct cfg_coords unknown;
	struct cfg_override *overrides;
	unsigned n_overrides;
};

struct cfg_log {
	enum log_level level;
};

struct cfg_fleet {
	struct cfg_edge *edges;
	unsigned n_edges;
	struct cfg_nameserver *nameservers;
	unsigned n_nameservers;
	struct cfg_origin *origins;
	unsigned n_origins;
	struct cfg_site *sites;
	unsigned n_sites;
	struct cfg_zone *zones;
	unsigned n_zones;
	struct cfg_geo geo;
	struct cfg_http http;
	struct cfg_tls tls;
	struct cfg_log log;
	const char *user;            /* whom the daemons become; "": nobody else */
	const char *file;            /* as given */
	struct cfg_private *private; /* memory and tree, for dump */
};

/* Reads, checks and resolves a whole file with its includes. NULL when anything is wrong: then
 * every error is in `diag`. Blocking; any thread. */
struct cfg_fleet *cfg_load(const char *file, struct diag *diag);
void cfg_fleet_destroy(struct cfg_fleet **fleet);
/* NULL when there is none of that name. */
const struct cfg_edge *cfg_find_edge(const struct cfg_fleet *fleet, const char *name);
const struct cfg_nameserver *cfg_find_nameserver(const struct cfg_fleet *fleet, const char *name);
/* A site without a list of edges is served by all of them. */
bool cfg_site_is_served_by(const struct cfg_site *site, const struct cfg_edge *edge);
/* Whether anything that edges are to do depends on the places of clients. */
bool cfg_needs_places(const struct cfg_fleet *fleet);
/* The same of their JA4 fingerprints, which the access log in JSON shows. */
bool cfg_needs_ja4(const struct cfg_fleet *fleet);
/* Writes the path of the first option of class "restart" that differs into `path`; false when the
 * new fleet can be reloaded without a restart of that node. */
bool cfg_needs_restart(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
		       const char *node, char *path, size_t size);
/* The same of perigee-keys. */
bool cfg_keys_need_restart(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
			   char *path, size_t size);
