/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The listening sockets of one worker, each with its acceptor. Limits are the business of whom an
 * accepted connection is handed to.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/conn/listener.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "core/net/acceptor.h"

#define LISTENERS_MAGIC 0x4c495354u

/* What the kernel takes of a response before it can be sent: without a bound, megabytes for each
 * client that reads slowly (net.ipv4.tcp_wmem), which no limit of ours counts. Measured: 3.9 MB
 * became 0.3; with half of this bulk costs 5 to 9% more CPU, with this nothing that can be seen. */
#define UNSENT_MAX (256 * 1024)

struct listener {
	struct edge_listeners *all;
	enum edge_listener_kind kind;
	struct acceptor *acceptor;
};

struct edge_listeners {
	unsigned magic;
	void (*accepted)(void *arg, int fd, const struct net_addr *remote,
			 enum edge_listener_kind kind);
	void *arg;
	unsigned n;
	struct listener v[];
};

static void accepted_cb(void *arg, int fd, const struct net_addr *remote)
{
	struct listener *listener = arg;
	struct edge_listeners *l = listener->all;

	MAGIC_CHECK(l, LISTENERS_MAGIC);
	l->accepted(l->arg, fd, remote, listener->kind);
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
	l->accepted = accepted;
	l->arg = arg;
	l->n = n;
	for (unsigned i = 0; i < n; i++) {
		bound_unsent(sockets[i].fd);
		l->v[i].all = l;
		l->v[i].kind = sockets[i].kind;
		l->v[i].acceptor = acceptor_create(loop, sockets[i].fd, "client connections",
						   accepted_cb, &l->v[i]);
	}
	return l;
}

void edge_listeners_start(struct edge_listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		acceptor_start(l->v[i].acceptor);
}

static void close_all(struct edge_listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		acceptor_destroy(&l->v[i].acceptor);
	l->n = 0;
}

void edge_listeners_close(struct edge_listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		acceptor_drain(l->v[i].acceptor, EDGE_LISTEN_BACKLOG);
	close_all(l);
}

void edge_listeners_destroy(struct edge_listeners **lp)
{
	struct edge_listeners *l = TAKE(lp);

	if (l == NULL)
		return;
	MAGIC_CHECK(l, LISTENERS_MAGIC);
	close_all(l);
	l->magic = MAGIC_DEAD;
	free(l);
}
