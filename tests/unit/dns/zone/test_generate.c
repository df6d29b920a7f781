/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * $GENERATE: lines and what becomes of them, as BIND does it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "dns/zone/generate.h"

#define FORMAT "(format)"
#define RANGE "$GENERATE: the range is not START-STOP or START-STOP/STEP"
#define LINE "$GENERATE: not RANGE OWNER [TTL] [CLASS] TYPE DATA"

struct generate_case {
	const char *line;
	const char *text; /* all lines, or what is wrong */
};

static const struct generate_case cases[] = {
    {" 1-2 a$ A 192.0.2.$", "a1 A 192.0.2.1\na2 A 192.0.2.2\n"},
    {"0-6/3 a$ A 192.0.2.$", "a0 A 192.0.2.0\na3 A 192.0.2.3\na6 A 192.0.2.6\n"},
    {"9-9\ta\tA\t192.0.2.1\t; a $ comment", "a A 192.0.2.1\n"},
    {"1-1 a 1h IN A 192.0.2.$", "a 1h IN A 192.0.2.1\n"},
    {"1-1 a CLASS1 60 CNAME b$", "a CLASS1 60 CNAME b1\n"},
    {"1-1 m$ MX 10 mail$", "m1 MX 10 mail1\n"},
    {"1-1 m$ MX \"10 mail$\"", "m1 MX 10 mail1\n"},
    {"1-1 t TXT \"a\" \"$\"", "t TXT \"a\" \"1\"\n"},
    {"1-1 t TXT \"a;$\" ; no", "t TXT a;1\n"},
    {"1-1 a\\$$ TXT x$$", "a\\$1 TXT x\\$\n"},
    {"7-7 ${0} CNAME ${10}", "7 CNAME 17\n"},
    {"7-7 x${-10} CNAME ${0,3}", "x-3 CNAME 007\n"},
    {"10-10 ${0,4,x}.${0,4,X} CNAME ${0,3,o}", "000a.000A CNAME 012\n"},
    {"17-17 ${0,7,n}.ip6 PTR h${0,0,N}.", "1.1.0.0.ip6 PTR h1.1.\n"},
    {"2-1 a A 192.0.2.1", RANGE},
    {"1 a A 192.0.2.1", RANGE},
    {"1-2/0 a A 192.0.2.1", RANGE},
    {"1-2/ a A 192.0.2.1", RANGE},
    {"1-2x a A 192.0.2.1", RANGE},
    {"-1-2 a A 192.0.2.1", RANGE},
    {"1-99999999999 a A 192.0.2.1", RANGE},
    {"", RANGE},
    {"1-2", LINE},
    {"1-2 a", LINE},
    {"1-2 a A", LINE},
    {"1-2 a 60 IN A", LINE},
    {"1-1 a${ A 192.0.2.1", FORMAT},
    {"1-1 a${x} A 192.0.2.1", FORMAT},
    {"1-1 a${0,1,z} A 192.0.2.1", FORMAT},
    {"1-1 a${0,1,d,} A 192.0.2.1", FORMAT},
    {"1-1 a${0,999,d} A 192.0.2.1", FORMAT},
    {"2147483647-2147483647 a${1} A 192.0.2.1", FORMAT},
};

static char *generate(const char *line)
{
	static char out[4 * DNS_GENERATE_LINE], one[DNS_GENERATE_LINE];
	struct dns_generate g;
	const char *error = dns_generate_parse(&g, line, strlen(line));

	out[0] = '\0';
	if (error != NULL)
		return strcpy(out, error);
	for (uint64_t i = g.start; i <= g.stop; i += g.step) {
		if (dns_generate_line(&g, (uint32_t)i, one) == 0) {
			strcpy(out, FORMAT);
			break;
		}
		assert_true(strlen(out) + strlen(one) < sizeof(out));
		strcat(out, one);
	}
	dns_generate_fini(&g);
	return out;
}

static void test_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (strcmp(generate(cases[i].line), cases[i].text) != 0)
			print_error("%s\n", cases[i].line);
		assert_string_equal(generate(cases[i].line), cases[i].text);
	}
}

static void a_line_that_grows_too_long(void **state)
{
	char line[DNS_GENERATE_LINE], out[DNS_GENERATE_LINE];
	struct dns_generate g;

	strcpy(line, "1-1 a TXT ");
	memset(line + strlen(line), '$', 2 * 1000);
	strcpy(line + 2010, "${0,255}${0,255}${0,255}${0,255}${0,255}${0,255}${0,255}${0,255}"
			    "${0,255}${0,255}${0,255}");
	assert_null(dns_generate_parse(&g, line, strlen(line)));
	assert_int_equal(dns_generate_line(&g, 1, out), 0);
	dns_generate_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(a_line_that_grows_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
