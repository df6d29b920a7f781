/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names kept resolved: literals, the hosts file, and a name server of the test's own, on the same
 * loop, whose answers change and fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/loop/loop.h"
#include "origin-link/conns/counters.h"
#include "origin-link/servers/resolver.h"
#include "tests/support/few_descriptors.h"
#include "tests/unit/origin-link/name_server.h"

struct test {
	struct loop_group *group;
	struct metrics *metrics;
	struct name_server ns;
	struct resolver *resolver;
	unsigned n_results;
	unsigned n;
	struct net_addr addrs[RESOLVER_ADDRS_MAX];
};

static void result_cb(void *arg, const struct net_addr *addrs, unsigned n)
{
	struct test *t = arg;

	t->n_results++;
	t->n = n;
	memcpy(t->addrs, addrs, n * sizeof(*addrs));
	loop_stop_mt(t->group->control);
}

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));
	char *error = NULL;

	t->group = loop_group_create(0);
	t->metrics = olink_counters_create(1);
	name_server_init(&t->ns, t->group->control);
	t->resolver = resolver_create(t->group->control, t->metrics, t->ns.text, &error);
	assert_non_null(t->resolver);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	resolver_destroy(&t->resolver);
	name_server_fini(&t->ns);
	metrics_destroy(&t->metrics);
	loop_group_destroy(&t->group);
	free(t);
	return 0;
}

static void assert_addr(const struct net_addr *addr, const char *text)
{
	char buf[NET_ADDR_TEXT];

	assert_string_equal(net_addr_format(addr, buf), text);
}

static void test_literal_is_known_at_once(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	w = resolver_watch_create(t->resolver, "192.0.2.7", 8080, result_cb, t);
	assert_int_equal(t->n_results, 1);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "192.0.2.7:8080");
	resolver_watch_destroy(&w);
	w = resolver_watch_create(t->resolver, "2001:db8::7", 443, result_cb, t);
	assert_int_equal(t->n_results, 2);
	assert_addr(&t->addrs[0], "[2001:db8::7]:443");
	resolver_watch_destroy(&w);
	assert_int_equal(t->ns.n_asked, 0);
}

static void test_hosts_file(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	w = resolver_watch_create(t->resolver, "localhost", 80, result_cb, t);
	loop_run(t->group->control);
	assert_true(t->n >= 1);
	assert_addr(&t->addrs[0], "127.0.0.1:80");
	assert_int_equal(t->ns.n_asked, 0);
	resolver_watch_destroy(&w);
}

/* Found, sorted and without doubles; lost for a while, which is told and changes nothing; found
 * elsewhere. */
static void test_refresh_and_failure(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.a[0] = "192.0.2.9";
	t->ns.a[1] = "192.0.2.3";
	t->ns.a[2] = "192.0.2.9";
	t->ns.ttl = 1;
	w = resolver_watch_create(t->resolver, "origin.test", 80, result_cb, t);
	loop_run(t->group->control);
	assert_int_equal(t->n, 2);
	assert_addr(&t->addrs[0], "192.0.2.3:80");
	assert_addr(&t->addrs[1], "192.0.2.9:80");

	t->ns.rcode = 3;
	loop_run(t->group->control);
	assert_int_equal(t->n, 0);
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVES), 2);
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVE_FAILURES), 1);

	t->ns.rcode = 0;
	t->ns.a[0] = "192.0.2.4";
	t->ns.a[1] = NULL;
	loop_run(t->group->control);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "192.0.2.4:80");
	resolver_watch_destroy(&w);
}

static void test_too_many_addresses_are_cut(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;
	char text[RESOLVER_ADDRS_MAX + 3][16];

	for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
		snprintf(text[i], sizeof(text[i]), "192.0.2.%u", i + 1);
		t->ns.a[i] = text[i];
	}
	t->ns.ttl = 60;
	w = resolver_watch_create(t->resolver, "many.test", 80, result_cb, t);
	loop_run(t->group->control);
	assert_int_equal(t->n, RESOLVER_ADDRS_MAX);
	assert_addr(&t->addrs[0], "192.0.2.1:80");
	resolver_watch_destroy(&w);
}

/* Name servers turn their answers around: the cut must not, or a name of many addresses would lose
 * and find some, their health and connections with them, at every look. */
static void test_same_cut_in_another_order(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;
	char text[RESOLVER_ADDRS_MAX + 3][16];

	for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
		snprintf(text[i], sizeof(text[i]), "192.0.2.%u", (unsigned)ARRAY_SIZE(text) - i);
		t->ns.a[i] = text[i];
	}
	t->ns.ttl = 60;
	w = resolver_watch_create(t->resolver, "turned.test", 80, result_cb, t);
	loop_run(t->group->control);
	assert_int_equal(t->n, RESOLVER_ADDRS_MAX);
	assert_addr(&t->addrs[0], "192.0.2.1:80");
	resolver_watch_destroy(&w);
}

/* No Linux connects to 255.255.255.255 without SO_BROADCAST, so it stands for
 * the IPv6 addresses of an origin on a machine without IPv6. Two of them in a row were the two that
 * a request tried: every so many requests failed though other addresses served. */
static void test_addresses_without_a_route_are_left_out(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.a[0] = "255.255.255.255";
	t->ns.a[1] = "127.0.0.2";
	t->ns.aaaa[0] = "::1";
	t->ns.ttl = 60;
	w = resolver_watch_create(t->resolver, "dual.test", 80, result_cb, t);
	loop_run(t->group->control);
	assert_in_range(t->n, 1, 2); /* there may be no IPv6 here */
	assert_addr(&t->addrs[0], "127.0.0.2:80");
	resolver_watch_destroy(&w);

	/* Nothing else: better than no address. */
	t->ns.a[1] = NULL;
	t->ns.aaaa[0] = NULL;
	w = resolver_watch_create(t->resolver, "lost.test", 80, result_cb, t);
	loop_run(t->group->control);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "255.255.255.255:80");
	resolver_watch_destroy(&w);
}

/* The answer to a question whose watch is gone goes nowhere. */
static void test_watch_ends_while_asking(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.silent = true;
	w = resolver_watch_create(t->resolver, "silent.test", 80, result_cb, t);
	loop_run(t->group->control);
	resolver_watch_destroy(&w);
	assert_null(w);
	assert_int_equal(t->n_results, 0);
	/* teardown ends the open question */
}

/* c-ares then says that it cannot reach the servers, or that it does not know the name. */
static void test_no_descriptors_is_no_failure_of_the_name(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;
	rlim_t allowed;

	t->ns.a[0] = "192.0.2.9";
	t->ns.ttl = 60;
	allowed = descriptors_use_up();
	w = resolver_watch_create(t->resolver, "origin.test", 80, result_cb, t);
	while (metrics_sum(t->metrics, OLINK_RESOLVES_PREVENTED) == 0)
		event_base_loop(loop_base(t->group->control), EVLOOP_ONCE);
	assert_int_equal(t->n_results, 0);
	descriptors_allow(allowed);
	loop_run(t->group->control);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "192.0.2.9:80");
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVE_FAILURES), 0);
	resolver_watch_destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_literal_is_known_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hosts_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refresh_and_failure, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_too_many_addresses_are_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_same_cut_in_another_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_addresses_without_a_route_are_left_out, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_watch_ends_while_asking, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_descriptors_is_no_failure_of_the_name, setup,
					    teardown),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
