/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which site and which route a request belongs to, and which page to an error, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/facts/facts.h"
#include "edge/route/route.h"

static void check_site(const struct edge_routes *routes, const char *authority,
		       const struct cfg_site *expected)
{
	const struct edge_site *site = edge_route_site(routes, span_of(authority));

	assert_ptr_equal(site ? site->cfg : NULL, expected);
}

static void test_sites(void **state)
{
	static const char *hosts_a[] = {"www.example.com", "*.example.com"};
	static const char *hosts_b[] = {"b.example.com"};
	static const char *hosts_c[] = {"c.test"};
	struct cfg_edge edges[2] = {{.name = "one", .id = 0}, {.name = "two", .id = 1}};
	static const uint16_t ids[] = {1};
	const struct cfg_edge *only_two[] = {&edges[1]};
	struct cfg_site sites[3] = {
	    {.name = "a", .hosts = {hosts_a, 2}},
	    {.name = "b", .hosts = {hosts_b, 1}},
	    {.name = "c", .hosts = {hosts_c, 1}, .edges = only_two, .n_edges = 1, .edge_ids = ids},
	};
	struct cfg_fleet fleet = {
	    .sites = sites, .n_sites = 3, .edges = edges, .n_edges = 2, .http = {.alt_svc = ""}};
	static const struct {
		const char *authority;
		int site;
	} cases[] = {
	    {"www.example.com", 0},
	    {"WWW.EXAMPLE.COM:8443", 0},
	    {"www.example.com:", 0},
	    {"x.y.example.com:1", 0},
	    {"b.example.com", 1},
	    {"example.com", -1},
	    {"c.test", -1},
	    {"[2001:db8::1]:443", -1},
	    {"[2001:db8::1", -1},
	    {"", -1},
	    {":443", -1},
	};
	struct diag *diag = diag_create();
	struct edge_routes *routes = edge_routes_create(&fleet, &edges[0], diag);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_site(routes, cases[i].authority,
			   cases[i].site < 0 ? NULL : &sites[cases[i].site]);
	edge_routes_destroy(&routes);
	routes = edge_routes_create(&fleet, &edges[1], diag);
	check_site(routes, "c.test", &sites[2]);
	edge_routes_destroy(&routes);
	diag_destroy(&diag);
}

#define NONE (-1)
#define UNSURE (-2)

static const char *host = "www.example.com";

#define NO_FIELD                                                                                   \
	{                                                                                          \
		{NULL, 0},                                                                         \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}

struct request {
	const char *method, *target;
	struct http_field field; /* no name: none */
};

static void check_request(const struct cfg_site *site, const struct request *request, int expected)
{
	struct cfg_edge self = {.name = "one"};
	struct cfg_site served = *site;
	struct cfg_fleet fleet = {
	    .sites = &served, .n_sites = 1, .edges = &self, .n_edges = 1, .http = {.alt_svc = ""}};
	struct diag *diag = diag_create();
	struct edge_routes *routes;
	const struct edge_route *route;
	enum edge_route_result result;
	struct http_field field = request->field;
	struct http_head head = {
	    .method = span_of(request->method),
	    .method_id = http_method_find(span_of(request->method)),
	    .authority = span_of(host),
	    .target = span_of(request->target),
	    .fields = {.v = &field, .n = field.name.n > 0},
	};
	struct http_path path;
	struct edge_facts facts = {.request = &head, .path = &path};
	struct arena arena;
	const char *why;

	served.hosts = (struct cfg_strings){&host, 1};
	routes = edge_routes_create(&fleet, &self, diag);
	arena_init(&arena, 65536);
	assert_int_equal(http_path_parse(&path, head.target, &arena, &why), HTTP_PATH_OK);
	result = edge_route_find(edge_route_site(routes, span_of(host)), &facts, &route);
	arena_fini(&arena);
	if (expected == UNSURE ? result != EDGE_ROUTE_UNSURE
	    : expected < 0     ? result != EDGE_ROUTE_NONE
			   : result != EDGE_ROUTE_FOUND || route->cfg != &site->routes[expected])
		fail_msg(
		    "%s %s: %d, route %ld instead of %d", request->method, request->target, result,
		    result == EDGE_ROUTE_FOUND ? (long)(route->cfg - site->routes) : -1, expected);
	edge_routes_destroy(&routes);
	diag_destroy(&diag);
}

