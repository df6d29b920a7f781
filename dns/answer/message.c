/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/answer/message.h"

#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/packet/wire.h>
#include <libknot/rrtype/opt.h>

#include "core/base/check.h"

/* OPT, TSIG, and what nobody's honest request has beside the question. Each name among them may be
 * a long chain of pointers, so their number bounds the work. */
#define RECORDS_MAX 16

/* Type, class, TTL and length, between a record's owner and its data. */
#define RECORD_FIXED 10

/* Eight octets in lower case, each by itself. */
static uint64_t lower_eight(uint64_t octets)
{
	const uint64_t ones = UINT64_MAX / 0xff;
	uint64_t ascii = octets & ones * 0x7f;
	/* The top bit of each says whether it is 'A' or later, and whether it is later than 'Z'. */
	uint64_t from_a = ascii + ones * (0x80 - 'A'), after_z = ascii + ones * (0x7f - 'Z');

	return octets + ((from_a & ~after_z & ~octets & ones * 0x80) >> 2);
}

/* A whole name: the lengths of labels are below 'A', and stay as they are. */
static void copy_lower(uint8_t *lower, const uint8_t *name, size_t size)
{
	size_t i = 0;

	for (; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
		uint64_t octets;

		memcpy(&octets, name + i, sizeof(octets));
		octets = lower_eight(octets);
		memcpy(lower + i, &octets, sizeof(octets));
	}
	for (; i < size; i++)
		lower[i] = (uint8_t)lower_eight(name[i]);
}

/* Copies a name in lower case. Returns its size; 0: it is cut, compressed or too long. */
static size_t take_name(const uint8_t *name, const uint8_t *end, knot_dname_storage_t lower)
{
	const uint8_t *at = name;
	size_t size;

	for (; at < end && *at != 0; at += 1 + *at) {
		if (*at > KNOT_DNAME_MAXLABELLEN) /* or a pointer */
			return 0;
	}
	size = at - name + 1;
	if (at >= end || size > KNOT_DNAME_MAXLEN)
		return 0;
	copy_lower(lower, name, size);
	return size;
}

/* The one question, uncompressed: its length, or 0. */
static size_t parse_question(struct dns_message *m)
{
	const uint8_t *name = m->wire + KNOT_WIRE_HEADER_SIZE, *end = m->wire + m->len;
	size_t size;

	if (knot_wire_get_qdcount(m->wire) != 1)
		return 0;
	size = take_name(name, end, m->lower);
	if (size == 0 || (size_t)(end - name) < size + 4)
		return 0;
	dns_name_init(&m->qname, m->lower);
	m->qtype = knot_wire_read_u16(name + size);
	m->qclass = knot_wire_read_u16(name + size + 2);
	return size + 4;
}

/* RFC 6891 section 6.1. */
static void take_opt(struct dns_message *m, bool at_root, const uint8_t *fixed, size_t rdata_size)
{
	uint8_t version = fixed[5];

	m->has_edns = true;
	m->payload = knot_wire_read_u16(fixed + 2);
	m->dnssec_ok = fixed[6] & 0x80;
	if (!at_root)
		m->edns_rcode = KNOT_RCODE_FORMERR;
	else if (version != KNOT_EDNS_VERSION)
		m->edns_rcode = KNOT_RCODE_BADVERS;
	else if (!dns_options_parse(&m->options, fixed + RECORD_FIXED, rdata_size))
		m->edns_rcode = KNOT_RCODE_FORMERR;
}

/* The record at wire[at]: where the next one is, or 0. */
static size_t walk_record(struct dns_message *m, size_t at, bool additional, bool last)
{
	const uint8_t *owner = m->wire + at, *end = m->wire + m->len, *fixed;
	int size = knot_dname_wire_check(owner, end, m->wire);
	uint16_t type, rdata_size;

	if (size <= 0 || end - owner < size + RECORD_FIXED)
		return 0;
	fixed = owner + size;
	type = knot_wire_read_u16(fixed);
	rdata_size = knot_wire_read_u16(fixed + 8);
	if (end - fixed < RECORD_FIXED + rdata_size)
		return 0;
	if (type == KNOT_RRTYPE_OPT) {
		if (m->has_edns)
			return 0;
		take_opt(m, owner[0] == 0, fixed, rdata_size);
		if (!additional)
			return 0;
	} else if (type == KNOT_RRTYPE_TSIG) {
		/* RFC 8945 section 5.2: the last of all, and alone. */
		if (!additional || !last ||
		    !dns_tsig_parse(&m->tsig, m->wire, owner, fixed, rdata_size))
			return 0;
	}
	return at + size + RECORD_FIXED + rdata_size;
}

/* Behind all questions, however many: an OPT after them is answered with one. 0: out of order. */
static size_t skip_questions(const struct dns_message *m)
{
	unsigned n = knot_wire_get_qdcount(m->wire);
	size_t at = KNOT_WIRE_HEADER_SIZE;

	if (m->question_size > 0)
		return at + m->question_size;
	if (n > RECORDS_MAX)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		int size = knot_dname_wire_check(m->wire + at, m->wire + m->len, m->wire);

		if (size <= 0 || m->len - at < (size_t)size + 4)
			return 0;
		at += size + 4;
	}
	return at;
}

void dns_message_parse(struct dns_message *m, const uint8_t *wire, size_t len)
{
	size_t at;

	m->wire = wire;
	m->len = len;
	m->opcode = knot_wire_get_opcode(wire);
	m->well_formed = false;
	m->has_edns = false;
	m->edns_rcode = KNOT_RCODE_NOERROR;
	dns_options_init(&m->options);
	m->tsig.present = false;
	m->question_size = parse_question(m);

	unsigned before = knot_wire_get_ancount(wire) + knot_wire_get_nscount(wire);
	unsigned all = before + knot_wire_get_arcount(wire);

	if (all > RECORDS_MAX)
		return;
	at = skip_questions(m);
	for (unsigned i = 0; i < all && at > 0; i++)
		at = walk_record(m, at, i >= before, i + 1 == all);
	m->well_formed = m->question_size > 0 && at == len;
}
