/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes against a scripted server: each way to answer, or not to, has its own cause.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/loop.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "origin-link/conns/transport.h"
#include "origin-link/health/probe.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/scripted_origin.h"
#include "tests/support/test_cert.h"
#include "tests/unit/origin-link/probe_rig.h"

struct row {
	const char *name;
	enum cfg_check_kind kind;
	const char *answer; /* NULL: none */
	enum { THEN_CLOSE, THEN_RESET, THEN_WAIT } then;
	enum probe_cause cause;
};

static const struct row rows[] = {
    {"200", CFG_CHECK_HTTP, "HTTP/1.1 200 OK\r\n\r\n", THEN_WAIT, PROBE_OK},
    {"edge of the range", CFG_CHECK_HTTP, "HTTP/1.0 399 Hm\r\n\r\n", THEN_CLOSE, PROBE_OK},
    {"1xx first", CFG_CHECK_HTTP,
     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", THEN_WAIT,
     PROBE_OK},
    {"503", CFG_CHECK_HTTP, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", THEN_CLOSE,
     PROBE_WRONG_STATUS},
    {"not HTTP", CFG_CHECK_HTTP, "SSH-2.0-OpenSSH_9.2\r\n", THEN_WAIT, PROBE_BAD_RESPONSE},
    {"closed", CFG_CHECK_HTTP, NULL, THEN_CLOSE, PROBE_RESET},
    {"closed in the head", CFG_CHECK_HTTP, "HTTP/1.1 200 OK\r\nSer", THEN_CLOSE, PROBE_RESET},
    {"reset", CFG_CHECK_HTTP, NULL, THEN_RESET, PROBE_RESET},
    {"silent", CFG_CHECK_HTTP, NULL, THEN_WAIT, PROBE_TIMED_OUT},
    {"never whole", CFG_CHECK_HTTP, "HTTP/1.1 200 OK\r\nServer: x\r\n", THEN_WAIT, PROBE_TIMED_OUT},
};

static void answer(struct scripted_origin *o, void *arg)
{
	const struct row *row = arg;

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "GET /health HTTP/1.1\r\n");
	origin_expect(o, "\r\nHost: www.example.com\r\n");
	origin_expect(o, "\r\nUser-Agent: perigee-probe\r\n");
	origin_expect(o, "\r\nConnection: close\r\n");
	if (row->answer)
		origin_send(o, row->answer);
	if (row->then == THEN_RESET)
		origin_reset(o);
	else if (row->then == THEN_CLOSE)
		origin_close(o);
	else
		origin_wait(o);
}

static void test_each_cause(void **state)
{
	struct probe_rig *t = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scripted_origin *o = origin_start(answer, (void *)&rows[i]);

		t->check.kind = rows[i].kind;
		t->check.timeout = rows[i].cause == PROBE_TIMED_OUT ? DUR_MS(50) : DUR_S(10);
		if (probe_rig_run(t, &o->addr) != rows[i].cause)
			fail_msg("%s: %s, not %s", rows[i].name, probe_cause_text(t->cause),
				 probe_cause_text(rows[i].cause));
		assert_true(t->changed);
		assert_int_equal(health_get(&t->health),
				 rows[i].cause == PROBE_OK ? HEALTH_UP : HEALTH_DOWN);
		origin_go(o);
		assert_null(origin_finish(&o));
	}
}

/* HTTP/2: SETTINGS, then one more. The status is in the static table of RFC 7541, appendix A. */
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define HEADERS(flags) "\0\0\1\1" flags "\0\0\0\1"

