/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer path, see answer.h: checks the query's form, its EDNS and client subnet, and wraps
 * what dns/answer/resolve.c finds into a response. Any thread, one answerer each.
 */
#include "dns/answer/answer.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>
#include <libknot/packet/rrset-wire.h>

#include "core/base/check.h"
#include "dns/answer/ecs.h"
#include "dns/answer/resolve.h"

/* Records beside the question: OPT, TSIG, and what nobody's honest question has. */
#define QUERY_RECORDS 16

/* The most that so many records in one message can take, their names uncompressed: libknot 3.2 does
 * not survive a lack of memory in each place. */
#define QUERY_SCRATCH (96 * 1024)

/* 1 KiB, and 70 bytes an RRset, more when their number has grown: hundreds of them. When it is
 * gone, additional addresses are left out. */
#define RESPONSE_SCRATCH (192 * 1024)

struct dns_answerer {
	struct dns_facts facts;
	size_t used, limit;
	_Alignas(16) uint8_t scratch[QUERY_SCRATCH + RESPONSE_SCRATCH];
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

	if (rounded < size || rounded > w->limit - w->used)
		return NULL;
	w->used += rounded;
	return w->scratch + w->used - rounded;
}

static void scratch_free(void *ptr)
{
}

/* A response of header and question alone, for queries that libknot could not parse. */
static size_t refuse(struct dns_answerer *w, const knot_pkt_t *query, uint8_t rcode, uint8_t *out)
{
	size_t question = knot_pkt_question_size(query);
	size_t len = KNOT_WIRE_HEADER_SIZE + question;

	memcpy(out, query->wire, len);
	knot_wire_set_qr(out);
	knot_wire_clear_aa(out);
	knot_wire_clear_tc(out);
	knot_wire_clear_ra(out);
	knot_wire_clear_z(out);
	knot_wire_clear_ad(out);
	knot_wire_set_rcode(out, rcode);
	knot_wire_set_qdcount(out, question > 0 ? 1 : 0);
	knot_wire_set_ancount(out, 0);
	knot_wire_set_nscount(out, 0);
	knot_wire_set_arcount(out, 0);
	w->facts.rcode = rcode;
	return len;
}

/* The one question, uncompressed. */
static bool parse_question(knot_pkt_t *query)
{
	const uint8_t *name = query->wire + KNOT_WIRE_HEADER_SIZE;
	const uint8_t *end = query->wire + query->size;

	/* libknot would follow a pointer into the header. */
	if (knot_wire_get_qdcount(query->wire) != 1 || knot_dname_wire_check(name, end, NULL) <= 0)
		return false;
	return knot_pkt_parse_question(query) == KNOT_EOK;
}

static bool has_few_records(const uint8_t *wire)
{
	return knot_wire_get_ancount(wire) + knot_wire_get_nscount(wire) +
		   knot_wire_get_arcount(wire) <=
	       QUERY_RECORDS;
}

/* What the query's OPT asks for. */
struct edns {
	bool present, has_ecs;
	struct dns_ecs ecs;
	knot_rrset_t response; /* the response's OPT */
	uint8_t *ecs_data;     /* of its client subnet option */
};

/* Returns the rcode that the OPT alone deserves, and builds the response's OPT. */
static uint16_t take_edns(struct edns *edns, const knot_pkt_t *query, knot_mm_t *mm)
{
	uint8_t *option;
	uint8_t data[DNS_ECS_MAX];

	edns->present = true;
	CHECK(knot_edns_init(&edns->response, DNS_UDP_PAYLOAD, 0, KNOT_EDNS_VERSION, mm) ==
	      KNOT_EOK);
	if (knot_pkt_has_dnssec(query))
		knot_edns_set_do(&edns->response);
	if (query->opt_rr->owner[0] != 0) /* RFC 6891 section 6.1.2 */
		return KNOT_RCODE_FORMERR;
	if (knot_edns_get_version(query->opt_rr) != KNOT_EDNS_VERSION)
		return KNOT_RCODE_BADVERS;
	option = knot_pkt_edns_option(query, KNOT_EDNS_OPTION_CLIENT_SUBNET);
	if (option == NULL)
		return KNOT_RCODE_NOERROR;
	if (!dns_ecs_parse(&edns->ecs, knot_edns_opt_get_data(option),
			   knot_edns_opt_get_length(option)))
		return KNOT_RCODE_FORMERR;
	edns->has_ecs = true;
	CHECK(knot_edns_reserve_option(&edns->response, KNOT_EDNS_OPTION_CLIENT_SUBNET,
				       dns_ecs_write(&edns->ecs, 0, data), &edns->ecs_data,
				       mm) == KNOT_EOK);
	return KNOT_RCODE_NOERROR;
}

static size_t response_limit(const struct dns_client *client, const knot_pkt_t *query, size_t cap)
{
	if (client->tcp)
		return MIN(cap, DNS_TCP_PAYLOAD);
	if (!knot_pkt_has_edns(query))
		return KNOT_WIRE_MIN_PKTSIZE;
	/* RFC 6891 section 6.2.3: values below 512 mean 512. */
	unsigned wanted = MAX(knot_edns_get_payload(query->opt_rr), KNOT_WIRE_MIN_PKTSIZE);

	return MIN(cap, MIN(wanted, DNS_UDP_PAYLOAD));
}

