/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Offers, see offer.h. libknot keeps records in canonical order, so each is followed back to the
 * address that it was made from: verdicts are about addresses.
 */
#include "dns/steer/offer.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/errcode.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "fleet/verdicts.h"

/* What a record of an address is in memory. */
union address_record {
	knot_rdata_t rdata;
	uint8_t room[sizeof(knot_rdata_t) + 16];
};

uint8_t steer_family_af(enum steer_family family)
{
	return family == STEER_IPV4 ? AF_INET : AF_INET6;
}

static void write_record(union address_record *record, const struct net_addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		knot_rdata_init(&record->rdata, 4, (const uint8_t *)&addr->in.sin_addr);
	else
		knot_rdata_init(&record->rdata, 16, (const uint8_t *)&addr->in6.sin6_addr);
}

static void init_set(struct dns_offer_set *set, const struct cfg_addrs *addresses, uint8_t af)
{
	const knot_rdata_t *rdata;
	union address_record u;

	for (unsigned i = 0; i < addresses->n; i++) {
		if (addresses->v[i].sa.sa_family != af)
			continue;
		write_record(&u, &addresses->v[i]);
		CHECK(knot_rdataset_add(&set->rrs, &u.rdata, NULL) == KNOT_EOK);
	}
	set->address = xcalloc(set->rrs.count + 1, sizeof(*set->address));
	rdata = set->rrs.rdata;
	for (unsigned k = 0; k < set->rrs.count; k++) {
		unsigned i = 0;

		for (;; i++) {
			CHECK(i < addresses->n);
			if (addresses->v[i].sa.sa_family != af)
				continue;
			write_record(&u, &addresses->v[i]);
			if (knot_rdata_cmp(&u.rdata, rdata) == 0)
				break;
		}
		set->address[k] = (uint16_t)i;
		rdata = knot_rdataset_next((knot_rdata_t *)rdata);
	}
}

void dns_offer_init(struct dns_offer *offer, const struct cfg_edge *edge)
{
	*offer = (struct dns_offer){0};
	for (unsigned f = 0; f < STEER_FAMILIES; f++)
		init_set(&offer->addresses[f], &edge->addresses, steer_family_af(f));
}

void dns_offer_fini(struct dns_offer *offer)
{
	for (unsigned f = 0; f < STEER_FAMILIES; f++) {
		knot_rdataset_clear(&offer->addresses[f].rrs, NULL);
		free(offer->addresses[f].address);
	}
}

static bool is_up(const struct dns_offer_set *set, unsigned record, unsigned edge_id,
		  const struct fleet_verdicts *verdicts, mono_time now)
{
	return fleet_verdict_state(fleet_verdicts_at(verdicts, edge_id, set->address[record]),
				   now) == HEALTH_UP;
}

struct dns_offered dns_offer_judge(const struct dns_offer *offer, unsigned edge_id,
				   enum steer_family family, const struct fleet_verdicts *verdicts,
				   mono_time now)
{
	const struct dns_offer_set *set = &offer->addresses[family];
	struct dns_offered offered = {0};
	unsigned up = 0;

	for (unsigned k = 0; k < set->rrs.count; k++) {
		if (!is_up(set, k, edge_id, verdicts, now))
			continue;
		up++;
		if (fleet_verdict_failing(fleet_verdicts_at(verdicts, edge_id, set->address[k])))
			offered.failing = true;
	}
	offered.whole = up == 0 || up == set->rrs.count;
	return offered;
}

unsigned dns_offer_list(const struct dns_offer *offer, unsigned edge_id, enum steer_family family,
			const struct fleet_verdicts *verdicts, mono_time now,
			const knot_rdata_t **out)
{
	const struct dns_offer_set *set = &offer->addresses[family];
	unsigned n = 0;

	for (unsigned k = 0; k < set->rrs.count; k++) {
		if (is_up(set, k, edge_id, verdicts, now))
			out[n++] = knot_rdataset_at(&set->rrs, (uint16_t)k);
	}
	if (n > 0)
		return n;
	for (; n < set->rrs.count; n++)
		out[n] = knot_rdataset_at(&set->rrs, (uint16_t)n);
	return n;
}
