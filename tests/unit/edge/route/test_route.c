/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which site and which route a request belongs to, by table.
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
	    .http.alt_svc = "", .sites = sites, .n_sites = 3, .edges = edges, .n_edges = 2};
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
	struct edge_routes *routes = edge_routes_create(&fleet, &edges[0]);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_site(routes, cases[i].authority,
			   cases[i].site < 0 ? NULL : &sites[cases[i].site]);
	edge_routes_destroy(&routes);
	routes = edge_routes_create(&fleet, &edges[1]);
	check_site(routes, "c.test", &sites[2]);
	edge_routes_destroy(&routes);
}

#define UNSURE (-2)

static const char *host = "www.example.com";

static void check_route(const struct cfg_site *site, const char *target, int expected)
{
	struct cfg_edge self = {.name = "one"};
	struct cfg_site served = *site;
	struct cfg_fleet fleet = {
	    .http.alt_svc = "", .sites = &served, .n_sites = 1, .edges = &self, .n_edges = 1};
	struct edge_routes *routes;
	const struct edge_route *route;
	enum edge_route_result result;
	struct http_path path;
	struct arena arena;
	const char *why;

	served.hosts = (struct cfg_strings){&host, 1};
	routes = edge_routes_create(&fleet, &self);
	arena_init(&arena, 65536);
	assert_int_equal(http_path_parse(&path, span_of(target), &arena, &why), HTTP_PATH_OK);
	result = edge_route_path(edge_route_site(routes, span_of(host)), &path, &route);
	arena_fini(&arena);
	if (expected == UNSURE ? result != EDGE_ROUTE_UNSURE
	    : expected < 0     ? result != EDGE_ROUTE_NONE
			   : result != EDGE_ROUTE_FOUND || route->cfg != &site->routes[expected])
		fail_msg("%s: %d, route %ld instead of %d", target, result,
			 result == EDGE_ROUTE_FOUND ? (long)(route->cfg - site->routes) : -1,
			 expected);
	edge_routes_destroy(&routes);
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
	    {"/", 3},         {"/?q", 3},        {"*", 3},
	    {"/api", 2},      {"/api/", 2},      {"/api?x=/v2", 2},
	    {"/apix", 3},     {"/api/v2", 0},    {"/api/v2/x", 0},
	    {"/api/v20", 2},  {"/API", 3},       {"/imgs", 3},
	    {"/img/", 1},     {"/img/x.png", 1}, {"/api/v2?/x", 0},
	    {"//api", 2},     {"/./api", 2},     {"/%61pi", 2},
	    {"/x/../api", 2}, {"/api//v2", 0},   {"/api/x/../v2", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int without = cases[i].route == 3 ? -1 : cases[i].route;

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
	    {"/api/x/../admin", 0},
	    {"/api/x/../y", 2},
	    {"/x/../public", 1},
	    {"/api/../api/admin", 0},
	    {"/api/admin/..", UNSURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		check_route(&site, cases[i].target, cases[i].route);
		check_route(&root_only, cases[i].target, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_paths_that_are_read_differently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
