/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The way in, over real sockets: what a protocol is given after which first bytes, and what those
 * get who say something else, too little, or nothing; and who gives way to whom.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/conn/hello.h"
#include "edge/node/worker.h"
#include "tests/support/skip.h"
#include "tests/unit/edge/conn/inlet_world.h"

#define TLS EDGE_LISTENER_TLS
#define PLAIN EDGE_LISTENER_PLAIN
#define CLIENT "198.51.100.1:5000"
#define BALANCER "192.0.2.1:5000"

static char rest[1024];

static int64_t ended(enum reason reason)
{
	return metrics_sum(world.common.metrics, EDGE_CONNECTION_END + reason);
}

static int64_t counted(enum edge_counter counter)
{
	return metrics_sum(world.common.metrics, counter);
}

/* The greeting has the client's socket's own address as the local one. */
static char *greeting(int fd, const char *name, const char *client, const char *more)
{
	static char line[256];
	char local[NET_ADDR_TEXT];
	struct net_addr addr;
	socklen_t len = sizeof(addr);

	CHECK(getpeername(fd, &addr.sa, &len) == 0);
	snprintf(line, sizeof(line), "%s %s %s %s", name, client, net_addr_format(&addr, local),
		 more);
	return line;
}

/* Plain */

static void test_plain(void **state)
{
	int fd;

	world_start();
	fd = client_connect(PLAIN, CLIENT);
	wait_counter(EDGE_SILENT_ACTIVE, 1);
	client_say(fd, "GET");
	client_expect(fd, greeting(fd, FIRST, CLIENT, "- http 3 GET"));
	assert_int_equal(counted(EDGE_SILENT_ACTIVE), 0);
	assert_int_equal(counted(EDGE_BYTES_RECEIVED), 3);
	/* From now on it is the protocol that reads. */
	client_say(fd, "e");
	assert_int_equal(client_read_end(fd, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 0);
	assert_int_equal(ended(REASON_DONE), 1);
	assert_int_equal(counted(EDGE_HANDSHAKES) + counted(EDGE_HANDSHAKE_FAILURES), 0);
}

/* Who comes and goes without a word. */
static void test_silent_end(void **state)
{
	world_start();
	close(client_connect(PLAIN, CLIENT));
	close(client_connect(TLS, CLIENT));
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_CLOSED, 2);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 0);
}

static void test_time_limits(void **state)
{
	int plain, tls, half, header;
	struct net_prefix balancers;

	CHECK(net_prefix_parse("192.0.2.0/24", &balancers));
	world.fleet.http.proxy_protocol = (struct cfg_prefixes){&balancers, 1};
	world.fleet.http.timeout.handshake = DUR_MS(100);
	world_start();
	plain = client_connect(PLAIN, CLIENT);
	tls = client_connect(TLS, CLIENT);
	half = client_connect(TLS, CLIENT);
	header = client_connect(TLS, BALANCER);
	client_say(half, "\x16\x03\x01\x00\x20\x01");
	assert_int_equal(client_read_end(plain, rest, sizeof(rest)), CLIENT_END_FIN);
	assert_int_equal(client_read_end(tls, rest, sizeof(rest)), CLIENT_END_FIN);
	assert_int_equal(client_read_end(half, rest, sizeof(rest)), CLIENT_END_FIN);
	assert_int_equal(client_read_end(header, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 0);
	assert_int_equal(ended(REASON_CLIENT_IDLE_TIMEOUT), 1);
	assert_int_equal(ended(REASON_CLIENT_HANDSHAKE_TIMEOUT), 3);
	/* Only one of them had begun one, and one owed a header. */
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 1);
	assert_int_equal(counted(EDGE_PROXY_HEADER_FAILURES), 1);
}

/* TLS */

static void check_tls(enum hello_form form, const char *alpn, const char *name)
{
	int fd = client_connect(TLS, CLIENT);
	gnutls_session_t session;

	assert_int_equal(tls_connect(&session, fd, alpn, form), 0);
	tls_expect(session, greeting(fd, name, CLIENT, "TLS1.3 https 0 "));
	tls_close(&session);
}

static void test_tls(void **state)
{
	world_start();
	check_tls(HELLO_AS_IT_IS, NULL, FIRST);
	check_tls(HELLO_AS_IT_IS, "http/1.1", SECOND);
	check_tls(HELLO_DRIBBLED, "http/1.1", SECOND);
	check_tls(HELLO_IN_MANY_RECORDS, NULL, FIRST);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 0);
	assert_int_equal(counted(EDGE_HANDSHAKES), 4);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 0);
	assert_int_equal(counted(EDGE_HANDSHAKES_ACTIVE), 0);
}

