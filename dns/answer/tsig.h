/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Transaction signatures (RFC 8945) as a server without keys meets them: their form is checked, and
 * whoever signs is told that the key is not known. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libknot/dname.h>

#include "core/base/clock.h"

struct dns_tsig {
	bool present;
	/* With `present`: */
	knot_dname_storage_t key; /* name, as it was written */
	const uint8_t *algorithm; /* name, of the message */
	uint16_t fudge;
	uint16_t original_id;
};

/* The record with its owner, what follows that (type, class, TTL, length, data), and its data's
 * size, all inside the message `wire`. False when it is not what RFC 8945 section 4.2 says. */
bool dns_tsig_parse(struct dns_tsig *tsig, const uint8_t *wire, const uint8_t *owner,
		    const uint8_t *fixed, size_t rdata_size);

/* Writes the unsigned record that says BADKEY (RFC 8945 sections 5.2.1 and 5.3.2). Returns its
 * size, or 0 when it is more than `cap`. */
size_t dns_tsig_write_badkey(const struct dns_tsig *tsig, wall_time now, uint8_t *out, size_t cap);
