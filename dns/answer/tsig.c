/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/answer/tsig.h"

#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/wire.h>

/* Type, class, TTL and length, before the data. */
#define RECORD_FIXED 10

/* Time signed, fudge and MAC size; and, after the MAC, original ID, error and other length. */
#define BEFORE_MAC 10
#define AFTER_MAC 6

bool dns_tsig_parse(struct dns_tsig *tsig, const uint8_t *wire, const uint8_t *owner,
		    const uint8_t *fixed, size_t rdata_size)
{
	const uint8_t *rdata = fixed + RECORD_FIXED, *end = rdata + rdata_size;
	int algorithm = rdata_size == 0 ? 0 : knot_dname_wire_check(rdata, end, NULL);
	const uint8_t *at = rdata + algorithm;
	unsigned mac;

	if (knot_wire_read_u16(fixed + 2) != KNOT_CLASS_ANY || algorithm <= 0 ||
	    end - at < BEFORE_MAC + AFTER_MAC)
		return false;
	tsig->fudge = knot_wire_read_u16(at + 6);
	mac = knot_wire_read_u16(at + 8);
	at += BEFORE_MAC;
	if ((size_t)(end - at) < mac + AFTER_MAC)
		return false;
	at += mac;
	tsig->original_id = knot_wire_read_u16(at);
	if ((size_t)(end - at) != AFTER_MAC + (size_t)knot_wire_read_u16(at + 4))
		return false;
	if (knot_dname_unpack(tsig->key, owner, sizeof(tsig->key), wire) <= 0)
		return false;
	tsig->algorithm = rdata;
	tsig->present = true;
	return true;
}

size_t dns_tsig_write_badkey(const struct dns_tsig *tsig, wall_time now, uint8_t *out, size_t cap)
{
	size_t key = knot_dname_size(tsig->key), algorithm = knot_dname_size(tsig->algorithm);
	size_t rdata_size = algorithm + BEFORE_MAC + AFTER_MAC;
	uint8_t *at = out + key;

	if (key + RECORD_FIXED + rdata_size > cap)
		return 0;
	memcpy(out, tsig->key, key);
	knot_wire_write_u16(at, KNOT_RRTYPE_TSIG);
	knot_wire_write_u16(at + 2, KNOT_CLASS_ANY);
	knot_wire_write_u32(at + 4, 0);
	knot_wire_write_u16(at + 8, rdata_size);
	at += RECORD_FIXED;
	memcpy(at, tsig->algorithm, algorithm);
	at += algorithm;
	knot_wire_write_u48(at, now.ns / 1000000000);
	knot_wire_write_u16(at + 6, tsig->fudge);
	knot_wire_write_u16(at + 8, 0);
	at += BEFORE_MAC;
	knot_wire_write_u16(at, tsig->original_id);
	knot_wire_write_u16(at + 2, KNOT_RCODE_BADKEY);
	knot_wire_write_u16(at + 4, 0);
	return key + RECORD_FIXED + rdata_size;
}