static void test_no_common_protocol(void **state)
{
	gnutls_session_t session;

	world_start();
	assert_int_equal(tls_connect(&session, client_connect(TLS, CLIENT), "h9", HELLO_AS_IT_IS),
			 GNUTLS_E_FATAL_ALERT_RECEIVED);
	assert_int_equal(gnutls_alert_get(session), GNUTLS_A_NO_APPLICATION_PROTOCOL);
	tls_close(&session);
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_FAILED, 1);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 1);
}

static void test_http_on_the_tls_port(void **state)
{
	int fd;

	world_start();
	fd = client_connect(TLS, CLIENT);
	client_dribble(fd, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(client_read_end(fd, rest, sizeof(rest)), CLIENT_END_FIN);
	assert_memory_equal(rest, "HTTP/1.1 400 Bad Request\r\nDate: ", 32);
	assert_non_null(strstr(rest, "\r\nContent-Length: 33\r\n"));
	assert_non_null(strstr(rest, "\r\n\r\nThis port speaks TLS: use https.\n"));
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_FAILED, 1);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 1);
}

static void test_junk_on_the_tls_port(void **state)
{
	int fd;

	world_start();
	fd = client_connect(TLS, CLIENT);
	client_say(fd, "\x16\x02junk");
	assert_int_equal(client_read_end(fd, rest, sizeof(rest)), CLIENT_END_FIN);
	/* protocol_version */
	assert_memory_equal(rest, "\x15\x03\x01\x00\x02\x02\x46", 8);
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_FAILED, 1);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 1);
}

/* A hello that the TLS library does not like: its alert gets through. */
static void test_hello_of_junk(void **state)
{
	int fd;

	world_start();
	fd = client_connect(TLS, CLIENT);
	client_say(fd, "\x16\x03\x01\x00\x09\x01\x00\x00\x05hello");
	client_read_end(fd, rest, sizeof(rest));
	assert_memory_equal(rest, "\x15\x03", 2);
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_FAILED, 1);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 1);
}

/* The PROXY protocol */

#define V1 "PROXY TCP4 203.0.113.7 203.0.113.80 4711 443\r\n"
#define V1_UNKNOWN "PROXY UNKNOWN\r\n"
#define V2                                                                                         \
	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"                                                       \
	"\xcb\0\x71\x07\xcb\0\x71\x50\x12\x67\x01\xbb"
#define V2_LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
#define SAID "203.0.113.7:4711 203.0.113.80:443"

static struct net_prefix balancers[2];

static void start_behind_balancer(void)
{
	CHECK(net_prefix_parse("2001:db8::/32", &balancers[0]));
	CHECK(net_prefix_parse("192.0.2.0/24", &balancers[1]));
	world.fleet.http.proxy_protocol = (struct cfg_prefixes){balancers, 2};
	world_start();
}

static void test_proxy_header(void **state)
{
	int fd;

	start_behind_balancer();
	fd = client_connect(PLAIN, BALANCER);
	client_say(fd, V1 "GET");
	client_expect(fd, FIRST " " SAID " - http 3 GET");
	close(fd);
	fd = client_connect(PLAIN, BALANCER);
	client_say(fd, V2);
	client_say(fd, "x");
	client_expect(fd, FIRST " " SAID " - http 1 x");
	close(fd);
	/* A load balancer's own connection: its addresses stand. */
	fd = client_connect(PLAIN, BALANCER);
	client_say(fd, V1_UNKNOWN "GET");
	client_expect(fd, greeting(fd, FIRST, BALANCER, "- http 3 GET"));
	close(fd);
	fd = client_connect(PLAIN, BALANCER);
	client_say(fd, V2_LOCAL "GET");
	client_expect(fd, greeting(fd, FIRST, BALANCER, "- http 3 GET"));
	close(fd);
	assert_int_equal(counted(EDGE_PROXY_HEADERS), 4);
	assert_int_equal(counted(EDGE_PROXY_HEADER_FAILURES), 0);
}

static void test_proxy_header_before_tls(void **state)
{
	static const char *const headers[] = {V1, V2};
	static const size_t sizes[] = {sizeof(V1) - 1, sizeof(V2) - 1};

	start_behind_balancer();
	for (unsigned i = 0; i < 4; i++) {
		int fd = client_connect(TLS, BALANCER);
		gnutls_session_t session;

		if (i < 2)
			client_dribble(fd, headers[i], sizes[i]);
		else
			client_send(fd, headers[i - 2], sizes[i - 2]);
		assert_int_equal(tls_connect(&session, fd, "http/1.1", (enum hello_form)(i % 3)),
				 0);
		tls_expect(session, SECOND " " SAID " TLS1.3 https 0 ");
		tls_close(&session);
	}
	assert_int_equal(counted(EDGE_PROXY_HEADERS), 4);
}

