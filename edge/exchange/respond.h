/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The responses that the edge gives itself: refusals, failures, and the health answer. Pure.
 */
#pragma once

#include "core/http/message.h"

/* To https, for good, with the same method (RFC 9110 section 15.4.9). The caller adds Location. */
#define EDGE_REDIRECT_STATUS 308

/* A final response with its own fields, framing and Date in `arena`; *body is static text that goes
 * with it, unless the request was HEAD. False: no room. */
bool edge_respond(struct http_head *head, struct arena *arena, int status, struct span date,
		  struct span *body);
