/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Services by SRV records: their targets, weights and priorities; what becomes of them when records
 * and addresses change, go away, or say that there is no service.
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
#include "origin-link/servers/service.h"
#include "tests/unit/origin-link/name_server.h"

struct test {
	struct loop_group *group;
	struct metrics *metrics;
	struct name_server ns;
	struct resolver *resolver;
	struct cfg_resolve terms;
	struct service *service;
	unsigned n_results;
	enum resolver_news news;
	char got[1024]; /* "priority weight address:port, ..." */
};

static void result_cb(void *arg, enum resolver_news news, const struct service_address *v,
		      unsigned n)
{
	struct test *t = arg;

	t->n_results++;
	t->news = news;
	if (news != NAME_KEPT)
		*t->got = '\0';
	for (unsigned i = 0; i < n; i++) {
		char text[NET_ADDR_TEXT];

		sprintf(t->got + strlen(t->got), "%s%u %u %s", i ? ", " : "", v[i].priority,
			v[i].weight, net_addr_format(&v[i].addr, text));
	}
	loop_stop_mt(t->group->control);
}

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	t->group = loop_group_create(0);
	t->metrics = olink_counters_create(1);
	t->terms = (struct cfg_resolve){DUR_S(1), DUR_S(300), DUR_S(86400), CFG_FAMILY_ANY};
	name_server_init(&t->ns, t->group->control);
	t->ns.ttl = 60;
	t->resolver = resolver_create(t->group->control, t->metrics, &t->ns.sources);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	service_destroy(&t->service);
	resolver_destroy(&t->resolver);
	name_server_fini(&t->ns);
	metrics_destroy(&t->metrics);
	loop_group_destroy(&t->group);
	free(t);
	return 0;
}

static void start(struct test *t)
{
	struct resolver_question q = {.host = "_http._tcp.s.test", .terms = &t->terms};

	t->service = service_create(t->resolver, t->group->control, &q, result_cb, t);
}

/* Until that is what was told; from each turn of the name server on. */
static void wait_for(struct test *t, const char *wanted)
{
	do
		loop_run(t->group->control);
	while (strcmp(t->got, wanted) != 0 || !service_is_settled(t->service));
}

static void hosts(struct test *t)
{
	t->ns.hosts[0].name = "a.test";
	t->ns.hosts[0].a = "192.0.2.1";
	t->ns.hosts[1].name = "b.test";
	t->ns.hosts[1].a = "192.0.2.2";
	t->ns.hosts[2].name = "c.test";
	t->ns.hosts[2].a = "192.0.2.3";
}

static void test_targets(void **state)
{
	struct test *t = *state;

	hosts(t);
	t->ns.srv[0] = "20 0 8080 c.test";
	t->ns.srv[1] = "10 3 80 b.test";
	t->ns.srv[2] = "10 0 80 a.test";
	t->ns.srv[3] = "10 3 81 b.test";
	start(t);
	assert_false(service_is_settled(t->service));
	wait_for(t, "10 1 192.0.2.1:80, 10 30 192.0.2.2:80, 10 30 192.0.2.2:81, "
		    "20 10 192.0.2.3:8080");
	assert_int_equal(resolver_watch_facts(service_watch(t->service)).last, RESOLVER_FOUND);
}

/* All addresses of a target share its weight; an address of two targets is one server, and one
 * without an address is none. */
static void test_addresses_of_targets(void **state)
{
	struct test *t = *state;

	t->ns.a[0] = "192.0.2.8";
	t->ns.a[1] = "192.0.2.9";
	t->ns.hosts[0].name = "b.test";
	t->ns.hosts[0].a = "192.0.2.9";
	t->ns.hosts[1].name = "nowhere.test";
	t->ns.hosts[1].a = "";
	t->ns.srv[0] = "1 4 80 a.test";
	t->ns.srv[1] = "2 4 80 b.test";
	t->ns.srv[2] = "1 1 80 nowhere.test";
	start(t);
	wait_for(t, "1 20 192.0.2.8:80, 1 20 192.0.2.9:80");
}

