/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts with variables: what each variable is, and that nothing gets into a field or a target by
 * them that must not be there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/facts/template.h"
#include "tests/support/known_request.h"

static void begin(struct known_request *w, const char *target)
{
	known_request_init(w, target);
	w->facts.captures.v[0] = SPAN("/a/b c");
	w->facts.captures.v[1] = SPAN("b c");
	w->facts.captures.n = 2;
}

static void assert_expands(struct known_request *w, const char *text, enum edge_text_use use,
			   const char *expected)
{
	struct edge_template *t = edge_template_create(text, use);
	struct span got;
	char *shown;

	assert_true(edge_template_expand(t, &w->facts, &w->arena, &got));
	shown = xasprintf(SPAN_FMT, SPAN_ARG(got));
	assert_string_equal(shown, expected);
	assert_int_equal(got.n, strlen(expected));
	free(shown);
	edge_template_destroy(&t);
	assert_null(t);
}

static void test_values(void **state)
{
	static const char *const cases[][2] = {
	    {"", ""},
	    {"plain", "plain"},
	    {"{{a}", "{a}"},
	    {"{client.ip} {client.port}", "2001:db8::7 4711"},
	    {"{client.network}", "2001:db8::/64"},
	    {"{client.country}/{client.continent}/{client.asn}", "DE/EU/64500"},
	    {"{method} {scheme} {host} {port}", "GET https www.example.com 443"},
	    {"{path}?{query}", "/a/b%20c?x=1&y=%2F&x=2&z"},
	    {"{target}", "/a/./b%20c?x=1&y=%2F&x=2&z"},
	    {"{query.x},{query.y},{query.z},{query.none}", "1,%2F,,"},
	    {"{field.accept}", "a, b"},
	    {"[{field.None}]", "[]"},
	    {"{field.cookie}", "other=1; sid=abc=d;s; b=2"},
	    {"{cookie.sid}{cookie.s}", "abc=d"},
	    {"{match.0}|{match.1}|{match.2}", "/a/b%20c|b%20c|"},
	    {"{node} {site} {route} {origin}", "fra1 www api app"},
	    {"{user}", "jo"},
	    {"{request_id} {trace_id}", "0190-1 4bf92f3577b34da6a3ce929d0e0e4736"},
	    {"{tls.version} {tls.suite} {tls.sni} {tls.resumed} {tls.early} {protocol}",
	     "TLS1.3 TLS_AES_128_GCM_SHA256 www.example.com no no HTTP/1.1"},
	    {"{status} {response.etag}", "404 \"x\""},
	};
	struct known_request w;

	begin(&w, "/a/./b%20c?x=1&y=%2F&x=2&z");
	known_request_add(&w.request, "Accept", "a");
	known_request_add(&w.request, "Accept", "b");
	known_request_add(&w.request, "Cookie", "other=1; sid=abc=d;s");
	known_request_add(&w.request, "cookie", "b=2");
	known_request_add(&w.response, "ETag", "\"x\"");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_expands(&w, cases[i][0], EDGE_TEXT_PLAIN, cases[i][1]);
		assert_expands(&w, cases[i][0], EDGE_TEXT_FIELD, cases[i][1]);
	}
	known_request_fini(&w);
}

/* What is not known is empty, whatever it is. */
static void test_nothing_known(void **state)
{
	struct known_request w;

	begin(&w, "/");
	w.facts = (struct edge_facts){0};
	for (unsigned i = 0; i < CFG_VARIABLES; i++) {
		const char *shown = cfg_variable_name((enum cfg_variable)i);
		const char *argument = strstr(shown, ".N");
		char text[64];

		snprintf(text, sizeof(text), "{%.*s%s}",
			 argument ? (int)(argument + 1 - shown) : (int)strlen(shown), shown,
			 argument ? "1" : "");
		assert_expands(&w, text, EDGE_TEXT_FIELD, "");
	}
	known_request_fini(&w);
}

