/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compression as a filter in the response's way: it looks at the final head, and then either lets
 * all pass or stands between two paces. Its source is granted a window, which follows what has been
 * encoded; and that goes on only as far as the client has granted, a piece in each turn of the
 * loop, so that neither a client that takes nothing nor a large response costs the others much.
 * Lives in its exchange; owns the compressor that it has been lent. The worker's loop.
 */
#pragma once

#include "core/http/flow.h"
#include "core/loop/loop.h"
#include "edge/filter/compressor.h"

struct edge_worker;

enum edge_compress_state {
	EDGE_COMPRESS_HEAD,    /* the final head is to come */
	EDGE_COMPRESS_PASS,    /* what comes passes */
	EDGE_COMPRESS_CONTENT, /* it is compressed */
	EDGE_COMPRESS_ENDED,   /* nothing more goes out */
};

struct edge_compress_setup {
	struct edge_worker *worker;
	const struct cfg_compression *cfg; /* enabled; not looked at after the final head */
	size_t limit;                      /* what the compressors of the worker may hold */
	const struct http_head *request;   /* as received */
	struct flow_source *before;
	struct flow_sink *after;
};

struct edge_compress {
	struct flow_filter filter;
	struct edge_compress_setup setup;
	enum edge_compress_state state;
	size_t credit;  /* CONTENT: of `after`; HEAD: what it granted that `before` was not */
	size_t granted; /* HEAD, CONTENT: to `before`, of what it has not pushed yet */
	/* CONTENT only */
	struct edge_compressor *compressor;
	struct loop_task task; /* encodes and pushes */
	bool flush;            /* what has come goes out, whether or not more does */
	bool unflushed;        /* the encoder was given something since it was flushed */
	bool input_ended, finished;
	struct http_fields *trailers; /* NULL: none */
	uint64_t pushed;              /* bytes of content, in place of those that were taken */
};

void edge_compress_init(struct edge_compress *c, const struct edge_compress_setup *setup);
/* The end of the exchange, whatever state it is in. */
void edge_compress_fini(struct edge_compress *c);
