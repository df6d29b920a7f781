/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Slices in a row. What is copied anyway is copied into blocks with room for more, as each byte may
 * come by itself, and would then cost many times what it counts. The connection's loop.
 */
#include "core/http/h2_queue.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* Each block has twice the room of the one before, up to this. */
#define BLOCK_MAX 4096
/* What is no larger is copied even if it could be kept where it is: to remember it costs as much.
 */
#define SMALL 64

struct h2_block {
	struct slice_owner owner;
	char bytes[];
};

struct h2_piece {
	TAILQ_ENTRY(h2_piece) link;
	struct slice slice;
	size_t room; /* behind the slice, in a block of ours */
	size_t size; /* of that block */
};

void h2_queue_init(struct h2_queue *q)
{
	TAILQ_INIT(&q->pieces);
	q->bytes = 0;
}

static void block_release(struct slice_owner *owner)
{
	free(CONTAINER_OF(owner, struct h2_block, owner));
}

/* There is room for it. */
static void append(struct h2_piece *last, struct slice slice)
{
	memcpy((char *)last->slice.p + last->slice.n, slice.p, slice.n);
	last->slice.n += slice.n;
	last->room -= slice.n;
}

static bool put_copy(struct h2_piece *piece, size_t size, struct slice slice)
{
	struct h2_block *block = malloc(sizeof(*block) + size);

	if (block == NULL)
		return false;
	block->owner = (struct slice_owner){.refs = 1, .release = block_release};
	memcpy(block->bytes, slice.p, slice.n);
	piece->slice = (struct slice){block->bytes, slice.n, &block->owner};
	piece->size = size;
	piece->room = size - slice.n;
	return true;
}

static bool put_kept(struct h2_piece *piece, struct slice slice)
{
	piece->slice = slice;
	piece->size = piece->room = 0;
	return slice_keep(&piece->slice);
}

/* How large a block is to be for it. */
static size_t block_size(const struct h2_piece *last, size_t n)
{
	return MAX(n, last != NULL ? MIN(2 * last->size, (size_t)BLOCK_MAX) : 0);
}

bool h2_queue_put(struct h2_queue *q, struct slice slice)
{
	struct h2_piece *last = TAILQ_LAST(&q->pieces, h2_pieces), *piece;
	bool is_copied = slice.owner == NULL || slice.n <= SMALL, put;

	if (is_copied && last != NULL && last->room >= slice.n) {
		append(last, slice);
		q->bytes += slice.n;
		return true;
	}
	piece = malloc(sizeof(*piece));
	if (piece == NULL)
		return false;
	put =
	    is_copied ? put_copy(piece, block_size(last, slice.n), slice) : put_kept(piece, slice);
	if (!put) {
		free(piece);
		return false;
	}
	TAILQ_INSERT_TAIL(&q->pieces, piece, link);
	q->bytes += slice.n;
	return true;
}

struct slice h2_queue_take(struct h2_queue *q, size_t max)
{
	struct h2_piece *piece = TAILQ_FIRST(&q->pieces);
	struct slice taken;

	CHECK(piece != NULL && max > 0);
	taken = piece->slice;
	if (taken.n > max) {
		taken.n = max;
		CHECK(slice_keep(&taken)); /* it has an owner: nothing is copied */
		piece->slice.p += max;
		piece->slice.n -= max;
	} else {
		TAILQ_REMOVE(&q->pieces, piece, link);
		free(piece);
	}
	q->bytes -= taken.n;
	return taken;
}

void h2_queue_clear(struct h2_queue *q)
{
	while (q->bytes > 0) {
		struct slice slice = h2_queue_take(q, q->bytes);

		slice_drop(&slice);
	}
}
