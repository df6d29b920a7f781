/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Attempts to connect: what comes of each, and what the server sees of it.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/loop.h"
#include "core/net/proxy_header.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "origin-link/conns/connector.h"
#include "origin-link/conns/transport.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/scripted_origin.h"
#include "tests/support/test_cert.h"
#include "tests/unit/origin-link/echo_origin.h"

#define NAME "origin.example.com"

struct test {
	struct loop *loop;
	struct stream_buffers *buffers;
	struct connector connector;
	struct test_cert cert; /* for NAME, trusted */
	char dir[32];
	char *crt, *key;
	struct cfg_origin origin;
	/* what came */
	unsigned n_done;
	bool within; /* connector_start() has not returned */
	struct stream *stream;
	enum reason reason;
	char detail[256];
	char text[64]; /* what the stream was told */
	size_t n;
};

static void done_cb(struct connector *c, struct stream *stream, enum reason reason,
		    const char *detail)
{
	struct test *t = CONTAINER_OF(c, struct test, connector);

	CHECK(!t->within && t->n_done == 0 && !t->stream);
	CHECK((stream != NULL) == (reason == REASON_NONE));
	t->n_done++;
	t->reason = reason;
	t->stream = stream;
	snprintf(t->detail, sizeof(t->detail), "%s", detail ? detail : "");
	loop_stop_mt(t->loop);
}

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	t->loop = loop_create("test");
	t->buffers = stream_buffers_create(t->loop);
	connector_init(&t->connector, t->buffers, done_cb);
	test_cert_init(&t->cert, NAME);
	strcpy(t->dir, "/tmp/connector-XXXXXX");
	CHECK(mkdtemp(t->dir));
	t->crt = xasprintf("%s/crt", t->dir);
	t->key = xasprintf("%s/key", t->dir);
	test_cert_write(&t->cert, t->crt, t->key);
	t->origin = (struct cfg_origin){
	    .tls = {.enabled = true, .verify = true, .ca = t->crt, .name = ""},
	};
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	stream_destroy(&t->stream);
	connector_cancel(&t->connector);
	stream_buffers_destroy(&t->buffers);
	loop_destroy(&t->loop);
	unlink(t->crt);
	unlink(t->key);
	rmdir(t->dir);
	free(t->crt);
	free(t->key);
	test_cert_fini(&t->cert);
	free(t);
	return 0;
}

static struct transport *load(struct test *t, const char *host)
{
	char *error = NULL;
	struct transport *transport = transport_load(&t->origin, host, &error);

	if (!transport)
		fail_msg("%s", error);
	return transport;
}

static void start(struct test *t, const struct net_addr *addr, struct transport *transport,
		  const struct proxy_parties *client, duration timeout)
{
	t->n_done = 0;
	t->within = true;
	connector_start(&t->connector, addr, transport, client, timeout);
	t->within = false;
}

static enum reason run(struct test *t, const struct net_addr *addr, struct transport *transport,
		       const struct proxy_parties *client, duration timeout)
{
	start(t, addr, transport, client, timeout);
	loop_run(t->loop);
	assert_int_equal(t->n_done, 1);
	return t->reason;
}

/* The stream in use */

static void readable_cb(void *arg)
{
	struct test *t = arg;
	ssize_t n;

	while ((n = stream_read(t->stream, t->text + t->n, sizeof(t->text) - 1 - t->n)) > 0)
		t->n += n;
	if (n != STREAM_AGAIN || t->n >= 4)
		loop_stop_mt(t->loop);
}

static void other_cb(void *arg)
{
}

static const struct stream_ops ops = {
    .readable = readable_cb,
    .drained = other_cb,
    .failed = other_cb,
};

