/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A zone in memory: what a master file said, arranged for answering. A part of the view: built by a
 * job, immutable from then on, read by any thread, referred to by every view that it is the same
 * in, so it knows nothing of a configuration but its own name, files and steered owners. What a
 * name means (delegated, wildcard, absent) is decided here; what is said about it, in
 * dns/answer/resolve.c.
 *
 * A zone that differs in a few names shares the nodes of all others with the one that it was made
 * from: nodes are counted too, and are one block of memory each.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libknot/rrset.h>

#include "config/diag.h"
#include "dns/zone/name.h"

struct cfg_zone;
struct dns_sources;

/* The records of one name and type, those that differ in case alone kept once, in canonical order
 * (RFC 4034 section 6.3), names in them as they were written: knot_rdataset_add() and its like do
 * not go by that order. */
struct dns_rrset {
	knot_rrset_t rr;        /* owner: the node's, as written */
	knot_rdataset_t rrsigs; /* the signatures of it; none yet */
	uint32_t file, line;    /* of its first record, see dns_zone_place() */
};

struct dns_node {
	_Atomic uint32_t refs;
	uint32_t steered;     /* 1 + index of its name in zone->steered; 0: not steered */
	const uint8_t *owner; /* as written */
	const uint8_t *name;  /* in lower case; the same pointer when that is the same */
	uint64_t hash;        /* dns_name.hash of `name` */
	uint16_t n_rrsets;    /* 0: an empty non-terminal, or steered */
	uint8_t size;         /* octets of the name */
	bool delegation;      /* NS, and not the apex */
	bool dname;           /* names below it are synthesised (RFC 6672) */
	struct dns_rrset rrsets[];
};

struct dns_zone {
	_Atomic uint32_t refs;
	uint32_t serial;
	char *name; /* as configured: lower case, no final dot */
	uint8_t *apex_name;
	uint64_t apex_hash;
	unsigned apex_labels;
	const struct dns_node *apex;   /* nodes[0] */
	const struct dns_node **nodes; /* in canonical order (RFC 4034 section 6.1) */
	const struct dns_node **table; /* by hash, open addressing */
	size_t table_mask;
	bool has_wildcards, has_dnames; /* somewhere in it */
	size_t n_nodes, n_records;      /* records: without those that were given twice */
	/* The SOA with the TTL of RFC 2308 section 5; shares its rdata. */
	knot_rrset_t soa_negative;
	struct dns_sources *sources; /* shared by all that was made from one load */
	/* Names whose addresses are chosen per client, in the order of cfg_zone.steered. */
	uint8_t **steered;
	unsigned n_steered;
};

/* Reads, parses and checks a whole master file with its $INCLUDEs. NULL when anything is wrong: all
 * of it is in `diag` then. `before` may be NULL; it is what is returned, with one more reference,
 * when it was made from the same options and the same text. Blocking. */
struct dns_zone *dns_zone_load(const struct cfg_zone *config, struct dns_zone *before,
			       struct diag *diag);
/* Any thread. The last one to let go frees the zone, which takes long for a large one. */
struct dns_zone *dns_zone_ref(struct dns_zone *zone);
void dns_zone_unref(struct dns_zone **zone);

/* What becomes of the RRset of one name and type. */
struct dns_change {
	const uint8_t *owner; /* at or under the apex, in any case */
	uint16_t type;
	uint32_t ttl;
	knot_rdataset_t rrs; /* in any order; empty: there is no such RRset any more */
};

/* A zone that differs from `zone` in these RRsets, and shares all other nodes with it. NULL when
 * what it would be cannot be served, as with dns_zone_load(); complaints are at `place`. */
struct dns_zone *dns_zone_with(const struct dns_zone *zone, const struct dns_change *changes,
			       unsigned n, struct cfg_place place, struct diag *diag);

const struct dns_rrset *dns_node_rrset(const struct dns_node *node, uint16_t type);
/* Where the first record of the RRset was written; valid as long as the zone. */
struct cfg_place dns_zone_place(const struct dns_zone *zone, const struct dns_rrset *set);
/* Path of the master file. */
const char *dns_zone_file(const struct dns_zone *zone);

enum dns_match {
	DNS_MATCH_NODE,       /* the name exists, perhaps as an empty non-terminal */
	DNS_MATCH_WILDCARD,   /* synthesised from the wildcard in `node` (RFC 4592) */
	DNS_MATCH_DELEGATION, /* at or under the zone cut in `node` */
	DNS_MATCH_DNAME,      /* under `node`, which has a DNAME (RFC 6672); not at it */
	DNS_MATCH_NONE,
};

struct dns_lookup {
	enum dns_match match;
	const struct dns_node *node;
	unsigned labels; /* of the closest encloser, of the zone cut, or of the DNAME's owner */
};

/* `name` is at or under the apex. A name at a zone cut is a delegation here. */
struct dns_lookup dns_zone_lookup(const struct dns_zone *zone, const struct dns_name *name);
/* The node of exactly the suffix of `labels` labels, ignoring zone cuts and wildcards; or NULL. */
const struct dns_node *dns_zone_find(const struct dns_zone *zone, const struct dns_name *name,
				     unsigned labels);
/* The node "*" directly under the suffix of `labels` labels, or NULL. */
const struct dns_node *dns_zone_wildcard(const struct dns_zone *zone, const struct dns_name *name,
					 unsigned labels);
