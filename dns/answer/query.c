/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a question to the sections of its answer (RFC 1034 section 4.3.2): aliases, referrals,
 * wildcards, negative answers, steering, additional addresses. Any thread; nothing is kept between
 * calls.
 */
#include "dns/answer/reply.h"

#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/rrtype/rdname.h>

#include "core/base/check.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"
#include "geo/map.h"

/* Longer chains are left to the resolver, which asks again for the last target. */
#define CHAIN_MAX 8

/* RFC 8482 section 4.2: what ANY is told; an hour, as nothing about it changes. */
#define ANY_TTL 3600

struct resolution {
	const struct dns_view *view;
	const struct dns_zone *zone;
	unsigned first_steered; /* of the zone, among view->steered */
	knot_pkt_t *response;
	struct dns_facts *facts;
	uint16_t qtype;
	const struct dns_node *cut;    /* the referral's, or NULL */
	knot_dname_storage_t *targets; /* of aliases, in lower case: CHAIN_MAX + 1 */
};

/* False when it did not fit: then TC is set, unless `flags` forbid. */
static bool put(struct resolution *r, uint16_t hint, const knot_rrset_t *rr, uint16_t flags)
{
	int ret = knot_pkt_put(r->response, hint, rr, flags);

	if (ret != KNOT_EOK && !(flags & KNOT_PF_NOTRUNC))
		knot_wire_set_tc(r->response->wire);
	return ret == KNOT_EOK;
}

/* RFC 2308: the SOA tells how long the absence may be remembered. */
static enum dns_found put_negative(struct resolution *r, enum dns_found found, uint32_t longest)
{
	knot_rrset_t soa = r->zone->soa_negative;

	soa.ttl = MIN(soa.ttl, longest);
	knot_pkt_begin(r->response, KNOT_AUTHORITY);
	put(r, KNOT_COMPR_HINT_NONE, &soa, 0);
	return found;
}

static enum dns_found put_steered(struct resolution *r, const struct dns_steered *steered,
				  const uint8_t *owner, uint16_t hint)
{
	struct dns_facts *facts = r->facts;
	struct geo_ranking ranking = geo_map_lookup(r->view->map, &facts->place);

	facts->steered = steered;
	facts->choice = dns_steer(steered, r->view->edges, &ranking);
	if (facts->choice.edge == NULL)
		return DNS_FOUND_NONE_UP;
	const knot_rdataset_t *addresses =
	    r->qtype == KNOT_RRTYPE_A ? &facts->choice.edge->a : &facts->choice.edge->aaaa;
	knot_rrset_t rr;

	if (addresses->count == 0) {
		/* Never another edge's: A and AAAA must lead to one place. That it has none is
		 * true only as long as the choice is. */
		return put_negative(r, DNS_FOUND_NODATA, facts->choice.ttl);
	}
	knot_rrset_init(&rr, (knot_dname_t *)owner, r->qtype, KNOT_CLASS_IN, facts->choice.ttl);
	rr.rrs = *addresses;
	put(r, hint, &rr, 0);
	facts->scope = facts->choice.scope;
	return DNS_FOUND_ANSWER;
}

static enum dns_found put_any(struct resolution *r, const struct dns_node *node,
			      const uint8_t *owner, uint16_t hint)
{
	static const uint8_t hinfo[] = "\x07RFC8482"; /* and the empty string of the final NUL */
	const struct dns_rrset *cname = dns_node_rrset(node, KNOT_RRTYPE_CNAME);
	union {
		knot_rdata_t rdata;
		uint8_t room[sizeof(knot_rdata_t) + sizeof(hinfo)];
	} u;
	knot_rrset_t rr;

	if (cname != NULL) {
		rr = cname->rr;
		rr.owner = (knot_dname_t *)owner;
	} else {
		knot_rdata_init(&u.rdata, sizeof(hinfo), hinfo);
		knot_rrset_init(&rr, (knot_dname_t *)owner, KNOT_RRTYPE_HINFO, KNOT_CLASS_IN,
				ANY_TTL);
		rr.rrs = (knot_rdataset_t){1, knot_rdata_size(sizeof(hinfo)), &u.rdata};
	}
	put(r, hint, &rr, 0);
	return DNS_FOUND_ANSWER;
}

