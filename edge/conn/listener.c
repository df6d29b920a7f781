/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accepting. One event a socket, persistent while accepting. Owns the sockets; limits are the
 * business of whom it hands an accepted one to.
 */
#include "edge/conn/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/sock.h"

#define LISTENERS_MAGIC 0x4c495354u

/* Newcomers a turn and socket, so that a flood of them does not hold up those already here. */
#define ACCEPT_PER_TURN 16
/* How long to wait for a descriptor to become free. */
#define RETRY DUR_MS(100)
/* What the kernel takes of a response before it can be sent: without a bound, megabytes for each
 * client that reads slowly (net.ipv4.tcp_wmem), which no limit of ours counts. Measured: 3.9 MB
 * became 0.3; with half of this bulk costs 5 to 9% more CPU, with this nothing that can be seen. */
#define UNSENT_MAX (256 * 1024)

struct listener {
	struct edge_listeners *all;
	struct edge_socket socket;
	struct event *ev;
};

struct edge_listeners {
	unsigned magic;
	struct loop *loop;
	struct event *retry; /* pending: out of descriptors */
	bool wanted;         /* accepting, but for `retry` */
	bool armed;
	void (*accepted)(void *arg, int fd, const struct net_addr *remote,
			 enum edge_listener_kind kind);
	void *arg;
	unsigned n;
	struct listener v[];
};

static void arm(struct edge_listeners *l, bool on)
{
	if (l->armed == on)
		return;
	l->armed = on;
	for (unsigned i = 0; i < l->n; i++)
		CHECK((on ? event_add(l->v[i].ev, NULL) : event_del(l->v[i].ev)) == 0);
}

static void update(struct edge_listeners *l)
{
	arm(l, l->wanted && !event_pending(l->retry, EV_TIMEOUT, NULL));
}

static void hold_back(struct edge_listeners *l, int error)
{
	struct timeval tv = dur_to_timeval(RETRY);

	LOG_LIMITED(LOG_LEVEL_WARN, "cannot accept connections: %s", strerrordesc_np(error));
	CHECK(event_add(l->retry, &tv) == 0);
	update(l);
}

static void retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct edge_listeners *l = arg;

	MAGIC_CHECK(l, LISTENERS_MAGIC);
	update(l);
}

/* False when there is nothing more to accept for now. */
static bool accept_one(struct listener *listener)
{
	struct edge_listeners *l = listener->all;
	struct net_addr remote;
	int fd = sock_accept(listener->socket.fd, &remote);

	if (fd >= 0) {
		l->accepted(l->arg, fd, &remote, listener->socket.kind);
		return true;
	}
	switch (-fd) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		hold_back(l, -fd);
		return false;
	case EAGAIN:
		return false;
	default:
		/* That one connection's trouble (accept(2)): ECONNABORTED, EPROTO, EPERM... */
		return true;
	}
}

static void accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	MAGIC_CHECK(listener->all, LISTENERS_MAGIC);
	for (int i = 0; i < ACCEPT_PER_TURN && listener->all->armed; i++) {
		if (!accept_one(listener))
			break;
	}
}

/* Inherited by the sockets that are accepted. */
static void bound_unsent(int fd)
{
	const int max = UNSENT_MAX;

	CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max, sizeof(max)) == 0);
}

struct edge_listeners *
edge_listeners_create(struct loop *loop, const struct edge_socket *sockets, unsigned n,
		      void (*accepted)(void *arg, int fd, const struct net_addr *remote,
				       enum edge_listener_kind kind),
		      void *arg)
{
	struct edge_listeners *l = xcalloc(1, sizeof(*l) + n * sizeof(l->v[0]));

	l->magic = LISTENERS_MAGIC;
	l->loop = loop;
	l->accepted = accepted;
	l->arg = arg;
	l->n = n;
	l->retry = evtimer_new(loop_base(loop), retry_cb, l);
	CHECK(l->retry != NULL);
	for (unsigned i = 0; i < n; i++) {
		bound_unsent(sockets[i].fd);
		l->v[i] = (struct listener){.all = l, .socket = sockets[i]};
		l->v[i].ev = event_new(loop_base(loop), sockets[i].fd, EV_READ | EV_PERSIST,
				       accept_cb, &l->v[i]);
		CHECK(l->v[i].ev != NULL);
	}
	return l;
}

void edge_listeners_start(struct edge_listeners *l)
{
	l->wanted = l->n > 0;
	update(l);
}

static void close_all(struct edge_listeners *l)
{
	arm(l, false);
	for (unsigned i = 0; i < l->n; i++) {
		event_free(l->v[i].ev);
		close(l->v[i].socket.fd);
	}
	l->n = 0;
	l->wanted = false;
	event_del(l->retry);
}

void edge_listeners_close(struct edge_listeners *l)
{
	/* Closing a socket resets those that wait in its queue. */
	for (unsigned i = 0; i < l->n; i++) {
		for (int n = 0; n < EDGE_LISTEN_BACKLOG; n++) {
			if (!accept_one(&l->v[i]))
				break;
		}
	}
	close_all(l);
}

void edge_listeners_destroy(struct edge_listeners **lp)
{
	struct edge_listeners *l = TAKE(lp);

	if (l == NULL)
		return;
	MAGIC_CHECK(l, LISTENERS_MAGIC);
	close_all(l);
	event_free(l->retry);
	l->magic = MAGIC_DEAD;
	free(l);
}
