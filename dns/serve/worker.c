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

/* How often a worker that is to finish looks whether it has. */
#define FINISH_CHECK DUR_MS(20)

struct worker {
	struct dns_workers *all;
	/* Control's: written before the workers serve. */
	unsigned n_sockets;     /* of each kind */
	int *udp_fds, *tcp_fds; /* -1: not bound */
	/* The worker's own. */
	struct dns_service service;
	struct dns_udp **udp;
	struct dns_tcp **tcp;
	struct event *finish_check; /* while it finishes */
};

struct dns_workers {
	unsigned n;
	struct worker *v;
	struct descriptor_budget descriptors;
	struct stream_budget streams; /* bounds those that close */
	/* Control's. */
	bool serving; /* the sockets are the workers' */
	uint64_t drops_before_end;
	struct loop *control;
	/* Written before the workers are told to finish. */
	void (*finished)(void *arg); /* NULL: they are not */
	void *arg;
};

bool dns_workers_plan(const struct cfg_fleet *fleet, const struct cfg_nameserver *node,
		      unsigned n_workers, uint64_t open, struct descriptor_budget *budget)
{
	unsigned n_tcp = node->listen.n * n_workers;
	struct descriptor_needs needs = {
	    .open = open,
	    .loops = n_workers + 1,
	    .listeners = 2 * n_tcp,
	    .clients = n_tcp * DNS_TCP_CONNECTIONS,
	};

	for (unsigned i = 0; i < fleet->n_edges; i++)
		needs.checks += fleet->edges[i].addresses.n;
	return descriptors_plan(&needs, "TCP connections", NULL, budget);
}

struct dns_workers *dns_workers_create(struct loop_group *group, struct snapshot_slot *views,
				       struct metrics *metrics,
				       const struct descriptor_budget *budget)
{
	struct dns_workers *workers = xcalloc(1, sizeof(*workers));

	workers->n = group->n_workers;
	workers->control = group->control;
	workers->descriptors = *budget;
	atomic_init(&workers->streams.closing, MAX(budget->closing / workers->n, 1));
	workers->v = xcalloc(workers->n, sizeof(*workers->v));
	for (unsigned i = 0; i < workers->n; i++) {
		workers->v[i].all = workers;
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

/* Those that no worker took. */
static void close_sockets(struct worker *w)
{
	for (unsigned i = 0; i < w->n_sockets; i++) {
		if (w->udp_fds[i] >= 0)
			close(w->udp_fds[i]);
		if (w->tcp_fds[i] >= 0)
			close(w->tcp_fds[i]);
	}
}

void dns_workers_destroy(struct dns_workers **workersp)
{
	struct dns_workers *workers = TAKE(workersp);

	if (workers == NULL)
		return;
	for (unsigned i = 0; i < workers->n; i++) {
		struct worker *w = &workers->v[i];

		if (!workers->serving)
			close_sockets(w);
		if (w->finish_check != NULL)
			event_free(w->finish_check);
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
		bound[i] = listen->v[i];
		sock_fit_any(&bound[i]);
		failed = check_free(&bound[i]);
		ok &= failed == 0 || cannot_listen(&bound[i], failed);
	}
	if (!ok)
		return false;
	/* After that: some of ours may overlap. */
	for (unsigned k = 0; k < workers->n; k++)
		prepare_sockets(workers, &workers->v[k], listen->n);
	for (unsigned i = 0; i < listen->n; i++) {
		failed = bind_for_all(workers, i, &bound[i]);
		ok &= failed == 0 || cannot_listen(&bound[i], failed);
	}
	return ok;
}

void dns_workers_serve(struct dns_workers *workers)
{
	workers->serving = true;
	for (unsigned k = 0; k < workers->n; k++)
		loop_post_mt(workers->v[k].service.loop, take_sockets, &workers->v[k]);
}

uint64_t dns_workers_receive_drops(const struct dns_workers *workers)
{
	uint64_t drops = 0;

	if (workers->finished != NULL)
		return workers->drops_before_end;
	for (unsigned k = 0; k < workers->n; k++) {
		for (unsigned i = 0; i < workers->v[k].n_sockets; i++)
			drops += dns_udp_drops(workers->v[k].udp_fds[i]);
	}
	return drops;
}

/* The end */

static void finish_check_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->n_sockets; i++) {
		if (!dns_tcp_is_finished(w->tcp[i]))
			return;
	}
	if (stream_closing_is_owed(w->service.buffers))
		return;
	event_del(w->finish_check);
	loop_post_mt(w->all->control, w->all->finished, w->all->arg);
}

static void finish(void *arg)
{
	struct timeval tv = dur_to_timeval(FINISH_CHECK);
	struct worker *w = arg;

	for (unsigned i = 0; i < w->n_sockets; i++) {
		dns_udp_finish(&w->udp[i]);
		dns_tcp_finish(w->tcp[i]);
	}
	w->finish_check = event_new(loop_base(w->service.loop), -1, EV_PERSIST, finish_check_cb, w);
	CHECK(w->finish_check != NULL && event_add(w->finish_check, &tv) == 0);
}

void dns_workers_finish(struct dns_workers *workers, void (*finished)(void *arg), void *arg)
{
	CHECK(workers->serving && workers->finished == NULL);
	/* Before the descriptors are others'. */
	workers->drops_before_end = dns_workers_receive_drops(workers);
	workers->finished = finished;
	workers->arg = arg;
	for (unsigned k = 0; k < workers->n; k++)
		loop_post_mt(workers->v[k].service.loop, finish, &workers->v[k]);
}
