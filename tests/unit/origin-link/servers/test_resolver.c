/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names kept resolved: literals, the hosts file, and a name server of the test's own, on the same
 * loop, whose answers change, fail and lie; and the file that names it, when it is wrong or
 * changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
	struct cfg_resolve terms;
	unsigned n_results;
	enum resolver_news news;
	unsigned n;
	struct net_addr addrs[RESOLVER_ADDRS_MAX];
};

static void result_cb(void *arg, enum resolver_news news, const struct net_addr *addrs, unsigned n)
{
	struct test *t = arg;

	assert_int_equal(news == NAME_FOUND, n > 0);
	t->n_results++;
	t->news = news;
	t->n = n;
	if (n > 0)
		memcpy(t->addrs, addrs, n * sizeof(*addrs));
	loop_stop_mt(t->group->control);
}

static struct resolver_watch *watch(struct test *t, const char *host, uint16_t port)
{
	struct resolver_question q = {.host = host, .port = port, .terms = &t->terms};

	return resolver_watch_create(t->resolver, &q, result_cb, t);
}

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	t->group = loop_group_create(0);
	t->metrics = olink_counters_create(1);
	t->terms = (struct cfg_resolve){DUR_S(1), DUR_S(300), DUR_S(86400), CFG_FAMILY_ANY};
	name_server_init(&t->ns, t->group->control);
	t->resolver = resolver_create(t->group->control, t->metrics, &t->ns.sources);
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

	w = watch(t, "192.0.2.7", 8080);
	assert_int_equal(t->n_results, 1);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "192.0.2.7:8080");
	resolver_watch_destroy(&w);
	w = watch(t, "2001:db8::7", 443);
	assert_int_equal(t->n_results, 2);
	assert_addr(&t->addrs[0], "[2001:db8::7]:443");
	resolver_watch_destroy(&w);
	assert_int_equal(t->ns.n_asked, 0);
}

static void test_hosts_file(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	w = watch(t, "localhost", 80);
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
	w = watch(t, "origin.test", 80);
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

/* Who says that a name does not exist was told like who says nothing. */
static void test_why_there_was_no_address_was_not_told(void **state)
{
	static const struct {
		int rcode;
		enum resolver_end end;
		bool denied;
	} cases[] = {
	    {0, RESOLVER_NO_ADDRESS, true},   {2, RESOLVER_NO_ANSWER, false},
	    {3, RESOLVER_NO_SUCH_NAME, true}, {4, RESOLVER_NO_ANSWER, false},
	    {5, RESOLVER_NO_ANSWER, false},   {-1, RESOLVER_NO_ANSWER, false},
	};
	struct test *t = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t denied = metrics_sum(t->metrics, OLINK_RESOLVES_DENIED);
		struct resolver_watch *w;
		struct resolver_facts facts;

		if (cases[i].rcode < 0) {
			/* Nobody is there. */
			name_server_write_conf(&t->ns, "nameserver 127.0.0.3\n");
			resolver_start_over(t->resolver);
		}
		t->ns.rcode = cases[i].rcode;
		w = watch(t, "origin.test", 80);
		assert_int_equal(resolver_watch_facts(w).last, RESOLVER_PENDING);
		loop_run(t->group->control);
		facts = resolver_watch_facts(w);
		if (facts.last != cases[i].end)
			fail_msg("case %u: %s", i, resolver_end_text(facts.last));
		assert_int_equal(t->news, NAME_KEPT);
		assert_false(facts.has);
		assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVES_DENIED) - denied,
				 cases[i].denied);
		resolver_watch_destroy(&w);
	}
}