static const struct h2_row {
	const char *name;
	enum cfg_check_kind kind;
	const char *content; /* that is asked for */
	const char *answer;
	size_t n;
	bool then_close;
	enum probe_cause cause;
} h2_rows[] = {
#define BYTES_(text) text, sizeof(text) - 1
    {"200", CFG_CHECK_H2, NULL, BYTES_(SETTINGS HEADERS("\5") "\x88"), false, PROBE_OK},
    {"404", CFG_CHECK_H2, NULL, BYTES_(SETTINGS HEADERS("\5") "\x8d"), false, PROBE_WRONG_STATUS},
    {"content", CFG_CHECK_H2, "up", BYTES_(SETTINGS HEADERS("\4") "\x88\0\0\4\0\1\0\0\0\1I'm up"),
     false, PROBE_WRONG_CONTENT},
    {"content", CFG_CHECK_H2, "up", BYTES_(SETTINGS HEADERS("\4") "\x88\0\0\6\0\1\0\0\0\1I'm up"),
     false, PROBE_OK},
    {"content that does not end", CFG_CHECK_H2, "up",
     BYTES_(SETTINGS HEADERS("\4") "\x88\0\0\6\0\0\0\0\0\1I'm up"), false, PROBE_TIMED_OUT},
    {"gRPC", CFG_CHECK_GRPC, NULL,
     BYTES_(SETTINGS HEADERS("\4") "\x88\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1"
				   "\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1"
				   "0"),
     false, PROBE_OK},
    {"gRPC without a grpc-status", CFG_CHECK_GRPC, NULL,
     BYTES_(SETTINGS HEADERS("\4") "\x88\0\0\7\0\1\0\0\0\1\0\0\0\0\2\x08\1"), false,
     PROBE_BAD_RESPONSE},
    {"stream reset", CFG_CHECK_H2, NULL, BYTES_(SETTINGS "\0\0\4\3\0\0\0\0\1\0\0\0\7"), false,
     PROBE_RESET},
    {"closed", CFG_CHECK_H2, NULL, BYTES_(SETTINGS), true, PROBE_RESET},
    {"silent", CFG_CHECK_H2, NULL, BYTES_(SETTINGS), false, PROBE_TIMED_OUT},
    {"HTTP/1.1", CFG_CHECK_H2, NULL, BYTES_("HTTP/1.1 400 Bad Request\r\n\r\n"), false,
     PROBE_BAD_RESPONSE},
};

static void answer_by_h2(struct scripted_origin *o, void *arg)
{
	const struct h2_row *row = arg;

	origin_accept(o);
	origin_read_until(o, "SM\r\n\r\n");
	origin_send_bytes(o, row->answer, row->n);
	if (row->then_close)
		origin_close(o);
	else
		origin_wait(o);
}

static void test_each_cause_by_http2(void **state)
{
	struct probe_rig *t = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(h2_rows); i++) {
		const struct h2_row *row = &h2_rows[i];
		struct scripted_origin *o = origin_start(answer_by_h2, (void *)row);

		t->check.kind = row->kind;
		t->check.content = row->content;
		t->check.timeout = row->cause == PROBE_TIMED_OUT ? DUR_MS(50) : DUR_S(10);
		if (probe_rig_run(t, &o->addr) != row->cause)
			fail_msg("%s (row %u): %s, not %s", row->name, i,
				 probe_cause_text(t->cause), probe_cause_text(row->cause));
		origin_go(o);
		assert_null(origin_finish(&o));
	}
}

static struct net_addr closed_port(void)
{
	struct net_addr addr;
	int fd;

	assert_true(net_addr_parse("127.0.0.1:0", 0, &addr));
	fd = sock_listen_tcp(&addr, 1);
	assert_true(fd >= 0 && sock_local_addr(fd, &addr) == 0);
	close(fd);
	return addr;
}

static void test_refused(void **state)
{
	struct net_addr addr = closed_port();

	assert_int_equal(probe_rig_run(*state, &addr), PROBE_REFUSED);
}

static void just_accept(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_expect_end(o);
}

static void test_tcp(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(just_accept, NULL);

	t->check.kind = CFG_CHECK_TCP;
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_OK);
	assert_null(origin_finish(&o));
}

/* The check's own port is asked, whatever the port of what is checked. */
static void test_port_of_the_check(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(just_accept, NULL);
	struct net_addr addr = o->addr;

	t->check.kind = CFG_CHECK_TCP;
	t->check.port = net_addr_port(&o->addr);
	net_addr_set_port(&addr, 1);
	assert_int_equal(probe_rig_run(t, &addr), PROBE_OK);
	assert_null(origin_finish(&o));
}

