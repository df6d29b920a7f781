/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What each client may have: connections and requests at a time and in a time, of an address or an
 * IPv6 /64, whichever connections they come by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/limit/guard.h"

static const mono_time start = {INT64_C(1000000000000)};

static mono_time at_ms(int64_t ms)
{
	return mono_add(start, DUR_MS(ms));
}

static struct edge_client client_of(const char *address)
{
	struct edge_client client = {.protocol = ""};

	CHECK(net_addr_parse(address, 0, &client.addr));
	return client;
}

static void assert_empty(struct edge_guard **guard)
{
	assert_int_equal(edge_tally_used((*guard)->tally), 0);
	edge_guard_destroy(guard);
}

static void test_connections(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	const struct cfg_per_client limits = {.connections = 2};
	struct edge_client a = client_of("2001:db8::1"), b = client_of("2001:db8::2"),
			   c = client_of("2001:db8::3"), d = client_of("2001:db8:0:1::1");

	assert_int_equal(edge_guard_enter(g, &limits, &a, start), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_enter(g, &limits, &b, start), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_enter(g, &limits, &c, start), EDGE_GUARD_TOO_MANY);
	assert_int_equal(edge_guard_enter(g, &limits, &d, start), EDGE_GUARD_PASSES);
	edge_guard_leave(&c); /* which was not counted */
	edge_guard_leave(&a);
	assert_int_equal(edge_guard_enter(g, &limits, &c, start), EDGE_GUARD_PASSES);
	edge_guard_leave(&b);
	edge_guard_leave(&c);
	edge_guard_leave(&d);
	assert_empty(&g);
}

static void test_connection_rate(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	const struct cfg_per_client limits = {.connection_rate = {2, DUR_S(1)}};
	struct edge_client a = client_of("192.0.2.1"), b = client_of("192.0.2.2");

	assert_int_equal(edge_guard_enter(g, &limits, &a, at_ms(0)), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_enter(g, &limits, &a, at_ms(0)), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_enter(g, &limits, &a, at_ms(499)), EDGE_GUARD_TOO_FAST);
	assert_int_equal(edge_guard_enter(g, &limits, &b, at_ms(499)), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_enter(g, &limits, &a, at_ms(500)), EDGE_GUARD_PASSES);
	assert_empty(&g);
}

/* Apart from connections, and one for all addresses of a network. */
static void test_handshake_rate(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	const struct cfg_per_client limits = {.connection_rate = {1, DUR_S(1)},
					      .handshake_rate = {2, DUR_S(1)}};
	struct edge_client a = client_of("2001:db8::1"), b = client_of("2001:db8::2"),
			   c = client_of("2001:db8:0:1::1");
	const struct cfg_rate *rate = &limits.handshake_rate;

	assert_int_equal(edge_guard_enter(g, &limits, &a, at_ms(0)), EDGE_GUARD_PASSES);
	assert_true(edge_guard_shake(g, rate, &a, at_ms(0)));
	assert_true(edge_guard_shake(g, rate, &b, at_ms(0)));
	assert_false(edge_guard_shake(g, rate, &a, at_ms(499)));
	assert_true(edge_guard_shake(g, rate, &c, at_ms(499)));
	assert_true(edge_guard_shake(g, rate, &b, at_ms(500)));
	assert_false(edge_guard_shake(g, rate, &b, at_ms(500)));
	assert_empty(&g);
}

/* One that makes all of its connections at once is an edge, and those that are let in are not what
 * the rate is for. */
static void test_handshakes_of_edges(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	const struct cfg_rate rate = {2, DUR_S(1)};
	struct edge_client a = client_of("192.0.2.1");

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 2 + 10; i++)
			assert_true(edge_guard_shake_edge(g, &rate, 10, &a, at_ms(0)));
		assert_false(edge_guard_shake_edge(g, &rate, 10, &a, at_ms(0)));
		/* Its clients, if it has any, come by another bucket. */
		assert_int_equal(edge_guard_shake(g, &rate, &a, at_ms(0)), round == 0);
		assert_int_equal(edge_guard_shake(g, &rate, &a, at_ms(0)), round == 0);
		for (unsigned i = 0; i < 2 + 10; i++)
			edge_guard_unshake_edge(g, &rate, &a);
	}
	for (unsigned i = 0; i < 2 + 10; i++)
		assert_true(edge_guard_shake_edge(g, &rate, 10, &a, at_ms(0)));
	assert_false(edge_guard_shake_edge(g, &rate, 10, &a, at_ms(499)));
	assert_true(edge_guard_shake_edge(g, &rate, 10, &a, at_ms(500)));
	assert_empty(&g);
}

