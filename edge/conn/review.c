/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See review.h. Who has been looked at goes to the end of the list, marked with the reload that it
 * was after.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/conn/review.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/conn/conns.h"

static void look_at(struct edge_review *r, struct edge_conn *conn)
{
	TAILQ_REMOVE(&r->conns, conn, review);
	TAILQ_INSERT_TAIL(&r->conns, conn, review);
	conn->reviewed = r->reloads;
	if (!edge_conn_is_outdated(conn))
		return;
	log_debug("%s: would not be let in any more", net_addr_shown(&conn->client.addr));
	/* Its end may come at once. */
	conn->ops->drain(conn, REASON_CLIENT_DENIED);
}

static void run(struct loop_task *task)
{
	struct edge_review *r = CONTAINER_OF(task, struct edge_review, task);

	for (unsigned n = 0; n < EDGE_REVIEW_PER_TURN; n++) {
		struct edge_conn *conn = TAILQ_FIRST(&r->conns);

		if (conn == NULL || conn->reviewed == r->reloads)
			return;
		look_at(r, conn);
	}
	loop_queue_background(r->loop, &r->task);
}

void edge_review_init(struct edge_review *r, struct loop *loop)
{
	/* New connections have been looked at after none. */
	*r = (struct edge_review){.loop = loop, .task.run = run, .reloads = 1};
	TAILQ_INIT(&r->conns);
}

void edge_review_fini(struct edge_review *r)
{
	CHECK(TAILQ_EMPTY(&r->conns));
	loop_task_cancel(r->loop, &r->task);
}

/* Its handshake may have begun before the last reload. */
void edge_review_add(struct edge_review *r, struct edge_conn *conn)
{
	TAILQ_INSERT_HEAD(&r->conns, conn, review);
	loop_queue_background(r->loop, &r->task);
}

void edge_review_remove(struct edge_review *r, struct edge_conn *conn)
{
	TAILQ_REMOVE(&r->conns, conn, review);
}

void edge_review_begin(struct edge_review *r)
{
	r->reloads++;
	loop_queue_background(r->loop, &r->task);
}
