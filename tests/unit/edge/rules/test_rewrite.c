/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rewriting by table: what a request asks for, and what the origin is asked for then. No request
 * gets out of the path that an operator has written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/change.h"
#include "core/base/check.h"
#include "edge/rules/rewrite.h"
#include "tests/support/known_request.h"

struct rewrite_case {
	const char *target;
	const char *expected; /* the target, or the status */
};

static void check(const struct cfg_rewrite *cfg, const struct rewrite_case *c)
{
	struct edge_rewrite *rewrite = edge_rewrite_create(cfg);
	struct known_request k;
	struct http_head head;
	char *shown;
	int status;

	known_request_init(&k, c->target);
	known_request_add(&k.request, "X-Dir", "../../etc");
	known_request_add(&k.request, "X-Name", "a b?c#d%2f");
	assert_true(http_head_copy(&head, &k.request, &k.arena));
	status = edge_rewrite_apply(rewrite, &k.facts, &head);
	shown = xasprintf(SPAN_FMT "   ", SPAN_ARG(head.target));
	shown[head.target.n] = '\0';
	if (status != 0) {
		assert_true(span_equal(head.target, k.request.target));
		snprintf(shown, 4, "%d", status);
	}
	if (strcmp(shown, c->expected) != 0)
		fail_msg("%s became %s, not %s", c->target, shown, c->expected);
	free(shown);
	known_request_fini(&k);
	edge_rewrite_destroy(&rewrite);
}

static void check_all(const struct cfg_rewrite *cfg, const struct rewrite_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(cfg, &cases[i]);
}

static void test_strip_prefix(void **state)
{
	static const struct cfg_rewrite cfg = {.strip_prefix = "/api"};
	static const struct rewrite_case cases[] = {
	    {"/api", "/"},
	    {"/api/", "/"},
	    {"/api?x=1", "/?x=1"},
	    {"/api/v1/x?a=/api&b", "/v1/x?a=/api&b"},
	    {"/apix", "/apix"},
	    {"/other?q", "/other?q"},
	    /* as it was written, when that says the same */
	    {"/api/a%2Cb+c", "/a%2Cb+c"},
	    {"/api/a%2fb", "/a%2fb"},
	    {"/api/a//b", "/a//b"},
	    {"/api/%C3%BC", "/%C3%BC"},
	    {"/api/x?", "/x?"},
	    /* else as routes are found by */
	    {"/%61pi/x", "/x"},
	    {"/a/../api/x", "/x"},
	    {"/api/a/../b%20c", "/b%20c"},
	    {"/api/./b", "/b"},
	    {"//api/x", "/x"},
	    /* never what might be read as a host */
	    {"/api//evil.example/x", "/evil.example/x"},
	    {"/api///evil.example", "/evil.example"},
	    {"/api//", "/"},
	    {"*", "*"},
	};

	check_all(&cfg, cases, ARRAY_SIZE(cases));
}

static void test_prefix_of_all(void **state)
{
	static const struct cfg_rewrite cfg = {.strip_prefix = "/"};
	static const struct rewrite_case c = {"/a/../b", "/a/../b"};

	check(&cfg, &c);
}

