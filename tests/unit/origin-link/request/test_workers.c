/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two worker threads and the control loop on one pool: what one worker leaves, the other takes.
 * For TSan as much as for the counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/servers/link.h"
#include "tests/unit/origin-link/rig.h"

#define N_WORKERS 2
#define N_REQUESTS 300 /* a worker */

/* An origin with many connections: a thread each, until the listener is shut. */
struct server {
	int listener;
	struct net_addr addr;
	pthread_t acceptor;
	pthread_t threads[64];
	unsigned n;
};

static void *serve(void *arg)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	int fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	/* One request a read: the client waits for the answer before it sends another. */
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		CHECK(send(fd, ok, sizeof(ok) - 1, MSG_NOSIGNAL) == sizeof(ok) - 1);
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		CHECK(s->n < ARRAY_SIZE(s->threads));
		CHECK(pthread_create(&s->threads[s->n++], NULL, serve, (void *)(intptr_t)fd) == 0);
	}
	return NULL;
}

static void server_start(struct server *s)
{
	socklen_t len = sizeof(s->addr.in);

	*s = (struct server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	CHECK(net_addr_parse("127.0.0.1:0", 0, &s->addr));
	CHECK(bind(s->listener, &s->addr.sa, len) == 0 && listen(s->listener, 64) == 0);
	CHECK(getsockname(s->listener, &s->addr.sa, &len) == 0);
	CHECK(pthread_create(&s->acceptor, NULL, accept_all, s) == 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->acceptor, NULL);
	for (unsigned i = 0; i < s->n; i++)
		pthread_join(s->threads[i], NULL);
	close(s->listener);
}

/* One client on one worker: a request after the other. */
struct client {
	struct rig *rig;
	struct loop *loop;
	struct stream_buffers *buffers;
	struct olink_worker *worker;
	unsigned left;
	struct olink_request *request;
	struct flow_leg leg;
	struct arena arena;
	struct http_head head;
	struct flow_sink sink;
	struct flow_source source;
	struct loop_task next;
	_Atomic unsigned *running;
};

static void on_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct client *c = CONTAINER_OF(sink, struct client, sink);

	CHECK(head->status == 200 && !end);
	c->leg.response->ops->grant(c->leg.response, 5);
}

static void on_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct client *c = CONTAINER_OF(sink, struct client, sink);

	if (!end)
		return;
	olink_request_close(&c->request);
	c->left--;
	loop_defer(c->loop, &c->next);
}

static void on_reset(struct flow_sink *sink, enum reason reason)
{
	CHECK(!"a request failed");
}

static const struct flow_sink_ops sink_ops = {
    .head = on_head,
    .body = on_body,
    .reset = on_reset,
};

static void next(struct loop_task *task)
{
	struct client *c = CONTAINER_OF(task, struct client, next);
	const struct olink_open open = {
	    .origins = c->rig->origins,
	    .origin = &c->rig->origin,
	    .affinity = {.has_key = true, .key = c->left * UINT64_C(0x9e3779b97f4a7c15)},
	    .ends = {&c->source, &c->sink},
	};

	if (c->left == 0) {
		if (atomic_fetch_sub(c->running, 1) == 1)
			loop_stop_mt(c->rig->group->control);
		arena_fini(&c->arena);
		return;
	}
	arena_reset(&c->arena, 64 * 1024);
	http_head_init(&c->head, &c->arena);
	c->head.method_id = HTTP_METHOD_GET;
	c->head.method = SPAN("GET");
	c->head.authority = SPAN("www.example.com");
	c->head.target = SPAN("/");
	c->request = olink_request_open(c->worker, &open, &c->leg);
	CHECK(c->request);
	c->leg.request->ops->head(c->leg.request, &c->head, true);
}

static void begin(void *arg)
{
	struct client *c = arg;

	loop_defer(c->loop, &c->next);
}