static void test_requests(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	const struct cfg_per_client none = {0}, limits = {.requests = 2};
	struct edge_client old = client_of("192.0.2.1"), new = client_of("192.0.2.1");
	struct edge_guard_hold one, two, three;
	duration wait;

	/* Before there was a limit, and after. */
	assert_int_equal(edge_guard_enter(g, &none, &old, start), EDGE_GUARD_PASSES);
	assert_null(old.counted);
	assert_int_equal(edge_guard_enter(g, &limits, &new, start), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_begin(g, &limits, &old, start, &one, &wait), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_begin(g, &limits, &new, start, &two, &wait), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_begin(g, &limits, &new, start, &three, &wait),
			 EDGE_GUARD_TOO_MANY);
	edge_guard_end(&three);
	assert_int_equal(edge_guard_begin(g, &limits, &old, start, &three, &wait),
			 EDGE_GUARD_TOO_MANY);
	edge_guard_end(&three);
	edge_guard_end(&one);
	assert_int_equal(edge_guard_begin(g, &limits, &old, start, &three, &wait),
			 EDGE_GUARD_PASSES);
	/* Those that were counted end as such, whatever the limit is by now. */
	assert_int_equal(edge_guard_begin(g, &none, &old, start, &one, &wait), EDGE_GUARD_PASSES);
	edge_guard_end(&one);
	edge_guard_end(&two);
	edge_guard_end(&three);
	edge_guard_leave(&new);
	edge_guard_leave(&old);
	assert_empty(&g);
}

static void test_request_rate(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	const struct cfg_per_client limits = {.request_rate = {1, DUR_S(2)},
					      .connection_rate = {1, DUR_S(2)}};
	struct edge_client a = client_of("192.0.2.1");
	struct edge_guard_hold hold;
	duration wait;

	/* Connections and requests are apart. */
	assert_int_equal(edge_guard_enter(g, &limits, &a, at_ms(0)), EDGE_GUARD_PASSES);
	assert_int_equal(edge_guard_begin(g, &limits, &a, at_ms(0), &hold, &wait),
			 EDGE_GUARD_PASSES);
	edge_guard_end(&hold);
	assert_int_equal(edge_guard_begin(g, &limits, &a, at_ms(500), &hold, &wait),
			 EDGE_GUARD_TOO_FAST);
	assert_int_equal(dur_to_ms(wait), 1500);
	assert_int_equal(edge_guard_begin(g, &limits, &a, at_ms(2000), &hold, &wait),
			 EDGE_GUARD_PASSES);
	edge_guard_end(&hold);
	assert_empty(&g);
}

/* Their keys were all odd, and half of both tables was never used. */
static void test_clients_fill_the_tables(void **state)
{
	enum { TRACKED = 1024, CLIENTS = 8 * TRACKED };
	struct edge_guard *g = edge_guard_create(TRACKED);
	const struct cfg_per_client limits = {
	    .connections = 1, .connection_rate = {1, DUR_S(100)}, .request_rate = {1, DUR_S(100)}};
	struct edge_client *clients = xcalloc(CLIENTS, sizeof(*clients));
	struct edge_guard_hold hold;
	duration wait;

	for (unsigned i = 0; i < CLIENTS; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		clients[i] = client_of(address);
		assert_int_equal(edge_guard_enter(g, &limits, &clients[i], start),
				 EDGE_GUARD_PASSES);
	}
	/* A set that none of so many clients falls into would need e^-64 of luck. */
	assert_int_equal(edge_tally_used(g->tally), TRACKED);
	assert_int_equal(edge_rates_used(g->rates, start), TRACKED);
	assert_int_equal(edge_guard_begin(g, &limits, &clients[0], start, &hold, &wait),
			 EDGE_GUARD_PASSES);
	edge_guard_end(&hold);
	for (unsigned i = 0; i < CLIENTS; i++)
		edge_guard_leave(&clients[i]);
	free(clients);
	assert_empty(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_connections),
	    cmocka_unit_test(test_connection_rate),
	    cmocka_unit_test(test_handshake_rate),
	    cmocka_unit_test(test_handshakes_of_edges),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_request_rate),
	    cmocka_unit_test(test_clients_fill_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
