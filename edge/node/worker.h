/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One worker: a loop with its listeners, its client connections and its side of the origin link.
 * The control thread creates, starts and stops it; in between everything belongs to its loop.
 */
#pragma once

#include <sys/queue.h>

#include "core/base/log.h"
#include "core/net/stream.h"
#include "core/process/log_file.h"
#include "edge/node/counters.h"
#include "edge/node/date.h"
#include "edge/node/view.h"

/* What all workers share. Immutable while they run, but for what guards itself. */
struct edge_common {
	struct loop_group *group;
	struct snapshot_slot views;
	struct metrics *metrics;
	struct olink *olink;
	struct log_file *access_log; /* NULL: none */
	struct span pseudonym;       /* of this node in Via */
	/* Posted to the control loop by each worker that was told to stop, once it is idle. */
	void (*worker_idle)(void *arg);
	void *arg;
};

/* A client connection of any protocol, as the worker sees it. */
struct edge_conn;
struct edge_conn_ops {
	/* The program stops: end now if idle, else after what was begun. */
	void (*drain)(struct edge_conn *conn);
	/* Ends and frees it, whatever it does. Not from inside its own callbacks. */
	void (*destroy)(struct edge_conn *conn, enum reason reason);
};
struct edge_conn {
	const struct edge_conn_ops *ops;
	TAILQ_ENTRY(edge_conn) link;
	bool handshaking;
};

struct edge_listeners;
struct edge_worker {
	unsigned magic;
	struct edge_common *common;
	struct loop *loop;
	struct stream_buffers *buffers;
	struct olink_worker *olink;
	struct edge_listeners *listeners;
	/* the loop's */
	TAILQ_HEAD(, edge_conn) conns;
	unsigned n_conns, n_handshakes;
	bool stopping;
	struct event *idle_check; /* while stopping */
	struct edge_date date;
};

/* Before the loop runs. `fds` are bound and listening; consumed. */
struct edge_worker *edge_worker_create(struct edge_common *common, struct loop *loop,
				       const int *fds, unsigned n_fds);
/* After the loop was joined: ends what is still there. */
void edge_worker_destroy(struct edge_worker **worker);
/* From the control thread. */
void edge_worker_start_accepting_mt(struct edge_worker *worker);
/* Closes the listeners and the idle connections, lets the others finish. */
void edge_worker_stop_mt(struct edge_worker *worker);

/* For connections, on the worker's loop. */
void edge_worker_conn_begin(struct edge_worker *worker, struct edge_conn *conn);
void edge_worker_conn_established(struct edge_worker *worker, struct edge_conn *conn);
void edge_worker_conn_end(struct edge_worker *worker, struct edge_conn *conn, enum reason reason);

static inline void edge_count(struct edge_worker *w, unsigned counter, int64_t n)
{
	metrics_add(w->common->metrics, w->loop, counter, n);
}
