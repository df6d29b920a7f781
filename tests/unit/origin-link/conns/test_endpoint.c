/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of endpoints: interned, given up, gone when nothing of them is left and not before, and
 * taken up again; warm connections; what is told of them.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/conns/transport.h"
#include "origin-link/conns/warm.h"
#include "tests/unit/origin-link/conns_rig.h"

struct test {
	struct conns_rig rig;
	struct echo_origin origin;
};

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	conns_rig_init(&t->rig, 0);
	echo_origin_start(&t->origin);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	conns_rig_fini(&t->rig);
	echo_origin_stop(&t->origin);
	free(t);
	return 0;
}

static unsigned n_endpoints(struct test *t)
{
	struct endpoint *e;
	unsigned n = 0;

	LIST_FOREACH (e, &t->rig.node->endpoints, link)
		n++;
	return n;
}

/* Whole graces and more. */
static void turns(struct test *t)
{
	for (int i = 0; i < 5; i++) {
		conns_rig_turn(&t->rig);
		endpoints_sweep(t->rig.node);
	}
}

static void test_interned(void **state)
{
	struct test *t = *state;
	struct transport *tls = transport_unverified("a.test", CFG_PROXY_PROTOCOL_NONE);
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	struct endpoint *again = conns_rig_endpoint(&t->rig, &t->origin.addr), *other;
	struct net_addr addr = t->origin.addr;

	assert_ptr_equal(e, again);
	assert_true(net_addr_equal(endpoint_addr(e), &t->origin.addr));
	net_addr_set_port(&addr, 1);
	other = conns_rig_endpoint(&t->rig, &addr);
	assert_ptr_not_equal(e, other);
	endpoint_give(&other);
	other = endpoint_take(t->rig.node, &t->origin.addr, tls);
	assert_ptr_not_equal(e, other);
	assert_ptr_equal(endpoint_transport(other), tls);
	transport_unref(&tls);
	assert_int_equal(n_endpoints(t), 3);
	endpoint_give(&other);
	endpoint_give(&again);
	assert_null(again);
	turns(t);
	/* The one that is still held by one of two. */
	assert_int_equal(n_endpoints(t), 1);
	endpoint_give(&e);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

static void test_not_before_the_grace(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);

	endpoint_give(&e);
	/* This very turn may still use it. */
	endpoints_sweep(t->rig.node);
	assert_int_equal(n_endpoints(t), 1);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

static void test_pinned(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr), *pinned = e;

	endpoint_pin(pinned, t->rig.group->control);
	endpoint_pin(pinned, t->rig.group->control);
	endpoint_give(&e);
	turns(t);
	e = pinned;
	endpoint_unpin(&e, t->rig.group->control);
	assert_null(e);
	turns(t);
	assert_int_equal(n_endpoints(t), 1);
	endpoint_unpin(&pinned, t->rig.group->control);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

static void test_idle_connections_are_closed(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	struct taker a;

	taker_init(&a, &t->rig, e);
	taker_get(&a);
	lease_end(&a.lease, true);
	endpoint_give(&e);
	turns(t);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_IDLE), 0);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_DISCARDED_RETIRED), 1);
	assert_int_equal(n_endpoints(t), 0);
}

/* A request goes on with what it has; its connection is not kept. */
static void test_held(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	struct taker a, b;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, e);
	taker_init(&b, &t->rig, e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	endpoint_give(&e);
	turns(t);
	assert_int_equal(n_endpoints(t), 1);
	taker_ping(&a);
	lease_end(&a.lease, true);
	/* Who waits is still served. */
	assert_int_equal(taker_wait(&b), REASON_NONE);
	taker_ping(&b);
	lease_end(&b.lease, true);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_IDLE), 0);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_DISCARDED_RETIRED), 2);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

/* A reload that brings the server back finds it with its connections. */
static void test_taken_up_again(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr), *first = e;
	struct taker a;

	taker_init(&a, &t->rig, e);
	taker_get(&a);
	lease_end(&a.lease, true);
	endpoint_give(&e);
	e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	assert_ptr_equal(e, first);
	turns(t);
	assert_int_equal(n_endpoints(t), 1);
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_IDLE), 1);
	/* And goes for good. */
	endpoint_give(&e);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

