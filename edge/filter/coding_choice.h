/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which content coding a response gets, and what that changes in its head. Pure but for the arena;
 * any thread.
 */
#pragma once

#include "config/fleet.h"
#include "core/http/message.h"

struct edge_coding_choice {
	bool varies;      /* another request could get the same in another coding */
	bool weaken;      /* the entity tag of a 304: the client has the weak one */
	bool encode;      /* `coding` is what this one gets */
	bool has_content; /* unless it answers HEAD */
	enum cfg_coding coding;
};

/* For a final response, as it would go out. `identified`: the client is, by more than the request.
 */
struct edge_coding_choice edge_coding_choose(const struct cfg_compression *cfg,
					     const struct http_head *request,
					     const struct http_head *response, bool identified);
/* Changes the head as was chosen. Content that is encoded has HTTP_FRAMING_CHUNKED then. False when
 * the arena is full; the head is of no use then. */
bool edge_coding_apply(struct edge_coding_choice choice, struct http_head *response);
