/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A worker's life, and who is let in: it counts its connections and handshakes and pauses its
 * listeners by them.
 */
#include "edge/node/worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/base/check.h"
#include "edge/conn/listener.h"
#include "edge/h1/h1.h"

#define WORKER_MAGIC 0x574f524bu

/* How often a stopping worker looks whether the last streams have been closed. */
#define IDLE_CHECK DUR_MS(20)

static const struct cfg_http *http_of(struct edge_worker *w)
{
	return &edge_view_current(&w->common->views)->fleet->http;
}

static void update_accepting(struct edge_worker *w)
{
	if (w->stopping || w->n_handshakes >= http_of(w)->limit.handshakes)
		edge_listeners_pause(w->listeners);
	else
		edge_listeners_resume(w->listeners);
}

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct edge_worker *w = arg;
	unsigned limit = http_of(w)->limit.connections / w->common->group->n_workers;

	if (w->n_conns >= MAX(limit, 1)) {
		edge_count(w, EDGE_CONNECTIONS_REFUSED, 1);
		LOG_LIMITED(LOG_LEVEL_WARN, "too many client connections: newcomers are closed");
		close(fd);
		return;
	}
	edge_h1_accept(w, fd, remote);
	update_accepting(w);
}

void edge_worker_conn_begin(struct edge_worker *w, struct edge_conn *conn)
{
	conn->handshaking = true;
	w->n_handshakes++;
	w->n_conns++;
	TAILQ_INSERT_TAIL(&w->conns, conn, link);
	edge_count(w, EDGE_CONNECTIONS, 1);
	edge_count(w, EDGE_CONNECTIONS_ACTIVE, 1);
	edge_count(w, EDGE_HANDSHAKES_ACTIVE, 1);
}

static void handshake_ended(struct edge_worker *w, struct edge_conn *conn)
{
	conn->handshaking = false;
	w->n_handshakes--;
	edge_count(w, EDGE_HANDSHAKES_ACTIVE, -1);
	if (!w->stopping)
		update_accepting(w);
}

void edge_worker_conn_established(struct edge_worker *w, struct edge_conn *conn)
{
	edge_count(w, EDGE_HANDSHAKES, 1);
	handshake_ended(w, conn);
}

void edge_worker_conn_end(struct edge_worker *w, struct edge_conn *conn, enum reason reason)
{
	if (conn->handshaking) {
		edge_count(w, EDGE_HANDSHAKE_FAILURES, 1);
		handshake_ended(w, conn);
	}
	TAILQ_REMOVE(&w->conns, conn, link);
	w->n_conns--;
	edge_count(w, EDGE_CONNECTIONS_ACTIVE, -1);
	edge_count(w, EDGE_CONNECTION_END + reason, 1);
}

struct edge_worker *edge_worker_create(struct edge_common *common, struct loop *loop,
				       const int *fds, unsigned n_fds)
{
	struct edge_worker *w = xcalloc(1, sizeof(*w));

	w->magic = WORKER_MAGIC;
	w->common = common;
	w->loop = loop;
	w->buffers = stream_buffers_create(loop);
	w->olink = olink_worker_create(common->olink, w->buffers);
	w->listeners = edge_listeners_create(loop, fds, n_fds, accepted, w);
	TAILQ_INIT(&w->conns);
	return w;
}

void edge_worker_destroy(struct edge_worker **wp)
{
	struct edge_worker *w = *wp;
	struct edge_conn *conn;

	if (w == NULL)
		return;
	*wp = NULL;
	MAGIC_CHECK(w, WORKER_MAGIC);
	LOOP_ASSERT_OWNER(w->loop);
	w->stopping = true;
	edge_listeners_destroy(&w->listeners);
	while ((conn = TAILQ_FIRST(&w->conns)) != NULL)
		conn->ops->destroy(conn, REASON_SHUTDOWN);
	if (w->idle_check != NULL)
		event_free(w->idle_check);
	olink_worker_destroy(&w->olink);
	stream_buffers_destroy(&w->buffers);
	w->magic = MAGIC_DEAD;
	free(w);
}

static void start_accepting(void *arg)
{
	struct edge_worker *w = arg;

	MAGIC_CHECK(w, WORKER_MAGIC);
	update_accepting(w);
}

void edge_worker_start_accepting_mt(struct edge_worker *worker)
{
	loop_post_mt(worker->loop, start_accepting, worker);
}

static void idle_check_cb(evutil_socket_t fd, short what, void *arg)
{
	struct edge_worker *w = arg;

	MAGIC_CHECK(w, WORKER_MAGIC);
	if (w->n_conns > 0 || w->buffers->n_closing > 0)
		return;
	event_del(w->idle_check);
	loop_post_mt(w->common->group->control, w->common->worker_idle, w->common->arg);
}

static void stop(void *arg)
{
	struct edge_worker *w = arg;
	struct timeval tv = dur_to_timeval(IDLE_CHECK);
	struct edge_conn *conn, *next;

	MAGIC_CHECK(w, WORKER_MAGIC);
	if (w->stopping)
		return;
	edge_listeners_close(w->listeners);
	w->stopping = true;
	for (conn = TAILQ_FIRST(&w->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, link);
		conn->ops->drain(conn);
	}
	w->idle_check = event_new(loop_base(w->loop), -1, EV_PERSIST, idle_check_cb, w);
	CHECK(w->idle_check != NULL && event_add(w->idle_check, &tv) == 0);
}

void edge_worker_stop_mt(struct edge_worker *worker)
{
	loop_post_mt(worker->loop, stop, worker);
}
