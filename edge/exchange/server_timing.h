/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Server-Timing (W3C): what a response has taken up to its head. Pure.
 */
#pragma once

#include "core/base/clock.h"
#include "core/http/message.h"

struct edge_timing {
	duration total; /* since the request began */
	bool asked;     /* an origin; the rest is about it */
	duration queue, connect, response;
};

/* Appends ours to what the origin says itself. False: no room. */
bool edge_server_timing_add(struct http_head *response, const struct edge_timing *timing);
