/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The responses that the edge gives itself: refusals, failures, and the health answer. Pure, but
 * for the cached date, which belongs to one loop.
 */
#pragma once

#include "core/clock.h"
#include "core/http.h"

/* The Date field's text, made once a second. */
struct edge_date {
	int64_t second;
	char text[32];
};
/* Valid until the next call. */
struct span edge_date_text(struct edge_date *date, wall_time now);

/* A final response with its own fields, framing and Date in `arena`; *body is static text that goes
 * with it, unless the request was HEAD. False: no room. */
bool edge_respond(struct http_head *head, struct arena *arena, int status, struct span date,
		  struct span *body);