/* Its connections go, and what is known of it stays. */
static void test_remembered(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr), *known = e;
	struct taker a;

	taker_init(&a, &t->rig, e);
	taker_get(&a);
	lease_end(&a.lease, true);
	endpoint_suspect(e, t->rig.group->control);
	endpoint_remember(e);
	endpoint_give(&e);
	turns(t);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_IDLE), 0);
	assert_int_equal(n_endpoints(t), 1);
	e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	assert_ptr_equal(e, known);
	assert_true(endpoint_is_suspect(e, loop_now(t->rig.group->control)));
	endpoint_give(&e);
	endpoint_forget(&known);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

/* Given up with all that there can be of it, and nobody sweeps: for the leak checkers. */
static void test_left_over(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	struct taker a;

	taker_init(&a, &t->rig, e);
	taker_get(&a);
	lease_end(&a.lease, true);
	conns_rig_warm(&t->rig, e, 3);
	endpoint_give(&e);
}

/* Warm connections */

static bool three_idle(void *arg)
{
	return endpoint_facts(arg).idle == 3;
}

static void test_warm(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	struct taker a;

	conns_rig_warm(&t->rig, e, 3);
	/* Those that are under way count. */
	conns_rig_warm(&t->rig, e, 3);
	conns_rig_turn(&t->rig);
	assert_int_equal(endpoint_facts(e).open, 3);
	conns_rig_warm(&t->rig, e, 3);
	conns_rig_run_until(&t->rig, three_idle, e);
	conns_rig_turn(&t->rig);
	assert_int_equal(endpoint_facts(e).open, 3);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_WARM), 3);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_CONNECTS), 0);
	taker_init(&a, &t->rig, e);
	assert_int_equal(taker_take(&a), LEASE_READY);
	taker_ping(&a);
	/* One is in use: one is missing. */
	conns_rig_warm(&t->rig, e, 3);
	conns_rig_await(&t->rig, OLINK_WARM, 4);
	lease_end(&a.lease, true);
	endpoint_give(&e);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
}

static void test_warm_limits(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);

	t->rig.terms.max_idle = 1;
	conns_rig_warm(&t->rig, e, 3);
	conns_rig_await(&t->rig, OLINK_WARM, 1);
	t->rig.terms.max_idle = 100;
	t->rig.terms.max_connections = 2;
	conns_rig_warm(&t->rig, e, 3);
	conns_rig_await(&t->rig, OLINK_WARM, 2);
	conns_rig_turn(&t->rig);
	assert_int_equal(endpoint_facts(e).open, 2);
	assert_int_equal(atomic_load(&e->warming), 0);
	/* Of the node: what is over it would be opened and closed again and again. */
	conns_node_set_idle_limit(t->rig.node, 3);
	t->rig.terms.max_connections = 100;
	e->warmth.rests_until = (mono_time){0}; /* after what the limits have prevented */
	conns_rig_warm(&t->rig, e, 5);
	conns_rig_await(&t->rig, OLINK_WARM, 3);
	conns_rig_warm(&t->rig, e, 5);
	conns_rig_turn(&t->rig);
	assert_int_equal(endpoint_facts(e).open, 3);
	assert_int_equal(atomic_load(&e->warming), 0);
	assert_int_equal(conns_rig_count(&t->rig, OLINK_DISCARDED_DESCRIPTORS), 0);
	endpoint_give(&e);
}

/* Ten thousand servers at a side with room for a thousand connections were told to open one every
 * few seconds, and all of them looked at for each few that were not. */
static void test_full_side_is_told_to_open_nothing(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);

	conns_node_set_idle_limit(t->rig.node, 1);
	conns_rig_warm(&t->rig, e, 1);
	conns_rig_await(&t->rig, OLINK_WARM, 1);
	conns_rig_turn(&t->rig);
	conns_rig_warm(&t->rig, e, 2);
	assert_int_equal(atomic_load(&e->mails), 0);
	assert_int_equal(atomic_load(&e->warming), 0);
	/* That is nothing that requests are to wait for. */
	assert_false(endpoint_is_cold(e));
	endpoint_give(&e);
}