/* Whoever has them by now would have been sent requests. */
static void test_last_addresses_were_kept_for_ever(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->terms.keep = DUR_S(1);
	t->ns.a[0] = "192.0.2.9";
	t->ns.ttl = 1;
	w = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	t->ns.rcode = 2;
	loop_run(t->group->control);
	assert_int_equal(t->news, NAME_KEPT);
	assert_true(resolver_watch_facts(w).has);
	while (t->news == NAME_KEPT)
		loop_run(t->group->control);
	assert_int_equal(t->news, NAME_EXPIRED);
	assert_false(resolver_watch_facts(w).has);
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVES_EXPIRED), 1);
	loop_run(t->group->control);
	assert_int_equal(t->news, NAME_KEPT); /* there is nothing to lose any more */

	t->ns.rcode = 0;
	loop_run(t->group->control);
	assert_int_equal(t->news, NAME_FOUND);
	assert_true(resolver_watch_facts(w).has);
	resolver_watch_destroy(&w);
}

/* A watch that is there for a moment does not make them young again. */
static void test_keep_goes_on_in_the_next_watch(void **state)
{
	struct test *t = *state;
	struct resolver_question q = {.host = "origin.test", .port = 80, .terms = &t->terms};
	struct resolver_watch *w, *next;

	t->terms.keep = DUR_S(0);
	t->ns.a[0] = "192.0.2.9";
	t->ns.ttl = 1;
	w = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	t->ns.rcode = 3;
	q.before = w;
	next = resolver_watch_create(t->resolver, &q, result_cb, t);
	assert_true(resolver_watch_facts(next).has);
	resolver_watch_destroy(&w);
	while (t->news != NAME_EXPIRED)
		loop_run(t->group->control);
	assert_false(resolver_watch_facts(next).has);
	resolver_watch_destroy(&next);
}

/* One name for two that want different things of it. */
static void test_each_watch_has_terms_of_its_own(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w[2];

	t->ns.a[0] = "127.0.0.9";
	t->ns.aaaa[0] = "::1";
	t->ns.ttl = 60;
	t->terms.family = CFG_FAMILY_IPV4;
	w[0] = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	assert_int_equal(t->ns.n_asked, 1); /* for one family only */
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "127.0.0.9:80");
	t->terms.family = CFG_FAMILY_IPV6;
	w[1] = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	assert_int_equal(t->ns.n_asked, 2);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "[::1]:80");
	resolver_watch_destroy(&w[0]);
	resolver_watch_destroy(&w[1]);
}

/* The answer to a question whose watch is gone goes nowhere. */
static void test_watch_ends_while_asking(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.silent = true;
	w = watch(t, "silent.test", 80);
	loop_run(t->group->control);
	resolver_watch_destroy(&w);
	assert_null(w);
	assert_int_equal(t->n_results, 0);
	/* teardown ends the open question */
}

/* It comes when nobody wants it any more, and another one is waited for. */
static void test_answer_comes_late(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.silent = true;
	w = watch(t, "late.test", 80);
	loop_run(t->group->control);
	resolver_watch_destroy(&w);
	t->ns.silent = false;
	t->ns.a[0] = "192.0.2.66";
	t->ns.ttl = 60;
	name_server_answer(&t->ns);
	t->ns.a[0] = "192.0.2.7";
	w = watch(t, "other.test", 80);
	loop_run(t->group->control);
	assert_int_equal(t->n, 1);
	assert_addr(&t->addrs[0], "192.0.2.7:80");
	resolver_watch_destroy(&w);
}

/* What it must not do to us. */

static size_t says_that_it_is_cut(struct name_server *ns, uint8_t *packet, size_t n)
{
	packet[2] |= 2; /* and nobody listens for TCP */
	return n;
}

static size_t goes_round_in_circles(struct name_server *ns, uint8_t *packet, size_t n)
{
	/* The asked name is an alias of itself. */
	static const uint8_t alias[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12};

	memcpy(packet + n, alias, sizeof(alias));
	packet[7] = 1;
	return n + sizeof(alias);
}

