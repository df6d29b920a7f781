/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Master files: what is refused, with exactly which words and where, and what is made of the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "dns/zone/zones.h"
#include "tests/unit/dns/fixture.h"

#define TOP                                                                                        \
	"$TTL 3600\n"                                                                              \
	"@ SOA ns1 hostmaster 1 7200 900 1209600 60\n"                                             \
	"@ NS ns1\n"                                                                               \
	"ns1 A 192.0.2.53\n"

struct load_case {
	const char *zone;
	const char *errors;
};

static const struct load_case cases[] = {
    {TOP, ""},
    {"", "example.zone: no SOA at the apex, example.com.\n"
	 "example.zone: no NS at the apex, example.com.\n"},
    {TOP "a A 300.1.1.1\nb A 192.0.2.1\nc AAAA ::g\nd NOSUCHTYPE x\n",
     "example.zone:5: invalid IPv4 address\n"
     "example.zone:7: invalid address character\n"
     "example.zone:8: unsupported record type\n"},
    {TOP "@ SOA ns1 hostmaster 2 7200 900 1209600 60\n",
     "example.zone:5: second SOA of example.com.; the first is at example.zone:2\n"},
    {TOP "sub SOA ns1 hostmaster 2 7200 900 1209600 60\n",
     "example.zone:5: sub.example.com. SOA: it belongs at the apex of the zone\n"},
    {"$TTL 60\nwww A 192.0.2.1\n", "example.zone: no SOA at the apex, example.com.\n"
				   "example.zone: no NS at the apex, example.com.\n"},
    {TOP "www CNAME a\nwww A 192.0.2.1\n",
     "example.zone:5: CNAME at www.example.com., which has other records (A at "
     "example.zone:6)\n"},
    {TOP "www A 192.0.2.1\nwww CNAME a\n",
     "example.zone:6: CNAME at www.example.com., which has other records (A at "
     "example.zone:5)\n"},
    {TOP "www CNAME a\nwww CNAME b\n",
     "example.zone:6: second CNAME of www.example.com.; the first is at example.zone:5\n"},
    {TOP "www CNAME a\nwww CNAME a\n", ""},
    {TOP "www.example.org. A 192.0.2.1\nexample.co. A 192.0.2.1\n",
     "example.zone:5: www.example.org. is not in zone example.com.\n"
     "example.zone:6: example.co. is not in zone example.com.\n"},
    {TOP "x DNAME example.org.\nx A 192.0.2.1\n", ""},
    {TOP "x DNAME a.\nx DNAME b.\n",
     "example.zone:6: second DNAME of x.example.com.; the first is at example.zone:5\n"},
    {TOP "x DNAME a.\nx CNAME b.\n",
     "example.zone:6: CNAME at x.example.com., which has other records (DNAME at "
     "example.zone:5)\n"},
    {TOP "x DNAME a.\nx NS b.\n", "example.zone:5: DNAME at x.example.com., which is delegated: it "
				  "belongs into the zone there\n"},
    {TOP "a.b.x A 192.0.2.1\nx DNAME a.\n",
     "example.zone:5: a.b.x.example.com. is below x.example.com., which has a DNAME\n"},
    {TOP "@ DNAME a.\n",
     "example.zone:4: ns1.example.com. is below example.com., which has a DNAME\n"},
    {TOP "x NSEC y.example.com. A\n",
     "example.zone:5: x.example.com. NSEC: signed zones are not supported yet\n"},
    {TOP "x CH TXT hello\n", "example.zone:5: unsupported record type\n"},
    {TOP "*.x NS ns1\n",
     "example.zone:5: NS at *.x.example.com.: a wildcard cannot be delegated\n"},
    {TOP "x TYPE252 \\# 0\n",
     "example.zone:5: x.example.com. AXFR: this type cannot be in a zone\n"},
    {TOP "$INCLUDE missing.zone\n",
     "example.zone:5: zone file missing.zone cannot be read: No such file or directory\n"},
    /* A device is read without end. */
    {TOP "$INCLUDE /dev/zero\n",
     "example.zone:5: zone file /dev/zero is a device, not a regular file\n"},
    {TOP "$INCLUDE .\n", "example.zone:5: zone file . is a folder, not a regular file\n"},
    {TOP "x A bad", "example.zone:5: invalid address character\n"}, /* no end of line */
    {TOP "$INCLUDE example.zone\n", "example.zone:5: zone file example.zone includes itself\n"},
    {TOP "$INCLUDE broken.zone\nx A bad\n", "broken.zone:2: invalid IPv4 address\n"
					    "example.zone:6: invalid address character\n"},
    {TOP "x TXT \"never closed\n", "example.zone:5: invalid text character\n"},
};

