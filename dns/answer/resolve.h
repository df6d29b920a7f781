/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a question to the sections of its answer (RFC 1034 section 4.3.2): aliases followed within
 * the zone, referrals, wildcards, negative answers, steering. Part of dns/answer/answer.c's work,
 * in a file of its own because the form of messages is one matter and the meaning of names another.
 */
#pragma once

#include <libknot/packet/pkt.h>

struct dns_facts;
struct dns_view;

/* `query` asks one well-formed question of class IN. Fills the sections and the AA and TC flags of
 * `response`, and facts->rcode, ->steered and ->choice; facts->place is read. */
void dns_resolve(const struct dns_view *view, const knot_pkt_t *query, knot_pkt_t *response,
		 struct dns_facts *facts);
