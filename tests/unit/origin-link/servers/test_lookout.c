/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looks at what requests have found: of all addresses of an origin, of each origin's own, and what
 * they make of its breaker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/servers/gate.h"
#include "origin-link/servers/lookout.h"
#include "origin-link/servers/resolver.h"
#include "tests/unit/origin-link/name_server.h"
#include "tests/unit/origin-link/origins_rig.h"

struct test {
	struct origins_rig rig;
	struct name_server ns;
	struct cfg_origin origins[2];
	mono_time now;
};

/* What is seen counts from the first on, and never by its share. */
static const struct cfg_outliers outliers = {
    .enabled = true,
    .failures = 5,
    .requests = 100,
    .window = DUR_S(10),
    .ejection = DUR_S(10),
    .ejection_max = DUR_S(300),
    .most = 50,
};
static const struct cfg_breaker breaker = {
    .enabled = true,
    .share = 50,
    .requests = 20,
    .window = DUR_S(10),
    .open = DUR_S(5),
    .trials = 3,
};

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));
	struct server_table *servers;

	origins_rig_init(&t->rig);
	name_server_init(&t->ns, t->rig.group->control);
	t->ns.ttl = 3600;
	servers = &t->rig.olink->servers;
	resolver_destroy(&servers->resolver);
	servers->resolver =
	    resolver_create(t->rig.group->control, t->rig.olink->metrics, &t->ns.sources);
	t->now = loop_now(t->rig.group->control);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	name_server_fini(&t->ns);
	origins_rig_fini(&t->rig);
	free(t);
	return 0;
}

/* What the link looks at by itself now and then is nothing new. */
static void look(struct test *t)
{
	t->now = mono_add(t->now, DUR_S(1));
	lookout_look(t->rig.origins, t->now);
}

static void fail_at(struct test *t, const struct olink_address *a, unsigned n)
{
	struct outcome o = outcome_init();

	o.ended = true;
	o.reason = REASON_ORIGIN_CONNECT_REFUSED;
	for (unsigned i = 0; i < n; i++)
		endpoint_report(a->endpoint, t->rig.group->control, &o);
}

static struct olink_address *address(const struct test *t, unsigned origin, unsigned server,
				     unsigned i)
{
	return server_addresses(t->rig.origins->servers[origin][server])->v[i];
}

static unsigned addresses(struct origins_rig *rig)
{
	const struct olink_addresses *list = server_addresses(rig->origins->servers[0][0]);

	return list ? list->n : 0;
}

static bool has_all(struct origins_rig *rig)
{
	return addresses(rig) == SERVICE_ADDRS_MAX;
}

static bool has_two(struct origins_rig *rig)
{
	return addresses(rig) == 2;
}

static bool has_one(struct origins_rig *rig)
{
	return addresses(rig) == 1;
}

/* There was room for as many as a name has. */
static void test_a_service_had_more_addresses_than_the_look_had_room_for(void **state)
{
	static const char *const targets[] = {"1 1 80 s.test", "1 1 81 s.test", "1 1 82 s.test",
					      "1 1 83 s.test"};
	static char texts[RESOLVER_ADDRS_MAX][NET_ADDR_TEXT];
	struct test *t = *state;

	for (unsigned i = 0; i < RESOLVER_ADDRS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "192.0.2.%u", i + 1);
		t->ns.a[i] = texts[i];
	}
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		t->ns.srv[i] = targets[i];
	t->rig.servers[0] = (struct cfg_origin_server){.srv = "_http._tcp.s.test", .weight = 1};
	t->rig.origin.n_servers = 1;
	t->rig.origin.health.outliers = outliers;
	t->rig.origin.breaker = breaker;
	origins_rig_open(&t->rig);
	origins_rig_run_until(&t->rig, has_all);
	look(t);
	for (unsigned i = 0; i < SERVICE_ADDRS_MAX; i++) {
		assert_true(address(t, 0, 0, i)->is_counted);
		fail_at(t, address(t, 0, 0, i), 1);
	}
	look(t);
	assert_int_equal(t->rig.origins->gates[0].breaker.state, BREAKER_OPEN);
}

