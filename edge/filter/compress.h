/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compression as a filter in the response's way, between two paces. Its source is granted a window,
 * which follows what has been encoded; and that goes on only as far as the client has granted, a
 * piece in each turn of the loop, so that neither a client that takes nothing nor a large response
 * costs the others much. The worker's loop.
 */
#pragma once

#include "config/fleet.h"
#include "core/http/flow.h"

struct edge_compress;
struct edge_worker;

struct edge_compress_setup {
	struct edge_worker *worker;
	const struct cfg_compression *cfg; /* enabled; not looked at afterwards */
	size_t limit;                      /* what the compressors of the worker may hold */
	const struct http_head *request;   /* as received */
	bool identified;                   /* the client, by its certificate */
	struct http_head *response;        /* final, but for what is to be changed here */
};

/* Changes the head, and makes the filter, in its arena; *c is NULL when the content passes as it
 * is. False: no room in the arena; then there is none either. */
bool edge_compress_start(struct edge_compress **c, const struct edge_compress_setup *setup);
/* To be put in the way of the head and all after it; whoever does sets before and after. */
struct flow_filter *edge_compress_filter(struct edge_compress *c);
/* Nothing more is pushed, whatever state it is in; both neighbours know. May come more than once,
 * and must before the arena goes. */
void edge_compress_quit(struct edge_compress *c);
/* Bytes of content that went out, in place of those that came in. */
uint64_t edge_compress_pushed(const struct edge_compress *c);
