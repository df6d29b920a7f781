/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/rdata.h"

#include <string.h>

#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <libknot/rrtype/naptr.h>

#include "core/base/check.h"

/* What libknot writes and reads: obsolete types too, which old messages may compress. */
static const knot_rdata_descriptor_t *descriptor(uint16_t type)
{
	const knot_rdata_descriptor_t *found = knot_get_rdata_descriptor(type);

	return found->type_name != NULL ? found : knot_get_obsolete_rdata_descriptor(type);
}

/* Octets of the item at `data`, or a negative number when it is not there. */
static int item_size(int item, const uint8_t *data, size_t len)
{
	int size;

	switch (item) {
	case KNOT_RDATA_WF_COMPRESSIBLE_DNAME:
	case KNOT_RDATA_WF_DECOMPRESSIBLE_DNAME:
	case KNOT_RDATA_WF_FIXED_DNAME:
		/* Without a message behind it, a compressed name is a fault. */
		size = knot_dname_wire_check(data, data + len, NULL);
		return size > 0 ? size : -1;
	case KNOT_RDATA_WF_NAPTR_HEADER:
		return knot_naptr_header_size(data, data + len);
	case KNOT_RDATA_WF_REMAINDER:
		return (int)len;
	default:
		return (size_t)item <= len ? item : -1;
	}
}

static bool is_name(int item)
{
	return item == KNOT_RDATA_WF_COMPRESSIBLE_DNAME ||
	       item == KNOT_RDATA_WF_DECOMPRESSIBLE_DNAME || item == KNOT_RDATA_WF_FIXED_DNAME;
}

const char *dns_rdata_fault(uint16_t type, const uint8_t *data, size_t len)
{
	const knot_rdata_descriptor_t *form = descriptor(type);
	size_t at = 0;

	if (len == 0)
		return form->type_name == NULL || type == KNOT_RRTYPE_APL ? NULL : "no data";
	for (const int *item = form->block_types; *item != KNOT_RDATA_WF_END; item++) {
		int size = item_size(*item, data + at, len - at);

		if (size < 0 && is_name(*item))
			return "a name in the data is broken, compressed, or does not end";
		if (size < 0)
			return "the data is too short";
		at += (size_t)size;
	}
	return at == len ? NULL : "more data than the type has";
}

bool dns_rdata_to_canonical(uint16_t type, uint8_t *data, size_t len)
{
	bool changed = false;
	size_t at = 0;

	if (!knot_rrtype_should_be_lowercased(type))
		return false;
	for (const int *item = descriptor(type)->block_types; *item != KNOT_RDATA_WF_END; item++) {
		int size = item_size(*item, data + at, len - at);

		CHECK(size >= 0);
		for (size_t i = at; is_name(*item) && i < at + (size_t)size; i++) {
			/* The octet before a label is less than 'A'. */
			if (data[i] >= 'A' && data[i] <= 'Z') {
				data[i] += 'a' - 'A';
				changed = true;
			}
		}
		at += (size_t)size;
	}
	return changed;
}
