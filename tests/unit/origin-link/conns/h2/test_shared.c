/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sessions of HTTP/2 that requests share, on one loop, with nghttp2's server at the other end:
 * those that end soon are replaced before, and what is dead gets no request. Their clocks are put
 * forward by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/origin.h"
#include "core/net/sock.h"
#include "origin-link/conns/transport.h"
#include "origin-link/conns/warm.h"
#include "tests/unit/origin-link/conns_rig.h"
#include "tests/unit/origin-link/h2_rig.h"

#define PEERS_MAX 4

struct test {
	struct conns_rig rig;
	struct endpoint *e;
	struct endpoint_slot *slot;
	int listener;
	struct h2_peer peers[PEERS_MAX];
	unsigned n_peers, n_dead; /* so many of the first say nothing any more */
};

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));
	const struct cfg_origin origin = {.name = "app", .protocol = CFG_ORIGIN_PROTOCOL_H2};
	struct transport *transport;
	struct net_addr addr;
	char *error = NULL;

	conns_rig_init(&t->rig, 0);
	CHECK(net_addr_parse("127.0.0.1:0", 0, &addr));
	t->listener = sock_listen_tcp(&addr, PEERS_MAX);
	CHECK(t->listener >= 0 && sock_local_addr(t->listener, &addr) == 0);
	transport = transport_load(&origin, "127.0.0.1", &error);
	CHECK(transport);
	t->e = endpoint_take(t->rig.node, &addr, transport);
	t->slot = endpoint_slot(t->e, t->rig.conns);
	transport_unref(&transport);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	endpoint_give(&t->e);
	conns_rig_fini(&t->rig);
	for (unsigned i = 0; i < t->n_peers; i++)
		h2_peer_fini(&t->peers[i]);
	close(t->listener);
	free(t);
	return 0;
}

static void turn(struct test *t)
{
	struct net_addr remote;
	int fd = sock_accept(t->listener, &remote);

	if (fd >= 0) {
		CHECK(t->n_peers < PEERS_MAX);
		h2_peer_init(&t->peers[t->n_peers++], fd, 100);
	}
	for (unsigned i = t->n_dead; i < t->n_peers; i++)
		h2_peer_turn(&t->peers[i]);
	conns_rig_turn(&t->rig);
}

static void until_sessions(struct test *t, unsigned n)
{
	while (atomic_load(&t->slot->n_shared) != n || t->n_peers < n) {
		turn(t);
		usleep(200);
	}
}

static struct origin_conn *until_idle(struct test *t)
{
	struct origin_conn *conn = TAILQ_FIRST(&t->slot->shared);

	while (conn->state != CONN_SHARED_IDLE || !origin_h2_has_settings(conn->h2) ||
	       !origin_conn_is_quiet(conn)) {
		turn(t);
		usleep(200);
	}
	return conn;
}

static int64_t count(const struct test *t, enum olink_counter id)
{
	return conns_rig_count(&t->rig, id);
}

/* So long before the end of its age, of a minute. */
static void age(struct test *t, struct origin_conn *conn, duration left)
{
	mono_time now = loop_now(t->rig.group->control);

	conn->expiry.age_end = mono_add(now, left);
	conn->expiry.made.ns = conn->expiry.freed.ns = conn->expiry.age_end.ns - DUR_S(60).ns;
	shared_close_expired(t->rig.conns, t->slot);
	warm_check(t->e);
}

/* A new one is there before the old one takes no more, and no request waits for its handshake. */
static void replace(struct test *t, bool in_use)
{
	struct origin_conn *old;
	struct taker held, a;

	taker_init(&held, &t->rig, t->e);
	taker_init(&a, &t->rig, t->e);
	t->rig.terms.max_age = DUR_S(60);
	conns_rig_warm(&t->rig, t->e, 1);
	until_sessions(t, 1);
	old = until_idle(t);
	if (in_use)
		assert_int_equal(taker_take(&held), LEASE_READY);
	age(t, old, DUR_S(10));
	for (unsigned i = 0; i < 20; i++)
		turn(t);
	assert_int_equal(t->n_peers, 1);
	age(t, old, DUR_MS(2900));
	until_sessions(t, 2);
	assert_true(old->takes);
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	age(t, old, DUR_NS(-1));
	assert_int_equal(count(t, OLINK_WORN), 1);
	assert_int_equal(atomic_load(&t->slot->n_shared), 1);
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	lease_end(&held.lease, true);
	for (unsigned i = 0; i < 20; i++)
		turn(t);
	until_idle(t);
	assert_int_equal(t->n_peers, 2);
	assert_int_equal(count(t, OLINK_IDLE), 1);
	assert_int_equal(count(t, OLINK_WARM), 2);
	assert_int_equal(count(t, OLINK_CONNECTS), 0);
}

static void test_idle_one_is_replaced_ahead_of_its_end(void **state)
{
	replace(*state, false);
}

static void test_one_in_use_is_replaced_ahead_of_its_end(void **state)
{
	replace(*state, true);
}

static struct origin_conn *leave_idle(struct test *t)
{
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	lease_end(&a.lease, true);
	until_sessions(t, 1);
	return until_idle(t);
}

/* Its end has come, and the loop has not been told yet: who cannot be repeated looks. */
static void test_careful(void **state)
{
	struct test *t = *state;
	struct origin_conn *idle = leave_idle(t);
	struct taker a, b;

	taker_init(&a, &t->rig, t->e);
	a.order.careful = true;
	taker_init(&b, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	assert_ptr_equal(until_idle(t), idle);
	shutdown(t->peers[0].fd, SHUT_RDWR);
	while (origin_conn_is_quiet(idle))
		usleep(100);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_take(&b), LEASE_READY);
	assert_ptr_equal(lease_h2(&b.lease), idle->h2);
	lease_end(&b.lease, false);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	lease_end(&a.lease, true);
}

static void pass(struct origin_conn *conn, duration time)
{
	conn->h2->heard.ns -= time.ns;
	conn->h2->worked.ns -= time.ns;
	if (conn->h2->asked.ns != 0)
		conn->h2->asked.ns -= time.ns;
	conn->h2->quiet.fire(&conn->h2->quiet);
}

/* Nothing comes of a server that has died, not even an end: its idle session is asked, and is gone
 * before a request could be put on it. */
static void test_server_that_has_died_is_found_while_idle(void **state)
{
	struct test *t = *state;
	struct origin_conn *idle = leave_idle(t);
	struct taker a;

	/* One that is there goes on. */
	pass(idle, DUR_S(10));
	for (unsigned i = 0; i < 20; i++)
		turn(t);
	assert_int_equal(t->peers[0].n_pings, 1);
	pass(idle, DUR_S(320));
	t->n_dead = 1;
	turn(t);
	assert_int_equal(atomic_load(&t->slot->n_shared), 1);
	pass(idle, DUR_S(10));
	turn(t);
	assert_int_equal(atomic_load(&t->slot->n_shared), 0);
	assert_int_equal(count(t, OLINK_CLOSED_IDLE), 1);
	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	lease_end(&a.lease, true);
}

#define SHARED_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SHARED_TEST(test_idle_one_is_replaced_ahead_of_its_end),
	    SHARED_TEST(test_one_in_use_is_replaced_ahead_of_its_end),
	    SHARED_TEST(test_careful),
	    SHARED_TEST(test_server_that_has_died_is_found_while_idle),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
