/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/answer/quick.h"

#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/packet/wire.h>

#include "dns/answer/answer.h"
#include "dns/answer/edns.h"
#include "dns/answer/message.h"
#include "dns/answer/query.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"

/* An owner that is a pointer to the question, type, class, TTL and length. */
#define RECORD_FIXED 12

static bool is_common(const struct dns_message *m)
{
	return m->opcode == KNOT_OPCODE_QUERY && m->well_formed &&
	       m->edns_rcode == KNOT_RCODE_NOERROR && !m->tsig.present &&
	       m->qclass == KNOT_CLASS_IN && m->qname.n_labels > 0;
}

/* Types without names in their data, which would be compressed, or have addresses. */
static bool is_plain(uint16_t type)
{
	const knot_rdata_descriptor_t *d = knot_get_rdata_descriptor(type);

	if (type == KNOT_RRTYPE_DS || knot_rrtype_is_metatype(type) || dns_query_leads_on(type))
		return false;
	for (const int *block = d->block_types; *block != KNOT_RDATA_WF_END; block++) {
		if (*block < 0 && *block != KNOT_RDATA_WF_REMAINDER)
			return false;
	}
	return true;
}

/* The RRset that answers the question. */
struct found {
	knot_rdataset_t rrs;
	uint32_t ttl;
	const struct dns_steered *steered; /* NULL: it is for everybody */
};

/* False: there is none, or there is more to be said. With found->steered set, facts->choice is. */
static bool find_set(const struct dns_view *view, const struct dns_message *m, mono_time now,
		     knot_mm_t *mm, struct dns_facts *facts, struct found *found)
{
	const struct dns_zones_entry *in =
	    dns_zones_find(view->zones, &m->qname, m->qname.n_labels);
	const struct dns_rrset *set;
	struct dns_lookup at;

	if (in == NULL)
		return false;
	at = dns_zone_lookup(in->zone, &m->qname);
	if (at.match != DNS_MATCH_NODE && at.match != DNS_MATCH_WILDCARD)
		return false;
	found->steered = dns_query_steered(view, in, at.node, m->qtype);
	if (found->steered != NULL) {
		dns_query_choose(view, &facts->place, now, found->steered, m->qtype, mm,
				 &facts->choice, &found->rrs);
		found->ttl = facts->choice.ttl;
		return found->rrs.count > 0;
	}
	set = dns_node_rrset(at.node, m->qtype);
	if (set == NULL || !is_plain(m->qtype) ||
	    dns_node_rrset(at.node, KNOT_RRTYPE_CNAME) != NULL)
		return false;
	found->rrs = set->rr.rrs;
	found->ttl = set->rr.ttl;
	return true;
}

/* Returns the end of the records, or NULL when they do not fit. */
static uint8_t *write_records(uint8_t *at, const uint8_t *end, uint16_t type, uint32_t ttl,
			      const knot_rdataset_t *rrs)
{
	const knot_rdata_t *rdata = rrs->rdata;

	for (unsigned i = 0; i < rrs->count; i++) {
		if (end - at < RECORD_FIXED + rdata->len)
			return NULL;
		knot_wire_write_u16(at, KNOT_WIRE_PTR_BASE | KNOT_WIRE_HEADER_SIZE);
		knot_wire_write_u16(at + 2, type);
		knot_wire_write_u16(at + 4, KNOT_CLASS_IN);
		knot_wire_write_u32(at + 6, ttl);
		knot_wire_write_u16(at + 10, rdata->len);
		memcpy(at + RECORD_FIXED, rdata->data, rdata->len);
		at += RECORD_FIXED + rdata->len;
		rdata = knot_rdataset_next((knot_rdata_t *)rdata);
	}
	return at;
}

/* AA, and of the request its RD and CD. */
static void write_header(uint8_t *out, const uint8_t *wire, unsigned answers, bool has_edns)
{
	memcpy(out, wire, 2);
	out[2] = 0x84 | (wire[2] & 0x01);
	out[3] = wire[3] & 0x10;
	knot_wire_set_qdcount(out, 1);
	knot_wire_set_ancount(out, answers);
	knot_wire_set_nscount(out, 0);
	knot_wire_set_arcount(out, has_edns ? 1 : 0);
}

bool dns_quick(const struct dns_view *view, const struct dns_message *m, mono_time now,
	       knot_mm_t *mm, struct dns_facts *facts, uint8_t *out, size_t limit, size_t *len)
{
	size_t question_end = KNOT_WIRE_HEADER_SIZE + m->question_size;
	size_t edns_size = dns_edns_size(m);
	struct found found;
	uint8_t *at;

	if (!is_common(m) || !find_set(view, m, now, mm, facts, &found))
		return false;
	at = write_records(out + question_end, out + limit - edns_size, m->qtype, found.ttl,
			   &found.rrs);
	if (at == NULL)
		return false;
	write_header(out, m->wire, found.rrs.count, m->has_edns);
	memcpy(out + KNOT_WIRE_HEADER_SIZE, m->wire + KNOT_WIRE_HEADER_SIZE, m->question_size);
	facts->found = DNS_FOUND_ANSWER;
	if (found.steered != NULL) {
		facts->steered = found.steered;
		facts->scope = facts->choice.scope;
	}
	if (m->has_edns)
		dns_edns_write(m, facts, at);
	*len = at - out + edns_size;
	return true;
}
