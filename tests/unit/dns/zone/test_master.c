/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Master files in all the forms that BIND and NSD take; where BIND's named-compilezone is
 * installed, what it makes of them is compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "tests/support/skip.h"
#include "tests/unit/dns/zone/zone_fixture.h"

/* Beside each zone. */
static const char include_text[] = " A 192.0.2.9\n"
				   "$TTL 77\n"
				   "$ORIGIN deep\n"
				   "w A 192.0.2.10\n";

struct form {
	const char *what;
	const char *text;    /* after ZONE_TOP */
	const char *records; /* but for those of ZONE_TOP */
};

static const struct form forms[] = {
    {"nothing", "", ""},
    {"lines that end in CR LF",
     "x A 192.0.2.1\r\n\r\ny TXT \"a b\" ; c\r\n$ORIGIN z\r\na A 192.0.2.1\r\n",
     "x A 192.0.2.1\ny TXT \"a b\"\na.z A 192.0.2.1\n"},
    {"CR LF within parentheses", "x TXT ( \"a\"\r\n \"b\" )\r\n", "x TXT a b\n"},
    {"relative $ORIGIN", "$ORIGIN sub\nx A 192.0.2.1\n$ORIGIN a.b\ny A 192.0.2.1\n",
     "x.sub A 192.0.2.1\ny.a.b.sub A 192.0.2.1\n"},
    {"$ORIGIN @", "$ORIGIN sub\n$ORIGIN @\nx A 192.0.2.1\n", "x.sub A 192.0.2.1\n"},
    {"$ORIGIN with an escaped dot at its end",
     "$ORIGIN a\\.\nx A 192.0.2.1\n$ORIGIN b\\\\.example.com.\n"
     "y A 192.0.2.1\n",
     "x.a\\. A 192.0.2.1\ny.b\\\\ A 192.0.2.1\n"},
    {"blank owner after $ORIGIN", "x A 192.0.2.1\n$ORIGIN sub\n A 192.0.2.2\n",
     "x A 192.0.2.1\nx A 192.0.2.2\n"},
    {"include that begins with a blank owner",
     "x A 192.0.2.1\n$INCLUDE include\n TXT after\ny A 192.0.2.3\n",
     "x A 192.0.2.1\nx A 192.0.2.9\nw.deep 77 A 192.0.2.10\nx 77 TXT after\ny 77 A 192.0.2.3\n"},
    {"$INCLUDE with a relative origin",
     "x A 192.0.2.1\n$INCLUDE include sub ; comment\ny A 192.0.2.3\n",
     "x A 192.0.2.1\nx A 192.0.2.9\nw.deep.sub 77 A 192.0.2.10\ny 77 A 192.0.2.3\n"},
    {"$INCLUDE with an origin in full", "x A 192.0.2.1\n$INCLUDE \"include\" sub.example.com.\n",
     "x A 192.0.2.1\nx A 192.0.2.9\nw.deep.sub 77 A 192.0.2.10\n"},
    {"$INCLUDE at the origin", "x A 192.0.2.1\n$INCLUDE include @\n",
     "x A 192.0.2.1\nx A 192.0.2.9\nw.deep 77 A 192.0.2.10\n"},
    {"$GENERATE",
     "$GENERATE 1-3 a$ A 192.0.2.$\n$GENERATE 0-10/5 h${0,3,d} 60 IN CNAME x${10,2,x}\n",
     "a1 A 192.0.2.1\na2 A 192.0.2.2\na3 A 192.0.2.3\nh000 60 CNAME x0a\nh005 60 CNAME x0f\n"
     "h010 60 CNAME x14\n"},
    {"$GENERATE as of RFC 2317", "$GENERATE 1-2 $ CNAME $.0/25\n0/25 NS ns1\n",
     "1 CNAME 1.0/25\n2 CNAME 2.0/25\n0/25 NS ns1\n"},
    {"$GENERATE of quoted data",
     "$GENERATE 1-1 m$ MX \"10 mail$\"\n$GENERATE 1-1 t$ TXT \"a $ b\"\n",
     "m1 MX 10 mail1\nt1 TXT a 1 b\n"},
    {"$GENERATE of nibbles",
     "$GENERATE 17-18 ${0,7,n}.ip6 PTR h${0,5,N}\n$GENERATE 0-1 x${-1,4,x} TXT $$\n",
     "1.1.0.0.ip6 PTR h1.1.0\n2.1.0.0.ip6 PTR h2.1.0\nxffffffff TXT $\nx0000 TXT $\n"},
    {"$GENERATE after a relative $ORIGIN, CR LF", "$ORIGIN s\r\n$GENERATE 1-1 x$ A 192.0.2.$\r\n",
     "x1.s A 192.0.2.1\n"},
    {"directives in parentheses and quotes are none",
     "x TXT ( a\n$ORIGIN \"b\" ; )\n )\ny TXT \"(\" ; (\n"
     "$ORIGIN q\nz A 192.0.2.1\n",
     "x TXT a $ORIGIN b\ny TXT \"(\"\nz.q A 192.0.2.1\n"},
    {"semicolons and quotes in quotes", "x TXT \"a;b\" \"c\\\"d\"\n$ORIGIN q\nz A 192.0.2.1\n",
     "x TXT \"a;b\" \"c\\\"d\"\nz.q A 192.0.2.1\n"},
    {"the largest TTL", "x 2147483647 A 192.0.2.1\n", "x 2147483647 A 192.0.2.1\n"},
    {"TTL before and after the class", "x IN 60 A 192.0.2.1\ny 1h IN A 192.0.2.1\n",
     "x 60 A 192.0.2.1\ny 3600 A 192.0.2.1\n"},
    {"owner and data in mixed case", "WwW A 192.0.2.1\nwWw A 192.0.2.2\nx MX 1 Mail.EXAMPLE.com.\n",
     "WwW A 192.0.2.1\nWwW A 192.0.2.2\nx MX 1 Mail.EXAMPLE.com.\n"},
    {"escapes", "a\\.b A 192.0.2.1\n\\065 A 192.0.2.1\na\\000b A 192.0.2.1\n\\@ A 192.0.2.1\n",
     "a\\.b A 192.0.2.1\nA A 192.0.2.1\na\\000b A 192.0.2.1\n\\@ A 192.0.2.1\n"},
    {"generic data of a known type",
     "x TYPE1 \\# 4 c0000201\nx A \\# 4 c0000202\ny MX \\# 5 000101 6d 00\n",
     "x A 192.0.2.1\nx A 192.0.2.2\ny MX 1 m.\n"},
    {"types that nobody knows", "x TYPE65280 \\# 0\nx TYPE65281 \\# 2 c00c\n",
     "x TYPE65280 \\# 0\nx TYPE65281 \\# 2 c00c\n"},
    {"DNAME", "x DNAME a.example.\nx A 192.0.2.1\n*.y DNAME b.example.\n",
     "x DNAME a.example.\nx A 192.0.2.1\n*.y DNAME b.example.\n"},
    {"SVCB", "x HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1\ny SVCB 0 foo\n",
     "x HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1\ny SVCB 0 foo\n"},
    {"many types",
     "x CAA 0 issue \"ca.example\"\nx SSHFP 1 1 0123456789012345678901234567890123456789\n"
     "x NAPTR 1 2 \"u\" \"E2U\" \"!a!b!\" .\nx LOC 52 22 23 N 4 53 32 E -2m 0m\nx URI 1 2 "
     "\"http:\"\n"
     "x APL 1:192.0.2.0/24 !2:2001:db8::/32\nx RP a.b. .\nx AFSDB 1 b.\nx KX 1 c.\nx EUI48 "
     "00-00-5e-00-53-2a\n"
     "x TLSA 3 1 1 00\nx SPF v=spf1\nx HINFO a b\nx DS 1 8 1 "
     "0123456789012345678901234567890123456789\n",
     NULL},
    {"a duplicate", "x A 192.0.2.1\nx A 192.0.2.1\n", "x A 192.0.2.1\n"},
    {"no newline at the end", "x A 192.0.2.1", "x A 192.0.2.1\n"},
};

