/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer path, see answer.h: judges the form of a request, its EDNS and signature, hands it to
 * whom its opcode, class and type belong (dns/answer/reply.h), and ends the response with OPT and
 * TSIG. Any thread, one answerer each.
 */
#include "dns/answer/answer.h"

#include <stdlib.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>

#include "core/base/check.h"
#include "dns/answer/edns.h"
#include "dns/answer/message.h"
#include "dns/answer/quick.h"
#include "dns/answer/reply.h"

/* 1 KiB, and 70 bytes an RRset, more when their number has grown: hundreds of them. When it is
 * gone, additional addresses are left out. */
#define RESPONSE_SCRATCH (192 * 1024)

struct dns_answerer {
	struct dns_facts facts;
	struct dns_message message;
	size_t used;
	_Alignas(16) uint8_t scratch[RESPONSE_SCRATCH];
};

struct dns_answerer *dns_answerer_create(void)
{
	return xcalloc(1, sizeof(struct dns_answerer));
}

void dns_answerer_destroy(struct dns_answerer **answerer)
{
	free(TAKE(answerer));
}

const struct dns_facts *dns_answerer_facts(const struct dns_answerer *answerer)
{
	return &answerer->facts;
}

/* libknot's memory: everything of one answer is forgotten at once. */
static void *scratch_alloc(void *ctx, size_t size)
{
	struct dns_answerer *w = ctx;
	size_t rounded = (size + 15) & ~(size_t)15;

	if (rounded < size || rounded > sizeof(w->scratch) - w->used)
		return NULL;
	w->used += rounded;
	return w->scratch + w->used - rounded;
}

static void scratch_free(void *ptr)
{
}

/* All of it, for whoever asks last. */
static knot_mm_t scratch_of(struct dns_answerer *w)
{
	w->used = 0;
	return (knot_mm_t){.ctx = w, .alloc = scratch_alloc, .free = scratch_free};
}

static size_t response_limit(enum dns_transport transport, const struct dns_message *m, size_t cap)
{
	if (transport == DNS_TCP)
		return MIN(cap, DNS_TCP_PAYLOAD);
	if (!m->has_edns)
		return KNOT_WIRE_MIN_PKTSIZE;
	/* RFC 6891 section 6.2.3: values below 512 mean 512. */
	return MIN(cap, MIN(MAX(m->payload, KNOT_WIRE_MIN_PKTSIZE), DNS_UDP_PAYLOAD));
}

/* A response with the question, if there is one that can be read. */
static knot_pkt_t *begin_response(struct dns_answerer *w, uint8_t *out, size_t limit)
{
	knot_mm_t mm = scratch_of(w);
	const struct dns_message *m = &w->message;
	knot_pkt_t *query, *response;

	/* It is only read. */
	query = knot_pkt_new((uint8_t *)m->wire, m->len, &mm);
	response = knot_pkt_new(out, limit, &mm);
	CHECK(query != NULL && response != NULL);
	if (m->question_size > 0)
		CHECK(knot_pkt_parse_question(query) == KNOT_EOK);
	CHECK(knot_pkt_init_response(response, query) == KNOT_EOK);
	knot_wire_clear_ra(out);
	knot_wire_clear_z(out);
	knot_wire_clear_ad(out);
	if (m->question_size == 0)
		knot_wire_set_qdcount(out, 0);
	CHECK(knot_pkt_reserve(response, dns_edns_size(m)) == KNOT_EOK);
	CHECK(knot_pkt_begin(response, KNOT_ANSWER) == KNOT_EOK);
	return response;
}

static void put_opt(const struct dns_message *m, const struct dns_facts *facts,
		    knot_pkt_t *response)
{
	size_t size = dns_edns_size(m);

	CHECK(knot_pkt_reclaim(response, size) == KNOT_EOK);
	dns_edns_write(m, facts, response->wire + response->size);
	response->size += size;
	knot_wire_add_arcount(response->wire, 1);
}

/* We know no key. */
static void put_tsig(const struct dns_message *m, wall_time now, knot_pkt_t *response)
{
	size_t size = dns_tsig_write_badkey(&m->tsig, now, response->wire + response->size,
					    response->max_size - response->size);

	response->size += size;
	if (size > 0)
		knot_wire_add_arcount(response->wire, 1);
	else
		knot_wire_set_tc(response->wire);
}

static enum dns_outcome query(struct dns_reply *reply)
{
	const struct dns_message *m = reply->message;

