/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lists of limits: which a request falls under, what it is told, what is counted; and that a reload
 * finds again what had been used up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/path.h"
#include "edge/facts/facts.h"
#include "edge/limit/buckets.h"

static const mono_time start = {INT64_C(1000000000000)};

/* A request of a client, with a field of the name Key unless `key` is NULL. */
struct request {
	struct arena arena;
	struct http_head head;
	struct edge_client client;
	struct edge_facts facts;
};

static void request_init(struct request *r, const char *address, const char *key)
{
	*r = (struct request){.client.protocol = ""};
	arena_init(&r->arena, 256 * 1024);
	http_head_init(&r->head, &r->arena);
	r->head.method = SPAN("GET");
	r->head.method_id = HTTP_METHOD_GET;
	r->head.target = SPAN("/");
	CHECK(net_addr_parse(address, 0, &r->client.addr));
	net_addr_format_ip(&r->client.addr, r->client.ip);
	if (key != NULL)
		assert_true(http_fields_add(&r->head.fields, &r->arena, SPAN("Key"), span_of(key)));
	r->facts = (struct edge_facts){.client = &r->client, .request = &r->head};
}

static struct edge_limit_report ask(const struct edge_buckets *buckets, struct edge_guard *guard,
				    const char *address, const char *key, int64_t ms)
{
	struct edge_limit_report report = {.refused = NULL};
	struct request r;
	bool within;

	request_init(&r, address, key);
	within = edge_buckets_take(buckets, guard, &r.facts, &r.arena, mono_add(start, DUR_MS(ms)),
				   &report);
	assert_int_equal(within, report.refused == NULL);
	arena_fini(&r.arena);
	return report;
}

static bool passes(const struct edge_buckets *buckets, struct edge_guard *guard,
		   const char *address, const char *key)
{
	return ask(buckets, guard, address, key, 0).refused == NULL;
}

static struct cfg_limit limit(const char *name, unsigned count, const char *key)
{
	return (struct cfg_limit){
	    .name = name, .rate = {count, DUR_S(1)}, .key = key, .status = 429};
}

static void test_keys(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit all[] = {limit("all", 3, "")};
	struct cfg_limit by_field[] = {limit("f", 1, "{field.Key}")};
	struct cfg_limit by_network[] = {limit("n", 1, "{client.network}")};
	struct edge_buckets *a = edge_buckets_create(all, 1, ""),
			    *f = edge_buckets_create(by_field, 1, ""),
			    *n = edge_buckets_create(by_network, 1, "");

	for (unsigned i = 0; i < 3; i++)
		assert_true(passes(a, g, i == 0 ? "192.0.2.1" : "192.0.2.2", NULL));
	assert_false(passes(a, g, "192.0.2.3", NULL));

	assert_true(passes(f, g, "192.0.2.1", "one"));
	assert_false(passes(f, g, "192.0.2.2", "one"));
	assert_true(passes(f, g, "192.0.2.1", "two"));
	/* Without a key it is not limited. */
	assert_true(passes(f, g, "192.0.2.1", NULL));
	assert_true(passes(f, g, "192.0.2.1", NULL));

	assert_true(passes(n, g, "2001:db8::1", NULL));
	assert_false(passes(n, g, "2001:db8::2", NULL));
	assert_true(passes(n, g, "2001:db8:0:1::1", NULL));
	edge_buckets_destroy(&a);
	edge_buckets_destroy(&f);
	edge_buckets_destroy(&n);
	edge_guard_destroy(&g);
}

/* A key that is too long was none, and so a way around the limit. */
static void test_long_keys_are_limited(void **state)
{
	static char long_key[20 * 1024];
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit limits[] = {limit("f", 1, "{field.Key}")};
	struct edge_buckets *b = edge_buckets_create(limits, 1, "");

	memset(long_key, 'x', sizeof(long_key) - 1);
	assert_true(passes(b, g, "192.0.2.1", long_key));
	long_key[0] = 'y';
	assert_false(passes(b, g, "192.0.2.1", long_key));
	edge_buckets_destroy(&b);
	edge_guard_destroy(&g);
}

static void test_conditions(void **state)
{
	const char *methods[] = {"POST"};
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit limits[] = {limit("posts", 1, "")};
	struct edge_buckets *b;

	limits[0].when.methods = (struct cfg_strings){methods, 1};
	b = edge_buckets_create(limits, 1, "");
	for (unsigned i = 0; i < 5; i++)
		assert_true(passes(b, g, "192.0.2.1", NULL));
	edge_buckets_destroy(&b);
	edge_guard_destroy(&g);
}