/* Until all have had their answers. */
static void play(struct rig *rig, struct client clients[N_WORKERS])
{
	_Atomic unsigned running = N_WORKERS;

	for (int i = 0; i < N_WORKERS; i++) {
		struct client *c = &clients[i];

		c->rig = rig;
		c->loop = rig->group->workers[i];
		c->buffers = stream_buffers_create(c->loop);
		c->worker = olink_worker_create(rig->olink, c->buffers);
		c->left = N_REQUESTS;
		c->sink.ops = &sink_ops;
		c->next.run = next;
		c->running = &running;
		loop_post_mt(c->loop, begin, c);
	}
	loop_group_start_workers(rig->group);
	loop_run(rig->group->control);
	loop_group_stop_workers(rig->group);
}

static void end_clients(struct client clients[N_WORKERS])
{
	for (int i = 0; i < N_WORKERS; i++) {
		olink_worker_destroy(&clients[i].worker);
		stream_buffers_destroy(&clients[i].buffers);
	}
}

static void test_shared_pool(void **state)
{
	struct rig rig;
	struct server server;
	struct client clients[N_WORKERS] = {0};

	server_start(&server);
	rig_init(&rig, N_WORKERS);
	rig_add_server(&rig, &server.addr);
	/* Warm connections and probes cross threads too. */
	rig.origin.pool.warm = 1;
	rig.origin.health.enabled = true;
	rig.origin.health.check.interval = DUR_MS(50);
	rig_open(&rig);
	rig_settle(&rig);
	play(&rig, clients);

	int64_t reused = rig_count(&rig, OLINK_LEASES_REUSED);
	int64_t fresh = rig_count(&rig, OLINK_LEASES_FRESH);

	assert_int_equal(rig_count(&rig, OLINK_REQUESTS), N_WORKERS * N_REQUESTS);
	assert_int_equal(rig_count(&rig, OLINK_FAILURES), 0);
	assert_int_equal(reused + fresh, N_WORKERS * N_REQUESTS);
	/* One each at a time: never more than that had to be opened for requests. */
	assert_true(fresh <= N_WORKERS);
	assert_int_equal(rig_count(&rig, OLINK_ACTIVE), 0);
	assert_int_equal(rig_count(&rig, OLINK_IDLE), fresh + rig_count(&rig, OLINK_WARM));
	end_clients(clients);
	rig_fini(&rig);
	server_stop(&server);
}

/* Control prepares the tables that requests are balanced by anew, again and again. */
struct changes {
	struct rig *rig;
	struct event *event;
	unsigned n;
};

static void change_cb(evutil_socket_t fd, short what, void *arg)
{
	struct changes *changes = arg;
	struct olink_server *server = changes->rig->origins->servers[0][changes->n++ % 2];
	struct server_user *user;

	/* As if an address had gone; or as if one had come up. */
	if (changes->n % 2)
		server_changed(server);
	else
		LIST_FOREACH (user, &server->users, link)
			user->changed(user, true);
}

static void test_tables_change_under_requests(void **state)
{
	static const struct timeval often = {.tv_usec = 100};

	for (enum cfg_balance_method m = CFG_BALANCE_ROUND_ROBIN; m <= CFG_BALANCE_HASH; m++) {
		struct client clients[N_WORKERS] = {0};
		struct changes changes = {0};
		struct server servers[2];
		struct rig rig;

		rig_init(&rig, N_WORKERS);
		for (int i = 0; i < 2; i++) {
			server_start(&servers[i]);
			rig_add_server(&rig, &servers[i].addr);
		}
		rig.origin.balance.method = m;
		rig_open(&rig);
		rig_settle(&rig);
		changes.rig = &rig;
		changes.event =
		    event_new(loop_base(rig.group->control), -1, EV_PERSIST, change_cb, &changes);
		CHECK(changes.event && event_add(changes.event, &often) == 0);
		play(&rig, clients);
		event_free(changes.event);
		assert_true(changes.n > 0);
		assert_int_equal(rig_count(&rig, OLINK_REQUESTS), N_WORKERS * N_REQUESTS);
		assert_int_equal(rig_count(&rig, OLINK_FAILURES), 0);
		end_clients(clients);
		rig_fini(&rig);
		for (int i = 0; i < 2; i++)
			server_stop(&servers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shared_pool),
	    cmocka_unit_test(test_tables_change_under_requests),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