/* Two origins with so many of the same servers. */
static void open_two(struct test *t, unsigned n_of_first, unsigned n_of_second)
{
	t->rig.fleet.origins = t->origins;
	t->rig.fleet.n_origins = 2;
	for (unsigned i = 0; i < 2; i++) {
		t->origins[i] = t->rig.origin;
		t->origins[i].id = i;
		t->origins[i].name = i == 0 ? "app" : "api";
		t->origins[i].n_servers = i == 0 ? n_of_first : n_of_second;
	}
	origins_rig_open(&t->rig);
}

/* To one it is the last, which is never left out; to the other it is one of two. */
static void test_an_origin_took_back_what_another_had_left_out(void **state)
{
	struct test *t = *state;

	t->rig.origin.health.outliers = outliers;
	origins_rig_add_servers(&t->rig, 2);
	open_two(t, 1, 2);
	look(t);
	fail_at(t, address(t, 0, 0, 0), 5);
	for (unsigned i = 0; i < 3; i++) {
		look(t);
		assert_true(address_is_down(address(t, 1, 0, 0)));
		assert_false(address_is_down(address(t, 1, 1, 0)));
		assert_false(address_is_down(address(t, 0, 0, 0)));
	}
}

/* The first that looked had what both were to see. */
static void test_breakers_of_origins_with_the_same_server_hid_each_others(void **state)
{
	struct test *t = *state;

	t->rig.origin.breaker = breaker;
	origins_rig_add_servers(&t->rig, 1);
	open_two(t, 1, 1);
	look(t);
	fail_at(t, address(t, 0, 0, 0), breaker.requests);
	look(t);
	assert_int_equal(t->rig.origins->gates[0].breaker.state, BREAKER_OPEN);
	assert_int_equal(t->rig.origins->gates[1].breaker.state, BREAKER_OPEN);
}

/* Another origin has asked it for long. */
static void test_an_address_that_joined_opened_a_breaker_by_its_past(void **state)
{
	static struct cfg_origin_server other = {.address = {"192.0.2.2", 80}, .weight = 1};
	struct test *t = *state;

	t->ns.a[0] = "192.0.2.1";
	t->rig.origin.breaker = breaker;
	origins_rig_add_server(&t->rig, "s.test", 80);
	t->rig.fleet.origins = t->origins;
	t->rig.fleet.n_origins = 2;
	t->origins[0] = t->origins[1] = t->rig.origin;
	t->origins[1].id = 1;
	t->origins[1].name = "other";
	t->origins[1].servers = &other;
	t->origins[1].breaker.enabled = false;
	origins_rig_open(&t->rig);
	origins_rig_run_until(&t->rig, has_one);
	look(t);
	fail_at(t, address(t, 1, 0, 0), 100);
	t->ns.a[1] = "192.0.2.2";
	resolver_start_over(t->rig.olink->servers.resolver);
	origins_rig_run_until(&t->rig, has_two);
	assert_ptr_equal(address(t, 0, 0, 1)->endpoint, address(t, 1, 0, 0)->endpoint);
	look(t);
	assert_int_equal(t->rig.origins->gates[0].breaker.state, BREAKER_CLOSED);
	assert_int_equal(t->rig.origins->gates[0].breaker.seen.bad, 0);
	/* What it does from now on counts. */
	fail_at(t, address(t, 0, 0, 1), breaker.requests);
	look(t);
	assert_int_equal(t->rig.origins->gates[0].breaker.state, BREAKER_OPEN);
}

/* The look that ends it comes up to a second later than its end. */
static void test_a_breaker_gave_negative_times_when_its_look_was_late(void **state)
{
	static const struct breaker_counts bad = {.bad = 100};
	struct cfg_origin origin = {.name = "app", .breaker = breaker};
	struct test *t = *state;
	struct gate gate = {0};
	duration wait;

	gate_look(&gate, &origin, &bad, t->now);
	assert_false(gate_pass(&gate, mono_add(t->now, DUR_S(1)), &wait));
	assert_int_equal(wait.ns, DUR_S(4).ns);
	assert_false(gate_pass(&gate, mono_add(t->now, DUR_MS(5500)), &wait));
	assert_int_equal(wait.ns, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_service_had_more_addresses_than_the_look_had_room_for),
	    TEST(test_an_origin_took_back_what_another_had_left_out),
	    TEST(test_breakers_of_origins_with_the_same_server_hid_each_others),
	    TEST(test_an_address_that_joined_opened_a_breaker_by_its_past),
	    TEST(test_a_breaker_gave_negative_times_when_its_look_was_late),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
