/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Offers: for each edge the sets of records that a steered name may answer with when it chooses
 * that edge. Built with the view, immutable; any thread reads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libknot/rdataset.h>

#include "core/base/clock.h"

struct cfg_edge;
struct fleet_verdicts;

enum steer_family { STEER_IPV4, STEER_IPV6 };
#define STEER_FAMILIES 2

/* AF_INET or AF_INET6. */
uint8_t steer_family_af(enum steer_family family);

struct dns_offer_set {
	knot_rdataset_t rrs;
	uint16_t *address; /* by record: the index in cfg_edge.addresses */
};

struct dns_offer {
	struct dns_offer_set addresses[STEER_FAMILIES];
};

void dns_offer_init(struct dns_offer *offer, const struct cfg_edge *edge);
void dns_offer_fini(struct dns_offer *offer);

/* What is to be answered of one edge: the addresses that are up, or all when none is. */
struct dns_offered {
	bool whole;   /* the whole set, so that nothing need be copied */
	bool failing; /* one of them has begun to fail */
};
struct dns_offered dns_offer_judge(const struct dns_offer *offer, unsigned edge_id,
				   enum steer_family family, const struct fleet_verdicts *verdicts,
				   mono_time now);

/* The same records, one by one, for at most as many as the offer has. Returns how many. */
unsigned dns_offer_list(const struct dns_offer *offer, unsigned edge_id, enum steer_family family,
			const struct fleet_verdicts *verdicts, mono_time now,
			const knot_rdata_t **out);