static void check_route(const struct cfg_site *site, const char *target, int expected)
{
	struct request request = {.method = "GET", .target = target};

	check_request(site, &request, expected);
}

static void test_paths(void **state)
{
	struct cfg_route routes[] = {
	    {.path = "/api/v2"}, {.path = "/img"}, {.path = "/api"}, {.path = "/"}};
	struct cfg_site whole = {.routes = routes, .n_routes = 4};
	struct cfg_site without_root = {.routes = routes, .n_routes = 3};
	static const struct {
		const char *target;
		int route;
	} cases[] = {
	    {"/", 3},        {"/?q", 3},         {"*", 3},
	    {"/api", 2},     {"/api/", 2},       {"/api?x=/v2", 2},
	    {"/apix", 3},    {"/api/v2", 0},     {"/api/v2/x", 0},
	    {"/api/v20", 2}, {"/API", 3},        {"/imgs", 3},
	    {"/img/", 1},    {"/img/x.png", 1},  {"/api/v2?/x", 0},
	    {"//api", 2},    {"/./api", 2},      {"/%61pi", 2},
	    {"/api//v2", 0}, {"/img/x/../y", 1}, {"/api/v2/x/../y", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int without = cases[i].route == 3 ? NONE : cases[i].route;

		check_route(&whole, cases[i].target, cases[i].route);
		check_route(&without_root, cases[i].target, without);
	}
}

/* Nobody reaches by one route what another is there for, however the origin reads the path. */
static void test_paths_that_are_read_differently(void **state)
{
	struct cfg_route routes[] = {
	    {.path = "/api/admin"}, {.path = "/public"}, {.path = "/api"}, {.path = "/"}};
	struct cfg_site site = {.routes = routes, .n_routes = 4};
	struct cfg_site root_only = {.routes = &routes[3], .n_routes = 1};
	static const struct {
		const char *target;
		int route;
	} cases[] = {
	    /* the first part leaves no other choice */
	    {"/api/projects/group%2fproject", 2},
	    {"/@scope%2fname", 3},
	    {"/app/x;jsessionid=1", 3},
	    {"/ap;x", 3},
	    {"/api/adm%2fin", 2},
	    {"/api/admin/x;y/z", 0},
	    {"/api/admin/\\x", 0},
	    {"/a%2520b", 3},
	    {"/api/admix%2569", 2},
	    {"/apix%2fadmin", 3},
	    /* it does */
	    {"/api%2fadmin", UNSURE},
	    {"/api;x", UNSURE},
	    {"/api;x/admin", UNSURE},
	    {"/api/admin;x", UNSURE},
	    {"/api/admin%2f", UNSURE},
	    {"/api/;/admin", UNSURE},
	    {"/api/%2fadmin", UNSURE},
	    {"/api\\admin", UNSURE},
	    {"/api/\\admin", UNSURE},
	    {"/;/api", UNSURE},
	    {"/%2fapi", UNSURE},
	    {"/\\api", UNSURE},
	    {"/%2561pi", UNSURE},
	    {"/ap%2569", UNSURE},
	    {"/api/a%2564min", UNSURE},
	    /* by who takes ".." for a name */
	    {"/api/../public", UNSURE},
	    {"/api/%2e%2e/public", UNSURE},
	    {"/api/admin/../x", UNSURE},
	    {"/api/x/../admin", UNSURE},
	    {"/api/x/../y", 2},
	    {"/x/../public", UNSURE},
	    {"/x/y/../z", 3},
	    {"/api/../api/admin", UNSURE},
	    {"/api/admin/x/../y", 0},
	    {"/api/admin/..", UNSURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		check_route(&site, cases[i].target, cases[i].route);
		check_route(&root_only, cases[i].target, 0);
	}
}

static void test_exact_paths(void **state)
{
	struct cfg_route routes[] = {{.path = "/api/in"},
				     {.path = "/api", .exact = true},
				     {.path = "/api"},
				     {.path = "/", .exact = true}};
	struct cfg_site site = {.routes = routes, .n_routes = 4};
	static const struct {
		const char *target;
		int route;
	} cases[] = {
	    {"/api", 1},
	    {"/api?x", 1},
	    {"/%61pi", 1},
	    {"/api/", 2},
	    {"/api/x", 2},
	    {"/api/in/x", 0},
	    {"/", 3},
	    {"*", 3},
	    {"/x", NONE},
	    {"//", 3},
	    {"/apix", NONE},
	    {"/./", 3},
	    /* not for who reads it as another path */
	    {"/api;x", NONE},
	    {"/%2fapi", NONE},
	    {"/api/x/../in", UNSURE},
	    {"/api/..", UNSURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_route(&site, cases[i].target, cases[i].route);
}

static void test_the_first_whose_conditions_hold(void **state)
{
	static const char *post[] = {"POST"}, *get[] = {"GET"};
	struct cfg_match_part version = {.name = "v", .value = "2"};
	struct cfg_match_part canary = {.name = "X-Canary"};
	struct cfg_route routes[] = {
	    {.path = "/api", .when = {.methods = {post, 1}}},
	    {.path = "/api", .when = {.query = &version, .n_query = 1}},
	    {.path = "/api", .when = {.methods = {get, 1}, .fields = &canary, .n_fields = 1}},
	    {.path = "/", .when = {.regex = "^/[a-z]+/[0-9]+$"}},
	    {.path = "/", .when = {.methods = {get, 1}}},
	};
	struct cfg_site site = {.routes = routes, .n_routes = 5};
	static const struct {
		struct request request;
		int route;
	} cases[] = {
	    {{"POST", "/api?v=2", NO_FIELD}, 0},
	    {{"GET", "/api?v=2", {SPAN("x-canary"), SPAN("")}}, 1},
	    {{"GET", "/api?v=1", {SPAN("x-canary"), SPAN("")}}, 2},
	    {{"GET", "/api/7", NO_FIELD}, 3},
	    {{"PUT", "/api/7", NO_FIELD}, 3},
	    {{"GET", "/api/x", NO_FIELD}, 4},
	    {{"HEAD", "/api/x", NO_FIELD}, 4},
	    {{"PUT", "/api/x", NO_FIELD}, NONE},
	    /* by who takes the other of two parameters */
	    {{"GET", "/api?v=1&v=2", NO_FIELD}, UNSURE},
	    {{"GET", "/api?x;v=2", NO_FIELD}, UNSURE},
	    /* which does not matter where it is not asked for, or comes later */
	    {{"POST", "/api?v=1&v=2", NO_FIELD}, 0},
	    {{"GET", "/app?v=1&v=2", NO_FIELD}, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_request(&site, &cases[i].request, cases[i].route);
}

/* What an expression keeps for a route is not reached by another one, and the other way round. */
static void test_expressions_of_paths_that_are_read_differently(void **state)
{
	static const char *post[] = {"POST"};
	struct cfg_route routes[] = {
	    {.path = "/x", .when = {.regex = "^/x/[0-9]+$", .methods = {post, 1}}},
	    {.path = "/", .when = {.regex = "^/admin(/|$)"}},
	    {.path = "/", .when = {.regex = "\\.php$"}},
	    {.path = "/", .when = {.regex = "^/open/"}},
	    {.path = "/"},
	};
	struct cfg_site site = {.routes = routes, .n_routes = 5};
	struct cfg_site anchored = {.routes = &routes[3], .n_routes = 2};
	static const struct {
		const char *target;
		int route;
	} cases[] = {
	    {"/admin", 1},
	    {"/admin/x", 1},
	    {"/%61dmin/x", 1},
	    {"/adminx", 4},
	    {"/a/b.php", 2},
	    {"/open/x", 3},
	    {"/opened", 4},
	    {"/admin/%0Ax", 1},
	    {"/a/%0A/b.php", 2},
	    {"/b.php/", 4},
	    {"/b.php%0A", 4},
	    {"/admin/x;y", 1},
	    {"/admin/a%2fb", 1},
	    {"/admin;x", UNSURE},
	    {"/admin%2fx", UNSURE},
	    /* anything might end in .php once it is decoded */
	    {"/open/x;y.php", UNSURE},
	    {"/open/x;y", UNSURE},
	    {"/a%252e", UNSURE},
	    {"/x/../open/y", UNSURE},
	    {"/admin/../open/y", UNSURE},
	    {"/x/y/../z", UNSURE},
	};
	static const struct {
		const char *target;
		int route;
	} anchored_cases[] = {
	    {"/open/x;y", 0},         {"/open/a%2fb", 0},  {"/a%2fb", 1},
	    {"/open;x", UNSURE},      {"/open/x/../y", 0}, {"/open/../y", UNSURE},
	    {"/x/../open/y", UNSURE}, {"/x/y/../z", 1},    {"/%256fpen/x", UNSURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_route(&site, cases[i].target, cases[i].route);
	for (size_t i = 0; i < ARRAY_SIZE(anchored_cases); i++)
		check_route(&anchored, anchored_cases[i].target, anchored_cases[i].route);
}

static void test_error_pages(void **state)
{
	struct cfg_range not_found[] = {{404, 404}}, all[] = {{400, 599}};
	struct cfg_error_page of_route[] = {{.statuses = {not_found, 1}, .text = "r", .type = ""}};
	struct cfg_error_page of_site[] = {
	    {.statuses = {not_found, 1}, .of = CFG_ERRORS_OF_ALL, .text = "s", .type = ""},
	    {.statuses = {all, 1}, .text = "all", .type = "text/html"},
	};
	struct cfg_route cfg = {.path = "/", .errors = of_route, .n_errors = 1};
	struct cfg_edge self = {.name = "one"};
	struct cfg_site cfg_site = {.name = "site",
				    .hosts = {&host, 1},
				    .routes = &cfg,
				    .n_routes = 1,
				    .errors = of_site,
				    .n_errors = 2};
	struct cfg_fleet fleet = {.sites = &cfg_site,
				  .n_sites = 1,
				  .edges = &self,
				  .n_edges = 1,
				  .http = {.alt_svc = ""}};
	struct diag *diag = diag_create();
	struct edge_routes *routes = edge_routes_create(&fleet, &self, diag);
	const struct edge_site *site = edge_route_site(routes, span_of(host));
	const struct edge_route *route = &site->routes[0];
	static const struct {
		bool with_route, own;
		int status;
		const char *text;
	} cases[] = {
	    {true, true, 404, "r"},   {true, false, 404, "s"},  {false, true, 404, "s"},
	    {true, true, 503, "all"}, {true, false, 503, NULL}, {true, true, 304, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct edge_content *page = edge_route_error_page(
		    site, cases[i].with_route ? route : NULL, cases[i].status, cases[i].own);

		assert_int_equal(page != NULL, cases[i].text != NULL);
		if (page)
			assert_true(span_equal(page->bytes, span_of(cases[i].text)));
	}
	edge_routes_destroy(&routes);
	diag_destroy(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_paths_that_are_read_differently),
	    cmocka_unit_test(test_exact_paths),
	    cmocka_unit_test(test_the_first_whose_conditions_hold),
	    cmocka_unit_test(test_expressions_of_paths_that_are_read_differently),
	    cmocka_unit_test(test_error_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