static void talk_plain(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_bytes(o, 5);
	origin_send(o, "HTTP/1.1 400 Bad Request\r\n\r\n");
	origin_expect_end(o);
}

static void test_tls_failed(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(talk_plain, NULL);

	t->check.kind = CFG_CHECK_HTTPS;
	t->transport = transport_unverified("www.example.com", CFG_PROXY_PROTOCOL_NONE);
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_TLS_FAILED);
	assert_null(origin_finish(&o));
}

/* HTTPS, to a server on the test's own loop */

struct tls_service {
	struct tls_server tls;
	struct stream_buffers *buffers;
	int fd;
	struct event *accept;
	struct stream *stream;
};

static void tls_established_cb(void *arg)
{
	struct tls_service *service = arg;
	char name[64] = "";
	size_t len = sizeof(name);
	unsigned type;

	assert_int_equal(
	    gnutls_server_name_get(stream_tls_session(service->stream), name, &len, &type, 0), 0);
	assert_string_equal(name, "www.example.com");
}

static void tls_readable_cb(void *arg)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\n\r\n";
	struct tls_service *service = arg;
	struct iovec iov = {(void *)ok, sizeof(ok) - 1};

	if (stream_read(service->stream, service->buffers->plain, STREAM_READ_MAX) > 0)
		stream_write(service->stream, &iov, 1);
}

static void tls_other_cb(void *arg)
{
}

static const struct stream_ops tls_ops = {
    .established = tls_established_cb,
    .readable = tls_readable_cb,
    .drained = tls_other_cb,
    .failed = tls_other_cb,
};

static void tls_accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tls_service *service = arg;
	struct net_addr remote;

	service->stream =
	    stream_create(service->buffers, sock_accept(fd, &remote), &tls_ops, service);
	assert_true(stream_start_tls_server(service->stream, &service->tls, NULL, NULL, NULL, 0));
}

static struct net_addr start_service(struct tls_service *service, struct probe_rig *t,
				     const struct test_cert *cert)
{
	struct net_addr addr;

	*service = (struct tls_service){.buffers = t->buffers};
	service->tls.credentials = test_cert_server(cert);
	assert_int_equal(gnutls_priority_init(&service->tls.priority, TLS_PRIORITY, NULL), 0);
	assert_true(net_addr_parse("127.0.0.1:0", 0, &addr));
	service->fd = sock_listen_tcp(&addr, 8);
	assert_true(service->fd >= 0 && sock_local_addr(service->fd, &addr) == 0);
	service->accept = event_new(loop_base(t->group->control), service->fd, EV_READ | EV_PERSIST,
				    tls_accept_cb, service);
	event_add(service->accept, NULL);
	return addr;
}

static void stop_service(struct tls_service *service)
{
	stream_destroy(&service->stream);
	event_free(service->accept);
	close(service->fd);
	gnutls_priority_deinit(service->tls.priority);
	gnutls_certificate_free_credentials(service->tls.credentials);
}

/* A certificate that nobody trusts does: the address is what is probed. */
static void test_https(void **state)
{
	struct probe_rig *t = *state;
	struct tls_service service;
	struct test_cert cert;
	struct net_addr addr;

	test_cert_init(&cert, "other.example.com");
	addr = start_service(&service, t, &cert);
	t->check.kind = CFG_CHECK_HTTPS;
	t->transport = transport_unverified("www.example.com", CFG_PROXY_PROTOCOL_NONE);
	assert_int_equal(probe_rig_run(t, &addr), PROBE_OK);
	stop_service(&service);
	test_cert_fini(&cert);
}

/* Checks of a server with TLS go over it as requests do, and believe what they do: one by "https"
 * did not, and found up what no request could be sent to. */
