/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the two halves of a query's answer share: dns/answer/query.c finds the answer and authority
 * sections, dns/answer/additional.c adds addresses to them. Any thread.
 */
#pragma once

#include "dns/answer/reply.h"

struct dns_node;
struct dns_zones_entry;

struct resolution {
	const struct dns_view *view;
	knot_pkt_t *response;
	struct dns_facts *facts;
	uint16_t qtype;
	/* The name at hand: the one asked, or the last alias's target. */
	const struct dns_zones_entry *in; /* the zone that it is in; NULL: none of ours */
	const uint8_t *owner;             /* as written; lives as long as the response */
	uint16_t hint;                    /* where in the response it stands */
	const struct dns_name *name;      /* in lower case: of the request, or `target` */
	struct dns_name target;
	knot_dname_storage_t lower; /* of `target` */

	const struct dns_node *cut; /* the referral's, or NULL */
};

/* False when it did not fit: then TC is set, unless `flags` forbid. */
bool dns_resolution_put(struct resolution *r, uint16_t hint, const knot_rrset_t *rr,
			uint16_t flags);
/* NULL: the addresses of a zone's node are not chosen. */
const struct dns_steered *dns_resolution_steered(const struct resolution *r,
						 const struct dns_zones_entry *in,
						 const struct dns_node *node);
/* Whom a steered name names to this client, and that one's addresses; A or AAAA by `type`. */
struct dns_choice dns_resolution_steer(const struct resolution *r,
				       const struct dns_steered *steered, uint16_t type,
				       knot_rdataset_t *addresses);

/* Addresses for the names in the records that the response has. */
void dns_resolution_put_additional(struct resolution *r);