static void test_errors(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = {0};
		char *errors;

		fixture_file(&f, "broken.zone", "good A 192.0.2.1\nbad A 192.0.2.256\n");
		fixture_init(&f, cases[i].zone, "{}", &errors);
		if (strcmp(errors, cases[i].errors) != 0) {
			print_error("zone:\n%s\n", cases[i].zone);
			assert_string_equal(errors, cases[i].errors);
		}
		assert_int_equal(f.view != NULL, cases[i].errors[0] == '\0');
		free(errors);
		fixture_fini(&f);
	}
}

static const struct load_case steered_cases[] = {
    /* the steered names in place of the zone */
    {"{www: {site: all}, '@': {site: one}}", ""},
    {"{a: {site: all}}", "example.zone:5: A at a.example.com., which is steered (fleet.yaml:20)\n"},
    {"{c: {site: all}}",
     "example.zone:6: CNAME at c.example.com., which is steered (fleet.yaml:20)\n"},
    {"{x.sub: {site: all}}",
     "fleet.yaml:20:47: x.sub.example.com. is delegated by zone file example.zone\n"},
    {"{x.dn: {site: all}}",
     "fleet.yaml:20:47: x.dn.example.com. is below a DNAME of zone file example.zone\n"},
};

static void test_steered_errors(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(steered_cases); i++) {
		struct fixture f = {0};
		char *errors;

		fixture_init(&f, TOP "a A 192.0.2.1\nc CNAME a\nsub NS ns1\ndn DNAME a.\n",
			     steered_cases[i].zone, &errors);
		assert_string_equal(errors, steered_cases[i].errors);
		free(errors);
		fixture_fini(&f);
	}
}

static void test_counts(void **state)
{
	struct fixture f = {0};

	fixture_file(&f, "more.zone", "x A 192.0.2.7\n@ TXT included\n");
	fixture_init(&f,
		     TOP "www A 192.0.2.1\n"
			 "www A 192.0.2.1\n" /* a duplicate */
			 "WWW A 192.0.2.2\n"
			 "www 60 A 192.0.2.3\n" /* the lowest TTL counts */
			 "$INCLUDE more.zone sub.example.com.\n"
			 "after A 192.0.2.8\n",
		     "{}", NULL);
	assert_int_equal(f.view->zones->n, 1);
	assert_int_equal(f.view->zones->v[0].zone->n_records, 9);
	assert_int_equal(f.view->zones->v[0].zone->serial, 1);
	fixture_expect(&f, "www.example.com A",
		       "NOERROR aa\n"
		       "answer: www.example.com. 60 A 192.0.2.1\n"
		       "answer: www.example.com. 60 A 192.0.2.2\n"
		       "answer: www.example.com. 60 A 192.0.2.3\n");
	fixture_expect(&f, "x.sub.example.com A",
		       "NOERROR aa\nanswer: x.sub.example.com. 3600 A 192.0.2.7\n");
	fixture_expect(&f, "sub.example.com TXT",
		       "NOERROR aa\nanswer: sub.example.com. 3600 TXT \"included\"\n");
	/* the include's origin ends with it */
	fixture_expect(&f, "after.example.com A",
		       "NOERROR aa\nanswer: after.example.com. 3600 A 192.0.2.8\n");
	fixture_fini(&f);
}

