/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See conns.h. The lock is for the lists, the counts and which view is published; it is held for
 * moments. A descriptor is closed after its connection has left the lists, so that whoever shuts
 * one down there meets no other's.
 */
#define LOG_MODULE LOG_TLS
#include "edge/keys/server/conns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/thread.h"
#include "core/net/sock.h"
#include "edge/keys/remote/credentials.h"
#include "edge/keys/remote/wire.h"
#include "edge/keys/server/request.h"

/* Those of an edge: one for each of its threads for handshakes (HANDSHAKES_THREADS_MAX), those by
 * which it loads certificates, and some more while it is started anew. */
#define PER_EDGE_MAX 1100
/* As long as a handshake takes around the earth there is room for a thousand of them a second. */
#define STRANGERS_MAX 256
#define HANDSHAKE DUR_S(5)
/* For an alert to arrive. */
#define LET_GO DUR_S(1)
/* From the first byte of a request to the last; and until an answer is taken. */
#define MESSAGE DUR_S(5)
/* An edge asks by each connection that it keeps more often than that. */
#define IDLE DUR_S(300)
/* What is under way at the end takes as long as a signature. */
#define PATIENCE DUR_S(2)

TAILQ_HEAD(connections, connection);

struct connection {
	int fd; /* immutable; closed by the wire's end */
	TAILQ_ENTRY(connection) link;
	/* Under the lock. */
	struct connections *list; /* that it is in */
	/* Set under the lock, when it enters `leaving`. */
	atomic_bool is_leaving;
	/* Its thread's. */
	struct keys_conns *conns;
	struct wire wire;
	struct net_addr remote;
	struct keys_view *view;
	/* Once it is known who that is. */
	const struct cfg_edge *cfg;
	time_t expires; /* its certificate: after that second */
	struct keys_edge *edge;
	char *refusal; /* why its certificate was not taken */
};

struct keys_conns {
	unsigned max; /* immutable */
	pthread_mutex_t lock;
	pthread_cond_t gone;
	/* Under the lock; those that came first are the first. */
	struct connections strangers, edges, leaving;
	unsigned n_strangers, n_edges, n;
	uint64_t accepted, refused;
	struct keys_view *view;
};

struct keys_conns *keys_conns_create(unsigned max)
{
	struct keys_conns *conns = xcalloc(1, sizeof(*conns));
	pthread_condattr_t monotonic;

	conns->max = max;
	TAILQ_INIT(&conns->strangers);
	TAILQ_INIT(&conns->edges);
	TAILQ_INIT(&conns->leaving);
	CHECK(pthread_mutex_init(&conns->lock, NULL) == 0);
	CHECK(pthread_condattr_init(&monotonic) == 0);
	CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&conns->gone, &monotonic) == 0);
	return conns;
}

/* Lists */

static unsigned *count_of(struct keys_conns *conns, const struct connections *list)
{
	if (list == &conns->strangers)
		return &conns->n_strangers;
	return list == &conns->edges ? &conns->n_edges : NULL;
}

static void leave_locked(struct connection *c)
{
	unsigned *count = count_of(c->conns, c->list);

	TAILQ_REMOVE(c->list, c, link);
	if (count != NULL)
		--*count;
}

static void enter_locked(struct connection *c, struct connections *list)
{
	unsigned *count = count_of(c->conns, list);

	c->list = list;
	TAILQ_INSERT_TAIL(list, c, link);
	if (count != NULL)
		++*count;
}

/* Wakes its thread, which ends it once it has answered what it is at. SHUT_RD alone would not do:
 * Linux goes on receiving, and an edge that always sends some more would stay. */
static void send_off_locked(struct connection *c, int how)
{
	struct connections *leaving = &c->conns->leaving;

	atomic_store(&c->is_leaving, true);
	shutdown(c->fd, how);
	leave_locked(c);
	enter_locked(c, leaving);
}

static void end_all_locked(struct keys_conns *conns)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&conns->edges)) != NULL)
		send_off_locked(c, SHUT_RD);
	while ((c = TAILQ_FIRST(&conns->strangers)) != NULL)
		send_off_locked(c, SHUT_RDWR);
}

void keys_conns_end_all(struct keys_conns *conns)
{
	pthread_mutex_lock(&conns->lock);
	end_all_locked(conns);
	pthread_mutex_unlock(&conns->lock);
}

/* Views */

void keys_conns_publish(struct keys_conns *conns, struct keys_view **view)
{
	struct keys_view *before;

	pthread_mutex_lock(&conns->lock);
	before = conns->view;
	conns->view = TAKE(view);
	end_all_locked(conns);
	pthread_mutex_unlock(&conns->lock);
	keys_view_unref(&before);
}

struct keys_view *keys_conns_view(const struct keys_conns *conns)
{
	return conns->view;
}