static void test_over_the_transport(void **state)
{
	static const enum cfg_check_kind kinds[] = {CFG_CHECK_HTTP, CFG_CHECK_HTTPS, CFG_CHECK_TCP,
						    CFG_CHECK_TLS};
	struct probe_rig *t = *state;
	char path[] = "/tmp/probe-XXXXXX";
	struct cfg_origin origin = {.tls = {.enabled = true, .verify = true, .ca = path}};
	int fd = mkstemp(path);
	struct test_cert cert;
	char *error = NULL;

	assert_true(fd >= 0);
	close(fd);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(kinds); i++) {
		bool right = i % 2 == 0;
		struct tls_service service;
		struct net_addr addr;

		test_cert_init(&cert, right ? "www.example.com" : "other.example.com");
		test_cert_write(&cert, path, NULL);
		origin.tls.name = "www.example.com";
		t->check.kind = kinds[i / 2];
		origin.health.check = t->check;
		t->transport = transport_load_check(&origin, "", &error);
		assert_non_null(t->transport);
		addr = start_service(&service, t, &cert);
		assert_int_equal(probe_rig_run(t, &addr), right ? PROBE_OK : PROBE_CERTIFICATE);
		stop_service(&service);
		transport_unref(&t->transport);
		test_cert_fini(&cert);
	}
	unlink(path);
}

static void test_handshake_fails(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(talk_plain, NULL);

	t->transport = transport_unverified("www.example.com", CFG_PROXY_PROTOCOL_NONE);
	t->check.kind = CFG_CHECK_TCP;
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_TLS_FAILED);
	assert_null(origin_finish(&o));
}

static void expect_proxy_header(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n");
	origin_expect(o, "PROXY UNKNOWN\r\n");
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
}

/* Who expects a header gets one, which names nobody. */
static void test_proxy_header(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(expect_proxy_header, NULL);
	struct cfg_origin origin = {.proxy_protocol = CFG_PROXY_PROTOCOL_V1};

	t->transport = transport_load(&origin, "", NULL);
	t->check.kind = CFG_CHECK_HTTP;
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_OK);
	assert_null(origin_finish(&o));
}

/* What we cannot ask for want of descriptors is not down: the next probe, soon, says what it is. */
static void test_no_descriptors(void **state)
{
	struct probe_rig *t = *state;
	struct net_addr addr;
	struct probe *p;
	rlim_t allowed;
	int fd;

	assert_true(net_addr_parse("127.0.0.1:0", 0, &addr));
	fd = sock_listen_tcp(&addr, 8);
	assert_true(fd >= 0 && sock_local_addr(fd, &addr) == 0);
	t->check.kind = CFG_CHECK_TCP;
	allowed = descriptors_use_up();
	t->n_wanted = 2;
	p = probe_rig_start(t, &addr);
	loop_run(t->group->control);
	assert_int_equal(t->cause, PROBE_PREVENTED);
	assert_false(t->changed);
	assert_int_equal(health_get(&t->health), HEALTH_UNKNOWN);
	assert_int_equal(atomic_load(&t->health.cause), PROBE_PENDING);
	descriptors_allow(allowed);
	/* Long before its interval, an hour. */
	t->n_wanted = 3;
	loop_run(t->group->control);
	assert_int_equal(t->cause, PROBE_OK);
	assert_true(t->changed);
	assert_int_equal(health_get(&t->health), HEALTH_UP);
	probe_destroy(&p);
	close(fd);
}

/* How many sends are to find that the kernel has no buffers. */
static unsigned n_no_buffers;

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	if (n_no_buffers > 0) {
		n_no_buffers--;
		errno = ENOBUFS;
		return -1;
	}
	return syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}

static void be_asked_the_second_time(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_expect_end(o);
	origin_close(o);
	answer(o, arg);
}

/* It was taken for a reset by the server. */
static void test_no_buffers_after_connecting_is_no_fault_of_the_server(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(be_asked_the_second_time, (void *)&rows[0]);

	t->check.interval = DUR_MS(5);
	n_no_buffers = 1;
	t->n_wanted = 2; /* PROBE_PREVENTED first */
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_OK);
	assert_int_equal(n_no_buffers, 0);
	assert_true(t->changed);
	origin_go(o);
	assert_null(origin_finish(&o));
}