/* A record that changes and a target that is new: the old ones go on until the new one is known. */
static void test_records_change(void **state)
{
	struct test *t = *state;

	hosts(t);
	t->ns.srv[0] = "1 1 80 a.test";
	t->ns.srv[1] = "1 1 80 b.test";
	start(t);
	wait_for(t, "1 10 192.0.2.1:80, 1 10 192.0.2.2:80");
	t->ns.srv[0] = "1 5 80 c.test";
	t->ns.srv[1] = "2 1 80 b.test";
	resolver_start_over(t->resolver);
	wait_for(t, "1 50 192.0.2.3:80, 2 10 192.0.2.2:80");
	assert_true(t->n_results <= 6);
}

/* None of the new targets has an address: a zone in the middle of its change. */
static void test_targets_that_nobody_knows_took_the_place_of_good_ones(void **state)
{
	struct test *t = *state;

	hosts(t);
	t->ns.hosts[2].a = "";
	t->ns.srv[0] = "1 1 80 a.test";
	start(t);
	wait_for(t, "1 10 192.0.2.1:80");
	t->ns.srv[0] = "1 1 80 c.test";
	resolver_start_over(t->resolver);
	while (metrics_sum(t->metrics, OLINK_RESOLVE_FAILURES) == 0)
		loop_run(t->group->control);
	loop_run(t->group->control);
	assert_string_equal(t->got, "1 10 192.0.2.1:80");
	t->ns.hosts[2].a = "192.0.2.3";
	resolver_start_over(t->resolver);
	wait_for(t, "1 10 192.0.2.3:80");
}

static void test_there_is_no_service(void **state)
{
	struct test *t = *state;

	hosts(t);
	t->ns.srv[0] = "1 1 80 a.test";
	start(t);
	wait_for(t, "1 10 192.0.2.1:80");
	t->ns.srv[0] = "0 0 0 .";
	resolver_start_over(t->resolver);
	wait_for(t, "");
	assert_int_equal(t->news, NAME_EXPIRED);
	assert_int_equal(resolver_watch_facts(service_watch(t->service)).last, RESOLVER_NO_SERVICE);
	assert_false(resolver_watch_facts(service_watch(t->service)).has);
	t->ns.srv[0] = "1 1 80 b.test";
	resolver_start_over(t->resolver);
	wait_for(t, "1 10 192.0.2.2:80");
}

static void test_there_never_was_one(void **state)
{
	struct test *t = *state;

	t->ns.srv[0] = NULL;
	start(t);
	loop_run(t->group->control);
	assert_int_equal(t->news, NAME_KEPT);
	assert_true(service_is_settled(t->service));
	assert_int_equal(resolver_watch_facts(service_watch(t->service)).last, RESOLVER_NO_ADDRESS);
}

/* The records and the addresses are kept, until their time is over. */
static void test_name_server_goes_away(void **state)
{
	struct test *t = *state;

	hosts(t);
	t->terms.keep = DUR_S(1);
	t->ns.ttl = 1;
	t->ns.srv[0] = "1 1 80 a.test";
	start(t);
	wait_for(t, "1 10 192.0.2.1:80");
	t->ns.rcode = 2;
	while (metrics_sum(t->metrics, OLINK_RESOLVE_FAILURES) < 2)
		event_base_loop(loop_base(t->group->control), EVLOOP_ONCE);
	assert_string_equal(t->got, "1 10 192.0.2.1:80");
	wait_for(t, "");
	assert_int_equal(t->news, NAME_EXPIRED);
	t->ns.rcode = 0;
	wait_for(t, "1 10 192.0.2.1:80");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_targets),
	    TEST(test_addresses_of_targets),
	    TEST(test_records_change),
	    TEST(test_targets_that_nobody_knows_took_the_place_of_good_ones),
	    TEST(test_there_is_no_service),
	    TEST(test_there_never_was_one),
	    TEST(test_name_server_goes_away),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