/* Of an identity of its own. */
static struct endpoint *another_endpoint(struct test *t, unsigned i)
{
	struct cfg_origin origin = {.connection = {.user_timeout = DUR_S(1 + i)}};
	struct transport *transport = transport_load(&origin, "", NULL);
	struct endpoint *e = endpoint_take(t->rig.node, &t->origin.addr, transport);

	transport_unref(&transport);
	return e;
}

/* More are wanted than may be under way at a time: the others follow as these end. */
static void test_warm_in_turns(void **state)
{
	enum { N = 5, EACH = 8, OTHERS = 60 };
	struct test *t = *state;
	struct endpoint *v[N];

	t->rig.node->n_warm_orders = OTHERS;
	warm_begin(t->rig.node);
	for (unsigned i = 0; i < N; i++) {
		v[i] = another_endpoint(t, i);
		warm_want(v[i], &t->rig.terms, EACH);
	}
	warm_end(t->rig.node);
	assert_int_equal(t->rig.node->n_warm_orders, 64);
	assert_false(TAILQ_EMPTY(&t->rig.node->warm_waiting));
	conns_rig_await(&t->rig, OLINK_WARM, N * EACH);
	conns_rig_turn(&t->rig);
	assert_true(TAILQ_EMPTY(&t->rig.node->warm_waiting));
	assert_int_equal(t->rig.node->n_warm_orders, OTHERS);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(endpoint_facts(v[i]).open, EACH);
		endpoint_give(&v[i]);
	}
}

/* It has gone before its turn came. */
static void test_given_up_while_it_waits(void **state)
{
	struct test *t = *state;
	struct endpoint *e = conns_rig_endpoint(&t->rig, &t->origin.addr);

	t->rig.node->n_warm_orders = UINT_MAX;
	conns_rig_warm(&t->rig, e, 1);
	assert_false(TAILQ_EMPTY(&t->rig.node->warm_waiting));
	endpoint_give(&e);
	turns(t);
	assert_int_equal(n_endpoints(t), 0);
	assert_true(TAILQ_EMPTY(&t->rig.node->warm_waiting));
}

static bool has_failed(void *arg)
{
	struct endpoint *e = arg;

	return endpoint_facts(e).last_failure != REASON_NONE;
}

static void test_warm_failure(void **state)
{
	struct test *t = *state;
	struct net_addr addr = t->origin.addr;
	struct endpoint *e;

	/* Nobody can listen there. */
	net_addr_set_port(&addr, 0);
	e = conns_rig_endpoint(&t->rig, &addr);
	conns_rig_warm(&t->rig, e, 1);
	conns_rig_run_until(&t->rig, has_failed, e);
	assert_int_equal(endpoint_facts(e).open, 0);
	assert_int_equal(atomic_load(&e->warming), 0);
	endpoint_give(&e);
}

/* A connection that is one client's is of no use to the next. */
static void test_not_warm_with_proxy_header(void **state)
{
	struct test *t = *state;
	struct cfg_origin origin = {.proxy_protocol = CFG_PROXY_PROTOCOL_V2};
	struct transport *transport = transport_load(&origin, "", NULL);
	struct endpoint *e = endpoint_take(t->rig.node, &t->origin.addr, transport);

	transport_unref(&transport);
	conns_rig_warm(&t->rig, e, 1);
	conns_rig_turn(&t->rig);
	assert_int_equal(endpoint_facts(e).open, 0);
	endpoint_give(&e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_interned),
	    TEST(test_not_before_the_grace),
	    TEST(test_pinned),
	    TEST(test_idle_connections_are_closed),
	    TEST(test_held),
	    TEST(test_taken_up_again),
	    TEST(test_remembered),
	    TEST(test_left_over),
	    TEST(test_warm),
	    TEST(test_warm_limits),
	    TEST(test_warm_failure),
	    TEST(test_not_warm_with_proxy_header),
	    TEST(test_full_side_is_told_to_open_nothing),
	    TEST(test_warm_in_turns),
	    TEST(test_given_up_while_it_waits),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
