/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A worker's life. The control thread creates, starts and stops it; in between everything belongs
 * to its loop.
 */
#pragma once

struct edge_common;
struct edge_socket;
struct edge_worker;
struct loop;

/* Before the loop runs. `sockets` are bound and listening; consumed. */
struct edge_worker *edge_worker_create(struct edge_common *common, struct loop *loop,
				       const struct edge_socket *sockets, unsigned n);
/* After the loop was joined: ends what is still there. */
void edge_worker_destroy(struct edge_worker **worker);
/* From the control thread. */
void edge_worker_start_accepting_mt(struct edge_worker *worker);
/* After a reload: its connections are reviewed. */
void edge_worker_review_mt(struct edge_worker *worker);
/* Closes the listeners and the connections that are silent or idle, lets the others finish: then
 * common->worker_idle() is posted. */
void edge_worker_stop_mt(struct edge_worker *worker);
