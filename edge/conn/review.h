/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The connections of other edges, looked at when they have come and after each reload: those that
 * would not be let in any more are ended in order, idle ones too, which nothing else would tell.
 * However many there are, a turn of the loop looks at a few. Worker's loop only.
 */
#pragma once

#include "core/loop/loop.h"
#include "edge/conn/conn.h"

/* So many in a turn, beside which everything else goes on: each is compared with the edges of the
 * fleet, 300 of which take about 2 us. */
#define EDGE_REVIEW_PER_TURN 32

struct edge_review {
	struct loop *loop;
	struct loop_task task;
	uint64_t reloads;              /* so far, and one */
	TAILQ_HEAD(, edge_conn) conns; /* those that are still to be looked at come first */
};

void edge_review_init(struct edge_review *review, struct loop *loop);
/* None may be left. */
void edge_review_fini(struct edge_review *review);
/* `conn` is another edge's, and its protocol has it. */
void edge_review_add(struct edge_review *review, struct edge_conn *conn);
void edge_review_remove(struct edge_review *review, struct edge_conn *conn);
/* There has been a reload. */
void edge_review_begin(struct edge_review *review);
