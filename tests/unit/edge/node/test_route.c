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
#include "edge/node/route.h"

static void test_sites(void **state)
{
	static const char *hosts_a[] = {"www.example.com", "*.example.com"};
	static const char *hosts_b[] = {"b.example.com"};
	static const char *hosts_c[] = {"c.test"};
	struct cfg_edge edges[2] = {{.name = "one"}, {.name = "two"}};
	const struct cfg_edge *only_two[] = {&edges[1]};
	struct cfg_site sites[3] = {
	    {.name = "a", .hosts = {hosts_a, 2}},
	    {.name = "b", .hosts = {hosts_b, 1}},
	    {.name = "c", .hosts = {hosts_c, 1}, .edges = only_two, .n_edges = 1},
	};
	struct cfg_fleet fleet = {.sites = sites, .n_sites = 3, .edges = edges, .n_edges = 2};
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
		assert_ptr_equal(edge_route_site(routes, span_of(cases[i].authority)),
				 cases[i].site < 0 ? NULL : &sites[cases[i].site]);
	edge_routes_destroy(&routes);
	routes = edge_routes_create(&fleet, &edges[1]);
	assert_ptr_equal(edge_route_site(routes, SPAN("c.test")), &sites[2]);
	edge_routes_destroy(&routes);
}

static void test_paths(void **state)
{
	struct cfg_route routes[] = {
	    {.path = "/api/v2"}, {.path = "/img/"}, {.path = "/api"}, {.path = "/"}};
	struct cfg_site whole = {.routes = routes, .n_routes = 4};
	struct cfg_site without_root = {.routes = routes, .n_routes = 3};
	static const struct {
		const char *target;
		int route;
	} cases[] = {
	    {"/", 3},         {"/?q", 3},        {"*", 3},          {"/api", 2},
	    {"/api/", 2},     {"/api?x=/v2", 2}, {"/apix", 3},      {"/api/v2", 0},
	    {"/api/v2/x", 0}, {"/api/v20", 2},   {"/API", 3},       {"/img", 3},
	    {"/img/", 1},     {"/img/x.png", 1}, {"/api/v2?/x", 0}, {"//api", 3},
	    {"/x/../api", 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span target = span_of(cases[i].target);
		int without = cases[i].route == 3 ? -1 : cases[i].route;

		assert_ptr_equal(edge_route_path(&whole, target), &routes[cases[i].route]);
		assert_ptr_equal(edge_route_path(&without_root, target),
				 without < 0 ? NULL : &routes[without]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