/* Both sides have it, and it carries bytes. */
static void say_ping(struct test *t)
{
	struct iovec iov = {(void *)"ping", 4};

	t->n = 0;
	stream_hand_over(t->stream, &ops, t);
	stream_write(t->stream, &iov, 1);
	loop_run(t->loop);
	t->text[t->n] = '\0';
	assert_string_equal(t->text, "ping");
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* What the configuration says is what the socket has, whether the kernel offers all of it or not;
 * and what the server sees. */
static void test_options_of_sockets(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {0};
	struct net_addr source, local;
	char name[SOCK_CONGESTION_CONTROL_MAX] = "";
	socklen_t len = sizeof(name);
	struct transport *plain;
	int fd;

	assert_true(net_addr_parse("127.0.0.9", 0, &source));
	t->origin.tls.enabled = false;
	t->origin.connection = (struct cfg_connection){
	    .keep_alive = {true, DUR_S(20), DUR_S(4), 5},
	    .source = {&source, 1},
	    .mss = 1000,
	    .congestion_control = "reno",
	    .user_timeout = DUR_MS(2500),
	};
	plain = load(t, NAME);
	echo_origin_start(&o);
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_NONE);
	fd = stream_fd(t->stream);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 20);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 4);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 2500);
	/* Of a connection that is there it is what is sent at once: 12 bytes are the timestamp's.
	 */
	assert_in_range(option(fd, IPPROTO_TCP, TCP_MAXSEG), 1000 - 12, 1000);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, "reno");
	assert_int_equal(sock_local_addr(fd, &local), 0);
	net_addr_set_port(&local, 0);
	assert_true(net_addr_equal(&local, &source));
	say_ping(t);
	stream_destroy(&t->stream);
	t->connector.is_brief = true;
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_NONE);
	assert_int_equal(option(stream_fd(t->stream), SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_USER_TIMEOUT), 2500);
	t->connector.is_brief = false;
	stream_destroy(&t->stream);
	transport_unref(&plain);

	t->origin.connection = (struct cfg_connection){.congestion_control = "no-such-one"};
	plain = load(t, NAME);
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_NONE);
	assert_int_equal(option(stream_fd(t->stream), SOL_SOCKET, SO_KEEPALIVE), 0);
	say_ping(t);
	stream_destroy(&t->stream);
	transport_unref(&plain);
	echo_origin_stop(&o);
}

static void test_plain(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {0};
	struct transport *plain = transport_plain();

	echo_origin_start(&o);
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_NONE);
	say_ping(t);
	assert_null(stream_tls_session(t->stream));
	assert_int_equal(option(stream_fd(t->stream), SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_KEEPIDLE), 10);
	assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_KEEPINTVL), 3);
	assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_KEEPCNT), 3);
	assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_FASTOPEN_CONNECT), 0);
	stream_destroy(&t->stream);
	/* Once more with the same one. */
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_NONE);
	say_ping(t);
	stream_destroy(&t->stream);
	transport_unref(&plain);
	echo_origin_stop(&o);
	assert_int_equal(o.n_accepted, 2);
}

/* Bound and not listening: nobody else can take the port. */
static int bound_socket(struct net_addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr->in);

	assert_true(fd >= 0 && net_addr_parse("127.0.0.1:0", 0, addr));
	assert_int_equal(bind(fd, &addr->sa, len), 0);
	assert_int_equal(getsockname(fd, &addr->sa, &len), 0);
	return fd;
}

static void test_refused(void **state)
{
	struct test *t = *state;
	struct transport *plain = transport_plain();
	struct net_addr addr;
	int fd = bound_socket(&addr);

	assert_int_equal(run(t, &addr, plain, NULL, DUR_S(10)), REASON_ORIGIN_CONNECT_REFUSED);
	assert_string_equal(t->detail, "Connection refused");
	close(fd);
	transport_unref(&plain);
}