/* Whose error every connect() is; 0: nobody's. */
static int no_connections;

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (no_connections == 0)
		return (int)syscall(SYS_connect, fd, addr, len);
	errno = no_connections;
	return -1;
}

/* A machine without IPv6 took all such addresses of edges for dead, or for ever to be asked again
 * at once. Of an origin it is no more than true. */
static void test_no_route_was_the_fault_of_the_edge(void **state)
{
	static const int errors[] = {ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT};
	struct probe_rig *t = *state;
	struct net_addr addr;

	assert_true(net_addr_parse("[2001:db8::1]:80", 0, &addr));
	for (unsigned i = 0; i < ARRAY_SIZE(errors) * 2; i++) {
		struct probe *p;

		t->for_others = i % 2 == 0;
		no_connections = errors[i / 2];
		p = probe_rig_start(t, &addr);
		loop_run(t->group->control);
		no_connections = 0;
		probe_destroy(&p);
		assert_int_equal(t->cause, t->for_others ? PROBE_NO_ROUTE : PROBE_UNREACHABLE);
		assert_int_equal(health_get(&t->health),
				 t->for_others ? HEALTH_UNKNOWN : HEALTH_DOWN);
		assert_int_equal(atomic_load(&t->health.cause), t->cause);
	}
}

static void hold_up(evutil_socket_t fd, short what, void *arg)
{
	usleep(400000);
}

static void say_nothing(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
}

/* A control loop that was held up for longer than checks have time took all servers for dead. */
static void test_loop_that_was_held_up_blamed_the_server(void **state)
{
	const struct timeval soon = {.tv_usec = 1000};
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(say_nothing, NULL);
	struct event *hold = evtimer_new(loop_base(t->group->control), hold_up, NULL);
	struct probe *p;

	event_add(hold, &soon);
	t->check.kind = CFG_CHECK_HTTP;
	t->check.timeout = DUR_MS(200);
	p = probe_rig_start(t, &o->addr);
	loop_run(t->group->control);
	assert_int_equal(t->cause, PROBE_PREVENTED);
	assert_int_equal(health_get(&t->health), HEALTH_UNKNOWN);
	probe_destroy(&p);
	event_free(hold);
	origin_go(o);
	assert_null(origin_finish(&o));
}

static void expect_default_host(struct scripted_origin *o, void *arg)
{
	char *host = xasprintf("\r\nHost: default.example.com:%u\r\n", net_addr_port(&o->addr));

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	if (!strstr(o->text, host))
		o->failure = "no Host with the port";
	free(host);
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
}

static void test_default_host(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(expect_default_host, NULL);

	t->check.kind = CFG_CHECK_HTTP;
	t->check.host = "";
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_OK);
	assert_null(origin_finish(&o));
}

static void twice_then_refuse(struct scripted_origin *o, void *arg)
{
	for (int i = 0; i < 4; i++) {
		origin_accept(o);
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, i < 2 ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 500 Oh\r\n\r\n");
	}
}

/* It goes on by itself, and the machine behind it wants two failures. */
static void test_again_at_the_interval(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(twice_then_refuse, NULL);

	t->check.kind = CFG_CHECK_HTTP;
	t->check.interval = DUR_MS(20);
	t->n_wanted = 4;
	assert_int_equal(probe_rig_run(t, &o->addr), PROBE_WRONG_STATUS);
	assert_true(t->changed);
	assert_int_equal(health_get(&t->health), HEALTH_DOWN);
	assert_null(origin_finish(&o));
}

static void refuse_twice(struct scripted_origin *o, void *arg)
{
	for (int i = 0; i < 2; i++) {
		origin_accept(o);
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, "HTTP/1.1 500 Oh\r\n\r\n");
	}
}

/* After a failure of what was up the next one is not an hour away. */
static void test_fast_interval_while_the_state_is_contradicted(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(refuse_twice, NULL);
	struct probe *p;

	t->check.kind = CFG_CHECK_HTTP;
	t->check.fast_interval = DUR_MS(5);
	t->n_wanted = 2;
	p = probe_rig_start(t, &o->addr);
	health_record(&t->health, PROBE_OK);
	loop_run(t->group->control);
	assert_int_equal(t->cause, PROBE_WRONG_STATUS);
	assert_true(t->changed);
	assert_int_equal(health_get(&t->health), HEALTH_DOWN);
	assert_null(origin_finish(&o));
	probe_destroy(&p);
}

