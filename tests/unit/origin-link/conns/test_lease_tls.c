/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leases of connections with TLS: tickets, what is unread, and handshakes that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/net/sock.h"
#include "origin-link/conns/transport.h"
#include "tests/support/scripted_origin.h"
#include "tests/support/test_cert.h"
#include "tests/unit/origin-link/lease_rig.h"

struct tls_test {
	struct test_cert cert;
	struct echo_origin origin;
	struct endpoint *e;
};

static void start_tls(struct lease_rig *t, struct tls_test *tls, const char *host)
{
	char path[] = "/tmp/lease-XXXXXX";
	struct cfg_origin origin = {
	    .tls = {.enabled = true, .verify = true, .ca = path, .name = ""},
	};
	struct transport *transport;
	char *error = NULL;
	int fd = mkstemp(path);

	*tls = (struct tls_test){0};
	assert_true(fd >= 0);
	test_cert_init(&tls->cert, "origin.example.com");
	test_cert_write(&tls->cert, path, NULL);
	tls->origin.credentials = test_cert_server(&tls->cert);
	echo_origin_start(&tls->origin);
	transport = transport_load(&origin, host, &error);
	assert_non_null(transport);
	tls->e = endpoint_take(t->rig.node, &tls->origin.addr, transport);
	transport_unref(&transport);
	close(fd);
	unlink(path);
}

static void stop_tls(struct tls_test *tls)
{
	endpoint_give(&tls->e);
	echo_origin_close_all(&tls->origin);
	echo_origin_stop(&tls->origin);
	gnutls_certificate_free_credentials(tls->origin.credentials);
	test_cert_fini(&tls->cert);
}

/* Tickets that come while a connection is idle are no reason to close it. */
static void test_tls(void **state)
{
	struct lease_rig *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&a, &t->rig, tls.e);
	taker_get(&a);
	/* Not a word: the tickets are still on their way, or unread. */
	lease_end(&a.lease, true);
	for (int i = 0; i < 3; i++) {
		a.order.careful = i > 0;
		assert_int_equal(taker_take(&a), LEASE_READY);
		taker_ping(&a);
		lease_end(&a.lease, true);
	}
	assert_int_equal(lease_rig_count(t, OLINK_HANDSHAKES), 1);
	assert_int_equal(lease_rig_count(t, OLINK_CLOSED_IDLE), 0);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);
	echo_origin_close_all(&tls.origin);
	conns_rig_await(&t->rig, OLINK_CLOSED_IDLE, 1);
	stop_tls(&tls);
}

/* Two requests in one turn. */
struct two_requests {
	struct lease_rig *t;
	struct taker first, second;
	enum lease_result result;
	bool done;
	char text[32]; /* what is left of the second client's bytes */
};

static const char client_text[] = "POST / HTTP/1.1\r\n";

/* The response of the first is one byte, and what follows is nobody's; then comes the second. */
static void end_and_take(void *arg)
{
	struct two_requests *two = arg;
	char *buf = two->t->rig.buffers->plain;

	if (stream_read(lease_stream(&two->first.lease), buf, 1) != 1)
		return;
	lease_end(&two->first.lease, true);
	strcpy(buf, client_text);
	two->result = taker_take(&two->second);
	memcpy(two->text, buf, sizeof(client_text));
	two->done = true;
}

static void nothing_to_do(void *arg)
{
}

static bool both_were_there(void *arg)
{
	return ((struct two_requests *)arg)->done;
}

/* A request is opened while what its client has sent lies in the loop's buffer. What an origin had
 * said unasked took its place there. */
static void test_a_look_leaves_what_a_client_has_sent_alone(void **state)
{
	static const struct stream_ops ops = {
	    .established = end_and_take,
	    .readable = end_and_take,
	    .drained = nothing_to_do,
	    .failed = nothing_to_do,
	};
	static char poison[100 * 1000];
	struct two_requests two = {.t = *state};
	struct lease_rig *t = two.t;
	struct iovec iov = {poison, sizeof(poison)};
	struct tls_test tls;
	int unread = 0;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&two.first, &t->rig, tls.e);
	taker_init(&two.second, &t->rig, tls.e);
	two.second.order.careful = true;
	taker_get(&two.first);
	taker_ping(&two.first);
	memset(poison, 'x', sizeof(poison));
	stream_pause(lease_stream(&two.first.lease));
	stream_write(lease_stream(&two.first.lease), &iov, 1);
	/* More than one look at the socket takes. */
	while (unread < 70 * 1000) {
		conns_rig_turn(&t->rig);
		assert_int_equal(
		    ioctl(stream_fd(lease_stream(&two.first.lease)), FIONREAD, &unread), 0);
	}
	stream_hand_over(lease_stream(&two.first.lease), &ops, &two);
	stream_resume(lease_stream(&two.first.lease));
	conns_rig_run_until(&t->rig, both_were_there, &two);
	assert_string_equal(two.text, client_text);
	assert_int_equal(two.result, LEASE_WAITS);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(taker_wait(&two.second), REASON_NONE);
	lease_end(&two.second.lease, false);
	stop_tls(&tls);
}

