/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of a query's answer share: dns/answer/query.c finds the answer and authority
 * sections, dns/answer/additional.c adds addresses to them; dns/answer/quick.c does without both.
 * Any thread.
 */
#pragma once

#include "dns/answer/reply.h"

struct dns_node;
struct dns_zones_entry;

/* The steered name that decides about records of that type at a zone's node, or NULL. */
const struct dns_steered *dns_query_steered(const struct dns_view *view,
					    const struct dns_zones_entry *in,
					    const struct dns_node *node, uint16_t type);
/* Whom it names to a client, and their addresses, which may need memory of `mm` (NULL: there is
 * none): none when there is nobody, or no memory. */
void dns_query_choose(const struct dns_view *view, const struct net_prefix *client, mono_time now,
		      const struct dns_steered *steered, uint16_t type, knot_mm_t *mm,
		      struct steer_choice *choice, knot_rdataset_t *addresses);

/* Records of that type name others, whose addresses are additional. */
bool dns_query_leads_on(uint16_t type);

struct resolution {
	const struct dns_view *view;
	knot_pkt_t *response;
	struct dns_facts *facts;
	mono_time now;
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
/* Addresses for the names in the records that the response has. */
void dns_resolution_put_additional(struct resolution *r);
