/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts with variables: which parts they have, and what is said of those that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/types/template.h"
#include "core/base/check.h"

/* "text|<variable:argument>|..." */
static void describe(const char *text, char *out, size_t size)
{
	struct cfg_template_part part;
	size_t n = 0;

	out[0] = '\0';
	while (cfg_template_next(&text, &part)) {
		if (part.is_variable)
			n += (size_t)snprintf(out + n, size - n, "<%s:%.*s>",
					      cfg_variable_name(part.variable), (int)part.n,
					      part.text);
		else
			n += (size_t)snprintf(out + n, size - n, "%.*s|", (int)part.n, part.text);
		assert_true(n < size);
	}
}

static void test_parts(void **state)
{
	static const char *const cases[][2] = {
	    {"", ""},
	    {"plain", "plain|"},
	    {"{host}", "<host:>"},
	    {"https://{host}{path}", "https://|<host:><path:>"},
	    {"{{", "{|"},
	    {"a{{b}c", "a{|b}c|"},
	    {"{{host}", "{|host}|"},
	    {"{{{host}", "{|<host:>"},
	    {"{{{{x", "{|{|x|"},
	    {"}{host}}", "}|<host:>}|"},
	    {"{\"a\":1", NULL},
	    {"{field.X-Real-IP}", "<field.NAME:X-Real-IP>"},
	    {"{cookie.a}{query.b%20c}", "<cookie.NAME:a><query.NAME:b%20c>"},
	    {"{match.0}-{match.9}", "<match.N:0>-|<match.N:9>"},
	    {"{response.ETag} {status}", "<response.NAME:ETag> |<status:>"},
	    {"{client.ip}{client.asn}", "<client.ip:><client.asn:>"},
	};
	char got[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *why = cfg_template_check(cases[i][0], CFG_KNOWN_RESPONSE);

		assert_int_equal(why == NULL, cases[i][1] != NULL);
		free(why);
		if (!cases[i][1])
			continue;
		describe(cases[i][0], got, sizeof(got));
		assert_string_equal(got, cases[i][1]);
	}
}

static void test_complaints(void **state)
{
	static const struct {
		const char *text;
		enum cfg_known known;
		const char *why; /* NULL: none */
	} cases[] = {
	    {"{hots}", CFG_KNOWN_REQUEST, "there is no variable {hots}; did you mean {host}?"},
	    {"{feild.Host}", CFG_KNOWN_REQUEST,
	     "there is no variable {feild.Host}; did you mean {field.Host}?"},
	    {"{field}", CFG_KNOWN_REQUEST, NULL},
	    {"{match.10}", CFG_KNOWN_REQUEST,
	     "there is no variable {match.10}; did you mean {match.N}?"},
	    {"{query.a=b}", CFG_KNOWN_REQUEST, NULL},
	    {"{something.else}", CFG_KNOWN_REQUEST,
	     "there is no variable {something.else}; \"{{\" stands for a brace"},
	    {"{}", CFG_KNOWN_REQUEST, "there is no variable {}; \"{{\" stands for a brace"},
	    {"{ host }", CFG_KNOWN_REQUEST, "there is no variable { host }; did you mean {host}?"},
	    {"a{host", CFG_KNOWN_REQUEST, "\"{\" without \"}\"; \"{{\" stands for a brace"},
	    {"{status}", CFG_KNOWN_REQUEST, "{status} is not known before there is a response"},
	    {"{response.X}", CFG_KNOWN_REQUEST,
	     "{response.NAME} is not known before there is a response"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *why = cfg_template_check(cases[i].text, cases[i].known);

		assert_non_null(why);
		if (cases[i].why)
			assert_string_equal(why, cases[i].why);
		free(why);
	}
}

/* Every name of the list is read as itself. */
static void test_all_names(void **state)
{
	for (unsigned i = 0; i < CFG_VARIABLES; i++) {
		const char *shown = cfg_variable_name((enum cfg_variable)i), *rest;
		const char *argument = strstr(shown, ".N");
		struct cfg_template_part part;
		char text[64];

		snprintf(text, sizeof(text), "{%.*s%s}",
			 argument ? (int)(argument + 1 - shown) : (int)strlen(shown), shown,
			 argument ? "1" : "");
		assert_null(cfg_template_check(text, CFG_KNOWN_END));
		rest = text;
		assert_true(cfg_template_next(&rest, &part));
		assert_true(part.is_variable);
		assert_int_equal(part.variable, i);
		assert_int_equal(*rest, '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_complaints),
	    cmocka_unit_test(test_all_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
