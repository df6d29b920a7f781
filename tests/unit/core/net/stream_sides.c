/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two streams that talk to each other, for tests. The loop runs in the test's thread, only inside
 * run_until().
 */
#include "tests/unit/core/net/stream_sides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "tests/support/test_cert.h"

struct loop *test_loop;
struct stream_buffers *test_buffers;
struct tls_server test_server;
static gnutls_datum_t ticket_key;
struct tls_client_config test_client;
unsigned sides_sends;

/* Made once for all tests of a program. */
static struct test_cert cert;
static char directory[] = "/tmp/perigee-stream-XXXXXX";
static char ca_file[sizeof(directory) + 16];

/* Instead of the library's. */

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	sides_sends++;
	return syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	sides_sends++;
	return syscall(SYS_sendmsg, fd, message, flags);
}

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

void side_read_some(struct side *side)
{
	char some[100];
	ssize_t n = stream_read(side->s, some, sizeof(some));

	if (n < 0)
		return;
	side->data = realloc(side->data, side->len + n);
	memcpy(side->data + side->len, some, n);
	side->len += n;
}

bool side_write_pattern(struct side *side, size_t len)
{
	char *data = malloc(len);
	struct iovec iov = {data, len};
	bool drained;

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i % 251);
	drained = stream_write(side->s, &iov, 1);
	free(data);
	return drained;
}

void side_assert_pattern(const struct side *side, size_t len)
{
	assert_int_equal(side->len, len);
	for (size_t i = 0; i < len; i++)
		if (side->data[i] != (char)(i % 251))
			fail_msg("%s: byte %zu differs", side->name, i);
}

static void established(void *arg)
{
	struct side *side = arg;

	side->established++;
	if (side->on_established)
		side->on_established(side);
}

static void handshaken(void *arg)
{
	struct side *side = arg;

	side->handshaken++;
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

const struct stream_ops side_ops = {
    .established = established,
    .handshaken = handshaken,
    .readable = readable,
    .drained = drained,
    .failed = failed,
};

bool side_write(struct side *side, const char *text)
{
	struct iovec iov = {(char *)text, strlen(text)};

	return stream_write(side->s, &iov, 1);
}

void side_hand_over(struct side *side)
{
	side->successor->s = side->s;
	stream_hand_over(side->s, &side_ops, side->successor);
	side->s = NULL;
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
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == 0);
	fds[1] = sock_accept(listener, &remote);
	CHECK(fds[1] >= 0);
	close(listener);
}

struct tls_client *test_client_create(void)
{
	char *error;
	struct tls_client *client = tls_client_create(&test_client, &error);

	if (!client)
		fail_msg("%s", error);
	return client;
}

static void start_tls(struct side *client, struct side *server, enum kind kind)
{
	struct tls_client *tls = test_client_create();

	assert_true(stream_start_tls_client(client->s, tls, NULL, 0));
	tls_client_unref(&tls);
	if (kind == TLS12)
		assert_int_equal(gnutls_priority_set_direct(stream_tls_session(client->s),
							    TLS_PRIORITY ":-VERS-TLS1.3", NULL),
				 0);
	assert_true(stream_start_tls_server(server->s, &test_server, NULL, NULL, NULL, 0));
}

void sides_open(struct side *client, struct side *server, enum kind kind)
{
	int fds[2];

	tcp_pair(fds);
	*client = (struct side){.name = "client", .b = test_buffers, .end = STREAM_AGAIN};
	*server = (struct side){.name = "server", .b = test_buffers, .end = STREAM_AGAIN};
	client->s = stream_create(test_buffers, fds[0], &side_ops, client);
	server->s = stream_create(test_buffers, fds[1], &side_ops, server);
	assert_non_null(client->s);
	assert_non_null(server->s);
	if (kind != PLAIN)
		start_tls(client, server, kind);
}

int side_open_raw(struct side *server)
{
	int fds[2];

	tcp_pair(fds);
	*server = (struct side){.name = "server", .b = test_buffers, .end = STREAM_AGAIN};
	server->s = stream_create(test_buffers, fds[1], &side_ops, server);
	assert_non_null(server->s);
	assert_true(stream_start_tls_server(server->s, &test_server, NULL, NULL, NULL, 0));
	return fds[0];
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

/* Per test */

const char *test_path(const char *name)
{
	static char path[sizeof(directory) + 64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void remove_directory(void)
{
	char command[sizeof(directory) + 16];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK(system(command) == 0);
}

static void make_cert(void)
{
	CHECK(mkdtemp(directory) != NULL);
	CHECK(atexit(remove_directory) == 0);
	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", directory);
	test_cert_init(&cert, "www.example.com");
	test_cert_write(&cert, ca_file, NULL);
}

static int give_ticket_key(const struct tls_tickets *tickets, gnutls_session_t session)
{
	return gnutls_session_ticket_enable_server(session, &ticket_key);
}

static void server_init(void)
{
	static const struct tls_tickets tickets = {.start = give_ticket_key, .count = 1};

	test_server =
	    (struct tls_server){.credentials = test_cert_server(&cert), .tickets = &tickets};
	CHECK(gnutls_priority_init(&test_server.priority, TLS_PRIORITY, NULL) == 0);
	CHECK(gnutls_session_ticket_key_generate(&ticket_key) == 0);
}

static void server_fini(void)
{
	gnutls_certificate_free_credentials(test_server.credentials);
	gnutls_priority_deinit(test_server.priority);
	gnutls_free(ticket_key.data);
}

void streams_renew_server(void)
{
	server_fini();
	server_init();
}

int streams_setup(void **state)
{
	alarm(60);
	test_loop = loop_create("test");
	test_buffers = stream_buffers_create(test_loop);
	if (!*ca_file)
		make_cert();
	server_init();
	test_client = (struct tls_client_config){
	    .host = "www.example.com", .verify = TLS_VERIFY_ALL, .ca_file = ca_file};
	return 0;
}

int streams_teardown(void **state)
{
	stream_buffers_destroy(&test_buffers);
	loop_destroy(&test_loop);
	server_fini();
	alarm(0);
	return 0;
}
