/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sections as text, see sections.h. libknot writes data of the types that it knows; it takes no
 * record without data, and what else it will not take is written as data of an unknown type.
 */
#include "dns/sections.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/rrset-wire.h>
#include <libknot/packet/wire.h>
#include <libknot/rrset-dump.h>

#include "core/base/check.h"
#include "dns/zone/name.h"

/* Type, class, TTL and length, between a record's owner and its data. */
#define RECORD_FIXED 10

/* Longer data is left out. */
#define DATA_TEXT 4096

/* RFC 3597 section 5. */
static bool print_unknown(char *text, const uint8_t *rdata, size_t size)
{
	if (size * 2 + sizeof("\\# 65535 ") > DATA_TEXT)
		return false;
	text += sprintf(text, size > 0 ? "\\# %zu " : "\\# %zu", size);
	for (size_t i = 0; i < size; i++)
		text += sprintf(text, "%02x", rdata[i]);
	return true;
}

/* Of the record at wire[at]. */
static bool print_known(char *text, const uint8_t *wire, size_t len, size_t at)
{
	knot_rrset_t rr;
	bool printed;

	knot_rrset_init_empty(&rr);
	if (knot_rrset_rr_from_wire(wire, &at, len, &rr, NULL, false) != KNOT_EOK)
		return false;
	printed = rr.rrs.count > 0 &&
		  knot_rrset_txt_dump_data(&rr, 0, text, DATA_TEXT, &KNOT_DUMP_STYLE_DEFAULT) >= 0;
	knot_rrset_clear(&rr, NULL);
	return printed;
}

/* "www.example.com. 30 IN A 192.0.2.1" for the record at wire[at]. Returns where the next one is.
 */
static size_t report_record(const uint8_t *wire, size_t len, size_t at, json_t *lines)
{
	int size = knot_dname_wire_check(wire + at, wire + len, wire);
	const uint8_t *fixed = wire + at + size;
	knot_dname_storage_t name;
	char owner[DNS_NAME_TEXT], type[16], data[DATA_TEXT];
	uint16_t rdata_size;
	char *line;

	/* What does not hold for a message of ours is a fault of ours. */
	CHECK(size > 0 && at + size + RECORD_FIXED <= len);
	rdata_size = knot_wire_read_u16(fixed + 8);
	CHECK(at + size + RECORD_FIXED + rdata_size <= len);
	CHECK(knot_dname_unpack(name, wire + at, sizeof(name), wire) > 0);
	if (knot_wire_read_u16(fixed) == KNOT_RRTYPE_OPT)
		return at + size + RECORD_FIXED + rdata_size;

	if (knot_rrtype_to_string(knot_wire_read_u16(fixed), type, sizeof(type)) < 0)
		strcpy(type, "?");
	if ((rdata_size == 0 || !print_known(data, wire, len, at)) &&
	    !print_unknown(data, fixed + RECORD_FIXED, rdata_size))
		strcpy(data, "...");
	line = xasprintf("%s %u IN %s %s", dns_name_format(name, owner),
			 knot_wire_read_u32(fixed + 4), type, data);
	json_array_append_new(lines, json_string(line));
	free(line);
	return at + size + RECORD_FIXED + rdata_size;
}

void dns_sections_report(const uint8_t *wire, size_t len, json_t *report)
{
	const struct {
		const char *name;
		unsigned count;
	} sections[] = {
	    {"answer", knot_wire_get_ancount(wire)},
	    {"authority", knot_wire_get_nscount(wire)},
	    {"additional", knot_wire_get_arcount(wire)},
	};
	size_t at = KNOT_WIRE_HEADER_SIZE;

	if (knot_wire_get_qdcount(wire) > 0)
		at += knot_dname_size(wire + at) + 4;
	for (unsigned i = 0; i < ARRAY_SIZE(sections); i++) {
		json_t *lines = json_array();

		for (unsigned k = 0; k < sections[i].count; k++)
			at = report_record(wire, len, at, lines);
		json_object_set_new(report, sections[i].name, lines);
	}
}
