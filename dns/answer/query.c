/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a question to the sections of its answer (RFC 1034 section 4.3.2): aliases, referrals,
 * wildcards, negative answers, steering, additional addresses. Any thread; nothing is kept between
 * calls.
 */
#include "dns/answer/query.h"

#include <string.h>

#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/rrtype/rdname.h>

#include "core/base/check.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"

/* Longer chains are left to the resolver, which asks again for the last target. */
#define CHAIN_MAX 8

/* RFC 8482 section 4.2: what ANY is told; an hour, as nothing about it changes. */
#define ANY_TTL 3600

bool dns_resolution_put(struct resolution *r, uint16_t hint, const knot_rrset_t *rr, uint16_t flags)
{
	int ret = knot_pkt_put(r->response, hint, rr, flags);

	if (ret != KNOT_EOK && !(flags & KNOT_PF_NOTRUNC))
		knot_wire_set_tc(r->response->wire);
	return ret == KNOT_EOK;
}

/* An RRset under the name at hand. */
static bool put_here(struct resolution *r, const knot_rrset_t *set)
{
	knot_rrset_t rr = *set;

	rr.owner = (knot_dname_t *)r->owner;
	return dns_resolution_put(r, r->hint, &rr, 0);
}

/* RFC 2308: the SOA tells how long the absence may be remembered. It is for everybody, so it has no
 * scope (RFC 7871 section 7.4). */
static enum dns_found put_negative(struct resolution *r, enum dns_found found, uint32_t longest)
{
	knot_rrset_t soa = r->in->zone->soa_negative;

	soa.ttl = MIN(soa.ttl, longest);
	knot_pkt_begin(r->response, KNOT_AUTHORITY);
	dns_resolution_put(r, KNOT_COMPR_HINT_NONE, &soa, 0);
	return found;
}

const struct dns_steered *dns_query_steered(const struct dns_view *view,
					    const struct dns_zones_entry *in,
					    const struct dns_node *node, uint16_t type)
{
	if (node->steered == 0 || (type != KNOT_RRTYPE_A && type != KNOT_RRTYPE_AAAA))
		return NULL;
	return &view->steered[in->first_steered + node->steered - 1];
}

void dns_query_choose(const struct dns_view *view, const struct net_prefix *client, mono_time now,
		      const struct dns_steered *steered, uint16_t type, knot_mm_t *mm,
		      struct steer_choice *choice, knot_rdataset_t *addresses)
{
	enum steer_family family = type == KNOT_RRTYPE_A ? STEER_IPV4 : STEER_IPV6;

	dns_steer(&view->steer, steered, family, client, now, choice);
	if (choice->pick.n == 0 || !dns_steer_records(&view->steer, choice, now, mm, addresses))
		knot_rdataset_init(addresses);
}

static enum dns_found put_steered(struct resolution *r, const struct dns_steered *steered)
{
	struct dns_facts *facts = r->facts;
	knot_rrset_t rr;

	knot_rrset_init_empty(&rr);
	facts->steered = steered;
	dns_query_choose(r->view, &facts->place, r->now, steered, r->qtype, &r->response->mm,
			 &facts->choice, &rr.rrs);
	/* True for everybody, and for as long as the configuration is the same. */
	if (facts->choice.reason == DNS_STEER_NO_FAMILY)
		return put_negative(r, DNS_FOUND_NODATA, UINT32_MAX);
	if (rr.rrs.count == 0)
		return DNS_FOUND_NONE_UP;
	rr.type = r->qtype;
	rr.rclass = KNOT_CLASS_IN;
	rr.ttl = facts->choice.ttl;
	put_here(r, &rr);
	facts->scope = facts->choice.scope;
	return DNS_FOUND_ANSWER;
}

static enum dns_found put_any(struct resolution *r)
{
	/* A character-string, and the empty one that the final NUL is. */
	static const struct {
		uint16_t len;
		uint8_t data[9];
	} rfc8482 = {9, "\x07RFC8482"};
	knot_rrset_t rr;

