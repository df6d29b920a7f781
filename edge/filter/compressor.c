/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The stock counts what each could hold at the most, so that no library needs to be asked.
 */
#include "edge/filter/compressor.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define COMPRESSOR_MAGIC 0x434f4d50u

/* Of each coding: most responses are done in the turn in which they begin, so a few serve many. */
#define SPARES_MAX 8

struct edge_compressors {
	size_t held; /* by those that are lent and by the spares */
	struct edge_compressor *spares[CFG_CODING_GZIP + 1];
	unsigned n_spares[CFG_CODING_GZIP + 1];
};

static size_t size_of(enum cfg_coding coding)
{
	return sizeof(struct edge_compressor) + EDGE_COMPRESSOR_WINDOW + edge_encoder_size(coding);
}

static void destroy(struct edge_compressors *stock, struct edge_compressor **cp)
{
	struct edge_compressor *c = TAKE(cp);

	stock->held -= size_of(edge_encoder_coding(c->encoder));
	edge_encoder_destroy(&c->encoder);
	free(c->in);
	c->magic = MAGIC_DEAD;
	free(c);
}

static struct edge_compressor *take_spare(struct edge_compressors *stock, enum cfg_coding coding)
{
	struct edge_compressor *c = stock->spares[coding];

	if (c) {
		stock->spares[coding] = c->next_spare;
		stock->n_spares[coding]--;
	}
	return c;
}

/* Whether there is room for one more; spares of other codings make room. */
static bool make_room(struct edge_compressors *stock, size_t size, size_t limit)
{
	for (unsigned coding = 0; coding < ARRAY_SIZE(stock->spares); coding++) {
		struct edge_compressor *c;

		while ((size > limit || stock->held > limit - size) &&
		       (c = take_spare(stock, coding)))
			destroy(stock, &c);
	}
	return size <= limit && stock->held <= limit - size;
}

static struct edge_compressor *create(struct edge_compressors *stock, enum cfg_coding coding,
				      unsigned level, uint64_t length)
{
	struct edge_compressor *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	/* Not what is to be pushed: it is written before it is read. */
	memset(c, 0, offsetof(struct edge_compressor, out));
	c->magic = COMPRESSOR_MAGIC;
	c->encoder = edge_encoder_create(coding, level, length);
	if (!c->encoder) {
		free(c);
		return NULL;
	}
	stock->held += size_of(coding);
	return c;
}

struct edge_compressor *edge_compressor_take(struct edge_compressors *stock, enum cfg_coding coding,
					     unsigned level, uint64_t length, size_t limit)
{
	struct edge_compressor *c;

	while ((c = take_spare(stock, coding))) {
		/* The limit may be lower than it was. */
		if (stock->held <= limit && edge_encoder_reuse(c->encoder, level, length)) {
			c->in_at = c->in_end = c->out_at = c->out_end = 0;
			return c;
		}
		destroy(stock, &c);
	}
	return make_room(stock, size_of(coding), limit) ? create(stock, coding, level, length)
							: NULL;
}

void edge_compressor_give(struct edge_compressors *stock, struct edge_compressor **cp)
{
	struct edge_compressor *c = TAKE(cp);
	enum cfg_coding coding;

	MAGIC_CHECK(c, COMPRESSOR_MAGIC);
	coding = edge_encoder_coding(c->encoder);
	/* Nothing of a Brotli encoder can be used again. */
	if (coding == CFG_CODING_BR || stock->n_spares[coding] >= SPARES_MAX ||
	    c->in_size > EDGE_COMPRESSOR_WINDOW) {
		destroy(stock, &c);
		return;
	}
	c->next_spare = stock->spares[coding];
	stock->spares[coding] = c;
	stock->n_spares[coding]++;
}

struct edge_compressors *edge_compressors_create(void)
{
	return xcalloc(1, sizeof(struct edge_compressors));
}

void edge_compressors_destroy(struct edge_compressors **stockp)
{
	struct edge_compressors *stock = TAKE(stockp);

	for (unsigned coding = 0; coding < ARRAY_SIZE(stock->spares); coding++) {
		struct edge_compressor *c;

		while ((c = take_spare(stock, coding)))
			destroy(stock, &c);
	}
	CHECK(stock->held == 0);
	free(stock);
}

bool edge_compressor_add(struct edge_compressor *c, const char *p, size_t n)
{
	MAGIC_CHECK(c, COMPRESSOR_MAGIC);
	if (n == 0)
		return true;
	if (c->in_at > 0 && (c->in_at == c->in_end || n > c->in_size - c->in_end)) {
		memmove(c->in, c->in + c->in_at, c->in_end - c->in_at);
		c->in_end -= c->in_at;
		c->in_at = 0;
	}
	if (n > c->in_size - c->in_end) {
		/* The first piece is all that many have. */
		size_t size = c->in_size == 0 ? n : MIN(2 * c->in_size, EDGE_COMPRESSOR_WINDOW);
		char *in;

		size = size < c->in_end + n ? c->in_end + n : size;
		in = realloc(c->in, size);
		if (!in)
			return false;
		c->in = in;
		c->in_size = size;
	}
	memcpy(c->in + c->in_end, p, n);
	c->in_end += n;
	return true;
}