/* Keeping them in order took the square of their number, for an answer that nobody can get. */
static void test_more_records_than_a_message_has_room_for(void **state)
{
	struct fixture f = {0};
	char *errors, *text = NULL;
	size_t size;
	FILE *zone = open_memstream(&text, &size);

	assert_non_null(zone);
	fputs(TOP, zone);
	for (unsigned i = 0; i < 300000; i++)
		fprintf(zone, "many A 10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	assert_int_equal(fclose(zone), 0);
	fixture_init(&f, text, "{}", &errors);
	assert_non_null(strstr(errors, ": many.example.com. A: more records of one name and type "
				       "than fit into a message\n"));
	assert_null(f.view);
	free(errors);
	free(text);
	fixture_fini(&f);
}

/* Each made the loader run without end, broke its memory, or was served so that nobody could read
 * the answer; tests/unit/dns/zone/test_rdata.c has more. */
static const char *const misfits[] = {
    "MX \\# 3 03ffff",   "TYPE15 \\# 3 03ffff",        "NS \\# 2 c00c",      "A \\# 3 010203",
    "TYPE16 \\# 2 05aa", "SRV \\# 8 000100020003c00c", "HINFO \\# 2 0161",   "DS \\# 4 00010501",
    "CAA \\# 2 0005",    "HTTPS \\# 7 00010000030000", "APL \\# 4 00011804", "CNAME \\# 1 01",
    "PTR \\# 2 c000",    "TYPE7 \\# 2 c00c",
};

static void generic_data_that_has_not_the_form_of_its_type(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(misfits); i++) {
		struct fixture f = {0};
		char *text = xasprintf("%sx %s\n", TOP, misfits[i]), *errors;

		fixture_init(&f, text, "{}", &errors);
		if (f.view != NULL || strncmp(errors, "example.zone:5: x.example.com. ", 31) != 0)
			print_error("%s: %s\n", misfits[i], errors);
		assert_null(f.view);
		assert_memory_equal(errors, "example.zone:5: x.example.com. ", 31);
		free(errors);
		free(text);
		fixture_fini(&f);
	}
}

/* `explain` of such a record ended the server. */
static void record_without_data(void **state)
{
	struct fixture f = {0};
	char *errors;

	fixture_init(&f, TOP "nul TYPE10 \\# 0\nnone TYPE65280 \\# 0\n", "{}", &errors);
	assert_string_equal(errors, "example.zone:5: nul.example.com. NULL: no data\n");
	free(errors);
	fixture_fini(&f);
	f = (struct fixture){0};
	fixture_init(&f, TOP "none TYPE65280 \\# 0\n", "{}", NULL);
	fixture_expect(&f, "none.example.com TYPE65280",
		       "NOERROR aa\nanswer: none.example.com. 3600 TYPE65280 \\# 0\n");
	fixture_fini(&f);
}

/* Took the square of their number. */
static void sixty_thousand_txt_records_in_one_rrset(void **state)
{
	struct fixture f = {0};
	char *errors, *text = NULL;
	size_t size;
	FILE *zone = open_memstream(&text, &size);

	assert_non_null(zone);
	fputs(TOP, zone);
	/* Ten times that, each ten times. */
	for (unsigned i = 0; i < 600000; i++)
		fprintf(zone, "many TXT %u\n", i * 7919 % 60000);
	assert_int_equal(fclose(zone), 0);
	fixture_init(&f, text, "{}", &errors);
	assert_string_equal(errors,
			    "example.zone:5: many.example.com. TXT: more records of one name "
			    "and type than fit into a message\n");
	free(errors);
	free(text);
	fixture_fini(&f);
}

/* It was "not in zone example.com." */
static void absolute_owner_in_upper_case(void **state)
{
	struct fixture f = {0};

	fixture_init(&f,
		     TOP "WWW.EXAMPLE.COM. A 192.0.2.1\n$ORIGIN Example.Com.\nmail A 192.0.2.2\n",
		     "{}", NULL);
	fixture_expect(&f, "www.example.com A",
		       "NOERROR aa\nanswer: www.example.com. 3600 A 192.0.2.1\n");
	fixture_expect(&f, "mail.example.com A",
		       "NOERROR aa\nanswer: mail.example.com. 3600 A 192.0.2.2\n");
	fixture_fini(&f);
}

static void names_in_mixed_case_are_served_as_written(void **state)
{
	struct fixture f = {0};

	fixture_init(&f,
		     TOP "WwW A 192.0.2.1\n"
			 "Alias CNAME WWW\n"
			 "@ MX 10 Mail.Example.ORG.\n"
			 "@ MX 10 mail.example.org.\n",
		     "{}", NULL);
	fixture_expect(&f, "example.com MX",
		       "NOERROR aa\nanswer: example.com. 3600 MX 10 Mail.Example.ORG.\n");
	fixture_expect(&f, "WwW.example.com A",
		       "NOERROR aa\nanswer: WwW.example.com. 3600 A 192.0.2.1\n");
	assert_int_equal(f.view->zones->v[0].zone->n_records, 6);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_steered_errors),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_more_records_than_a_message_has_room_for),
	    cmocka_unit_test(generic_data_that_has_not_the_form_of_its_type),
	    cmocka_unit_test(record_without_data),
	    cmocka_unit_test(sixty_thousand_txt_records_in_one_rrset),
	    cmocka_unit_test(absolute_owner_in_upper_case),
	    cmocka_unit_test(names_in_mixed_case_are_served_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
