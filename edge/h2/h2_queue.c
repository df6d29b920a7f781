/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Slices in a row. The connection's loop.
 */
#include "edge/h2/h2_queue.h"

#include <stdlib.h>

#include "core/base/check.h"

struct h2_piece {
	STAILQ_ENTRY(h2_piece) link;
	struct slice slice;
};

void h2_queue_init(struct h2_queue *q)
{
	STAILQ_INIT(&q->pieces);
	q->bytes = 0;
}

bool h2_queue_put(struct h2_queue *q, struct slice slice)
{
	struct h2_piece *piece = malloc(sizeof(*piece));

	if (piece == NULL || !slice_keep(&slice)) {
		free(piece);
		return false;
	}
	piece->slice = slice;
	STAILQ_INSERT_TAIL(&q->pieces, piece, link);
	q->bytes += slice.n;
	return true;
}

struct slice h2_queue_take(struct h2_queue *q, size_t max)
{
	struct h2_piece *piece = STAILQ_FIRST(&q->pieces);
	struct slice taken;

	CHECK(piece != NULL && max > 0);
	taken = piece->slice;
	if (taken.n > max) {
		taken.n = max;
		CHECK(slice_keep(&taken)); /* it has an owner: nothing is copied */
		piece->slice.p += max;
		piece->slice.n -= max;
	} else {
		STAILQ_REMOVE_HEAD(&q->pieces, link);
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