	if (m->qtype == KNOT_RRTYPE_AXFR || m->qtype == KNOT_RRTYPE_IXFR)
		return dns_transfer(reply);
	if (m->qclass == KNOT_CLASS_CH)
		return dns_chaos(reply);
	if (m->qclass == KNOT_CLASS_IN)
		return dns_query(reply);
	reply->facts->rcode = KNOT_RCODE_REFUSED;
	return DNS_REPLY;
}

/* A request whose form, EDNS and signature are in order, or whose opcode nobody knows. */
static enum dns_outcome dispatch(struct dns_reply *reply)
{
	switch (reply->message->opcode) {
	case KNOT_OPCODE_QUERY:
		return query(reply);
	case KNOT_OPCODE_NOTIFY:
		return dns_notify(reply);
	case KNOT_OPCODE_UPDATE:
		return dns_update(reply);
	default:
		reply->facts->rcode = KNOT_RCODE_NOTIMPL;
		return DNS_REPLY;
	}
}

static bool is_known(uint8_t opcode)
{
	return opcode == KNOT_OPCODE_QUERY || opcode == KNOT_OPCODE_NOTIFY ||
	       opcode == KNOT_OPCODE_UPDATE;
}

/* What the form of a request alone deserves. */
static uint16_t judge(const struct dns_message *m)
{
	if (!is_known(m->opcode)) /* its form is for those who know it to judge */
		return KNOT_RCODE_NOERROR;
	if (!m->well_formed)
		return KNOT_RCODE_FORMERR;
	if (m->edns_rcode != KNOT_RCODE_NOERROR)
		return m->edns_rcode;
	return m->tsig.present ? KNOT_RCODE_NOTAUTH : KNOT_RCODE_NOERROR;
}

static enum dns_outcome answer(struct dns_answerer *w, const struct dns_view *view,
			       const struct dns_request *request, uint8_t *out, size_t limit,
			       size_t *len)
{
	struct dns_facts *facts = &w->facts;
	const struct dns_message *m = &w->message;
	enum dns_outcome outcome = DNS_REPLY;
	struct dns_reply reply = {
	    .view = view,
	    .request = request,
	    .message = m,
	    .response = begin_response(w, out, limit),
	    .facts = facts,
	};

	facts->rcode = judge(m);
	if (facts->rcode == KNOT_RCODE_NOERROR)
		outcome = dispatch(&reply);
	knot_wire_set_rcode(out, facts->rcode & 0xf);
	if (m->has_edns)
		put_opt(m, facts, reply.response);
	if (facts->rcode == KNOT_RCODE_NOTAUTH && m->tsig.present)
		put_tsig(m, request->now, reply.response);
	facts->truncated = knot_wire_get_tc(out);
	*len = reply.response->size;
	return outcome;
}

/* False when it is no request. */
static bool take_apart(struct dns_answerer *w, const struct dns_request *request)
{
	struct dns_message *m = &w->message;

	w->facts = (struct dns_facts){.rcode = KNOT_RCODE_NOERROR};
	/* Answering a response could start a conversation between two servers. */
	if (request->len < KNOT_WIRE_HEADER_SIZE || request->len > KNOT_WIRE_MAX_PKTSIZE ||
	    knot_wire_get_qr(request->wire))
		return false;
	dns_message_parse(m, request->wire, request->len);
	w->facts.client_subnet = m->options.has_subnet;
	w->facts.place = m->options.has_subnet && m->options.subnet.source.len > 0
			     ? m->options.subnet.source
			     : net_prefix_of(&request->remote);
	return true;
}

enum dns_outcome dns_handle_long(struct dns_answerer *w, const struct dns_view *view,
				 const struct dns_request *request, uint8_t *out, size_t cap,
				 size_t *len)
{
	CHECK(cap >= KNOT_WIRE_MIN_PKTSIZE);
	*len = 0;
	if (!take_apart(w, request))
		return DNS_SILENT;
	return answer(w, view, request, out, response_limit(request->transport, &w->message, cap),
		      len);
}

enum dns_outcome dns_handle(struct dns_answerer *w, const struct dns_view *view,
			    const struct dns_request *request, uint8_t *out, size_t cap,
			    size_t *len)
{
	knot_mm_t mm = scratch_of(w);
	size_t limit;

	CHECK(cap >= KNOT_WIRE_MIN_PKTSIZE);
	*len = 0;
	if (!take_apart(w, request))
		return DNS_SILENT;
	limit = response_limit(request->transport, &w->message, cap);
	if (dns_quick(view, &w->message, request->mono, &mm, &w->facts, out, limit, len))
		return DNS_REPLY;
	return answer(w, view, request, out, limit, len);
}