/* With the hello in one segment. */
static void test_proxy_header_and_hello_at_once(void **state)
{
	char *hello, *both;
	size_t n;
	int fd;

	start_behind_balancer();
	hello = make_hello(&n);
	both = xmalloc(sizeof(V2) - 1 + n);
	memcpy(both, V2, sizeof(V2) - 1);
	memcpy(both + sizeof(V2) - 1, hello, n);
	fd = client_connect(TLS, BALANCER);
	client_send(fd, both, sizeof(V2) - 1 + n);
	assert_int_equal(recv(fd, rest, 1, 0), 1);
	assert_int_equal(rest[0], 22);
	close(fd);
	free(both);
	free(hello);
}

static void test_no_proxy_header(void **state)
{
	int fd;

	start_behind_balancer();
	fd = client_connect(PLAIN, BALANCER);
	client_say(fd, "GET / HTTP/1.1\r\n");
	assert_int_equal(client_read_end(fd, rest, sizeof(rest)), CLIENT_END_RESET);
	fd = client_connect(TLS, BALANCER);
	client_say(fd, "PROXY TCP4 ");
	wait_counter(EDGE_SILENT_ACTIVE, 1);
	close(fd);
	/* A look at whether the port is open is no failure. */
	close(client_connect(TLS, BALANCER));
	wait_counter(EDGE_CONNECTIONS, 3);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 0);
	assert_int_equal(ended(REASON_CLIENT_MALFORMED), 1);
	assert_int_equal(ended(REASON_CLIENT_CLOSED), 2);
	assert_int_equal(counted(EDGE_PROXY_HEADER_FAILURES), 2);
	assert_int_equal(counted(EDGE_PROXY_HEADERS), 0);
}

/* Anybody else is not believed. */
static void test_header_from_a_stranger(void **state)
{
	int fd;

	start_behind_balancer();
	fd = client_connect(PLAIN, CLIENT);
	client_say(fd, V1_UNKNOWN);
	client_expect(fd, greeting(fd, FIRST, CLIENT, "- http 15 PROXY UNKNOWN\r"));
	close(fd);
	assert_int_equal(counted(EDGE_PROXY_HEADERS), 0);
}

/* Who gives way */

static void test_silent_ones_give_way(void **state)
{
	int a, b, c, d;

	world.fleet.http.limit.silent = 2;
	world_start();
	a = client_connect(PLAIN, CLIENT);
	wait_counter(EDGE_SILENT_ACTIVE, 1);
	b = client_connect(TLS, CLIENT);
	wait_counter(EDGE_SILENT_ACTIVE, 2);
	c = client_connect(PLAIN, CLIENT);
	assert_int_equal(client_read_end(a, rest, sizeof(rest)), CLIENT_END_RESET);
	client_say(c, "x");
	client_expect(c, greeting(c, FIRST, CLIENT, "- http 1 x"));
	/* There is room now. */
	d = client_connect(TLS, CLIENT);
	wait_counter(EDGE_CONNECTIONS, 4);
	assert_int_equal(counted(EDGE_SILENT_ACTIVE), 2);
	assert_int_equal(counted(EDGE_CONNECTIONS_DISPLACED), 1);
	assert_int_equal(ended(REASON_CLIENT_DISPLACED), 1);
	close(b);
	close(c);
	close(d);
}

static int talking(char letter, const char *greets)
{
	int fd = client_connect(PLAIN, CLIENT);

	client_send(fd, &letter, 1);
	client_expect(fd, greeting(fd, FIRST, CLIENT, greets));
	client_send(fd, &letter, 1);
	return fd;
}

