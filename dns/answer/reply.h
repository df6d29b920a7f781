/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A reply in the making, and who makes it: one function for each opcode, class and kind of type
 * that has rules of its own, each in the file of its name. Whoever is called was given a
 * well-formed request without a signature; what an OPT asks for is dns/answer/answer.c's. Any
 * thread.
 */
#pragma once

#include <libknot/packet/pkt.h>

#include "dns/answer/answer.h"
#include "dns/answer/message.h"

struct dns_reply {
	const struct dns_view *view;
	const struct dns_request *request;
	const struct dns_message *message;
	/* Has the question; its answer section is begun, room for the OPT reserved. */
	knot_pkt_t *response;
	struct dns_facts *facts; /* ->rcode and what follows is for the maker to set */
};

/* QUERY, class IN: whatever zones hold. */
enum dns_outcome dns_query(struct dns_reply *reply);
/* QUERY, class CH. */
enum dns_outcome dns_chaos(struct dns_reply *reply);
/* QUERY for AXFR and IXFR. */
enum dns_outcome dns_transfer(struct dns_reply *reply);
enum dns_outcome dns_notify(struct dns_reply *reply);
enum dns_outcome dns_update(struct dns_reply *reply);