static void test_forms(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct zone_fixture f = {0};
		char *text = xasprintf("%s%s", ZONE_TOP, forms[i].text);
		/* Those of the table are without a TTL and relative. */
		char *records =
		    xasprintf("$ORIGIN example.com.\n$TTL 3600\n%s",
			      forms[i].records != NULL ? forms[i].records : forms[i].text);

		print_message("%s\n", forms[i].what);
		zone_file(&f, "include", include_text, strlen(include_text));
		zone_has(&f, text, records);
		free(records);
		free(text);
		zone_fixture_fini(&f);
	}
}

/* RFC 1035 section 5.1, RFC 2308 section 4; and what BIND does before any is known. */
static void test_records_without_a_ttl(void **state)
{
	static const char *const cases[][2] = {
	    {"@ SOA a.b. c.d. 1 2 3 4 60\n@ NS a.b.\nb 77 A 192.0.2.1\nc A 192.0.2.1\n$TTL 9\nd A "
	     "192.0.2.1\n"
	     "e 99 A 192.0.2.1\nf A 192.0.2.1\n",
	     "@ 60 SOA a.b. c.d. 1 2 3 4 60\n@ 60 NS a.b.\nb 77 A 192.0.2.1\nc 60 A 192.0.2.1\n"
	     "d 9 A 192.0.2.1\ne 99 A 192.0.2.1\nf 9 A 192.0.2.1\n"},
	    {"@ 55 SOA a.b. c.d. 1 2 3 4 60\n@ NS a.b.\nb 77 A 192.0.2.1\nc A 192.0.2.1\n",
	     "@ 55 SOA a.b. c.d. 1 2 3 4 60\n@ 55 NS a.b.\nb 77 A 192.0.2.1\nc 77 A 192.0.2.1\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct zone_fixture f = {0};
		struct dns_zone *left = zone_of(&f, cases[i][0]), *right = zone_of(&f, cases[i][1]);
		char *a, *b;

		assert_non_null(left);
		assert_non_null(right);
		a = zone_text(left);
		b = zone_text(right);
		assert_string_equal(a, b);
		free(a);
		free(b);
		dns_zone_unref(&left);
		dns_zone_unref(&right);
		zone_fixture_fini(&f);
	}
}

static void zone_name_of_rfc_2317(void **state)
{
	struct zone_fixture f = {0};
	static const char text[] = "$TTL 60\n@ SOA a.b. c.d. 1 2 3 4 5\n@ NS a.b.\n1 PTR x.y.\n";
	struct dns_zone *zone;
	char *has;

	zone_file(&f, "zone", text, strlen(text));
	zone = zone_load(&f, "0/25.2.0.192.in-addr.arpa", "zone", NULL);
	assert_non_null(zone);
	has = zone_text(zone);
	assert_string_equal(has, "0/25.2.0.192.in-addr.arpa. 60 NS a.b.\n"
				 "0/25.2.0.192.in-addr.arpa. 60 SOA a.b. c.d. 1 2 3 4 5\n"
				 "1.0/25.2.0.192.in-addr.arpa. 60 PTR x.y.\n");
	free(has);
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

static const struct form refused[] = {
    {"TTL over 2^31-1", "x 2147483648 A 192.0.2.1\ny 4294967295 A 192.0.2.1\n",
     "zone:5: TTL 2147483648: the most is 2147483647 (RFC 2181 section 8)\n"
     "zone:6: TTL 4294967295: the most is 2147483647 (RFC 2181 section 8)\n"},
    {"$TTL over 2^31-1", "$TTL 2147483648\n",
     "zone:5: $TTL 2147483648: the most is 2147483647 (RFC 2181 section 8)\n"},
    {"$ORIGIN without a name", "$ORIGIN\n", "zone:5: unexpected data\n"},
    {"$ORIGIN with two", "$ORIGIN a b\n", "zone:5: unexpected data\n"},
    {"no directive", "$NONSENSE a\n", "zone:5: invalid directive\n"},
    {"$GENERATE without a range", "$GENERATE a\nx A bad\n",
     "zone:5: $GENERATE: the range is not START-STOP or START-STOP/STEP\n"
     "zone:6: invalid address character\n"},
    {"$GENERATE with a bad format", "$GENERATE 1-3 a${ A 192.0.2.1\n",
     "zone:5: $GENERATE: a format is wrong, or what it makes too long\n"},
    {"$GENERATE of nothing but bad data", "$GENERATE 300-2147483647 a$ A 192.0.2.$\n",
     "zone:5: invalid IPv4 address\n"},
    {"$GENERATE of bad data", "\n$GENERATE 255-256 a$ A 192.0.2.$\n\n",
     "zone:6: invalid IPv4 address\n"},
    {"a second line after a directive", "$ORIGIN a\nx A bad\n$ORIGIN b\n\ny A bad\n",
     "zone:6: invalid address character\nzone:9: invalid address character\n"},
    {"parenthesis that nobody closes", "x TXT ( a\ny A 192.0.2.1\n",
     "zone:7: unclosed last multiline block\n"},
};

static void test_refused_forms(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct zone_fixture f = {0};
		char *text = xasprintf("%s%s", ZONE_TOP, refused[i].text);

		zone_refused(&f, text, refused[i].records);
		free(text);
		zone_fixture_fini(&f);
	}
}

/* Each of the six read all of it again, and so on: 1.7 million complaints. */
static void zone_file_that_includes_itself_six_times(void **state)
{
	struct zone_fixture f = {0};
	const char *again = "$INCLUDE zone\n";
	char *text =
	    xasprintf("%s%s%s%s%s%s%s", ZONE_TOP, again, again, again, again, again, again);

	zone_refused(&f, text,
		     "zone:5: zone file zone includes itself\n"
		     "zone:6: zone file zone includes itself\n"
		     "zone:7: zone file zone includes itself\n"
		     "zone:8: zone file zone includes itself\n"
		     "zone:9: zone file zone includes itself\n"
		     "zone:10: zone file zone includes itself\n");
	free(text);
	zone_fixture_fini(&f);
}

/* By another name, and over another file. */
static void zone_files_that_include_each_other(void **state)
{
	struct zone_fixture f = {0};

	zone_file(&f, "other", "$INCLUDE ./zone\n", 16);
	zone_refused(&f, ZONE_TOP "$INCLUDE other\n$INCLUDE other\n",
		     "other:1: zone file ./zone includes itself\n"
		     "other:1: zone file ./zone includes itself\n");
	zone_file(&f, "other", "x A 192.0.2.1\n", 14);
	/* One after the other is nothing of that kind. */
	zone_has(&f, ZONE_TOP "$INCLUDE other\n$INCLUDE other sub\n",
		 "x.example.com. 3600 A 192.0.2.1\nx.sub.example.com. 3600 A 192.0.2.1\n");
	zone_fixture_fini(&f);
}

/* The stack of libzscanner ran over: the eighteenth ended the process. */
static void many_includes_in_one_file(void **state)
{
	struct zone_fixture f = {0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs(ZONE_TOP, out);
	for (unsigned i = 0; i < 200; i++)
		fputs("$INCLUDE other\n", out);
	assert_int_equal(fclose(out), 0);
	zone_file(&f, "other", "x A 192.0.2.1\n", 14);
	zone_has(&f, text, "x.example.com. 3600 A 192.0.2.1\n");
	free(text);
	zone_fixture_fini(&f);
}

static void generated_text_counts_as_the_zone_s(void **state)
{
	struct zone_fixture f = {0};
	char text[512] = ZONE_TOP "$GENERATE 0-2147483647 @ TXT";

	/* Lines of some 4,000 octets. */
	for (unsigned i = 0; i < 15; i++)
		strcat(text, " ${0,250}");
	strcat(text, "\n");
	zone_refused(&f, text,
		     "zone:5: the zone is larger than 128 MiB with all that is included and "
		     "generated\n");
	zone_fixture_fini(&f);
}

/* What stood behind it was left out, and the rest served. */
static void directive_with_an_octet_of_zero(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} lines[] = {
#define LINE(s) {s, sizeof(s) - 1}
	    LINE("$ORIGIN a\0b\n"),
	    LINE("$INCLUDE include\0d\n"),
	    LINE("$GENERATE 1-2 a$ TXT a\0b\n"),
	    LINE("$TTL 5\0 6\n"),
#undef LINE
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct zone_fixture f = {0};
		char text[sizeof(ZONE_TOP) + 64] = ZONE_TOP;
		struct dns_zone *zone;

		memcpy(text + strlen(ZONE_TOP), lines[i].text, lines[i].len);
		zone_file(&f, "include", include_text, strlen(include_text));
		zone_file(&f, "zone", text, strlen(ZONE_TOP) + lines[i].len);
		zone = zone_load(&f, "example.com", "zone", NULL);
		assert_null(zone);
		assert_string_equal(f.errors, "zone:5: a directive with an octet of zero\n");
		zone_fixture_fini(&f);
	}
}

/* Whether BIND can be asked. */
static bool bind_is_installed(void)
{
	return system("named-compilezone -v > /dev/null 2>&1") == 0;
}

/* BIND's text of the zone becomes file "bind"; false: it refuses. */
static bool compile_by_bind(struct zone_fixture *f)
{
	char *command =
	    xasprintf("cd %s && named-compilezone -i none -k ignore -n ignore -m ignore -M ignore "
		      "-S ignore -W ignore -o bind example.com zone > out 2>&1",
		      f->dir);
	bool ok = system(command) == 0;

	free(command);
	return ok;
}

static void test_the_same_as_bind(void **state)
{
	if (!bind_is_installed())
		SKIP("bind9-utils is not installed");
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct zone_fixture f = {0};
		/* BIND wants a newline at the end. */
		char *text = xasprintf("%s%s\n", ZONE_TOP, forms[i].text), *ours, *theirs;
		struct dns_zone *zone, *other;

		print_message("%s\n", forms[i].what);
		zone_file(&f, "include", include_text, strlen(include_text));
		zone = zone_of(&f, text);
		assert_non_null(zone);
		assert_true(compile_by_bind(&f));
		other = zone_load(&f, "example.com", "bind", NULL);
		assert_non_null(other);
		ours = zone_text(zone);
		theirs = zone_text(other);
		assert_string_equal(ours, theirs);
		free(ours);
		free(theirs);
		free(text);
		dns_zone_unref(&zone);
		dns_zone_unref(&other);
		zone_fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_records_without_a_ttl),
	    cmocka_unit_test(zone_name_of_rfc_2317),
	    cmocka_unit_test(test_refused_forms),
	    cmocka_unit_test(zone_file_that_includes_itself_six_times),
	    cmocka_unit_test(zone_files_that_include_each_other),
	    cmocka_unit_test(many_includes_in_one_file),
	    cmocka_unit_test(generated_text_counts_as_the_zone_s),
	    cmocka_unit_test(directive_with_an_octet_of_zero),
	    cmocka_unit_test(test_the_same_as_bind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
