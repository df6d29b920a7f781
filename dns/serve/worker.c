/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Workers and their sockets, see worker.h. The control thread binds, so that an error is known
 * before anything is served; each worker then takes its own sockets through its mailbox.
 */
#include "dns/serve/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/loop.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "core/process/descriptors.h"
#include "dns/answer/answer.h"
#include "dns/serve/service.h"
#include "dns/serve/tcp.h"
#include "dns/serve/udp.h"

/* Connections that wait while a worker is busy; the kernel caps it. */
#define BACKLOG 1024

/* A free port for UDP may be taken for TCP. */
#define PORT_ATTEMPTS 16

struct worker {
	struct dns_service service;
	unsigned n_sockets;     /* of each kind */
	int *udp_fds, *tcp_fds; /* -1: not bound, or handed over */
	struct dns_udp **udp;
	struct dns_tcp **tcp;
};

struct dns_workers {
	unsigned n;
	struct worker *v;
	struct descriptor_budget descriptors;
	struct stream_budget streams; /* bounds those that close */
};

bool dns_workers_plan(const struct cfg_fleet *fleet, const struct cfg_nameserver *node,
		      unsigned n_workers, uint64_t open, struct descriptor_budget *budget)
{
	unsigned n_tcp = node->listen.n * n_workers;
	struct descriptor_needs needs = {
	    .open = open,
	    .loops = n_workers + 1,
	    .listeners = 2 * n_tcp,
	    .checks = fleet->n_edges,
	    .clients = n_tcp * DNS_TCP_CONNECTIONS,
	};

	return descriptors_plan(&needs, "TCP connections", NULL, budget);
}

struct dns_workers *dns_workers_create(struct loop_group *group, struct snapshot_slot *views,
				       struct metrics *metrics,
				       const struct descriptor_budget *budget)
{
	struct dns_workers *workers = xcalloc(1, sizeof(*workers));

	workers->n = group->n_workers;
	workers->descriptors = *budget;
	atomic_init(&workers->streams.closing, MAX(budget->closing / workers->n, 1));
	workers->v = xcalloc(workers->n, sizeof(*workers->v));
	for (unsigned i = 0; i < workers->n; i++) {
		workers->v[i].service = (struct dns_service){
		    .loop = group->workers[i],
		    .views = views,
		    .metrics = metrics,
		    .answerer = dns_answerer_create(),
		    .buffers = stream_buffers_create(group->workers[i]),
		};
		stream_buffers_set_budget(workers->v[i].service.buffers, &workers->streams);
	}
	return workers;
}

static void close_sockets(struct worker *w)
{
	for (unsigned i = 0; i < w->n_sockets; i++) {
		if (w->udp_fds[i] >= 0)
			close(w->udp_fds[i]);
		if (w->tcp_fds[i] >= 0)
			close(w->tcp_fds[i]);
		w->udp_fds[i] = w->tcp_fds[i] = -1;
	}
}

void dns_workers_destroy(struct dns_workers **workersp)
{
	struct dns_workers *workers = TAKE(workersp);

	if (workers == NULL)
		return;
	for (unsigned i = 0; i < workers->n; i++) {
		struct worker *w = &workers->v[i];

		close_sockets(w);
		for (unsigned k = 0; k < w->n_sockets; k++) {
			dns_udp_destroy(&w->udp[k]);
			dns_tcp_destroy(&w->tcp[k]);
		}
		free(w->udp_fds);
		free(w->tcp_fds);
		free(w->udp);
		free(w->tcp);
		stream_buffers_destroy(&w->service.buffers);
		dns_answerer_destroy(&w->service.answerer);
	}
	free(workers->v);
	free(workers);
}

static void prepare_sockets(const struct dns_workers *workers, struct worker *w, unsigned n)
{
	unsigned share = workers->descriptors.clients / (workers->n * n);

	w->service.tcp_connections = MAX(MIN(share, DNS_TCP_CONNECTIONS), 1);
	w->n_sockets = n;
	w->udp_fds = xcalloc(n, sizeof(int));
	w->tcp_fds = xcalloc(n, sizeof(int));
	w->udp = xcalloc(n, sizeof(struct dns_udp *));
	w->tcp = xcalloc(n, sizeof(struct dns_tcp *));
	for (unsigned i = 0; i < n; i++)
		w->udp_fds[i] = w->tcp_fds[i] = -1;
}

/* UDP and TCP of one address for one worker; *addr gets its real port. 0 or a negative errno. */
static int bind_pair(struct worker *w, unsigned i, struct net_addr *addr)
{
	struct net_addr bound = *addr;
	int udp = dns_udp_bind(addr);
	int error = udp < 0 ? udp : sock_local_addr(udp, &bound);
	int tcp = error < 0 ? error : sock_listen_tcp(&bound, BACKLOG);

	if (tcp < 0) {
		if (udp >= 0)
			close(udp);
		return tcp;
	}
	w->udp_fds[i] = udp;
	w->tcp_fds[i] = tcp;
	*addr = bound;
	return 0;
}

static int bind_for_all(struct dns_workers *workers, unsigned i, struct net_addr *addr)
{
	unsigned attempts = net_addr_port(addr) == 0 ? PORT_ATTEMPTS : 1;
	int error;

	do {
		error = bind_pair(&workers->v[0], i, addr);
	} while (error == -EADDRINUSE && --attempts > 0);
	for (unsigned k = 1; error == 0 && k < workers->n; k++)
		error = bind_pair(&workers->v[k], i, addr);
	return error;
}

static void take_sockets(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->n_sockets; i++) {
		w->udp[i] = dns_udp_create(&w->service, w->udp_fds[i]);
		w->tcp[i] = dns_tcp_create(&w->service, w->tcp_fds[i]);
		w->udp_fds[i] = w->tcp_fds[i] = -1;
	}
}

static bool cannot_listen(const struct net_addr *addr, int error)
{
	char text[NET_ADDR_TEXT];

	log_error("cannot listen on %s: %s", net_addr_format(addr, text), strerrordesc_np(-error));
	return false;
}

/* 0 or a negative errno. */
static int check_free(const struct net_addr *addr)
{
	int error = sock_check_free(addr, SOCK_DGRAM);

	return error < 0 ? error : sock_check_free(addr, SOCK_STREAM);
}

bool dns_workers_bind(struct dns_workers *workers, const struct cfg_addrs *listen,
		      struct net_addr *bound)
{
	bool ok = true;
	int failed;

	for (unsigned i = 0; i < listen->n; i++) {
		failed = check_free(&listen->v[i]);
		ok &= failed == 0 || cannot_listen(&listen->v[i], failed);
	}
	if (!ok)
		return false;
	/* After that: some of ours may overlap. */
	for (unsigned k = 0; k < workers->n; k++)
		prepare_sockets(workers, &workers->v[k], listen->n);
	for (unsigned i = 0; i < listen->n; i++) {
		bound[i] = listen->v[i];
		failed = bind_for_all(workers, i, &bound[i]);
		ok &= failed == 0 || cannot_listen(&listen->v[i], failed);
	}
	return ok;
}

void dns_workers_serve(struct dns_workers *workers)
{
	for (unsigned k = 0; k < workers->n; k++)
		loop_post_mt(workers->v[k].service.loop, take_sockets, &workers->v[k]);
}