static void test_path(void **state)
{
	static const struct {
		const char *path;
		struct rewrite_case c;
	} cases[] = {
	    {"/v2{path}", {"/a%20b?x=1", "/v2/a%20b?x=1"}},
	    {"/v2/{path}", {"/a", "/v2/a"}},
	    {"/fixed", {"/a?x=1", "/fixed?x=1"}},
	    {"/find?text={query.q}&site={site}", {"/s?q=a%26b&r=1", "/find?text=a%26b&site=www"}},
	    {"/no-query?", {"/s?q=1", "/no-query"}},
	    {"{path}?new&{query}", {"/s?q=1", "/s?new&q=1"}},
	    {"{target}", {"/s?q=1", "/s?q=1"}},
	    {"/{field.x-name}", {"/", "/a%20b%3Fc%23d%252f"}},
	    {"/{query.q}?", {"/?q=a?b%2fc", "/a%3Fb%2fc"}},
	    {"//{query.q}?", {"/?q=/evil", "/evil"}},
	    /* out of it */
	    {"/files/{query.q}", {"/?q=../etc", "400"}},
	    {"/files/{query.q}", {"/?q=%2e%2e%2fetc", "400"}},
	    {"/files/{query.q}", {"/?q=..%2fetc", "400"}},
	    {"/files/{query.q}", {"/?q=%2E%2E/etc", "400"}},
	    {"/files/{query.q}", {"/?q=.", "400"}},
	    {"/files/{query.q}/x", {"/?q=..", "400"}},
	    {"/files/{query.q}", {"/?q=%252e%252e%252fetc", "400"}},
	    {"/files/{query.q}", {"/?q=..;/etc", "400"}},
	    {"/files/{query.q}", {"/?q=..%5cetc", "400"}},
	    {"/files/{query.q}", {"/?q=..\\etc", "400"}},
	    {"/files/.{query.q}", {"/?q=./etc", "400"}},
	    {"/files/{query.q}", {"/?q=a%00", "400"}},
	    {"/files/{field.x-dir}", {"/", "400"}},
	    {"{query.q}", {"/?q=https://evil.example/", "400"}},
	    {"{query.q}", {"/", "400"}},
	    /* within it */
	    {"/files/{query.q}?", {"/?q=a..b", "/files/a..b"}},
	    {"/files/{query.q}?", {"/?q=...", "/files/..."}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_rewrite cfg = {.path = cases[i].path};

		check(&cfg, &cases[i].c);
	}
}

static void test_regex(void **state)
{
	static const struct {
		const char *regex, *to;
		struct rewrite_case c;
	} cases[] = {
	    {"^/old/([0-9]+)", "/new/{match.1}", {"/old/17/x?q=1", "/new/17/x?q=1"}},
	    {"^/old/([0-9]+)", "/new/{match.1}", {"/old/x", "/old/x"}},
	    {"^/old/([0-9]+)", "/new/{match.1}", {"/old/x/../5", "/new/5"}},
	    {"[.]php$", "", {"/a.php?x", "/a?x"}},
	    {"b", "{match.0}{match.0}{match.9}", {"/abc", "/abbc"}},
	    {"$", "/index.html", {"/a/b", "/a/b/index.html"}},
	    {"^", "/pre", {"/a", "/pre/a"}},
	    {"^/(.*)$", "/x?p={match.1}", {"/a%20b?q", "/x?p=a%20b"}},
	    /* no parameter is added by a value */
	    {"^/(.*)$", "/x?p={match.1}", {"/a&admin=1", "/x?p=a%26admin%3D1"}},
	    {"^/item/", "/x?p=", {"/item/a&admin=1", "/x?p=a%26admin%3D1"}},
	    {"^/(.)(.)(.*)$", "/{match.1}./{match.3}", {"/.a/x", "400"}},
	    {"/", "", {"/x", "400"}},
	    {"2F", "x", {"/a%2fb", "/a%25xb"}},
	    {"%0d|\\r", "", {"/a%0d%0ab", "/a%0Ab"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_rewrite cfg = {.regex = cases[i].regex, .to = cases[i].to};

		check(&cfg, &cases[i].c);
	}
}

static void test_host(void **state)
{
	static const struct {
		const char *host, *expected; /* NULL: refused */
	} cases[] = {
	    {"internal.example:8080", "internal.example:8080"},
	    {"{query.t}.internal", "a.internal"},
	    {"{query.none}", NULL},
	    {"{query.bad}", NULL},
	    {"{field.x-dir}", NULL},
	    {":80", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_rewrite cfg = {.host = cases[i].host};
		struct edge_rewrite *rewrite = edge_rewrite_create(&cfg);
		struct known_request k;

		known_request_init(&k, "/?t=a&bad=x/y@z");
		known_request_add(&k.request, "X-Dir", "../../etc");
		assert_int_equal(edge_rewrite_apply(rewrite, &k.facts, &k.request),
				 cases[i].expected ? 0 : 400);
		if (cases[i].expected)
			assert_true(span_equal(k.request.authority, span_of(cases[i].expected)));
		assert_true(span_equal(k.request.target, SPAN("/?t=a&bad=x/y@z")));
		known_request_fini(&k);
		edge_rewrite_destroy(&rewrite);
	}
}

static void test_nothing_to_rewrite(void **state)
{
	static const struct cfg_rewrite none;

	assert_null(edge_rewrite_create(&none));
}

static void test_no_room(void **state)
{
	static const struct cfg_rewrite cfg = {.path = "/x{path}"};
	struct edge_rewrite *rewrite = edge_rewrite_create(&cfg);
	struct known_request k;
	struct arena none;

	known_request_init(&k, "/");
	arena_init(&none, 0);
	k.request.arena = &none;
	assert_int_not_equal(edge_rewrite_apply(rewrite, &k.facts, &k.request), 0);
	assert_true(span_equal(k.request.target, SPAN("/")));
	arena_fini(&none);
	known_request_fini(&k);
	edge_rewrite_destroy(&rewrite);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_strip_prefix), cmocka_unit_test(test_prefix_of_all),
	    cmocka_unit_test(test_path),         cmocka_unit_test(test_regex),
	    cmocka_unit_test(test_host),         cmocka_unit_test(test_nothing_to_rewrite),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
