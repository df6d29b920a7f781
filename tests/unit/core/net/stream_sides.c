/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two streams that talk to each other, for tests. The loop runs in the test's thread, only inside
 * run_until().
 */
#include "tests/unit/core/net/stream_sides.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "tests/support/test_cert.h"

struct loop *test_loop;
struct stream_buffers *test_buffers;
struct tls_server test_server;
struct tls_client test_client;
const char *test_host;

static struct test_cert cert;
static bool have_cert;

/* The loop */

struct watch {
	struct loop_task task;
	bool (*done)(void *arg);
	void *arg;
};

static void run_watch(struct loop_task *task)
{
	struct watch *watch = CONTAINER_OF(task, struct watch, task);

	if (watch->done(watch->arg))
		loop_stop_mt(test_loop);
	else
		loop_queue_background(test_loop, task);
}

void run_until(bool (*done)(void *arg), void *arg)
{
	struct watch watch = {.task.run = run_watch, .done = done, .arg = arg};

	loop_queue_background(test_loop, &watch.task);
	loop_run(test_loop);
	loop_task_cancel(test_loop, &watch.task);
}

static bool count_down(void *arg)
{
	return --*(int *)arg < 0;
}

void run_turns(int n)
{
	run_until(count_down, &n);
}

/* The sides */

void side_read_all(struct side *side)
{
	ssize_t n;

	while ((n = stream_read(side->s, side->b->plain, STREAM_READ_MAX)) > 0) {
		side->data = realloc(side->data, side->len + n);
		memcpy(side->data + side->len, side->b->plain, n);
		side->len += n;
	}
	side->end = n;
}

static void established(void *arg)
{
	struct side *side = arg;

	side->established++;
	if (side->on_established)
		side->on_established(side);
}

static void readable(void *arg)
{
	struct side *side = arg;

	side->readable++;
	if (side->on_readable)
		side->on_readable(side);
	else
		side_read_all(side);
}

static void drained(void *arg)
{
	struct side *side = arg;

	side->drained++;
	if (side->on_drained)
		side->on_drained(side);
}

static void failed(void *arg)
{
	struct side *side = arg;

	side->failed++;
	if (side->on_failed)
		side->on_failed(side);
}

const struct stream_ops side_ops = {established, readable, drained, failed};

bool side_write(struct side *side, const char *text)
{
	struct iovec iov = {(char *)text, strlen(text)};

	return stream_write(side->s, &iov, 1);
}

bool side_established(void *arg)
{
	struct side *side = arg;

	return side->established || side->failed;
}

bool side_ended(void *arg)
{
	struct side *side = arg;

	return side->end != STREAM_AGAIN;
}

bool side_failed(void *arg)
{
	struct side *side = arg;

	return side->failed;
}

bool side_drained(void *arg)
{
	struct side *side = arg;

	return stream_is_drained(side->s);
}

bool nothing_closes(void *unused)
{
	return test_buffers->n_closing == 0;
}

struct wait {
	struct side *side;
	size_t len;
};

static bool has_len(void *arg)
{
	struct wait *wait = arg;

	return wait->side->len >= wait->len;
}

void wait_len(struct side *side, size_t len)
{
	struct wait wait = {side, len};

	run_until(has_len, &wait);
}

void side_fini(struct side *side)
{
	stream_destroy(&side->s);
	free(side->data);
	side->data = NULL;
}

/* Opening */

void tcp_pair(int fds[2])
{
	struct net_addr addr = {
	    .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	struct net_addr remote;
	int small = 32 * 1024;
	int listener = sock_listen_tcp(&addr, 1);

	CHECK(listener >= 0);
	/* Before the connection: the window is agreed then. */
	CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == 0);
	CHECK(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	CHECK(sock_local_addr(listener, &addr) == 0);
	fds[0] = sock_connect_tcp(&addr);
	CHECK(fds[0] >= 0);
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	fds[1] = sock_accept(listener, &remote);
	CHECK(fds[1] >= 0);
	close(listener);
}

void sides_open(struct side *client, struct side *server, enum kind kind)
{
	int fds[2];

	tcp_pair(fds);
	*client = (struct side){.name = "client", .b = test_buffers, .end = STREAM_AGAIN};
	*server = (struct side){.name = "server", .b = test_buffers, .end = STREAM_AGAIN};
	if (kind == PLAIN) {
		client->s = stream_create_plain(test_buffers, fds[0], &side_ops, client);
		server->s = stream_create_plain(test_buffers, fds[1], &side_ops, server);
	} else {
		if (kind == TLS12)
			test_client_priority(TLS_PRIORITY ":-VERS-TLS1.3");
		client->s = stream_create_tls_client(test_buffers, fds[0], &test_client, test_host,
						     &side_ops, client);
		server->s =
		    stream_create_tls_server(test_buffers, fds[1], &test_server, &side_ops, server);
	}
	assert_non_null(client->s);
	assert_non_null(server->s);
}

void sides_connect(struct side *client, struct side *server, enum kind kind)
{
	sides_open(client, server, kind);
	if (kind == PLAIN)
		return;
	run_until(side_established, client);
	run_until(side_established, server);
	assert_int_equal(client->failed + server->failed, 0);
	assert_int_equal(gnutls_protocol_get_version(stream_tls_session(server->s)),
			 kind == TLS12 ? GNUTLS_TLS1_2 : GNUTLS_TLS1_3);
}

void test_client_priority(const char *priority)
{
	gnutls_priority_deinit(test_client.priority);
	assert_int_equal(gnutls_priority_init(&test_client.priority, priority, NULL), 0);
}

/* Per test */

int streams_setup(void **state)
{
	alarm(60);
	test_loop = loop_create("test");
	test_buffers = stream_buffers_create(test_loop);
	if (!have_cert)
		test_cert_init(&cert, "www.example.com");
	have_cert = true;
	test_host = "www.example.com";
	test_server = (struct tls_server){.credentials = test_cert_server(&cert)};
	CHECK(gnutls_priority_init(&test_server.priority, TLS_PRIORITY, NULL) == 0);
	CHECK(gnutls_session_ticket_key_generate(&test_server.ticket_key) == 0);
	test_client = (struct tls_client){.credentials = test_cert_trust(&cert), .verify = true};
	CHECK(gnutls_priority_init(&test_client.priority, TLS_PRIORITY, NULL) == 0);
	return 0;
}

int streams_teardown(void **state)
{
	stream_buffers_destroy(&test_buffers);
	loop_destroy(&test_loop);
	gnutls_certificate_free_credentials(test_server.credentials);
	gnutls_priority_deinit(test_server.priority);
	gnutls_free(test_server.ticket_key.data);
	gnutls_certificate_free_credentials(test_client.credentials);
	gnutls_priority_deinit(test_client.priority);
	alarm(0);
	return 0;
}