static void read_the_first(void *arg)
{
	struct taker *t = arg;
	ssize_t n = stream_read(lease_stream(&t->lease), t->text, 1);

	if (n < 0)
		return;
	t->n = (size_t)n;
	stream_pause(lease_stream(&t->lease));
}

static void nothing_else(void *arg)
{
}

static const struct stream_ops first_byte_ops = {
    .readable = read_the_first, .drained = nothing_else, .failed = nothing_else};

static bool has_read(void *arg)
{
	return ((struct taker *)arg)->n > 0;
}

/* The rest of what the origin has said is out of the socket, but was not read: the next request
 * must not take it for its answer. */
static void test_tls_with_something_unread(void **state)
{
	const struct iovec iov = {(char *)"ping", 4};
	struct lease_rig *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&a, &t->rig, tls.e);
	taker_get(&a);
	taker_ping(&a); /* the tickets are read */
	a.n = 0;
	stream_hand_over(lease_stream(&a.lease), &first_byte_ops, &a);
	stream_write(lease_stream(&a.lease), &iov, 1);
	conns_rig_run_until(&t->rig, has_read, &a);
	lease_end(&a.lease, true);
	a.order.careful = true;
	/* Whoever takes it may still have a client's bytes there. */
	memset(t->rig.buffers->plain, '-', 4);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_memory_equal(t->rig.buffers->plain, "----", 4);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	taker_ping(&a);
	lease_end(&a.lease, true);
	stop_tls(&tls);
}

static void test_tls_wrong_name(void **state)
{
	struct lease_rig *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "other.example.com");
	taker_init(&a, &t->rig, tls.e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_CERTIFICATE);
	assert_non_null(strstr(a.detail, "other.example.com"));
	assert_int_equal(lease_rig_count(t, OLINK_CERTIFICATE_FAILURES), 1);
	assert_int_equal(lease_rig_count(t, OLINK_HANDSHAKES), 0);
	assert_int_equal(endpoint_facts(tls.e).last_failure, REASON_ORIGIN_CERTIFICATE);
	stop_tls(&tls);
}

static void talk_plain(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_bytes(o, 5);
	origin_send(o, "HTTP/1.1 400 Bad Request\r\n\r\n");
	origin_expect_end(o);
}

static void test_tls_failure(void **state)
{
	struct lease_rig *t = *state;
	struct scripted_origin *o = origin_start(talk_plain, NULL);
	struct transport *transport = transport_unverified("a.test", CFG_PROXY_PROTOCOL_NONE);
	struct endpoint *e = endpoint_take(t->rig.node, &o->addr, transport);
	struct taker a;

	taker_init(&a, &t->rig, e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_HANDSHAKE_FAILED);
	assert_int_equal(lease_rig_count(t, OLINK_HANDSHAKE_FAILURES), 1);
	assert_null(origin_finish(&o));
	endpoint_give(&e);
	transport_unref(&transport);
}

/* Ended while it connects, in both of its stages. */
static void test_ended_while_it_connects(void **state)
{
	struct lease_rig *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&a, &t->rig, tls.e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	lease_end(&a.lease, true);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	while (a.lease.connector.state != CONNECTOR_SHAKES_HANDS)
		event_base_loop(loop_base(t->rig.group->control), EVLOOP_ONCE);
	lease_end(&a.lease, true);
	conns_rig_turn(&t->rig);
	assert_int_equal(a.n_done, 0);
	assert_int_equal(endpoint_facts(tls.e).open, 0);
	stop_tls(&tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEASE_TEST(test_tls),
	    LEASE_TEST(test_a_look_leaves_what_a_client_has_sent_alone),
	    LEASE_TEST(test_tls_with_something_unread),
	    LEASE_TEST(test_tls_wrong_name),
	    LEASE_TEST(test_tls_failure),
	    LEASE_TEST(test_ended_while_it_connects),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
