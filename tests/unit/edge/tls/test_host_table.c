/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exact names and wildcards, by table; and as many and as long ones as there can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/host_table.h"

static void test_names(void **state)
{
	static const char *const given[] = {
	    "example.com",     "*.example.com",     "a.b.example.com",
	    "*.b.example.com", "Mixed.Example.ORG", "*.test",
	};
	static const struct {
		const char *host, *any, *one;
	} cases[] = {
	    {"example.com", "example.com", "example.com"},
	    {"EXAMPLE.com", "example.com", "example.com"},
	    {"example.com.", "example.com", "example.com"},
	    {"www.example.com", "*.example.com", "*.example.com"},
	    {"a.b.example.com", "a.b.example.com", "a.b.example.com"},
	    {"c.b.example.com", "*.b.example.com", "*.b.example.com"},
	    {"d.c.b.example.com", "*.b.example.com", NULL},
	    {"x.y.example.com", "*.example.com", NULL},
	    {"mixed.example.org", "Mixed.Example.ORG", "Mixed.Example.ORG"},
	    {"a.test", "*.test", "*.test"},
	    {"test", NULL, NULL},
	    {"notexample.com", NULL, NULL},
	    {"com", NULL, NULL},
	    {".example.com", NULL, NULL},
	    {"..", NULL, NULL},
	    {".", NULL, NULL},
	    {"", NULL, NULL},
	    {"*.example.com", "*.example.com", "*.example.com"},
	    /* hosts by RFC 3986 that are no names */
	    {"%77ww.example.com", NULL, NULL},
	    {"a,b.example.com", NULL, NULL},
	    {"a;b.example.com", NULL, NULL},
	};
	struct edge_host_table *table = edge_host_table_create();

	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		assert_true(edge_host_table_add(table, span_of(given[i]), given[i]));
	assert_false(edge_host_table_add(table, SPAN("EXAMPLE.com"), "second"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span host = span_of(cases[i].host);

		assert_ptr_equal(edge_host_table_find(table, host, EDGE_WILDCARD_ONE_LABEL),
				 cases[i].one);
		assert_ptr_equal(edge_host_table_find(table, host, EDGE_WILDCARD_ANY_LABELS),
				 cases[i].any);
	}
	edge_host_table_destroy(&table);
	assert_null(table);
}

static void test_many_and_long_names(void **state)
{
	struct edge_host_table *table = edge_host_table_create();
	char text[300];

	for (uintptr_t i = 1; i <= 5000; i++) {
		snprintf(text, sizeof(text), "host%u.example.com", (unsigned)i);
		assert_true(edge_host_table_add(table, span_of(text), (void *)i));
	}
	for (uintptr_t i = 1; i <= 5000; i++) {
		snprintf(text, sizeof(text), "host%u.example.com", (unsigned)i);
		assert_ptr_equal(
		    edge_host_table_find(table, span_of(text), EDGE_WILDCARD_ANY_LABELS),
		    (void *)i);
	}
	memset(text, 'a', sizeof(text));
	assert_false(edge_host_table_add(table, (struct span){text, 254}, text));
	assert_true(edge_host_table_add(table, (struct span){text, 253}, text));
	assert_null(
	    edge_host_table_find(table, (struct span){text, 300}, EDGE_WILDCARD_ANY_LABELS));
	assert_ptr_equal(
	    edge_host_table_find(table, (struct span){text, 253}, EDGE_WILDCARD_ONE_LABEL), text);
	edge_host_table_destroy(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_many_and_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