static void test_idle_ones_give_way(void **state)
{
	int busy, older, newer, d;

	world.fleet.http.limit.connections = 3;
	world_start();
	busy = talking('b', "- http 1 b");
	older = talking('i', "- http 1 i");
	newer = talking('i', "- http 1 i");
	d = talking('b', "- http 1 b");
	assert_int_equal(client_read_end(older, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 3);
	/* Of two that are silent and idle, the idle one. */
	close(talking('b', "- http 1 b"));
	assert_int_equal(client_read_end(newer, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 2);
	assert_int_equal(ended(REASON_CLIENT_DISPLACED), 2);
	assert_int_equal(counted(EDGE_CONNECTIONS_DISPLACED), 2);
	/* A silent one, and then nobody. */
	older = client_connect(PLAIN, CLIENT);
	wait_counter(EDGE_SILENT_ACTIVE, 1);
	newer = talking('b', "- http 1 b");
	assert_int_equal(client_read_end(older, rest, sizeof(rest)), CLIENT_END_RESET);
	older = client_connect(PLAIN, CLIENT);
	assert_int_equal(client_read_end(older, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTIONS_REFUSED, 1);
	assert_int_equal(counted(EDGE_CONNECTIONS_ACTIVE), 3);
	close(busy);
	close(newer);
	close(d);
}

/* Handshakes in turn */

static int begin_handshake(const char *hello, size_t n, enum edge_counter counter, int64_t expect)
{
	int fd = client_connect(TLS, CLIENT);

	client_send(fd, hello, n);
	wait_counter(counter, expect);
	return fd;
}

static void test_handshakes_wait(void **state)
{
	int holder, gives_up, next;
	size_t n;
	char *hello = make_hello(&n);

	world.fleet.http.limit.handshakes = 1;
	world_start();
	holder = begin_handshake(hello, n, EDGE_HANDSHAKES_ACTIVE, 1);
	gives_up = begin_handshake(hello, n, EDGE_HANDSHAKES_WAITING, 1);
	next = begin_handshake(hello, n, EDGE_HANDSHAKES_WAITING, 2);
	assert_int_equal(counted(EDGE_SILENT_ACTIVE), 0);
	close(gives_up);
	wait_counter(EDGE_HANDSHAKES_WAITING, 1);
	close(holder);
	/* The flight of the server. */
	assert_int_equal(recv(next, rest, 1, 0), 1);
	assert_int_equal(rest[0], 22);
	assert_int_equal(counted(EDGE_HANDSHAKES_WAITING), 0);
	close(next);
	wait_counter(EDGE_HANDSHAKE_FAILURES, 3);
	free(hello);
}

/* A place that another worker gives back is found. */
static void test_place_of_another_worker(void **state)
{
	size_t n;
	char *hello = make_hello(&n);
	int fd;

	world.fleet.http.limit.handshakes = 1;
	world_start();
	atomic_fetch_add(&world.common.places.handshakes, 1);
	fd = begin_handshake(hello, n, EDGE_HANDSHAKES_WAITING, 1);
	atomic_fetch_sub(&world.common.places.handshakes, 1);
	assert_int_equal(recv(fd, rest, 1, 0), 1);
	assert_int_equal(rest[0], 22);
	close(fd);
	free(hello);
}

static void test_waiting_is_bounded(void **state)
{
	size_t n;
	char *hello = make_hello(&n);
	int fd;

	world.fleet.http.limit.handshakes = 1;
	world.fleet.http.timeout.handshake = DUR_MS(200);
	world_start();
	atomic_fetch_add(&world.common.places.handshakes, 1);
	fd = begin_handshake(hello, n, EDGE_HANDSHAKES_WAITING, 1);
	assert_int_equal(client_read_end(fd, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_TIMEOUT, 1);
	assert_int_equal(counted(EDGE_HANDSHAKE_FAILURES), 1);
	atomic_fetch_sub(&world.common.places.handshakes, 1);
	free(hello);
}

/* Who goes on talking while it waits: so much is kept, and no more is read. */
static void test_talk_while_waiting(void **state)
{
	static char chatter[2 * EDGE_HELLO_MAX];
	size_t n;
	char *hello = make_hello(&n);
	int fd;

	world.fleet.http.limit.handshakes = 1;
	world_start();
	atomic_fetch_add(&world.common.places.handshakes, 1);
	fd = begin_handshake(hello, n, EDGE_HANDSHAKES_WAITING, 1);
	client_send(fd, chatter, sizeof(chatter));
	atomic_fetch_sub(&world.common.places.handshakes, 1);
	/* The library reads hello and chatter, and does not like the latter. */
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_FAILED, 1);
	close(fd);
	free(hello);
}

/* Memory */

/* Long beginnings of hellos, until a worker has kept enough of them. */
static void test_beginnings_are_bounded(void **state)
{
	static char beginning[EDGE_HELLO_MAX - 1];
	enum { N = 32 * 16 + 2 };
	struct rlimit limit;
	int fds[N];
	int at = 0;

	world_start();
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_max < 2 * N + 100)
		SKIP("needs 1,128 open files: raise the hard limit (ulimit -Hn)");
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	memset(beginning, 'x', sizeof(beginning));
	for (size_t record = 0; record < sizeof(beginning); record += 5 + 16384)
		memcpy(beginning + record, "\x16\x03\x01\x40\x00", 5);
	memcpy(beginning + 5, "\x01\x00\xff\xff", 4);
	while (at < N && ended(REASON_LIMIT) == 0) {
		fds[at] = client_connect(TLS, CLIENT);
		client_send(fds[at++], beginning, sizeof(beginning));
	}
	wait_counter(EDGE_CONNECTION_END + REASON_LIMIT, ended(REASON_LIMIT));
	wait_counter(EDGE_CONNECTIONS, at);
	/* A client that says all at once is served all the same. */
	check_tls(HELLO_AS_IT_IS, NULL, FIRST);
	while (at > 0)
		close(fds[--at]);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 0);
	assert_true(ended(REASON_LIMIT) >= 1);
}

/* The end of the worker */

static void stop(struct edge_worker *w)
{
	w->stopping = true;
	edge_conns_drain(w);
}

static void test_drain(void **state)
{
	size_t n;
	char *hello = make_hello(&n);
	int silent, handshaking, idle, busy, late;

	world_start();
	silent = client_connect(PLAIN, CLIENT);
	wait_counter(EDGE_SILENT_ACTIVE, 1);
	idle = talking('i', "- http 1 i");
	busy = talking('b', "- http 1 b");
	handshaking = begin_handshake(hello, n, EDGE_HANDSHAKES_ACTIVE, 1);
	world_do(stop);
	assert_int_equal(client_read_end(silent, rest, sizeof(rest)), CLIENT_END_RESET);
	assert_int_equal(client_read_end(idle, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 2);
	assert_int_equal(ended(REASON_SHUTDOWN), 2);
	/* Accepted by the last look at the listeners: it has a second, not ten. So has a handshake.
	 */
	late = client_connect(TLS, CLIENT);
	assert_int_equal(client_read_end(late, rest, sizeof(rest)), CLIENT_END_FIN);
	wait_counter(EDGE_CONNECTION_END + REASON_CLIENT_HANDSHAKE_TIMEOUT, 2);
	client_say(busy, "e");
	assert_int_equal(client_read_end(busy, rest, sizeof(rest)), CLIENT_END_FIN);
	close(handshaking);
	wait_counter(EDGE_CONNECTIONS_ACTIVE, 0);
	free(hello);
}

/* With connections in every stage: the rest is the teardown's and the sanitizers' business. */
static void test_destroy(void **state)
{
	size_t n;
	char *hello = make_hello(&n);
	int fds[5];

	world.fleet.http.limit.handshakes = 1;
	world_start();
	fds[0] = client_connect(TLS, CLIENT);
	wait_counter(EDGE_SILENT_ACTIVE, 1);
	fds[1] = talking('i', "- http 1 i");
	fds[2] = talking('b', "- http 1 b");
	fds[3] = begin_handshake(hello, n, EDGE_HANDSHAKES_ACTIVE, 1);
	fds[4] = begin_handshake(hello, n, EDGE_HANDSHAKES_WAITING, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	free(hello);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(test_plain),
	    WORLD_TEST(test_silent_end),
	    WORLD_TEST(test_time_limits),
	    WORLD_TEST(test_tls),
	    WORLD_TEST(test_no_common_protocol),
	    WORLD_TEST(test_http_on_the_tls_port),
	    WORLD_TEST(test_junk_on_the_tls_port),
	    WORLD_TEST(test_hello_of_junk),
	    WORLD_TEST(test_proxy_header),
	    WORLD_TEST(test_proxy_header_before_tls),
	    WORLD_TEST(test_proxy_header_and_hello_at_once),
	    WORLD_TEST(test_no_proxy_header),
	    WORLD_TEST(test_header_from_a_stranger),
	    WORLD_TEST(test_silent_ones_give_way),
	    WORLD_TEST(test_idle_ones_give_way),
	    WORLD_TEST(test_handshakes_wait),
	    WORLD_TEST(test_place_of_another_worker),
	    WORLD_TEST(test_waiting_is_bounded),
	    WORLD_TEST(test_talk_while_waiting),
	    WORLD_TEST(test_beginnings_are_bounded),
	    WORLD_TEST(test_drain),
	    WORLD_TEST(test_destroy),
	};

	return cmocka_run_group_tests(tests, world_prepare, world_clean);
}
