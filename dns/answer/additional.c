/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The additional section: addresses of the names to which an answer or a referral leads, wherever
 * they are in zones of ours, so that nobody has to ask again. Any thread.
 */
#include "dns/answer/query.h"

#include <libknot/descriptor.h>
#include <libknot/rrtype/naptr.h>
#include <libknot/rrtype/rdname.h>
#include <libknot/rrtype/svcb.h>

#include "core/base/check.h"
#include "dns/view/view.h"
#include "dns/zone/name.h"
#include "dns/zone/zones.h"

/* A name in a record, and who speaks for it. */
struct target {
	const uint8_t *name; /* as written; NULL: there is none */
	uint16_t hint;       /* where in the response it stands */
	bool needed;         /* without its addresses the answer is not complete */
	const struct dns_zones_entry *in;
	const struct dns_node *node; /* also below a cut, where it is glue */
};

/* More than libknot's knot_rrtype_additional_needed() of Debian 12 knows. */
bool dns_query_leads_on(uint16_t type)
{
	switch (type) {
	case KNOT_RRTYPE_NS:
	case KNOT_RRTYPE_MX:
	case KNOT_RRTYPE_AFSDB:
	case KNOT_RRTYPE_RT:
	case KNOT_RRTYPE_SRV:
	case KNOT_RRTYPE_NAPTR:
	case KNOT_RRTYPE_KX:
	case KNOT_RRTYPE_SVCB:
	case KNOT_RRTYPE_HTTPS:
		return true;
	default:
		return false;
	}
}

/* Where the name of a record stands in its data; at the end or behind it: there is none. */
static unsigned name_at(const knot_rdata_t *rdata, uint16_t type)
{
	unsigned at = 4;

	switch (type) {
	case KNOT_RRTYPE_NS:
		return 0;
	case KNOT_RRTYPE_SRV:
		return 6;
	case KNOT_RRTYPE_NAPTR: /* behind flags, services and regular expression */
		for (unsigned i = 0; i < 3 && at < rdata->len; i++)
			at += 1 + rdata->data[at];
		return at;
	default: /* behind a number: a preference, or a priority */
		return 2;
	}
}

static bool is_service_binding(uint16_t type)
{
	return type == KNOT_RRTYPE_SVCB || type == KNOT_RRTYPE_HTTPS;
}

/* Of record `i` of the RRset at `index` of the response. */
static struct target target_of(const struct resolution *r, unsigned index, unsigned i,
			       const knot_rdata_t *rdata)
{
	const knot_rrset_t *set = &r->response->rr[index];
	const knot_rrinfo_t *info = &r->response->rr_info[index];
	unsigned at = name_at(rdata, set->type);
	struct target target = {.name = NULL};

	if (at >= rdata->len)
		return target;
	target.name = rdata->data + at;
	target.hint = knot_compr_hint(info, KNOT_COMPR_HINT_RDATA + i);
	if (target.name[0] != 0)
		return target;
	/* The root says that there is none; in a service binding with a priority, that it is the
	 * owner (RFC 9460 section 2.5). */
	target.name = NULL;
	if (is_service_binding(set->type) && knot_wire_read_u16(rdata->data) > 0) {
		target.name = set->owner;
		target.hint = knot_compr_hint(info, KNOT_COMPR_HINT_OWNER);
	}
	return target;
}

/* The addresses of steered names are made for each answer: theirs are told by the owner alone. */
static bool contains(const knot_pkt_t *response, const knot_rrset_t *rr, bool made)
{
	for (unsigned i = 0; i < response->rrset_count; i++) {
		const knot_rrset_t *other = &response->rr[i];

		if (other->type == rr->type && (made || other->rrs.rdata == rr->rrs.rdata) &&
		    knot_dname_is_case_equal(other->owner, rr->owner))
			return true;
	}
	return false;
}

/* False when there is no more room. */
static bool put_set(struct resolution *r, const struct target *target, uint16_t type)
{
	const struct dns_rrset *set = dns_node_rrset(target->node, type);
	const struct dns_steered *steered =
	    dns_query_steered(r->view, target->in, target->node, type);
	knot_rrset_t rr;

	if (steered != NULL) {
		knot_rdataset_t addresses;
		struct steer_choice choice;

		dns_query_choose(r->view, &r->facts->place, r->now, steered, type, &r->response->mm,
				 &choice, &addresses);
		/* What is additional is never tied to a network (RFC 7871 section 7.3.1): a
		 * resolver would give it to all its clients. */
		if (addresses.count == 0 || (r->facts->client_subnet && choice.scope > 0))
			return true;
		knot_rrset_init(&rr, NULL, type, KNOT_CLASS_IN, choice.ttl);
		rr.rrs = addresses;
	} else if (set != NULL) {
		rr = set->rr;
	} else {
		return true;
	}
	rr.owner = (knot_dname_t *)target->name;
	return contains(r->response, &rr, steered != NULL) ||
	       dns_resolution_put(r, target->hint, &rr, target->needed ? 0 : KNOT_PF_NOTRUNC);
}

/* False when no zone of ours knows the name. */
static bool find_target(const struct resolution *r, struct target *target)
{
	struct dns_lookup found;
	knot_dname_storage_t lower;
	struct dns_name name;

	knot_dname_copy_lower(lower, target->name);
	dns_name_init(&name, lower);
	target->in = dns_zones_find(r->view->zones, &name, name.n_labels);
	if (target->in == NULL)
		return false;
	found = dns_zone_lookup(target->in->zone, &name);
	if (found.match == DNS_MATCH_DELEGATION)
		found.node = dns_zone_find(target->in->zone, &name, name.n_labels);
	else if (found.match != DNS_MATCH_NODE && found.match != DNS_MATCH_WILDCARD)
		found.node = NULL;
	target->node = found.node;
	return target->node != NULL;
}

/* Of the names in one RRset's data. False when there is no more room. */
static bool put_of_set(struct resolution *r, unsigned index)
{
	const knot_rrset_t set = r->response->rr[index]; /* the array may move */
	const knot_rdata_t *rdata = set.rrs.rdata;

	for (unsigned i = 0; i < set.rrs.count;
	     i++, rdata = knot_rdataset_next((knot_rdata_t *)rdata)) {
		struct target target = target_of(r, index, i, rdata);

		if (target.name == NULL || !find_target(r, &target))
			continue;
		/* RFC 9471: a referral without the glue it needs is not complete. */
		target.needed = r->cut != NULL && dns_name_is_under(target.name, r->cut->name);
		if (!put_set(r, &target, KNOT_RRTYPE_A) || !put_set(r, &target, KNOT_RRTYPE_AAAA))
			return false;
		/* RFC 9460 section 4.1 */
		if (is_service_binding(set.type) && !put_set(r, &target, set.type))
			return false;
	}
	return true;
}

void dns_resolution_put_additional(struct resolution *r)
{
	unsigned count = r->response->rrset_count;

	knot_pkt_begin(r->response, KNOT_ADDITIONAL);
	for (unsigned i = 0; i < count && !knot_wire_get_tc(r->response->wire); i++) {
		if (dns_query_leads_on(r->response->rr[i].type) && !put_of_set(r, i))
			return;
	}
}