/* A queue that is full drops what comes: a connect to it hangs. */
static void test_connect_timeout(void **state)
{
	struct test *t = *state;
	struct transport *plain = transport_plain();
	struct net_addr addr;
	int fill[8], fd = bound_socket(&addr);

	assert_int_equal(listen(fd, 0), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		fill[i] = sock_connect_tcp(&addr);
	assert_int_equal(run(t, &addr, plain, NULL, DUR_MS(30)), REASON_ORIGIN_CONNECT_TIMEOUT);
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		close(fill[i]);
	close(fd);
	transport_unref(&plain);
}

/* The handshake may begin before there is an answer by TCP, if the kernel does that without having
 * seen the server before (net.ipv4.tcp_fastopen): what has failed is still the connection. */
static void test_fast_open(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {.credentials = test_cert_server(&t->cert)};
	struct transport *tls;
	struct net_addr addr;
	int fill[8], fd = bound_socket(&addr);

	t->origin.connection.fast_open = true;
	tls = load(t, NAME);
	echo_origin_start(&o);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(run(t, &o.addr, tls, NULL, DUR_S(10)), REASON_NONE);
		assert_int_equal(option(stream_fd(t->stream), IPPROTO_TCP, TCP_FASTOPEN_CONNECT),
				 1);
		say_ping(t);
		stream_destroy(&t->stream);
	}
	echo_origin_stop(&o);
	gnutls_certificate_free_credentials(o.credentials);

	assert_int_equal(run(t, &addr, tls, NULL, DUR_S(10)), REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(listen(fd, 0), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		fill[i] = sock_connect_tcp(&addr);
	start(t, &addr, tls, NULL, DUR_MS(50));
	while (t->n_done == 0) {
		assert_true(connector_is_dialling(&t->connector));
		loop_stop_mt(t->loop);
		loop_run(t->loop);
	}
	assert_int_equal(t->reason, REASON_ORIGIN_CONNECT_TIMEOUT);
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		close(fill[i]);
	close(fd);
	transport_unref(&tls);
}

/* Which is no fault of the server: it was told to have timed out. */
static void test_a_loop_that_was_held_up_sees_that_the_server_has_answered(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {0};
	struct transport *plain = transport_plain();
	struct net_addr refused;
	int fd = bound_socket(&refused);

	echo_origin_start(&o);
	start(t, &o.addr, plain, NULL, DUR_MS(1));
	usleep(5000);
	loop_run(t->loop);
	assert_int_equal(t->reason, REASON_NONE);
	say_ping(t);
	stream_destroy(&t->stream);

	start(t, &refused, plain, NULL, DUR_MS(1));
	usleep(5000);
	loop_run(t->loop);
	assert_int_equal(t->reason, REASON_ORIGIN_CONNECT_REFUSED);
	close(fd);
	transport_unref(&plain);
	echo_origin_stop(&o);
}

static void test_no_route(void **state)
{
	struct test *t = *state;
	struct transport *plain = transport_plain();
	struct net_addr addr;

	/* Not an address that a connection can be made to. */
	assert_true(net_addr_parse("255.255.255.255:80", 0, &addr));
	assert_int_equal(run(t, &addr, plain, NULL, DUR_S(10)), REASON_ORIGIN_CONNECT_FAILED);
	assert_true(*t->detail);
	transport_unref(&plain);
}

/* What the next connect() is to fail with. */
static int connect_error;

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (connect_error == 0)
		return (int)syscall(SYS_connect, fd, addr, len);
	errno = connect_error;
	connect_error = 0;
	return -1;
}

/* Our own shortage says nothing about the server. */
static void test_own_shortage(void **state)
{
	static const struct {
		int error;
		enum reason reason;
	} rows[] = {
	    {ENFILE, REASON_EDGE_NO_DESCRIPTORS},
	    {EADDRNOTAVAIL, REASON_EDGE_NO_PORTS},
	    {ENOBUFS, REASON_LIMIT},
	    {ENOMEM, REASON_LIMIT},
	    {ENETUNREACH, REASON_ORIGIN_CONNECT_FAILED},
	};
	struct test *t = *state;
	struct echo_origin o = {0};
	struct transport *plain = transport_plain();
	rlim_t allowed;

	echo_origin_start(&o);
	allowed = descriptors_use_up();
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_EDGE_NO_DESCRIPTORS);
	descriptors_allow(allowed);
	assert_string_equal(t->detail, "Too many open files");
	assert_true(reason_is_own_shortage(t->reason));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		connect_error = rows[i].error;
		assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), rows[i].reason);
		assert_string_equal(t->detail, strerrordesc_np(rows[i].error));
		assert_int_equal(reason_is_own_shortage(t->reason), rows[i].error != ENETUNREACH);
	}
	assert_int_equal(run(t, &o.addr, plain, NULL, DUR_S(10)), REASON_NONE);
	stream_destroy(&t->stream);
	transport_unref(&plain);
	echo_origin_stop(&o);
}

/* TLS */

static void start_tls_origin(struct echo_origin *o, const struct test_cert *cert)
{
	o->credentials = test_cert_server(cert);
	echo_origin_start(o);
}

static void stop_tls_origin(struct echo_origin *o)
{
	echo_origin_stop(o);
	gnutls_certificate_free_credentials(o->credentials);
}

static void test_tls(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {0};
	struct transport *tls = load(t, NAME);

	start_tls_origin(&o, &t->cert);
	assert_int_equal(run(t, &o.addr, tls, NULL, DUR_S(10)), REASON_NONE);
	assert_non_null(stream_tls_session(t->stream));
	say_ping(t);
	stream_destroy(&t->stream);
	stop_tls_origin(&o);
	assert_string_equal(o.sni, NAME);
	assert_string_equal(o.alpn, "http/1.1");
	assert_string_equal(o.client, "");
	transport_unref(&tls);
}

