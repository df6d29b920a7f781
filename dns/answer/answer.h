/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer: a query in wire form goes in, a response in wire form comes out. Pure: no I/O and no
 * clock, so that UDP, TCP, the fuzzer and `explain` share it. An answerer is the scratch memory of
 * one thread; the view is only read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "dns/steer/steer.h"

struct dns_view;

/* DNS flag day 2020: the largest payload that is not fragmented on today's paths. */
#define DNS_UDP_PAYLOAD 1232
#define DNS_TCP_PAYLOAD 65535

struct dns_client {
	struct net_prefix source; /* net_prefix_of() where the query came from */
	bool tcp;
};

/* What the last dns_answer() met and did: for counters and for `explain`. */
struct dns_facts {
	uint16_t rcode; /* extended */
	bool truncated;
	bool client_subnet;                /* the query had a valid one */
	const struct dns_steered *steered; /* NULL: the answer is for everybody */
	struct dns_choice choice;          /* with `steered` */
	struct net_prefix place;           /* taken for the client's: its subnet, else its source */
};

struct dns_answerer;
struct dns_answerer *dns_answerer_create(void);
void dns_answerer_destroy(struct dns_answerer **answerer);

/* Writes the response of at most `cap` (>= 512) bytes to `out` and returns its length; 0: stay
 * silent. On UDP the response also keeps to what the query allows, with TC when it does not fit. */
size_t dns_answer(struct dns_answerer *answerer, const struct dns_view *view,
		  const struct dns_client *client, const uint8_t *query, size_t len, uint8_t *out,
		  size_t cap);

/* Valid until the next dns_answer(). */
const struct dns_facts *dns_answerer_facts(const struct dns_answerer *answerer);