static size_t has_a_name_without_end(struct name_server *ns, uint8_t *packet, size_t n)
{
	static const uint8_t name[] = {0xc0, 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

	memcpy(packet + n, name, sizeof(name));
	packet[n + 1] = n; /* a pointer to itself */
	packet[7] = 1;
	return n + sizeof(name);
}

static const struct lie {
	const char *a;
	size_t (*twist)(struct name_server *ns, uint8_t *packet, size_t n);
} lies[] = {
    {NULL, NULL},
    {"0.0.0.0", NULL},
    {"255.255.255.255", NULL},
    {"224.0.0.1", NULL},
    {"192.0.2.1", says_that_it_is_cut},
    {NULL, goes_round_in_circles},
    {NULL, has_a_name_without_end},
};

/* Each is a failure, and the next answer is believed. */
static void test_answers_that_are_of_no_use(void **state)
{
	struct test *t = *state;

	t->ns.ttl = 60;
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		struct resolver_watch *w;

		t->ns.a[0] = lies[i].a;
		t->ns.twist = lies[i].twist;
		w = watch(t, "lie.test", 80);
		t->n = 99;
		loop_run(t->group->control);
		if (t->n != 0)
			fail_msg("lie %u: %u addresses", i, t->n);
		t->ns.a[0] = "192.0.2.3";
		t->ns.twist = NULL;
		resolver_start_over(t->resolver);
		loop_run(t->group->control);
		assert_int_equal(t->n, 1);
		assert_addr(&t->addrs[0], "192.0.2.3:80");
		resolver_watch_destroy(&w);
	}
}

/* What is no answer to what was asked is not taken for one; and it is asked again, after 2 s. */

static size_t answers_another_question(struct name_server *ns, uint8_t *packet, size_t n)
{
	if (ns->n_asked <= 2)
		packet[13] ^= 1;
	return n;
}

static size_t has_another_number(struct name_server *ns, uint8_t *packet, size_t n)
{
	if (ns->n_asked <= 2)
		packet[0] ^= 1;
	return n;
}

static void test_answer_to_another_question(void **state)
{
	size_t (*const twists[])(struct name_server *, uint8_t *,
				 size_t) = {answers_another_question, has_another_number};
	struct test *t = *state;

	t->ns.a[0] = "192.0.2.3";
	t->ns.ttl = 60;
	for (unsigned i = 0; i < ARRAY_SIZE(twists); i++) {
		struct resolver_watch *w;

		t->ns.twist = twists[i];
		t->ns.n_asked = 0;
		w = watch(t, "question.test", 80);
		loop_run(t->group->control);
		assert_int_equal(t->n, 1);
		assert_in_range(t->ns.n_asked, 3, 6);
		resolver_watch_destroy(&w);
	}
}

/* resolv.conf, at start and later */

static void is_empty(struct name_server *ns)
{
	name_server_write_conf(ns, "");
}

static void names_another(struct name_server *ns)
{
	name_server_write_conf(ns, "nameserver 127.0.0.3\n");
}

static void is_a_pipe(struct name_server *ns)
{
	assert_int_equal(mkfifo(ns->resolv_conf, 0600), 0);
}

static void points_nowhere(struct name_server *ns)
{
	assert_int_equal(symlink("/nowhere/resolv.conf", ns->resolv_conf), 0);
}

static void (*const wrong_at_start[])(struct name_server *ns) = {
    is_empty,
    names_another,
    is_a_pipe,
    points_nowhere,
};

/* Names stayed unknown until the program was started again; and a pipe would have held it up, for
 * ever. */
static void test_resolv_conf_is_corrected_later(void **state)
{
	struct test *t = *state;

	t->ns.a[0] = "192.0.2.3";
	t->ns.ttl = 60;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong_at_start); i++) {
		struct resolver_watch *w;

		resolver_destroy(&t->resolver);
		assert_int_equal(remove(t->ns.resolv_conf), 0);
		wrong_at_start[i](&t->ns);
		t->resolver = resolver_create(t->group->control, t->metrics, &t->ns.sources);
		w = watch(t, "origin.test", 80);
		t->n = 99;
		loop_run(t->group->control);
		assert_int_equal(t->n, 0);
		remove(t->ns.resolv_conf);
		name_server_write_own_conf(&t->ns);
		while (t->n == 0)
			loop_run(t->group->control);
		assert_addr(&t->addrs[0], "192.0.2.3:80");
		resolver_watch_destroy(&w);
	}
}

