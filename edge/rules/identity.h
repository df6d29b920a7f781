/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a request is found by again in the logs of all who had to do with it: a request id of our
 * own, and the trace of W3C Trace Context. Worker's loop only.
 */
#pragma once

#include "core/base/clock.h"
#include "core/http/message.h"

struct cfg_http;
struct edge_facts;

/* Random bytes, of which GnuTLS gives many for the cost of a few. One a worker; all zero: none
 * yet. */
struct edge_randomness {
	unsigned char bytes[1024];
	size_t left;
};

/* Fills request_id and trace_id of the facts, as the configuration asks for, from the request or
 * anew. `trusted`: the client is a proxy of ours. What is not asked for stays empty. False: no
 * room. */
bool edge_identify(const struct cfg_http *http, bool trusted, wall_time now,
		   struct edge_randomness *randomness, struct edge_facts *facts,
		   struct arena *arena);
/* Tells the origin. `head` is the request as it goes there. False: no room. */
bool edge_identity_forward(const struct cfg_http *http, const struct edge_facts *facts,
			   struct http_head *head);
