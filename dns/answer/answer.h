/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer: a request in wire form goes in, a response in wire form comes out. Pure: no I/O and
 * no clock, so that UDP, TCP, the fuzzers and `explain` share it. An answerer is the scratch memory
 * of one thread; the view is only read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "dns/steer/steer.h"

struct dns_view;

/* DNS flag day 2020: the largest payload that is not fragmented on today's paths. */
#define DNS_UDP_PAYLOAD 1232
#define DNS_TCP_PAYLOAD 65535

enum dns_transport {
	DNS_UDP,
	DNS_TCP,
};

/* What who received a message knows of it. */
struct dns_request {
	struct net_addr remote;
	struct net_addr local; /* the address that was asked; unspecified where nobody knows */
	enum dns_transport transport;
	wall_time now;
	mono_time mono;
	const uint8_t *wire;
	size_t len;
};

/* What is to be done about a request. */
enum dns_outcome {
	DNS_SILENT, /* nothing: no response, now or later */
	DNS_REPLY,  /* *len octets of `out` are the whole response */
	/* *len octets of `out` are the first message of a response of several, as transfers have
	 * them; only on a stream. It is sent, and the answerer, which holds the place in the
	 * response, is asked for the next until that one is a DNS_REPLY: the last. */
	DNS_MORE,
	/* There is no response yet, *len is 0: another thread decides. The request was copied, and
	 * comes back through the one who took it with a response that is sent as it is. On a
	 * stream what came after it need not wait (RFC 7766 section 6.2.1.1). */
	DNS_LATER,
};

/* What was found under the name that was asked; with aliases, under the last of them that is ours
 * (RFC 6604). */
enum dns_found {
	DNS_FOUND_NOTHING, /* nobody looked: the request was refused before */
	DNS_FOUND_ANSWER,  /* the records, or aliases that lead out of our zones or in a circle */
	DNS_FOUND_NODATA,
	DNS_FOUND_NXDOMAIN,
	DNS_FOUND_REFERRAL, /* delegated to others */
	DNS_FOUND_NO_ZONE,  /* in none of our zones */
	DNS_FOUND_NONE_UP,  /* steered, and there is nobody to name */
	DNS_FOUND_TOO_LONG, /* what a DNAME would make of it is no name (RFC 6672 section 2.2) */
};

/* What the last dns_handle() met and did: for counters and for `explain`. */
struct dns_facts {
	uint16_t rcode; /* extended */
	enum dns_found found;
	bool truncated;
	bool client_subnet;                /* the query had a valid one */
	const struct dns_steered *steered; /* NULL: the answer is for everybody */
	struct steer_choice choice;        /* with `steered` */
	uint8_t scope;                     /* of the whole answer: 0 when it is for everybody */
	struct net_prefix place;           /* taken for the client's: its subnet, else its source */
};

struct dns_answerer;
struct dns_answerer *dns_answerer_create(void);
void dns_answerer_destroy(struct dns_answerer **answerer);

/* Writes the response of at most `cap` (>= 512) octets to `out`, and its length to *len. On UDP the
 * response also keeps to what the query allows, with TC when it does not fit. */
enum dns_outcome dns_handle(struct dns_answerer *answerer, const struct dns_view *view,
			    const struct dns_request *request, uint8_t *out, size_t cap,
			    size_t *len);

/* The same for every request, only slower: without dns/answer/quick.h. For tests. */
enum dns_outcome dns_handle_long(struct dns_answerer *answerer, const struct dns_view *view,
				 const struct dns_request *request, uint8_t *out, size_t cap,
				 size_t *len);

/* Valid until the next dns_handle(). */
const struct dns_facts *dns_answerer_facts(const struct dns_answerer *answerer);
