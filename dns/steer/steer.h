/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering a query: which edges serve a client, what is answered of them, for how long, and for
 * which network that holds. Pure: the same for answers, tests and `explain`. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libknot/mm_ctx.h>
#include <libknot/rdataset.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "dns/steer/choose.h"
#include "dns/steer/steering.h"

struct fleet_verdicts;
struct geo_places;
struct steer_fronts;

/* An edge that has begun to fail may be down in seconds, and what is not as it should be may be
 * over as soon: nobody should keep either for longer. */
#define DNS_FAILING_TTL 5

/* All that a choice depends on; belongs to a view. */
struct steer_state {
	const struct steering *steering;
	const struct geo_places *places;
	const struct fleet_verdicts *verdicts;
	const struct steer_fronts *fronts; /* NULL: there are none yet */
};

struct steer_choice {
	const struct dns_steered *steered;
	enum steer_family family;
	enum dns_steer_reason reason;
	struct steer_pick pick; /* n == 0 with DNS_STEER_SERVFAIL and DNS_STEER_NO_FAMILY */
	uint32_t ttl;           /* seconds */
	/* What is to be answered, when that is all addresses of one edge; NULL: it is not. */
	const knot_rdataset_t *whole;
	/* All clients in this network around the address are told the same; 0: everybody is. As
	 * long as the pool's front is not current it may be longer than need be. */
	uint8_t scope;
	bool by_front;
};

/* The choice for a client, who is an address or the network that it is in. */
void dns_steer(const struct steer_state *state, const struct dns_steered *steered,
	       enum steer_family family, const struct net_prefix *client, mono_time now,
	       struct steer_choice *choice);

/* The records to answer with, for a choice that names edges, in canonical order. They are the
 * view's, or in memory that `mm` (NULL: there is none) gives and nobody need free. False: no
 * memory. */
bool dns_steer_records(const struct steer_state *state, const struct steer_choice *choice,
		       mono_time now, knot_mm_t *mm, knot_rdataset_t *out);