/* Rcode of a well-formed query before any zone is looked at. */
static uint16_t judge(const knot_pkt_t *query)
{
	uint16_t type = knot_pkt_qtype(query);

	if (knot_pkt_has_tsig(query)) /* we know no key: RFC 8945 section 5.2.1 */
		return KNOT_RCODE_NOTAUTH;
	if (knot_pkt_qclass(query) != KNOT_CLASS_IN || type == KNOT_RRTYPE_AXFR ||
	    type == KNOT_RRTYPE_IXFR)
		return KNOT_RCODE_REFUSED;
	return KNOT_RCODE_NOERROR;
}

/* Not by knot_pkt_put(), which may want more memory than a long answer has left. */
static void put_opt(knot_pkt_t *response, knot_rrset_t *opt)
{
	int size;

	CHECK(knot_pkt_reclaim(response, knot_edns_wire_size(opt)) == KNOT_EOK);
	size = knot_rrset_to_wire(opt, response->wire + response->size,
				  response->max_size - response->size, NULL);
	CHECK(size > 0);
	response->size += size;
	knot_wire_add_arcount(response->wire, 1);
}

static void finish(struct edns *edns, knot_pkt_t *response, const struct dns_facts *facts)
{
	knot_wire_set_rcode(response->wire, KNOT_EDNS_RCODE_LO(facts->rcode));
	if (!edns->present)
		return;
	knot_edns_set_ext_rcode(&edns->response, KNOT_EDNS_RCODE_HI(facts->rcode));
	if (edns->has_ecs) {
		/* A client that keeps its network to itself is told that any would do. */
		bool narrow = facts->steered != NULL && edns->ecs.source.len > 0;

		dns_ecs_write(&edns->ecs, narrow ? facts->choice.scope : 0, edns->ecs_data);
	}
	put_opt(response, &edns->response);
}

static size_t answer_parsed(struct dns_answerer *w, const struct dns_view *view,
			    const struct dns_client *client, const knot_pkt_t *query, knot_mm_t *mm,
			    uint8_t *out, size_t cap)
{
	struct dns_facts *facts = &w->facts;
	struct edns edns = {.present = false};
	knot_pkt_t *response;

	w->limit = sizeof(w->scratch);
	response = knot_pkt_new(out, response_limit(client, query, cap), mm);
	CHECK(response != NULL);
	CHECK(knot_pkt_init_response(response, query) == KNOT_EOK);
	knot_wire_clear_ra(out);
	knot_wire_clear_z(out);
	knot_wire_clear_ad(out);

	if (knot_pkt_has_edns(query)) {
		facts->rcode = take_edns(&edns, query, mm);
		CHECK(knot_pkt_reserve(response, knot_edns_wire_size(&edns.response)) == KNOT_EOK);
	}
	facts->client_subnet = edns.has_ecs;
	facts->place = client->source;
	if (edns.has_ecs && edns.ecs.source.len > 0)
		facts->place = edns.ecs.source;
	if (facts->rcode == KNOT_RCODE_NOERROR)
		facts->rcode = judge(query);
	knot_pkt_begin(response, KNOT_ANSWER);
	if (facts->rcode == KNOT_RCODE_NOERROR)
		dns_resolve(view, query, response, facts);
	if (response->current != KNOT_ADDITIONAL)
		knot_pkt_begin(response, KNOT_ADDITIONAL);
	finish(&edns, response, facts);
	facts->truncated = knot_wire_get_tc(out);
	return response->size;
}

size_t dns_answer(struct dns_answerer *w, const struct dns_view *view,
		  const struct dns_client *client, const uint8_t *wire, size_t len, uint8_t *out,
		  size_t cap)
{
	knot_mm_t mm = {.ctx = w, .alloc = scratch_alloc, .free = scratch_free};
	knot_pkt_t *query;

	CHECK(cap >= KNOT_WIRE_MIN_PKTSIZE);
	w->used = 0;
	w->limit = QUERY_SCRATCH;
	w->facts = (struct dns_facts){.rcode = KNOT_RCODE_NOERROR};
	/* Answering a response could start a conversation between two servers. */
	if (len < KNOT_WIRE_HEADER_SIZE || len > KNOT_WIRE_MAX_PKTSIZE || knot_wire_get_qr(wire))
		return 0;

	/* Parsing with KEEPWIRE only reads. */
	query = knot_pkt_new((uint8_t *)wire, len, &mm);
	CHECK(query != NULL);
	bool has_question = parse_question(query);

	if (knot_wire_get_opcode(wire) != KNOT_OPCODE_QUERY)
		return refuse(w, query, KNOT_RCODE_NOTIMPL, out);
	if (!has_question || !has_few_records(wire) ||
	    knot_pkt_parse(query, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON) != KNOT_EOK)
		return refuse(w, query, KNOT_RCODE_FORMERR, out);
	return answer_parsed(w, view, client, query, &mm, out, cap);
}