/* `owner` is the node's name, or the name that a wildcard stands in for. */
static enum dns_found put_node(struct resolution *r, const struct dns_node *node,
			       const uint8_t *owner, uint16_t hint)
{
	const struct dns_rrset *set = dns_node_rrset(node, r->qtype);
	knot_rrset_t rr;

	if (node->steered != 0 && (r->qtype == KNOT_RRTYPE_A || r->qtype == KNOT_RRTYPE_AAAA))
		return put_steered(r, &r->view->steered[r->first_steered + node->steered - 1],
				   owner, hint);
	if (r->qtype == KNOT_RRTYPE_ANY && (node->n_rrsets > 0 || node->steered != 0))
		return put_any(r, node, owner, hint);
	if (set == NULL)
		return put_negative(r, DNS_FOUND_NODATA, UINT32_MAX);
	rr = set->rr;
	rr.owner = (knot_dname_t *)owner;
	put(r, hint, &rr, 0);
	return DNS_FOUND_ANSWER;
}

static enum dns_found put_referral(struct resolution *r, const struct dns_node *cut)
{
	r->cut = cut;
	knot_pkt_begin(r->response, KNOT_AUTHORITY);
	put(r, KNOT_COMPR_HINT_NONE, &dns_node_rrset(cut, KNOT_RRTYPE_NS)->rr, 0);
	return DNS_FOUND_REFERRAL;
}

/* Addresses of the names in one RRset's rdata. False when there is no more room. */
static bool put_addresses_of(struct resolution *r, unsigned index)
{
	static const uint16_t types[] = {KNOT_RRTYPE_A, KNOT_RRTYPE_AAAA};
	knot_rrset_t named = r->response->rr[index];
	const knot_rdata_t *rdata = named.rrs.rdata;

	for (unsigned i = 0; i < named.rrs.count;
	     i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		const uint8_t *target = knot_rdata_name(rdata, named.type);
		uint16_t flags = KNOT_PF_NOTRUNC | KNOT_PF_CHECKDUP;
		uint16_t hint =
		    knot_compr_hint(&r->response->rr_info[index], KNOT_COMPR_HINT_RDATA + i);
		const struct dns_node *node;
		knot_dname_storage_t lower;
		struct dns_name name;

		if (knot_dname_in_bailiwick(target, r->zone->apex_name) < 0)
			continue;
		knot_dname_copy_lower(lower, target);
		dns_name_init(&name, lower);
		node = dns_zone_find(r->zone, &name, name.n_labels);
		if (node == NULL)
			continue;
		/* RFC 9471: a referral without the glue it needs is not complete. */
		if (r->cut != NULL && knot_dname_in_bailiwick(target, r->cut->owner) >= 0)
			flags = KNOT_PF_CHECKDUP;
		for (unsigned k = 0; k < ARRAY_SIZE(types); k++) {
			const struct dns_rrset *set = dns_node_rrset(node, types[k]);

			if (set != NULL && !put(r, hint, &set->rr, flags))
				return false;
		}
	}
	return true;
}

static void put_additional(struct resolution *r)
{
	unsigned count = r->response->rrset_count;

	knot_pkt_begin(r->response, KNOT_ADDITIONAL);
	for (unsigned i = 0; i < count && !knot_wire_get_tc(r->response->wire); i++) {
		uint16_t type = r->response->rr[i].type;

		if (type != KNOT_RRTYPE_NS && type != KNOT_RRTYPE_MX && type != KNOT_RRTYPE_SRV)
			continue;
		if (!put_addresses_of(r, i))
			return;
	}
}

