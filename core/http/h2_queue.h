/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Content of one stream that cannot go on yet: slices, kept until they can. Belongs to the
 * connection's loop.
 */
#pragma once

#include <sys/queue.h>

#include "core/http/flow.h"

struct h2_piece;
struct h2_queue {
	TAILQ_HEAD(h2_pieces, h2_piece) pieces;
	size_t bytes;
};

void h2_queue_init(struct h2_queue *q);
/* Keeps it at the end. False when memory is gone: then it is not in it. */
bool h2_queue_put(struct h2_queue *q, struct slice slice);
/* At most `max` bytes off its front, of one piece; to be dropped. `max` is not 0, and there are
 * some. */
struct slice h2_queue_take(struct h2_queue *q, size_t max);
void h2_queue_clear(struct h2_queue *q);