	knot_rrset_init(&rr, NULL, KNOT_RRTYPE_HINFO, KNOT_CLASS_IN, ANY_TTL);
	rr.rrs =
	    (knot_rdataset_t){1, knot_rdata_size(rfc8482.len), (knot_rdata_t *)(void *)&rfc8482};
	put_here(r, &rr);
	return DNS_FOUND_ANSWER;
}

/* The name at hand exists, by `node` or by a wildcard, and is no alias. */
static enum dns_found put_node(struct resolution *r, const struct dns_node *node)
{
	const struct dns_steered *steered = dns_query_steered(r->view, r->in, node, r->qtype);
	const struct dns_rrset *set = dns_node_rrset(node, r->qtype);

	if (steered != NULL)
		return put_steered(r, steered);
	if (r->qtype == KNOT_RRTYPE_ANY && (node->n_rrsets > 0 || node->steered != 0))
		return put_any(r);
	if (set == NULL)
		return put_negative(r, DNS_FOUND_NODATA, UINT32_MAX);
	put_here(r, &set->rr);
	return DNS_FOUND_ANSWER;
}

static enum dns_found put_referral(struct resolution *r, const struct dns_node *cut)
{
	r->cut = cut;
	knot_pkt_begin(r->response, KNOT_AUTHORITY);
	dns_resolution_put(r, KNOT_COMPR_HINT_NONE, &dns_node_rrset(cut, KNOT_RRTYPE_NS)->rr, 0);
	return DNS_FOUND_REFERRAL;
}

static const struct dns_zones_entry *find_zone(const struct resolution *r)
{
	const struct dns_zones_entry *in = NULL;

	/* DS belongs to the parent's side of a cut (RFC 4035 section 3.1.4.1). */
	if (r->qtype == KNOT_RRTYPE_DS && r->name->n_labels > 0)
		in = dns_zones_find(r->view->zones, r->name, r->name->n_labels - 1);
	if (in == NULL)
		in = dns_zones_find(r->view->zones, r->name, r->name->n_labels);
	return in;
}

/* An alias of this name was followed before: a circle. */
static bool is_followed(const struct resolution *r)
{
	for (unsigned i = 0; i < r->response->rrset_count; i++) {
		if (r->response->rr[i].type == KNOT_RRTYPE_CNAME &&
		    knot_dname_is_case_equal(r->response->rr[i].owner, r->owner))
			return true;
	}
	return false;
}

/* Puts the alias of the name at hand, and goes on to its target. False when there is nothing to go
 * on to: it did not fit, is what was asked for, leads out of our zones or in a circle. */
static bool follow(struct resolution *r, const knot_rrset_t *cname)
{
	unsigned index = r->response->rrset_count;

	if (is_followed(r) || !put_here(r, cname) || r->qtype == KNOT_RRTYPE_CNAME ||
	    r->qtype == KNOT_RRTYPE_ANY)
		return false;
	r->owner = knot_cname_name(cname->rrs.rdata);
	r->hint = knot_compr_hint(&r->response->rr_info[index], KNOT_COMPR_HINT_RDATA);
	knot_dname_copy_lower(r->lower, r->owner);
	dns_name_init(&r->target, r->lower);
	r->name = &r->target;
	r->in = find_zone(r);
	return r->in != NULL;
}

/* The record that a DNAME makes of the name at hand (RFC 6672 section 3.3). False when there is no
 * memory for it, which the scratch of an answer does not come to. */
static bool make_cname(struct resolution *r, const uint8_t *target, size_t prefix, uint32_t ttl,
		       knot_rrset_t *cname)
{
	size_t size = prefix + knot_dname_size(target);
	knot_rdata_t *rdata = r->response->mm.alloc(r->response->mm.ctx, knot_rdata_size(size));

	if (rdata == NULL)
		return false;
	rdata->len = size;
	memcpy(rdata->data, r->owner, prefix);
	memcpy(rdata->data + prefix, target, size - prefix);
	knot_rrset_init(cname, NULL, KNOT_RRTYPE_CNAME, KNOT_CLASS_IN, ttl);
	cname->rrs = (knot_rdataset_t){1, knot_rdata_size(size), rdata};
	return true;
}

