/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pool under stress, for the thread sanitizer above all: several loops whose clients take
 * connections to several servers at random, keep them, break them, give up, while the servers are
 * given up and taken anew as by reloads, connections are closed by the other side, and more are
 * opened ahead of need. Whatever happens, no cap is passed, everybody is served or told why not,
 * and in the end nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/net/sock.h"
#include "tests/unit/origin-link/conns_rig.h"

#define N_WORKERS 4
#define N_SERVERS 3
#define CLIENTS 6 /* a worker */
#define IN_ALL 7  /* connections: fewer than clients, so that they wait for each other */
#define HERE 4
#define N_USES 300 /* a client */

struct test;

struct client {
	struct test *t;
	struct conns *conns;
	struct lease lease;
	unsigned left, seed, n;
	struct loop_task next;
	struct event *give_up;
};

/* Echoes, and closes connections when it feels like it. All on a loop of their own. */
struct server {
	struct loop *loop;
	struct net_addr addr;
	struct event *accept;
	unsigned seed;
	LIST_HEAD(, server_conn) list;
};

struct server_conn {
	LIST_ENTRY(server_conn) link;
	struct server *server;
	struct event *ev;
};

struct test {
	struct conns_rig rig;
	struct loop *loop; /* of the servers */
	struct server servers[N_SERVERS];
	/* Published as addresses of servers are: valid until the end of the turn. */
	_Atomic(struct endpoint *) e[N_SERVERS];
	struct stream_buffers *buffers[N_WORKERS];
	struct conns *conns[N_WORKERS];
	struct client clients[N_WORKERS][CLIENTS];
	struct event *meddle;
	unsigned seed, most;
	_Atomic unsigned running, served, given_up, refused;
};

/* Servers */

static void server_conn_end(struct server_conn *conn)
{
	int fd = event_get_fd(conn->ev);

	event_free(conn->ev);
	close(fd);
	LIST_REMOVE(conn, link);
	free(conn);
}

static void server_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server_conn *conn = arg;
	char text[64];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	bool answers = n > 0 && rand_r(&conn->server->seed) % 32 != 0;

	if (!answers || send(fd, text, n, MSG_NOSIGNAL) != n ||
	    rand_r(&conn->server->seed) % 32 == 0)
		server_conn_end(conn);
}

static void server_accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	int accepted = accept(fd, NULL, NULL);
	struct server_conn *conn;

	if (accepted < 0)
		return;
	conn = xcalloc(1, sizeof(*conn));
	conn->server = s;
	conn->ev =
	    event_new(loop_base(s->loop), accepted, EV_READ | EV_PERSIST, server_read_cb, conn);
	CHECK(event_add(conn->ev, NULL) == 0);
	LIST_INSERT_HEAD(&s->list, conn, link);
}

static void server_init(struct server *s, struct loop *loop, unsigned seed)
{
	int fd;

	s->loop = loop;
	s->seed = seed;
	CHECK(net_addr_parse("127.0.0.1:0", 0, &s->addr));
	fd = sock_listen_tcp(&s->addr, 128);
	CHECK(fd >= 0 && sock_local_addr(fd, &s->addr) == 0);
	s->accept = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, server_accept_cb, s);
	CHECK(event_add(s->accept, NULL) == 0);
}

static void server_fini(struct server *s)
{
	int fd = event_get_fd(s->accept);

	while (!LIST_EMPTY(&s->list))
		server_conn_end(LIST_FIRST(&s->list));
	event_free(s->accept);
	close(fd);
}

/* Clients */

static void readable_cb(void *arg)
{
	struct client *c = arg;
	ssize_t n;

	while ((n = stream_read(lease_stream(&c->lease), c->conns->buffers->plain,
				STREAM_READ_MAX)) > 0)
		c->n += n;
	if (n == STREAM_AGAIN && c->n < 4)
		return;
	/* Closed by the other side: that is what the test does. */
	lease_end(&c->lease, n == STREAM_AGAIN && rand_r(&c->seed) % 8 != 0);
	atomic_fetch_add(&c->t->served, 1);
	loop_defer(c->conns->loop, &c->next);
}

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	struct client *c = arg;

	lease_end(&c->lease, false);
	atomic_fetch_add(&c->t->served, 1);
	loop_defer(c->conns->loop, &c->next);
}

static const struct stream_ops ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void say(struct client *c)
{
	struct iovec iov = {(void *)"ping", 4};

	c->n = 0;
	stream_write(lease_stream(&c->lease), &iov, 1);
}

static void done_cb(struct lease *l, enum reason reason, const char *detail)
{
	struct client *c = CONTAINER_OF(l, struct client, lease);

	event_del(c->give_up);
	if (reason == REASON_NONE) {
		say(c);
		return;
	}
	atomic_fetch_add(&c->t->refused, 1);
	loop_defer(c->conns->loop, &c->next);
}

static void give_up_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	lease_end(&c->lease, false);
	atomic_fetch_add(&c->t->given_up, 1);
	loop_defer(c->conns->loop, &c->next);
}