struct content_row {
	const char *answer;
	bool then_close;
	enum probe_cause cause;
};

static const struct content_row content_rows[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready", false, PROBE_OK},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy", false, PROBE_WRONG_CONTENT},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n", false,
     PROBE_OK},
    {"HTTP/1.1 200 OK\r\n\r\nI am ready", true, PROBE_OK},
    {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nready", true, PROBE_RESET},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nready", false, PROBE_BAD_RESPONSE},
    /* A slow body: all of it has to come in time. */
    {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nready", false, PROBE_TIMED_OUT},
    {"HTTP/1.1 503 Busy\r\nContent-Length: 50\r\n\r\nready", false, PROBE_WRONG_STATUS},
};

static void answer_with_content(struct scripted_origin *o, void *arg)
{
	const struct content_row *row = arg;

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "GET /health HTTP/1.1\r\n");
	origin_expect(o, "\r\nX-Check: edge\r\n");
	origin_expect(o, "\r\nuser-agent: mine\r\n");
	if (strstr(o->text, "perigee-probe"))
		o->failure = "two fields of one name";
	origin_send(o, row->answer);
	if (row->then_close)
		origin_close(o);
	else
		origin_wait(o);
}

static void test_content_and_fields(void **state)
{
	struct cfg_check_field fields[] = {{.name = "X-Check", .value = "edge"},
					   {.name = "user-agent", .value = "mine"}};
	struct probe_rig *t = *state;

	t->check.kind = CFG_CHECK_HTTP;
	t->check.method = CFG_CHECK_HEAD;
	t->check.content = "ready";
	t->check.fields = fields;
	t->check.n_fields = ARRAY_SIZE(fields);
	for (unsigned i = 0; i < ARRAY_SIZE(content_rows); i++) {
		const struct content_row *row = &content_rows[i];
		struct scripted_origin *o = origin_start(answer_with_content, (void *)row);

		t->check.timeout = row->cause == PROBE_TIMED_OUT ? DUR_MS(50) : DUR_S(10);
		if (probe_rig_run(t, &o->addr) != row->cause)
			fail_msg("row %u: %s, not %s", i, probe_cause_text(t->cause),
				 probe_cause_text(row->cause));
		origin_go(o);
		assert_null(origin_finish(&o));
	}
}

static void test_destroyed_while_it_runs(void **state)
{
	struct probe_rig *t = *state;
	struct scripted_origin *o = origin_start(just_accept, NULL);
	struct probe *p = probe_rig_start(t, &o->addr);

	/* One turn starts it; the stop is in the mailbox already. */
	loop_stop_mt(t->group->control);
	loop_run(t->group->control);
	probe_destroy(&p);
	assert_int_equal(t->n_results, 0);
	/* The script needs somebody, if the probe had not come as far. */
	int fd = sock_connect_tcp(&o->addr);

	close(fd);
	assert_null(origin_finish(&o));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, probe_rig_setup, probe_rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_each_cause),
	    TEST(test_each_cause_by_http2),
	    TEST(test_content_and_fields),
	    TEST(test_fast_interval_while_the_state_is_contradicted),
	    TEST(test_refused),
	    TEST(test_tcp),
	    TEST(test_port_of_the_check),
	    TEST(test_tls_failed),
	    TEST(test_https),
	    TEST(test_over_the_transport),
	    TEST(test_handshake_fails),
	    TEST(test_proxy_header),
	    TEST(test_no_descriptors),
	    TEST(test_no_buffers_after_connecting_is_no_fault_of_the_server),
	    TEST(test_no_route_was_the_fault_of_the_edge),
	    TEST(test_loop_that_was_held_up_blamed_the_server),
	    TEST(test_default_host),
	    TEST(test_again_at_the_interval),
	    TEST(test_destroyed_while_it_runs),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