/* One attempt at a server with that certificate. */
static enum reason try_certificate(struct test *t, const struct test_cert *cert, const char *host)
{
	struct echo_origin o = {0};
	struct transport *tls = load(t, host);
	enum reason reason;

	start_tls_origin(&o, cert);
	reason = run(t, &o.addr, tls, NULL, DUR_S(10));
	stream_destroy(&t->stream);
	stop_tls_origin(&o);
	transport_unref(&tls);
	return reason;
}

static void test_certificates(void **state)
{
	struct test *t = *state;
	struct test_cert cert;

	assert_int_equal(try_certificate(t, &t->cert, "other.example.com"),
			 REASON_ORIGIN_CERTIFICATE);
	assert_non_null(strstr(t->detail, "other.example.com"));

	/* The same name, by somebody nobody trusts. */
	test_cert_init(&cert, NAME);
	assert_int_equal(try_certificate(t, &cert, NAME), REASON_ORIGIN_CERTIFICATE);
	assert_non_null(strstr(t->detail, NAME));
	t->origin.tls.verify = false;
	assert_int_equal(try_certificate(t, &cert, NAME), REASON_NONE);
	assert_int_equal(try_certificate(t, &cert, "other.example.com"), REASON_NONE);
	t->origin.tls.verify = true;
	test_cert_fini(&cert);

	/* Trusted, and of yesterday. */
	test_cert_init_expired(&cert, NAME);
	test_cert_write(&cert, t->crt, NULL);
	assert_int_equal(try_certificate(t, &cert, NAME), REASON_ORIGIN_CERTIFICATE);
	assert_non_null(strstr(t->detail, "expired"));
	test_cert_fini(&cert);
}

/* Without a name of its own in the configuration, a server known by its address is verified by it.
 */
static void test_name_in_the_configuration(void **state)
{
	struct test *t = *state;

	assert_int_equal(try_certificate(t, &t->cert, "127.0.0.1"), REASON_ORIGIN_CERTIFICATE);
	t->origin.tls.name = NAME;
	assert_int_equal(try_certificate(t, &t->cert, "127.0.0.1"), REASON_NONE);
}

/* One connection over which something is said. */
static void visit(struct test *t, const struct net_addr *addr, struct transport *tls)
{
	assert_int_equal(run(t, addr, tls, NULL, DUR_S(10)), REASON_NONE);
	say_ping(t);
	stream_destroy(&t->stream);
}

/* All but the first were full handshakes: nobody kept what a server had given. */
static void test_every_connection_but_the_first_resumes_a_session(void **state)
{
	static const char *const priorities[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3",
						 "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
	struct test *t = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(priorities); i++) {
		struct transport *tls = load(t, NAME);
		struct echo_origin o = {.priority = priorities[i]};

		start_tls_origin(&o, &t->cert);
		for (unsigned n = 0; n < 10; n++)
			visit(t, &o.addr, tls);
		stop_tls_origin(&o);
		assert_int_equal(o.n_handshakes, 10);
		assert_int_equal(o.n_resumed, 9);
		transport_unref(&tls);
	}
}

/* A ticket of the one is nothing to the other, and would be lost on it. */
static void test_two_servers_of_one_name_each_resume_their_own_sessions(void **state)
{
	struct test *t = *state;
	struct transport *tls = load(t, NAME);
	struct echo_origin o[2] = {0};

	for (unsigned i = 0; i < 2; i++)
		start_tls_origin(&o[i], &t->cert);
	for (unsigned n = 0; n < 8; n++)
		visit(t, &o[n % 2].addr, tls);
	for (unsigned i = 0; i < 2; i++) {
		stop_tls_origin(&o[i]);
		assert_int_equal(o[i].n_handshakes, 4);
		assert_int_equal(o[i].n_resumed, 3);
	}
	transport_unref(&tls);
}