/* A path is decoded when it is looked at: its line ends must not come out as such. */
static void test_nothing_splits_a_field(void **state)
{
	struct known_request w;

	begin(&w, "/a%0d%0aSet-Cookie:%20x");
	w.facts.captures.v[0] = SPAN("\r\nEvil: 1");
	w.facts.captures.v[1] = SPAN("\x01\x7f");
	w.facts.site = SPAN(" \ta\r\nb\x7f\x00 ");
	assert_expands(&w, "{path}", EDGE_TEXT_FIELD, "/a%0D%0ASet-Cookie:%20x");
	assert_expands(&w, "{match.0}{match.1}", EDGE_TEXT_FIELD, "%0D%0AEvil:%201%01%7F");
	assert_expands(&w, "{site}", EDGE_TEXT_FIELD, "a  b");
	assert_expands(&w, "{site}", EDGE_TEXT_TARGET, "%20%09a%0D%0Ab%7F%00%20");
	known_request_fini(&w);
}

static void test_targets(void **state)
{
	static const char *const cases[][2] = {
	    {"https://{host}{path}", "https://www.example.com/%C3%BC/x%2Fy"},
	    {"https://{host}{target}", "https://www.example.com/%c3%bc/x%2fy?a=1?2&b=%26"},
	    {"/x?{query}", "/x?a=1?2&b=%26"},
	    {"/{query.a}/{query.b}", "/1%3F2/%26"},
	    {"/{field.x}", "/a%20%22b%22%3Fc%23d%25e/%C3%BC"},
	    {"/#{cookie.c}", "/#%3F%23"},
	    {"/\xc3\xbc b", "/%C3%BC%20b"},
	};
	struct known_request w;

	begin(&w, "/%c3%bc/x%2fy?a=1?2&b=%26");
	known_request_add(&w.request, "X", "a \"b\"?c#d%e/\xc3\xbc");
	known_request_add(&w.request, "Cookie", "c=?#");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_expands(&w, cases[i][0], EDGE_TEXT_TARGET, cases[i][1]);
	known_request_fini(&w);
}

/* What a client chooses is one value, where the operator has written one. */
static void test_no_parameter_is_added_by_a_value(void **state)
{
	static const char *const cases[][2] = {
	    {"/x?p={path}", "/x?p=/1%26admin%3D1%3Ba%2Bb%3Bc"},
	    {"/x?p={match.0}&q", "/x?p=1%26admin%3D1&q"},
	    {"/x?p={field.x}", "/x?p=1%26admin%3D1%3B%2B%25%23"},
	    {"/x?p={query.p}", "/x?p=a=b+c%26d%3Be"},
	    {"https://{host}/in?to={target}",
	     "https://www.example.com/in?to=/"
	     "1%26admin%3D1%253Ba%2Bb%253bc%3Fp%3Da%3Db%2Bc%2526d%3Be"},
	    {"{target}&p={field.x}",
	     "/1&admin=1%3Ba+b%3bc?p=a=b+c%26d;e&p=1%26admin%3D1%3B%2B%25%23"},
	    {"/{field.x}?{query}", "/1&admin=1;+%25%23?p=a=b+c%26d;e"},
	};
	struct known_request w;

	begin(&w, "/1&admin=1%3Ba+b%3bc?p=a=b+c%26d;e");
	w.facts.captures.v[0] = SPAN("1&admin=1");
	known_request_add(&w.request, "X", "1&admin=1;+%#");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_expands(&w, cases[i][0], EDGE_TEXT_TARGET, cases[i][1]);
	assert_expands(&w, "?{field.x}", EDGE_TEXT_FIELD, "?1&admin=1;+%#");
	known_request_fini(&w);
}

/* A redirect of "OPTIONS *" does not go to another host. */
static void test_asterisk_is_no_part_of_a_host(void **state)
{
	struct known_request w;

	begin(&w, "*");
	assert_expands(&w, "https://{host}{target}", EDGE_TEXT_TARGET, "https://www.example.com/");
	assert_expands(&w, "{target}", EDGE_TEXT_PLAIN, "*");
	known_request_fini(&w);
}