/* The same as follow() for a name under a DNAME. */
static bool follow_dname(struct resolution *r, const struct dns_lookup *at, enum dns_found *found)
{
	const knot_rrset_t *dname = &dns_node_rrset(at->node, KNOT_RRTYPE_DNAME)->rr;
	const uint8_t *target = knot_dname_target(dname->rrs.rdata);
	size_t prefix = r->name->start[at->labels];
	knot_rrset_t cname;

	/* In a circle it is there already. */
	if (!dns_resolution_put(r, KNOT_COMPR_HINT_NONE, dname, KNOT_PF_CHECKDUP))
		return false;
	if (prefix + knot_dname_size(target) > KNOT_DNAME_MAXLEN) {
		*found = DNS_FOUND_TOO_LONG;
		return false;
	}
	if (!make_cname(r, target, prefix, dname->ttl, &cname)) {
		knot_wire_set_tc(r->response->wire);
		return false;
	}
	return follow(r, &cname);
}

/* Step 3 of RFC 1034 section 4.3.2 for the name at hand. False when it is an alias that was
 * followed; else *found is the end. */
static bool resolve_one(struct resolution *r, enum dns_found *found)
{
	struct dns_lookup at = dns_zone_lookup(r->in->zone, r->name);
	bool is_asked_of_parent = r->qtype == KNOT_RRTYPE_DS && at.labels == r->name->n_labels;

	if (at.match == DNS_MATCH_DELEGATION && !is_asked_of_parent) {
		*found = put_referral(r, at.node);
		return true;
	}
	knot_wire_set_aa(r->response->wire);
	if (at.match == DNS_MATCH_NONE) {
		*found = put_negative(r, DNS_FOUND_NXDOMAIN, UINT32_MAX);
		return true;
	}
	if (at.match == DNS_MATCH_DNAME)
		return !follow_dname(r, &at, found);
	const struct dns_rrset *cname = dns_node_rrset(at.node, KNOT_RRTYPE_CNAME);

	if (cname != NULL)
		return !follow(r, &cname->rr);
	*found = put_node(r, at.node);
	return true;
}

static enum dns_found resolve(struct resolution *r)
{
	enum dns_found found = DNS_FOUND_ANSWER;

	for (unsigned chain = 0; chain <= CHAIN_MAX; chain++) {
		if (resolve_one(r, &found))
			break;
	}
	return found;
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
	case DNS_FOUND_TOO_LONG:
		return KNOT_RCODE_YXDOMAIN;
	case DNS_FOUND_ANSWER:
	case DNS_FOUND_NODATA:
	case DNS_FOUND_REFERRAL:
		break;
	}
	return KNOT_RCODE_NOERROR;
}

enum dns_outcome dns_query(struct dns_reply *reply)
{
	const struct dns_message *m = reply->message;
	struct dns_facts *facts = reply->facts;
	struct resolution r;

	r.view = reply->view;
	r.response = reply->response;
	r.facts = facts;
	r.now = reply->request->mono;
	r.qtype = m->qtype;
	r.owner = m->wire + KNOT_WIRE_HEADER_SIZE;
	r.hint = KNOT_COMPR_HINT_QNAME;
	r.name = &m->qname;
	r.cut = NULL;
	r.in = find_zone(&r);
	facts->found = r.in == NULL ? DNS_FOUND_NO_ZONE : resolve(&r);
	facts->rcode = rcode_of(facts->found);
	if (facts->found != DNS_FOUND_NO_ZONE && !knot_wire_get_tc(r.response->wire))
		dns_resolution_put_additional(&r);
	return DNS_REPLY;
}
