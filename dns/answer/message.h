/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A request taken apart: its one question, its OPT and its TSIG, found by a walk over the records
 * that copies none of them. Records that mean something to an opcode are for its own file to parse.
 * Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libknot/dname.h>

#include "dns/answer/options.h"
#include "dns/answer/tsig.h"
#include "dns/zone/name.h"

struct dns_message {
	const uint8_t *wire; /* not owned */
	size_t len;
	uint8_t opcode;
	/* One question, no octet left over, every record in its place. What stands below was found
	 * before the fault, if any. */
	bool well_formed;

	size_t question_size; /* octets; 0: there is not exactly one, or none that can be read */
	/* With a question: */
	uint16_t qtype, qclass;
	struct dns_name qname; /* in lower case, of `lower` */
	knot_dname_storage_t lower;

	bool has_edns;
	/* With an OPT: */
	uint16_t edns_rcode; /* what the OPT alone deserves: NOERROR, FORMERR or BADVERS */
	uint16_t payload;    /* what the sender takes over UDP */
	bool dnssec_ok;
	struct dns_options options; /* without an OPT: none */

	struct dns_tsig tsig;
};

/* `wire` has a whole header, and outlives the message. */
void dns_message_parse(struct dns_message *message, const uint8_t *wire, size_t len);
