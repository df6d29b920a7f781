/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests from pages of other origins (the Fetch Standard, section 3.2): which of them browsers
 * are to let through. Compiled with the view and immutable then; used in the exchange's loop. An
 * origin is only ever named to a browser when it is one of the list.
 */
#pragma once

#include "core/http/message.h"

struct cfg_cors;
struct edge_cors;

/* NULL when it is left to the origin. `cfg` must outlive it. */
struct edge_cors *edge_cors_create(const struct cfg_cors *cfg);
void edge_cors_destroy(struct edge_cors **cors);

enum edge_cors_result {
	EDGE_CORS_NONE,    /* it is no preflight */
	EDGE_CORS_ALLOWED, /* one that is answered with 204 and what edge_cors_respond() adds */
	EDGE_CORS_REFUSED,
};
/* A request that asks whether another one may be sent. */
enum edge_cors_result edge_cors_preflight(const struct edge_cors *cors,
					  const struct http_head *request);

/* In a final response, in place of what an origin says about it: whether the page may read it, or,
 * of a preflight that is allowed, what it may send. False: no room. */
bool edge_cors_respond(const struct edge_cors *cors, const struct http_head *request,
		       struct http_head *response);