/* Somebody who trusts another authority, or does not verify, has sessions of its own. */
static void test_a_session_is_not_resumed_by_who_verifies_otherwise(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {0};
	struct transport *lax, *strict;

	start_tls_origin(&o, &t->cert);
	t->origin.tls.verify = false;
	lax = load(t, "other.example.com");
	visit(t, &o.addr, lax);
	t->origin.tls.verify = true;
	strict = load(t, "other.example.com");
	assert_int_equal(run(t, &o.addr, strict, NULL, DUR_S(10)), REASON_ORIGIN_CERTIFICATE);
	visit(t, &o.addr, lax);
	stop_tls_origin(&o);
	assert_int_equal(o.n_resumed, 1);
	transport_unref(&lax);
	transport_unref(&strict);
}

static void test_client_certificate(void **state)
{
	struct test *t = *state;
	struct echo_origin o = {.asks_certificate = true};
	struct test_cert edge;
	char *crt = xasprintf("%s/edge.crt", t->dir), *key = xasprintf("%s/edge.key", t->dir);
	gnutls_x509_crt_t trusted[1];
	struct transport *tls;

	test_cert_init(&edge, "edge.example.com");
	test_cert_write(&edge, crt, key);
	o.credentials = test_cert_server(&t->cert);
	trusted[0] = edge.crt;
	assert_int_equal(gnutls_certificate_set_x509_trust(o.credentials, trusted, 1), 1);
	echo_origin_start(&o);

	t->origin.tls.certificate = crt;
	t->origin.tls.key = key;
	tls = load(t, NAME);
	assert_int_equal(run(t, &o.addr, tls, NULL, DUR_S(10)), REASON_NONE);
	say_ping(t);
	stream_destroy(&t->stream);
	transport_unref(&tls);
	assert_string_equal(o.client, "edge.example.com");

	/* One that shows none is refused, in TLS 1.3 only after its own handshake is done. */
	t->origin.tls.certificate = t->origin.tls.key = NULL;
	tls = load(t, NAME);
	run(t, &o.addr, tls, NULL, DUR_S(10));
	echo_origin_await(&o, &o.n_failed, 1);
	stream_destroy(&t->stream);
	transport_unref(&tls);

	stop_tls_origin(&o);
	test_cert_fini(&edge);
	unlink(crt);
	unlink(key);
	free(crt);
	free(key);
}

static void talk_plain(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_bytes(o, 5);
	origin_send(o, "HTTP/1.1 400 Bad Request\r\n\r\n");
	origin_expect_end(o);
}

static void hang_up(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_bytes(o, 5);
	origin_close(o);
}

static void say_nothing(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_expect_end(o);
}

static void test_handshakes_that_fail(void **state)
{
	static const struct {
		void (*script)(struct scripted_origin *o, void *arg);
		duration timeout, tls_timeout;
		enum reason reason;
	} rows[] = {
	    {talk_plain, DUR_S(10), DUR_NS(0), REASON_ORIGIN_HANDSHAKE_FAILED},
	    {hang_up, DUR_S(10), DUR_S(20), REASON_ORIGIN_HANDSHAKE_FAILED},
	    {say_nothing, DUR_MS(50), DUR_NS(0), REASON_ORIGIN_HANDSHAKE_TIMEOUT},
	    {say_nothing, DUR_MS(50), DUR_S(1000), REASON_ORIGIN_HANDSHAKE_TIMEOUT},
	    {say_nothing, DUR_S(1000), DUR_MS(50), REASON_ORIGIN_HANDSHAKE_TIMEOUT},
	};
	struct test *t = *state;
	struct transport *tls = load(t, NAME);

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scripted_origin *o = origin_start(rows[i].script, NULL);

		t->connector.tls_timeout = rows[i].tls_timeout;
		assert_int_equal(run(t, &o->addr, tls, NULL, rows[i].timeout), rows[i].reason);
		assert_true(connector_times(&t->connector).connect.ns >= 0);
		assert_true(connector_times(&t->connector).tls.ns < 0);
		assert_int_equal(!*t->detail, rows[i].script == say_nothing);
		assert_null(origin_finish(&o));
	}
	transport_unref(&tls);
}

/* The PROXY header */

static struct proxy_parties parties(void)
{
	struct proxy_parties p = {0};

	assert_true(net_addr_parse("192.0.2.7:4711", 0, &p.source));
	assert_true(net_addr_parse("198.51.100.1:443", 0, &p.destination));
	return p;
}

