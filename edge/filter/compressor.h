/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a response is compressed with: an encoder, and what waits before and behind it; and a
 * worker's stock of encoders, which is bounded in memory. The memory of an encoder is set aside
 * with the compressor, but it is taken from the stock only when there is something to encode: so
 * most responses, which are done at once then, use the same few, which are in the processor's
 * caches. The worker's loop.
 */
#pragma once

#include "edge/filter/encoder.h"

struct edge_compressors;

/* What a compressor takes in ahead: its source is granted no more. */
#define EDGE_COMPRESSOR_WINDOW ((size_t)64 * 1024)
/* What it puts out at once: a TLS record. */
#define EDGE_COMPRESSOR_OUT ((size_t)16 * 1024)

struct edge_compressor {
	unsigned magic;
	enum cfg_coding coding;
	unsigned level;
	uint64_t length;              /* of the content, or EDGE_LENGTH_UNKNOWN */
	struct edge_encoder *encoder; /* NULL: none was needed yet */
	char *in;                     /* in[in_at .. in_end) is still to be encoded */
	size_t in_at, in_end, in_size;
	size_t out_at, out_end; /* out[out_at .. out_end) is still to be pushed */
	char out[EDGE_COMPRESSOR_OUT];
};

struct edge_compressors *edge_compressors_create(void);
/* All that was lent must be back. */
void edge_compressors_destroy(struct edge_compressors **stock);

/* For content of `length` bytes, or EDGE_LENGTH_UNKNOWN. NULL when all together could hold more
 * than `limit`, or memory is out. */
struct edge_compressor *edge_compressor_take(struct edge_compressors *stock, enum cfg_coding coding,
					     unsigned level, uint64_t length, size_t limit);
void edge_compressor_give(struct edge_compressors *stock, struct edge_compressor **c);

/* Its encoder; NULL when memory is out. */
struct edge_encoder *edge_compressor_encoder(struct edge_compressors *stock,
					     struct edge_compressor *c);
/* Appends to what is to be encoded. False when memory is out. */
bool edge_compressor_add(struct edge_compressor *c, const char *p, size_t n);
static inline size_t edge_compressor_waiting(const struct edge_compressor *c)
{
	return c->in_end - c->in_at;
}