static void test_ports_and_hosts(void **state)
{
	struct known_request w;

	begin(&w, "/");
	w.request.authority = SPAN("[2001:db8::1]:8443");
	assert_expands(&w, "{scheme}://{host}:{port}/", EDGE_TEXT_TARGET,
		       "https://[2001:db8::1]:8443/");
	w.request.authority = SPAN("example.com:");
	w.request.scheme = SPAN("http");
	assert_expands(&w, "{host}:{port}", EDGE_TEXT_FIELD, "example.com:80");
	known_request_fini(&w);
}

/* A long text is written a second time; one that is too long, or for which there is no room, is
 * refused. */
static void test_bounds(void **state)
{
	struct edge_template *t = edge_template_create("{query.q}{query.q}", EDGE_TEXT_FIELD);
	char *target = xmalloc(EDGE_TEMPLATE_MAX + 64);
	struct arena none;
	struct known_request w;
	struct span got;

	memset(target, 'x', EDGE_TEMPLATE_MAX);
	memcpy(target, "/?q=", 4);
	target[4 + EDGE_TEMPLATE_MAX / 2] = '\0';
	begin(&w, target);
	assert_true(edge_template_expand(t, &w.facts, &w.arena, &got));
	assert_int_equal(got.n, EDGE_TEMPLATE_MAX);
	for (size_t i = 0; i < got.n; i++)
		assert_int_equal(got.p[i], 'x');
	arena_init(&none, 0);
	assert_false(edge_template_expand(t, &w.facts, &none, &got));
	arena_fini(&none);
	known_request_fini(&w);

	memset(target, 'x', EDGE_TEMPLATE_MAX);
	memcpy(target, "/?q=", 4);
	target[4 + EDGE_TEMPLATE_MAX / 2 + 1] = '\0';
	begin(&w, target);
	assert_false(edge_template_expand(t, &w.facts, &w.arena, &got));
	known_request_fini(&w);
	edge_template_destroy(&t);
	free(target);
}

/* It costs nothing: not even room. */
static void test_literal_is_not_copied(void **state)
{
	struct edge_template *t = edge_template_create("max-age={{1}", EDGE_TEXT_FIELD);
	struct arena none;
	struct span first, second;

	arena_init(&none, 0);
	assert_true(edge_template_expand(t, &(struct edge_facts){0}, &none, &first));
	assert_true(edge_template_expand(t, &(struct edge_facts){0}, &none, &second));
	assert_ptr_equal(first.p, second.p);
	assert_true(span_equal(first, SPAN("max-age={1}")));
	arena_fini(&none);
	edge_template_destroy(&t);
}

/* It was none, or another one, and so a way around the limit whose key it is. */
static void test_a_parameter_that_was_spelled_otherwise(void **state)
{
	static const char *const targets[] = {"/?user=a+b", "/?x&%75se%72=%61%20b",
					      "/?user=a%20%62"};
	struct known_request w;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		begin(&w, targets[i]);
		assert_expands(&w, "{query.user}", EDGE_TEXT_KEY, "a b");
		assert_expands(&w, "{query.use%72}", EDGE_TEXT_KEY, "a b");
		known_request_fini(&w);
	}
	begin(&w, "/?%75ser=%61");
	assert_expands(&w, "{query.user}", EDGE_TEXT_FIELD, "%61");
	assert_expands(&w, "{query.user}{query.u}{query.users}", EDGE_TEXT_PLAIN, "%61");
	known_request_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_nothing_known),
	    cmocka_unit_test(test_nothing_splits_a_field),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_no_parameter_is_added_by_a_value),
	    cmocka_unit_test(test_asterisk_is_no_part_of_a_host),
	    cmocka_unit_test(test_ports_and_hosts),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_literal_is_not_copied),
	    cmocka_unit_test(test_a_parameter_that_was_spelled_otherwise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