/* It comes before everything else, TLS too. */
static void test_proxy_header(void **state)
{
	struct test *t = *state;
	struct proxy_parties client = parties();

	for (unsigned i = 0; i < 8; i++) {
		unsigned version = 1 + i % 2;
		bool local = i & 2;
		struct echo_origin o = {.proxy_header = version};
		struct transport *transport;
		struct proxy_header header;
		size_t used;

		t->origin.tls.enabled = i & 4;
		t->origin.proxy_protocol =
		    version == 1 ? CFG_PROXY_PROTOCOL_V1 : CFG_PROXY_PROTOCOL_V2;
		transport = load(t, NAME);
		if (t->origin.tls.enabled)
			o.credentials = test_cert_server(&t->cert);
		echo_origin_start(&o);
		assert_int_equal(run(t, &o.addr, transport, local ? NULL : &client, DUR_S(10)),
				 REASON_NONE);
		say_ping(t);
		stream_destroy(&t->stream);
		echo_origin_stop(&o);
		assert_int_equal(proxy_header_parse(o.header, o.n_header, &header, &used),
				 PROXY_HEADER_OK);
		assert_int_equal(used, o.n_header);
		assert_int_equal(o.header[0], version == 1 ? 'P' : '\r');
		assert_int_equal(header.local, local);
		if (!local) {
			assert_true(net_addr_equal(&header.source, &client.source));
			assert_true(net_addr_equal(&header.destination, &client.destination));
		}
		if (o.credentials)
			gnutls_certificate_free_credentials(o.credentials);
		transport_unref(&transport);
	}
}

static void test_proxy_header_with_tlvs(void **state)
{
	struct test *t = *state;
	struct proxy_parties client = parties();

	client.tlvs = "\1\0\2h2";
	client.n_tlvs = 5;
	for (unsigned i = 0; i < 4; i++) {
		bool asked = i & 1, local = i & 2;
		struct echo_origin o = {.proxy_header = 2};
		struct transport *transport;

		t->origin.tls.enabled = false;
		t->origin.proxy_protocol =
		    asked ? CFG_PROXY_PROTOCOL_V2_TLS : CFG_PROXY_PROTOCOL_V2;
		transport = load(t, NAME);
		echo_origin_start(&o);
		assert_int_equal(run(t, &o.addr, transport, local ? NULL : &client, DUR_S(10)),
				 REASON_NONE);
		say_ping(t);
		stream_destroy(&t->stream);
		echo_origin_stop(&o);
		assert_int_equal(o.n_header, local ? 16 : asked ? 33 : 28);
		assert_int_equal(o.header[15], o.n_header - 16);
		if (asked && !local)
			assert_memory_equal(o.header + 28, client.tlvs, client.n_tlvs);
		transport_unref(&transport);
	}
}

/* Giving up */

static void test_cancelled(void **state)
{
	struct test *t = *state;
	struct scripted_origin *o = origin_start(say_nothing, NULL);
	struct transport *tls = load(t, NAME);
	struct net_addr refused;
	int fd = bound_socket(&refused);

	/* Nothing to do. */
	connector_cancel(&t->connector);
	/* In its first turn. */
	start(t, &refused, tls, NULL, DUR_S(10));
	connector_cancel(&t->connector);
	/* In its handshake: the client's first flight has gone out. */
	start(t, &o->addr, tls, NULL, DUR_S(10));
	while (t->connector.state != CONNECTOR_SHAKES_HANDS)
		event_base_loop(loop_base(t->loop), EVLOOP_ONCE);
	connector_cancel(&t->connector);
	loop_stop_mt(t->loop);
	loop_run(t->loop);
	assert_int_equal(t->n_done, 0);
	assert_null(origin_finish(&o)); /* saw the end */
	close(fd);
	transport_unref(&tls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_plain),
	    TEST(test_options_of_sockets),
	    TEST(test_fast_open),
	    TEST(test_refused),
	    TEST(test_connect_timeout),
	    TEST(test_a_loop_that_was_held_up_sees_that_the_server_has_answered),
	    TEST(test_no_route),
	    TEST(test_own_shortage),
	    TEST(test_tls),
	    TEST(test_certificates),
	    TEST(test_name_in_the_configuration),
	    TEST(test_every_connection_but_the_first_resumes_a_session),
	    TEST(test_two_servers_of_one_name_each_resume_their_own_sessions),
	    TEST(test_a_session_is_not_resumed_by_who_verifies_otherwise),
	    TEST(test_client_certificate),
	    TEST(test_handshakes_that_fail),
	    TEST(test_proxy_header),
	    TEST(test_proxy_header_with_tlvs),
	    TEST(test_cancelled),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