/* What becomes of it while names are known and their questions answered is looked at as well; but
 * what cannot be read takes nothing away. */
static void test_resolv_conf_breaks_later(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.a[0] = "192.0.2.3";
	t->ns.ttl = 1;
	w = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	assert_int_equal(t->n, 1);
	assert_int_equal(remove(t->ns.resolv_conf), 0);
	is_a_pipe(&t->ns);
	for (unsigned i = 0; i < 3; i++) {
		loop_run(t->group->control);
		assert_int_equal(t->n, 1);
	}
	names_another(&t->ns);
	while (t->n > 0)
		loop_run(t->group->control);
	resolver_watch_destroy(&w);
}

/* What is known for five minutes is asked for anew all the same. */
static void test_start_over(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.a[0] = "192.0.2.3";
	t->ns.ttl = 300;
	w = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	t->ns.a[0] = "192.0.2.4";
	resolver_start_over(t->resolver);
	loop_run(t->group->control);
	assert_int_equal(t->n_results, 2);
	assert_addr(&t->addrs[0], "192.0.2.4:80");
	resolver_watch_destroy(&w);
}

/* A question that is open then is neither lost nor counted as failed. */
static void test_start_over_while_asking(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.silent = true;
	w = watch(t, "origin.test", 80);
	loop_run(t->group->control);
	assert_int_equal(t->n_results, 0);
	t->ns.silent = false;
	t->ns.a[0] = "192.0.2.3";
	t->ns.ttl = 60;
	resolver_start_over(t->resolver);
	while (t->n_results == 0)
		loop_run(t->group->control);
	assert_int_equal(t->n, 1);
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVES), 1);
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVE_FAILURES), 0);
	resolver_watch_destroy(&w);
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
	w = watch(t, "origin.test", 80);
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

static rlim_t allowed_before;

static size_t comes_when_none_is_left(struct name_server *ns, uint8_t *packet, size_t n)
{
	if (allowed_before == 0)
		allowed_before = descriptors_use_up();
	return n;
}

/* Which addresses have a route could not be looked at, so those without were taken too. */
static void test_answer_without_descriptors_took_all_addresses(void **state)
{
	struct test *t = *state;
	struct resolver_watch *w;

	t->ns.a[0] = "192.0.2.9";
	t->ns.aaaa[0] = "2001:db8::9";
	t->ns.ttl = 60;
	allowed_before = 0;
	t->ns.twist = comes_when_none_is_left;
	w = watch(t, "origin.test", 80);
	while (t->n_results == 0 && metrics_sum(t->metrics, OLINK_RESOLVES_PREVENTED) == 0)
		event_base_loop(loop_base(t->group->control), EVLOOP_ONCE);
	descriptors_allow(allowed_before);
	assert_int_equal(t->n_results, 0);
	while (t->n_results == 0)
		loop_run(t->group->control);
	assert_addr(&t->addrs[0], "192.0.2.9:80");
	assert_int_equal(metrics_sum(t->metrics, OLINK_RESOLVE_FAILURES), 0);
	resolver_watch_destroy(&w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_literal_is_known_at_once),
	    TEST(test_hosts_file),
	    TEST(test_refresh_and_failure),
	    TEST(test_why_there_was_no_address_was_not_told),
	    TEST(test_last_addresses_were_kept_for_ever),
	    TEST(test_keep_goes_on_in_the_next_watch),
	    TEST(test_each_watch_has_terms_of_its_own),
	    TEST(test_watch_ends_while_asking),
	    TEST(test_answer_comes_late),
	    TEST(test_answers_that_are_of_no_use),
	    TEST(test_answer_to_another_question),
	    TEST(test_resolv_conf_is_corrected_later),
	    TEST(test_resolv_conf_breaks_later),
	    TEST(test_start_over),
	    TEST(test_start_over_while_asking),
	    TEST(test_no_descriptors_is_no_failure_of_the_name),
	    TEST(test_answer_without_descriptors_took_all_addresses),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
