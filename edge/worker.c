/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A worker's life: what it is made of, and the order in which it ends.
 */
#include "edge/worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/base/check.h"
#include "edge/auth/verifier.h"
#include "edge/conn/conns.h"
#include "edge/conn/inlet.h"
#include "edge/exchange/exchange.h"
#include "edge/filter/compressor.h"
#include "edge/h1/h1.h"
#include "edge/h2/h2.h"
#include "edge/node/worker.h"
#include "edge/terms/mirror.h"
#include "origin-link/olink.h"

#define WORKER_MAGIC 0x574f524bu

/* How often a stopping worker looks whether anybody is left. */
#define IDLE_CHECK DUR_MS(20)

static const struct edge_protocol *const protocols[] = {&edge_h1_protocol, &edge_h2_protocol, NULL};

/* Somebody who is sent to a worker where another one gives way. */
struct newcomer {
	struct edge_common *common;
	unsigned host; /* index of the worker */
	int fd;
	struct net_addr remote;
	enum edge_listener_kind kind;
};

static void arrived(void *arg)
{
	struct newcomer *n = arg;
	struct edge_worker *w = n->common->workers[n->host];

	atomic_fetch_sub(&n->common->places.moving, 1);
	if (w != NULL)
		edge_inlet_accept(w, n->fd, &n->remote, n->kind);
	else
		close(n->fd);
	free(n);
}

static void send_on(struct edge_worker *w, unsigned host, int fd, const struct net_addr *remote,
		    enum edge_listener_kind kind)
{
	_Atomic unsigned *moving = &w->common->places.moving;
	struct newcomer *n;

	/* One for each: when the other is too busy to see to them, they must not gather. */
	if (atomic_fetch_add(moving, 1) >= w->common->group->n_workers) {
		atomic_fetch_sub(moving, 1);
		edge_count(w, EDGE_CONNECTIONS_REFUSED, 1);
		close(fd);
		return;
	}
	n = xmalloc(sizeof(*n));
	*n = (struct newcomer){w->common, host, fd, *remote, kind};
	loop_post_mt(w->common->group->workers[host], arrived, n);
}

static void accepted(void *arg, int fd, const struct net_addr *remote, enum edge_listener_kind kind)
{
	struct edge_worker *w = arg;
	unsigned host;

	MAGIC_CHECK(w, WORKER_MAGIC);
	host = edge_conns_host(w);
	if (host == loop_index(w->loop) - 1)
		edge_inlet_accept(w, fd, remote, kind);
	else
		send_on(w, host, fd, remote, kind);
}

struct edge_worker *edge_worker_create(struct edge_common *common, struct loop *loop,
				       const struct edge_socket *sockets, unsigned n)
{
	struct edge_worker *w = xcalloc(1, sizeof(*w));

	w->magic = WORKER_MAGIC;
	w->common = common;
	w->loop = loop;
	w->buffers = stream_buffers_create(loop);
	stream_buffers_set_budget(w->buffers, &common->budget);
	if (common->handshakes != NULL)
		stream_buffers_set_handshakes(w->buffers, common->handshakes);
	w->olink = olink_worker_create(common->olink, w->buffers);
	w->listeners = edge_listeners_create(loop, sockets, n, accepted, w);
	w->protocols = protocols;
	w->verifier = edge_verifier_create(loop);
	w->compressors = edge_compressors_create();
	edge_conns_create(w);
	return w;
}

void edge_worker_destroy(struct edge_worker **wp)
{
	struct edge_worker *w = TAKE(wp);

	if (w == NULL)
		return;
	MAGIC_CHECK(w, WORKER_MAGIC);
	LOOP_ASSERT_OWNER(w->loop);
	w->stopping = true;
	edge_listeners_destroy(&w->listeners);
	edge_conns_destroy(w);
	edge_mirrors_end(w);
	edge_exchange_free_spares(w);
	edge_verifier_destroy(&w->verifier);
	edge_h2_free_memory(w);
	edge_compressors_destroy(&w->compressors);
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
	if (!w->stopping)
		edge_listeners_start(w->listeners);
}

void edge_worker_start_accepting_mt(struct edge_worker *worker)
{
	loop_post_mt(worker->loop, start_accepting, worker);
}

static void review(void *arg)
{
	struct edge_worker *w = arg;

	MAGIC_CHECK(w, WORKER_MAGIC);
	edge_conns_review(w);
}

void edge_worker_review_mt(struct edge_worker *worker)
{
	loop_post_mt(worker->loop, review, worker);
}

static void idle_check_cb(evutil_socket_t fd, short what, void *arg)
{
	struct edge_worker *w = arg;

	MAGIC_CHECK(w, WORKER_MAGIC);
	if (edge_conns_count(w) > 0 || stream_closing_is_owed(w->buffers))
		return;
	event_del(w->idle_check);
	loop_post_mt(w->common->group->control, w->common->worker_idle, w->common->arg);
}

static void stop(void *arg)
{
	struct edge_worker *w = arg;
	struct timeval tv = dur_to_timeval(IDLE_CHECK);

	MAGIC_CHECK(w, WORKER_MAGIC);
	if (w->stopping)
		return;
	w->stopping = true;
	edge_conns_drain(w);
	/* After that: those who have connected meanwhile get a last chance to speak. */
	edge_listeners_close(w->listeners);
	w->idle_check = event_new(loop_base(w->loop), -1, EV_PERSIST, idle_check_cb, w);
	CHECK(w->idle_check != NULL && event_add(w->idle_check, &tv) == 0);
}

void edge_worker_stop_mt(struct edge_worker *worker)
{
	loop_post_mt(worker->loop, stop, worker);
}