/* Step 3 of the algorithm, from `name` on; `name` lives as long as the response is written. */
static enum dns_found resolve(struct resolution *r, struct dns_name *name)
{
	uint16_t hint = KNOT_COMPR_HINT_QNAME;

	for (unsigned chain = 0; chain <= CHAIN_MAX; chain++) {
		struct dns_lookup found = dns_zone_lookup(r->zone, name);
		/* DS belongs to the parent's side of the cut (RFC 4035 section 3.1.4.1). */
		bool at_cut = found.match == DNS_MATCH_DELEGATION && r->qtype == KNOT_RRTYPE_DS &&
			      found.labels == name->n_labels;

		if (found.match == DNS_MATCH_DELEGATION && !at_cut)
			return put_referral(r, found.node);
		knot_wire_set_aa(r->response->wire);
		if (found.match == DNS_MATCH_NONE)
			return put_negative(r, DNS_FOUND_NXDOMAIN, UINT32_MAX);
		const struct dns_rrset *cname = dns_node_rrset(found.node, KNOT_RRTYPE_CNAME);

		if (cname == NULL || r->qtype == KNOT_RRTYPE_CNAME || r->qtype == KNOT_RRTYPE_ANY)
			return put_node(r, found.node, name->wire, hint);
		knot_rrset_t rr = cname->rr;
		unsigned before = r->response->rrset_count;

		rr.owner = (knot_dname_t *)name->wire;
		/* Nothing added: no room, or a record that is there already, so a loop. */
		if (!put(r, hint, &rr, KNOT_PF_CHECKDUP) || r->response->rrset_count == before)
			break;
		const uint8_t *target = knot_cname_name(cname->rr.rrs.rdata);
		uint8_t *lower = r->targets[chain];

		if (knot_dname_in_bailiwick(target, r->zone->apex_name) < 0)
			break;
		knot_dname_copy_lower(lower, target);
		dns_name_init(name, lower);
		hint = knot_compr_hint(&r->response->rr_info[before], KNOT_COMPR_HINT_RDATA);
	}
	return DNS_FOUND_ANSWER;
}

static uint16_t rcode_of(enum dns_found found)
{
	switch (found) {
	case DNS_FOUND_NXDOMAIN:
		return KNOT_RCODE_NXDOMAIN;
	case DNS_FOUND_NOTHING:
	case DNS_FOUND_NO_ZONE:
		return KNOT_RCODE_REFUSED;
	case DNS_FOUND_NONE_UP:
		return KNOT_RCODE_SERVFAIL;
	case DNS_FOUND_ANSWER:
	case DNS_FOUND_NODATA:
	case DNS_FOUND_REFERRAL:
		break;
	}
	return KNOT_RCODE_NOERROR;
}

enum dns_outcome dns_query(struct dns_reply *reply)
{
	struct dns_facts *facts = reply->facts;
	const struct dns_zones_entry *entry = NULL;
	knot_dname_storage_t targets[CHAIN_MAX + 1];
	struct resolution r = {
	    .view = reply->view,
	    .response = reply->response,
	    .facts = facts,
	    .qtype = reply->message->qtype,
	    .targets = targets,
	};
	struct dns_name name = reply->message->qname;

	/* DS belongs to the parent's side of a cut (RFC 4035 section 3.1.4.1). */
	if (r.qtype == KNOT_RRTYPE_DS && name.n_labels > 0)
		entry = dns_zones_find(r.view->zones, &name, name.n_labels - 1);
	if (entry == NULL)
		entry = dns_zones_find(r.view->zones, &name, name.n_labels);
	if (entry != NULL) {
		r.zone = entry->zone;
		r.first_steered = entry->first_steered;
	}
	facts->found = r.zone == NULL ? DNS_FOUND_NO_ZONE : resolve(&r, &name);
	facts->rcode = rcode_of(facts->found);
	if (r.zone != NULL && !knot_wire_get_tc(r.response->wire))
		put_additional(&r);
	return DNS_REPLY;
}
