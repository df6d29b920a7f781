/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses as text: whatever a zone may hold can be explained.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "dns/report.h"
#include "dns/sections.h"
#include "tests/unit/dns/fixture.h"

#define TOP "$TTL 300\n@ SOA ns1 hostmaster 7 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"

static json_t *explain(struct fixture *f, const char *name, const char *type)
{
	json_t *report = dns_report_explain(f->view, f->answerer, name, type, "198.51.100.0/24");

	assert_null(json_object_get(report, "error"));
	return report;
}

static const char *line(const json_t *report, const char *section, unsigned i)
{
	const char *text = json_string_value(json_array_get(json_object_get(report, section), i));

	return text != NULL ? text : "";
}

/* A record without data ended the server that was asked to explain it: libknot reads none. */
static void test_record_without_data(void **state)
{
	static const uint8_t wire[] = "\x12\x34\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00"
				      "\x03nul\x00\x00\x0a\x00\x01"
				      "\xc0\x0c\x00\x0a\x00\x01\x00\x00\x01\x2c\x00";
	json_t *report = json_object();

	dns_sections_report(wire, sizeof(wire), report);
	assert_string_equal(line(report, "answer", 0), "nul. 300 IN NULL \\# 0");
	json_decref(report);
}

static void test_whatever_loads_is_explained(void **state)
{
	struct fixture f = {0};
	json_t *report;

	fixture_init(&f, TOP "odd APL \\# 0\nodd TYPE65401 \\# 0\n", "{}", NULL);
	report = explain(&f, "odd.example.com", "APL");
	assert_string_equal(line(report, "answer", 0), "odd.example.com. 300 IN APL \\# 0");
	json_decref(report);
	report = explain(&f, "odd.example.com", "TYPE65401");
	assert_string_equal(line(report, "answer", 0), "odd.example.com. 300 IN TYPE65401 \\# 0");
	json_decref(report);
	fixture_fini(&f);
}

static void test_all_sections(void **state)
{
	struct fixture f = {0};
	json_t *report;

	fixture_init(&f, TOP "@ MX 1 mail\nmail A 192.0.2.25\nodd TYPE65400 \\# 3 010203\n", "{}",
		     NULL);
	report = explain(&f, "example.com", "MX");
	assert_string_equal(line(report, "answer", 0),
			    "example.com. 300 IN MX 1 mail.example.com.");
	assert_string_equal(line(report, "additional", 0), "mail.example.com. 300 IN A 192.0.2.25");
	assert_int_equal(json_array_size(json_object_get(report, "additional")), 1);
	json_decref(report);
	report = explain(&f, "nothing.example.com", "A");
	assert_string_equal(line(report, "authority", 0),
			    "example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 "
			    "7200 900 1209600 60");
	json_decref(report);
	report = explain(&f, "odd.example.com", "TYPE65400");
	assert_string_equal(line(report, "answer", 0),
			    "odd.example.com. 300 IN TYPE65400 \\# 3 010203");
	json_decref(report);
	fixture_fini(&f);
}

/* What has no room in a line is left out, and the rest is told. */
static void test_long_data(void **state)
{
	struct fixture f = {0};
	char *zone = NULL;
	size_t size;
	FILE *file = open_memstream(&zone, &size);
	json_t *report;

	assert_non_null(file);
	fputs(TOP "long TYPE65400 \\# 3000 ", file);
	for (unsigned i = 0; i < 3000; i++)
		fputs("ab", file);
	fputs("\n", file);
	fclose(file);
	fixture_init(&f, zone, "{}", NULL);
	report = explain(&f, "long.example.com", "TYPE65400");
	assert_string_equal(line(report, "answer", 0), "long.example.com. 300 IN TYPE65400 ...");
	json_decref(report);
	fixture_fini(&f);
	free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_record_without_data),
	    cmocka_unit_test(test_whatever_loads_is_explained),
	    cmocka_unit_test(test_all_sections),
	    cmocka_unit_test(test_long_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
