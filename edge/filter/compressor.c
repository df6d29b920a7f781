/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The stock counts what each could hold at the most, so that no library needs to be asked.
 */
#include "edge/filter/compressor.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define COMPRESSOR_MAGIC 0x434f4d50u

/* Of each coding. They are used only by what takes longer than a turn, and by what there is at a
 * time of that; one would do for the rest. */
#define SPARES_MAX 8

struct edge_compressors {
	size_t held; /* set aside for those that are lent, and by the spares */
	struct {
		struct edge_encoder *v[SPARES_MAX]; /* the last is the newest */
		unsigned n;
	} spares[CFG_CODING_GZIP + 1];
};

static size_t size_of(enum cfg_coding coding)
{
	return sizeof(struct edge_compressor) + EDGE_COMPRESSOR_WINDOW + edge_encoder_size(coding);
}

static struct edge_encoder *take_spare(struct edge_compressors *stock, enum cfg_coding coding)
{
	if (stock->spares[coding].n == 0)
		return NULL;
	stock->held -= edge_encoder_size(coding);
	return stock->spares[coding].v[--stock->spares[coding].n];
}

/* Whether there is room for `size` more; spares make room. */
static bool make_room(struct edge_compressors *stock, size_t size, size_t limit)
{
	for (unsigned coding = 0; coding < ARRAY_SIZE(stock->spares); coding++) {
		struct edge_encoder *e;

		while ((size > limit || stock->held > limit - size) &&
		       (e = take_spare(stock, coding)))
			edge_encoder_destroy(&e);
	}
	return size <= limit && stock->held <= limit - size;
}

struct edge_compressor *edge_compressor_take(struct edge_compressors *stock, enum cfg_coding coding,
					     unsigned level, uint64_t length, size_t limit)
{
	struct edge_compressor *c;

	if (!make_room(stock, size_of(coding), limit))
		return NULL;
	c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	/* Not what is to be pushed: it is written before it is read. */
	memset(c, 0, offsetof(struct edge_compressor, out));
	c->magic = COMPRESSOR_MAGIC;
	c->coding = coding;
	c->level = level;
	c->length = length;
	stock->held += size_of(coding);
	return c;
}

void edge_compressor_give(struct edge_compressors *stock, struct edge_compressor **cp)
{
	struct edge_compressor *c = TAKE(cp);

	MAGIC_CHECK(c, COMPRESSOR_MAGIC);
	stock->held -= size_of(c->coding);
	/* Nothing of a Brotli encoder can be used again. */
	if (c->encoder && c->coding != CFG_CODING_BR && stock->spares[c->coding].n < SPARES_MAX) {
		stock->held += edge_encoder_size(c->coding);
		stock->spares[c->coding].v[stock->spares[c->coding].n++] = c->encoder;
	} else if (c->encoder) {
		edge_encoder_destroy(&c->encoder);
	}
	free(c->in);
	c->magic = MAGIC_DEAD;
	free(c);
}

struct edge_compressors *edge_compressors_create(void)
{
	return xcalloc(1, sizeof(struct edge_compressors));
}

void edge_compressors_destroy(struct edge_compressors **stockp)
{
	struct edge_compressors *stock = TAKE(stockp);

	make_room(stock, 0, 0);
	CHECK(stock->held == 0);
	free(stock);
}

struct edge_encoder *edge_compressor_encoder(struct edge_compressors *stock,
					     struct edge_compressor *c)
{
	struct edge_encoder *spare;

	MAGIC_CHECK(c, COMPRESSOR_MAGIC);
	while (!c->encoder && (spare = take_spare(stock, c->coding))) {
		if (edge_encoder_reuse(spare, c->level, c->length))
			c->encoder = spare;
		else
			edge_encoder_destroy(&spare);
	}
	if (!c->encoder)
		c->encoder = edge_encoder_create(c->coding, c->level, c->length);
	return c->encoder;
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