/* What the route had captured was gone then, so that it sent requests elsewhere. */
static void test_an_expression_of_a_limit_took_the_place_of_the_routes(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit limits[] = {limit("x", 1, "{match.1}")};
	struct edge_limit_report report = {.refused = NULL};
	struct http_path path = {.text = SPAN("/a/b")};
	struct edge_buckets *b;
	struct request r;

	limits[0].when.regex = "^/(a)/";
	b = edge_buckets_create(limits, 1, "");
	request_init(&r, "192.0.2.1", NULL);
	r.facts.path = &path;
	r.facts.captures.v[0] = SPAN("/a/b");
	r.facts.captures.v[1] = SPAN("b");
	r.facts.captures.n = 2;
	assert_true(edge_buckets_take(b, g, &r.facts, &r.arena, start, &report));
	assert_int_equal(r.facts.captures.n, 2);
	assert_true(span_equal(r.facts.captures.v[1], SPAN("b")));
	/* Its own key has had its own. */
	assert_false(edge_buckets_take(b, g, &r.facts, &r.arena, start, &report));
	path.text = SPAN("/b/");
	assert_true(edge_buckets_take(b, g, &r.facts, &r.arena, start, &report));
	arena_fini(&r.arena);
	edge_buckets_destroy(&b);
	edge_guard_destroy(&g);
}

/* Names are one limit within a space, and after a reload; others are apart. */
static void test_names(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit limits[] = {limit("x", 1, "")}, again[] = {limit("x", 1, "")},
			 other[] = {limit("y", 1, "")};
	struct edge_buckets *one = edge_buckets_create(limits, 1, "site"),
			    *same = edge_buckets_create(again, 1, "site"),
			    *elsewhere = edge_buckets_create(again, 1, "other"),
			    *different = edge_buckets_create(other, 1, "site");

	assert_true(passes(one, g, "192.0.2.1", NULL));
	edge_buckets_destroy(&one);
	assert_false(passes(same, g, "192.0.2.1", NULL));
	assert_true(passes(elsewhere, g, "192.0.2.1", NULL));
	assert_true(passes(different, g, "192.0.2.1", NULL));
	edge_buckets_destroy(&same);
	edge_buckets_destroy(&elsewhere);
	edge_buckets_destroy(&different);
	edge_guard_destroy(&g);
}

static void note(void *arg, const struct cfg_limit *limit, const char *space, uint64_t allowed,
		 uint64_t refused)
{
	uint64_t *counts = arg;

	assert_string_equal(limit->name, "x");
	assert_string_equal(space, "site");
	counts[0] = allowed;
	counts[1] = refused;
}

static void test_counts(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit limits[] = {limit("x", 2, "{client.ip}")};
	struct edge_buckets *b = edge_buckets_create(limits, 1, "site");
	uint64_t counts[2];

	for (unsigned i = 0; i < 5; i++)
		passes(b, g, "192.0.2.1", NULL);
	edge_buckets_each(b, g, note, counts);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 3);
	edge_buckets_destroy(&b);
	edge_guard_destroy(&g);
}

static void assert_fields(const struct edge_limit_report *report, const char *policy,
			  const char *left)
{
	struct span p, l;
	struct arena arena;

	arena_init(&arena, 65536);
	assert_true(edge_limit_fields(report, &arena, &p, &l));
	assert_int_equal(p.n, strlen(policy));
	assert_memory_equal(p.p, policy, p.n);
	assert_int_equal(l.n, strlen(left));
	assert_memory_equal(l.p, left, l.n);
	arena_fini(&arena);
}

static void test_fields(void **state)
{
	struct edge_guard *g = edge_guard_create(1024);
	struct cfg_limit limits[] = {limit("all", 5, ""), limit("quiet", 9, ""),
				     limit("mine", 6, "{client.ip}")};
	struct edge_buckets *b;
	struct edge_limit_report report;

	limits[0].tell = CFG_TELL_ALWAYS;
	limits[1].tell = CFG_TELL_NEVER;
	limits[2].rate.per = DUR_S(60);
	limits[2].burst = 2;
	b = edge_buckets_create(limits, 3, "");
	report = ask(b, g, "192.0.2.1", NULL, 0);
	assert_fields(&report, "\"all\";q=5;w=1", "\"all\";r=4;t=1");
	report = ask(b, g, "192.0.2.1", NULL, 0);
	assert_null(report.refused);
	report = ask(b, g, "192.0.2.1", NULL, 0);
	assert_ptr_equal(report.refused, &limits[2]);
	assert_int_equal(report.wait.ns, DUR_S(10).ns);
	assert_fields(&report, "\"all\";q=5;w=1, \"mine\";q=2;w=20",
		      "\"all\";r=2;t=1, \"mine\";r=0;t=10");
	/* It is not told that half a second is none. */
	report = ask(b, g, "192.0.2.1", NULL, 9500);
	assert_fields(&report, "\"all\";q=5;w=1, \"mine\";q=2;w=20",
		      "\"all\";r=4;t=1, \"mine\";r=0;t=1");
	edge_buckets_destroy(&b);
	edge_guard_destroy(&g);
}

static void test_retry_after(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {{0, "1"}, {1, "1"}, {1000000000, "1"}, {1000000001, "2"}};
	struct arena arena;

	arena_init(&arena, 65536);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span s = edge_limit_retry_after(DUR_NS(cases[i].ns), &arena);

		assert_int_equal(s.n, strlen(cases[i].text));
		assert_memory_equal(s.p, cases[i].text, s.n);
	}
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_long_keys_are_limited),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_retry_after),
	    cmocka_unit_test(test_an_expression_of_a_limit_took_the_place_of_the_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