/* Whoever was sent off before that has none to talk about any more. */
static struct keys_view *published_view(struct keys_conns *conns)
{
	struct keys_view *view;

	pthread_mutex_lock(&conns->lock);
	view = keys_view_ref(conns->view);
	pthread_mutex_unlock(&conns->lock);
	return view;
}

/* Who it is */

/* The edge that is called as the certificate says; NULL: there is none. */
static const struct cfg_edge *edge_named(const struct cfg_fleet *fleet, gnutls_x509_crt_t crt)
{
	const struct cfg_edge *edge = NULL;
	char name[256];
	size_t size;
	int type = 0;

	for (unsigned i = 0; edge == NULL && type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
		size = sizeof(name) - 1;
		type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
		if (type < 0 && type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE &&
		    type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			break;
		name[type == GNUTLS_SAN_DNSNAME ? size : 0] = '\0';
		if (type == GNUTLS_SAN_DNSNAME && strlen(name) == size)
			edge = cfg_find_edge(fleet, name);
	}
	size = sizeof(name);
	if (edge == NULL &&
	    gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0)
		edge = cfg_find_edge(fleet, name);
	return edge;
}

static void read_certificate(struct connection *c, gnutls_x509_crt_t crt)
{
	c->cfg = edge_named(c->view->fleet, crt);
	c->expires = gnutls_x509_crt_get_expiration_time(crt);
}

static bool is_revoked(const struct keys_view *view, gnutls_x509_crt_t crt)
{
	return view->revoked != NULL &&
	       revoked_ask(view->revoked, crt, clock_wall()) == REVOKED_YES;
}

/* Of a chain that is good. NULL, and who it is in `c`; or why it is not let in, malloc'd. */
static char *judge_chain(struct connection *c, gnutls_alert_description_t *alert)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(c->wire.session, &n);
	bool revoked = false;

	for (unsigned i = 0; i < n && !revoked; i++) {
		gnutls_x509_crt_t crt;

		CHECK(gnutls_x509_crt_init(&crt) == 0);
		if (gnutls_x509_crt_import(crt, &chain[i], GNUTLS_X509_FMT_DER) == 0) {
			revoked = is_revoked(c->view, crt);
			if (i == 0)
				read_certificate(c, crt);
		}
		gnutls_x509_crt_deinit(crt);
	}
	*alert = revoked ? GNUTLS_A_CERTIFICATE_REVOKED : GNUTLS_A_ACCESS_DENIED;
	if (revoked)
		return xstrdup("its certificate, or one above it, is revoked");
	return c->cfg != NULL ? NULL : xstrdup("its certificate names no edge");
}

