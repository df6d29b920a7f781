/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an intermediary changes in the heads that it passes on (RFC 9110 section 7.6, RFC 7239, RFC
 * 8586). Pure: a head in, the same head rewritten in its arena. Any thread.
 */
#pragma once

#include "config/fleet.h"
#include "core/http/message.h"

struct edge_facts;

struct edge_forward {
	const char *client_ip; /* as text, without brackets */
	bool client_is_ipv6;
	bool client_speaks_http2;
	bool client_is_trusted; /* a proxy of ours: what it says of its client is kept */
	bool is_relayed;        /* by another edge, which has said who the client is */
	bool is_early;          /* the request may be a replay: the origin is told (RFC 8470) */
	/* Of http, looked at with the request only. */
	const struct cfg_strings *trusted_fields;
	enum cfg_underscores underscores;
	/* What the site asks of clients' certificates; NULL: nothing. Then nobody is believed what
	 * it says of one. */
	const struct cfg_client_certificates *certificates;
	const struct edge_facts *facts; /* with which they are answered; NULL with those */
	struct span pseudonym;          /* of this node in Via and CDN-Loop: "perigee-fra1" */
};

/* Rewrites a request for the origin. Returns 0, or the status to answer with instead of forwarding:
 * 200 (OPTIONS with Max-Forwards: 0), 431 (no room in the arena), 508 (it has been here before). */
int edge_forward_request(struct http_head *head, const struct edge_forward *f);
/* Removes all fields that an origin might take for one of these names, however they are spelt. */
void edge_forward_strip(struct http_fields *fields, const struct cfg_strings *names);
/* What is not to be forwarded of a request's trailers. */
void edge_forward_trailers(struct http_fields *trailers, const struct edge_forward *f);
/* Rewrites a response for the client; `date` is used when the origin gave none. False: no room. */
bool edge_forward_response(struct http_head *head, const struct edge_forward *f, struct span date);