static void next(struct loop_task *task)
{
	static const struct timeval soon = {.tv_usec = 500};
	struct client *c = CONTAINER_OF(task, struct client, next);
	struct lease_order order = {
	    .endpoint = atomic_load(&c->t->e[rand_r(&c->seed) % N_SERVERS]),
	    .terms = c->t->rig.terms,
	    .fresh = rand_r(&c->seed) % 16 == 0,
	    .careful = rand_r(&c->seed) % 4 == 0,
	    .time = DUR_S(10),
	};
	enum reason reason;

	if (c->left-- == 0) {
		if (atomic_fetch_sub(&c->t->running, 1) == 1)
			loop_stop_mt(c->t->rig.group->control);
		return;
	}
	switch (lease_take(&c->lease, &order, &reason)) {
	case LEASE_READY:
		say(c);
		break;
	case LEASE_WAITS:
		if (rand_r(&c->seed) % 8 == 0)
			event_add(c->give_up, &soon);
		break;
	case LEASE_REFUSED:
		CHECK(!"refused");
	}
}

static void begin(void *arg)
{
	struct client *c = arg;

	loop_defer(c->conns->loop, &c->next);
}

/* What control and the servers do meanwhile. */
static void meddle_cb(evutil_socket_t fd, short what, void *arg)
{
	struct test *t = arg;
	unsigned i = rand_r(&t->seed) % N_SERVERS;
	unsigned open = atomic_load(&t->rig.terms.quota->open);
	struct endpoint *old = atomic_load(&t->e[i]);

	t->most = MAX(t->most, open);
	for (unsigned j = 0; j < N_SERVERS; j++)
		CHECK(endpoint_facts(atomic_load(&t->e[j])).open <= HERE);
	switch (rand_r(&t->seed) % 3) {
	case 0: /* a reload gives it up, and another takes it again, or a new one */
		atomic_store(&t->e[i], conns_rig_endpoint(&t->rig, &t->servers[i].addr));
		endpoint_give(&old);
		break;
	case 1:
		conns_rig_warm(&t->rig, old, 1);
		break;
	default:
		endpoints_sweep(t->rig.node);
		break;
	}
}

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	conns_rig_init(&t->rig, N_WORKERS);
	t->rig.terms.quota = quota_take(t->rig.node, "app");
	t->rig.terms.max_in_all = IN_ALL;
	t->rig.terms.max_connections = HERE;
	t->rig.terms.max_requests = 3;
	t->rig.terms.queue_timeout = DUR_S(60);
	t->seed = 1;
	t->loop = loop_create("servers");
	for (int i = 0; i < N_SERVERS; i++) {
		server_init(&t->servers[i], t->loop, i);
		atomic_store(&t->e[i], conns_rig_endpoint(&t->rig, &t->servers[i].addr));
	}
	CHECK(loop_start(t->loop));
	for (int i = 0; i < N_WORKERS; i++) {
		t->buffers[i] = stream_buffers_create(t->rig.group->workers[i]);
		t->conns[i] = conns_create(t->rig.node, t->buffers[i]);
	}
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	for (int i = 0; i < N_WORKERS; i++) {
		for (int j = 0; j < CLIENTS; j++)
			event_free(t->clients[i][j].give_up);
		conns_destroy(&t->conns[i]);
		stream_buffers_destroy(&t->buffers[i]);
	}
	for (int i = 0; i < N_SERVERS; i++) {
		struct endpoint *e = atomic_load(&t->e[i]);

		endpoint_give(&e);
	}
	conns_rig_fini(&t->rig);
	loop_stop_mt(t->loop);
	loop_join(t->loop);
	for (int i = 0; i < N_SERVERS; i++)
		server_fini(&t->servers[i]);
	loop_destroy(&t->loop);
	free(t);
	return 0;
}

static void add_client(struct test *t, unsigned worker, unsigned index)
{
	struct client *c = &t->clients[worker][index];

	c->t = t;
	c->conns = t->conns[worker];
	c->left = N_USES;
	c->seed = worker * CLIENTS + index + 1;
	c->next.run = next;
	c->give_up = evtimer_new(loop_base(c->conns->loop), give_up_cb, c);
	lease_init(&c->lease, c->conns, &ops, c, done_cb);
	atomic_fetch_add(&t->running, 1);
	loop_post_mt(c->conns->loop, begin, c);
}

static void test_random_use(void **state)
{
	static const struct timeval often = {.tv_usec = 300};
	struct test *t = *state;
	struct quota *q = t->rig.terms.quota;

	for (int i = 0; i < N_WORKERS; i++) {
		for (int j = 0; j < CLIENTS; j++)
			add_client(t, i, j);
	}
	t->meddle = event_new(loop_base(t->rig.group->control), -1, EV_PERSIST, meddle_cb, t);
	event_add(t->meddle, &often);
	loop_group_start_workers(t->rig.group);
	loop_run(t->rig.group->control);
	event_free(t->meddle);
	loop_group_stop_workers(t->rig.group);
	assert_int_equal(t->served + t->given_up + t->refused, N_WORKERS * CLIENTS * N_USES);
	assert_int_equal(t->refused, 0);
	assert_in_range(t->most, 1, IN_ALL);
	assert_int_equal(atomic_load(&q->waiting), 0);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_WAITING), 0);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_ACTIVE), 0);
	assert_true(conns_rig_count(&t->rig, OLINK_GAVE_WAY) > 0);
	assert_true(conns_rig_count(&t->rig, OLINK_WORN) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_random_use, setup, teardown),
	};

	alarm(300); /* somebody who is forgotten is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