static int verify(struct wire *wire)
{
	struct connection *c = CONTAINER_OF(wire, struct connection, wire);
	gnutls_session_t session = wire->session;
	gnutls_alert_description_t alert;

	c->refusal = wire_verify(session, GNUTLS_KP_TLS_WWW_CLIENT, NULL, &alert);
	if (c->refusal == NULL)
		c->refusal = judge_chain(c, &alert);
	if (c->refusal == NULL)
		return 0;
	gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static void refuse(struct connection *c, int error)
{
	/* It was we who have ended it. */
	if (atomic_load(&c->is_leaving))
		return;
	pthread_mutex_lock(&c->conns->lock);
	c->conns->refused++;
	pthread_mutex_unlock(&c->conns->lock);
	LOG_LIMITED(LOG_LEVEL_WARN, "%s is no edge: %s", net_addr_shown(&c->remote),
		    c->refusal != NULL ? c->refusal : wire_fault(&c->wire, error));
	if (error != GNUTLS_E_TIMEDOUT)
		wire_let_go(&c->wire, mono_add(clock_mono(), LET_GO));
}

/* False: that is no edge, or one that has too many connections. */
static bool admit(struct connection *c)
{
	int ret = wire_shake_hands(&c->wire, mono_add(clock_mono(), HANDSHAKE));

	if (ret < 0) {
		refuse(c, ret);
		return false;
	}
	c->edge = c->view->edges[c->cfg->id];
	if (atomic_fetch_add(&c->edge->n_connections, 1) >= PER_EDGE_MAX) {
		LOG_LIMITED_BY(&c->edge->log_limit, LOG_LEVEL_WARN,
			       "edge %s has %u connections already: another one is closed",
			       c->edge->name, PER_EDGE_MAX);
		return false;
	}
	pthread_mutex_lock(&c->conns->lock);
	if (c->list == &c->conns->strangers) {
		leave_locked(c);
		enter_locked(c, &c->conns->edges);
	}
	pthread_mutex_unlock(&c->conns->lock);
	return true;
}

/* Its thread */

/* A connection may outlive what it was let in by. */
static bool may_ask(const struct connection *c)
{
	return !atomic_load(&c->is_leaving) && time(NULL) <= c->expires;
}

/* False: that was the last. */
static bool serve_request(struct connection *c)
{
	unsigned char request[SIGNER_REMOTE_MAX], response[SIGNER_MESSAGE_MAX];
	const struct keys_asker asker = {c->view->table, c->cfg, c->edge};
	size_t n = 0;

	if (wire_await(&c->wire, mono_add(clock_mono(), IDLE)) < 0 ||
	    wire_receive(&c->wire, request, &n, mono_add(clock_mono(), MESSAGE)) < 0)
		return false;
	if (!may_ask(c))
		return false;
	n = keys_request_answer(&asker, request, n, response);
	return n > 0 && wire_send(&c->wire, response, n, mono_add(clock_mono(), MESSAGE)) == 0;
}

static void end_connection(struct connection **cp)
{
	struct connection *c = TAKE(cp);
	struct keys_conns *conns = c->conns;

	if (c->edge != NULL)
		atomic_fetch_sub(&c->edge->n_connections, 1);
	pthread_mutex_lock(&conns->lock);
	leave_locked(c);
	pthread_mutex_unlock(&conns->lock);
	wire_end(&c->wire);
	keys_view_unref(&c->view);
	free(c->refusal);
	free(c);
	pthread_mutex_lock(&conns->lock);
	conns->n--;
	pthread_cond_signal(&conns->gone);
	pthread_mutex_unlock(&conns->lock);
}

static void *serve(void *arg)
{
	struct connection *c = arg;

	c->view = published_view(c->conns);
	if (wire_begin(&c->wire, c->fd, GNUTLS_SERVER, c->view->credentials, verify) == 0 &&
	    admit(c)) {
		while (serve_request(c))
			;
	}
	end_connection(&c);
	return NULL;
}

/* NULL: there is no room for another. */
static struct connection *take_place(struct keys_conns *conns, int fd)
{
	struct connection *c = NULL;
	bool crowded = false;

	pthread_mutex_lock(&conns->lock);
	if (conns->n < conns->max) {
		crowded = conns->n_strangers == STRANGERS_MAX;
		if (crowded)
			send_off_locked(TAILQ_FIRST(&conns->strangers), SHUT_RDWR);
		c = xcalloc(1, sizeof(*c));
		c->conns = conns;
		c->fd = fd;
		c->wire.fd = fd;
		enter_locked(c, &conns->strangers);
		conns->n++;
		conns->accepted++;
	}
	pthread_mutex_unlock(&conns->lock);
	if (crowded)
		LOG_LIMITED(LOG_LEVEL_WARN,
			    "there are %u handshakes under way: who came first gives way",
			    STRANGERS_MAX);
	return c;
}

void keys_conns_accept(struct keys_conns *conns, int fd, const struct net_addr *remote)
{
	struct connection *c = take_place(conns, fd);
	pthread_t thread;

	if (c == NULL) {
		LOG_LIMITED(LOG_LEVEL_WARN, "there are %u connections: that of %s is closed",
			    conns->max, net_addr_shown(remote));
		close(fd);
		return;
	}
	c->remote = *remote;
	/* An edge that has vanished leaves nothing behind. */
	sock_set_keepalive(fd, DUR_S(60), DUR_S(10), 3);
	if (thread_start(&thread, "connection", serve, c) == 0) {
		pthread_detach(thread);
		return;
	}
	LOG_LIMITED(LOG_LEVEL_WARN, "there can be no thread for %s: it is closed",
		    net_addr_shown(remote));
	end_connection(&c);
}

bool keys_conns_destroy(struct keys_conns **connsp)
{
	struct keys_conns *conns = TAKE(connsp);
	mono_time deadline = mono_add(clock_mono(), PATIENCE);
	const struct timespec until = {deadline.ns / 1000000000, deadline.ns % 1000000000};
	bool all;

	pthread_mutex_lock(&conns->lock);
	end_all_locked(conns);
	while (conns->n > 0 && !mono_reached(deadline, clock_mono()))
		pthread_cond_timedwait(&conns->gone, &conns->lock, &until);
	all = conns->n == 0;
	pthread_mutex_unlock(&conns->lock);
	if (!all)
		return false;
	keys_view_unref(&conns->view);
	pthread_cond_destroy(&conns->gone);
	pthread_mutex_destroy(&conns->lock);
	free(conns);
	return true;
}

struct keys_conns_counts keys_conns_count(struct keys_conns *conns)
{
	struct keys_conns_counts counts;

	pthread_mutex_lock(&conns->lock);
	counts = (struct keys_conns_counts){.edges = conns->n_edges,
					    .strangers = conns->n_strangers,
					    .accepted = conns->accepted,
					    .refused = conns->refused};
	pthread_mutex_unlock(&conns->lock);
	return counts;
}
