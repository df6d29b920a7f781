/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Zones in memory: what a master file said, arranged for answering. Built by the job that loads a
 * configuration, immutable afterwards, read by any thread; owned by the view (dns/view/view.h).
 * What a name means (delegated, wildcard, absent) is decided here; what is said about it, in
 * dns/answer/resolve.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libknot/rrset.h>

#include "config/diag.h"
#include "dns/zone/name.h"

struct cfg_fleet;
struct cfg_zone;
struct diag;
struct dns_steered;

struct dns_rrset {
	knot_rrset_t rr;        /* owner: the node's */
	struct cfg_place place; /* of its first record; file belongs to the zone */
};

struct dns_node {
	uint8_t *owner; /* lower case */
	uint64_t hash;
	unsigned owner_size;
	unsigned n_rrsets; /* zero: an empty non-terminal, or steered */
	struct dns_rrset *rrsets;
	bool delegation;                   /* NS, and not the apex */
	const struct dns_node *wildcard;   /* "*" directly under this name, or NULL */
	const struct dns_steered *steered; /* A and AAAA are chosen per client, or NULL */
};

struct dns_zone {
	const struct cfg_zone *config;
	uint8_t *apex_name;
	unsigned apex_labels;
	uint64_t apex_hash;
	struct dns_node *apex;
	struct dns_node **table; /* open addressing, at most half full */
	size_t table_mask;
	size_t n_nodes, n_records; /* records: of the files, without those that were given twice */
	knot_rrset_t
	    soa_negative; /* the SOA with the TTL of RFC 2308 section 5; shares its rdata */
	uint32_t serial;
	char **files; /* the master file and its includes */
	unsigned n_files;
};

/* Reads, parses and checks a whole master file with its $INCLUDEs. NULL when anything is wrong: all
 * of it is in `diag` then. `config` must outlive the zone. Blocking. */
struct dns_zone *dns_zone_load(const struct cfg_zone *config, struct diag *diag);
void dns_zone_destroy(struct dns_zone **zone);

/* For the loader and for steering: the node of a name at or under the apex, added with the empty
 * non-terminals above it when it is not there yet. Before the zone is published. */
struct dns_node *dns_zone_add_node(struct dns_zone *zone, const struct dns_name *name);

const struct dns_rrset *dns_node_rrset(const struct dns_node *node, uint16_t type);

enum dns_match {
	DNS_MATCH_NODE,       /* the name exists, perhaps as an empty non-terminal */
	DNS_MATCH_WILDCARD,   /* synthesised from the wildcard in `node` (RFC 4592) */
	DNS_MATCH_DELEGATION, /* at or under the zone cut in `node` */
	DNS_MATCH_NONE,
};

struct dns_lookup {
	enum dns_match match;
	const struct dns_node *node;
	unsigned labels; /* of the closest encloser, or of the zone cut */
};

/* `name` is at or under the apex. A name at a zone cut is a delegation here. */
struct dns_lookup dns_zone_lookup(const struct dns_zone *zone, const struct dns_name *name);
/* The node of exactly the suffix of `labels` labels, ignoring zone cuts and wildcards; or NULL. */
const struct dns_node *dns_zone_find(const struct dns_zone *zone, const struct dns_name *name,
				     unsigned labels);

/* A set of zones, found by the longest apex that a name is at or under. */
struct dns_zones {
	struct dns_zone **v; /* in order of apex_hash */
	unsigned n;
	unsigned max_labels; /* of any apex */
};

/* All zones of the fleet, or NULL with everything that is wrong with any of them in `diag`. */
struct dns_zones *dns_zones_load(const struct cfg_fleet *fleet, struct diag *diag);
void dns_zones_destroy(struct dns_zones **zones);
/* Among apexes of at most `max_labels` labels; NULL when the name is in none. */
const struct dns_zone *dns_zones_find(const struct dns_zones *zones, const struct dns_name *name,
				      unsigned max_labels);
