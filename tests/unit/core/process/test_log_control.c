/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command "log" of the control socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/process/log_control.h"

static json_t *ask(const char *level, const char *module)
{
	char *arguments[] = {(char *)level, (char *)module};

	return log_control(arguments, module != NULL ? 2 : level != NULL ? 1 : 0);
}

/* The level of a module in an answer. */
static const char *level_in(const json_t *answer, enum log_module module)
{
	const json_t *row = json_array_get(json_object_get(answer, "levels"), module);

	assert_string_equal(json_string_value(json_object_get(row, "module")),
			    log_modules[module].name);
	return json_string_value(json_object_get(row, "level"));
}

static void test_levels_are_shown(void **state)
{
	json_t *answer = ask(NULL, NULL);

	assert_int_equal(json_array_size(json_object_get(answer, "levels")), LOG_N_MODULES);
	assert_string_equal(level_in(answer, LOG_TLS), "info");
	json_decref(answer);
}

static void test_levels_are_set_for_one_and_for_all(void **state)
{
	json_t *answer = ask("debug", "tls");

	assert_string_equal(level_in(answer, LOG_TLS), "debug");
	assert_string_equal(level_in(answer, LOG_POOL), "info");
	assert_int_equal(log_module_level(LOG_TLS), LOG_LEVEL_DEBUG);
	json_decref(answer);
	answer = ask("warn", NULL);
	assert_string_equal(level_in(answer, LOG_TLS), "warn");
	assert_string_equal(level_in(answer, LOG_POOL), "warn");
	json_decref(answer);
	json_decref(ask("info", NULL));
}

static void test_unknown_words_change_nothing(void **state)
{
	static const struct {
		const char *level, *module, *error;
	} cases[] = {
	    {"loud", NULL, "no level \"loud\"; there are: error, warn, info, debug"},
	    {"debug", "poool", "no module \"poool\"; there are: process, "},
	    {"", "tls", "no level \"\"; "},
	};
	json_t *answer;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *error;

		answer = ask(cases[i].level, cases[i].module);
		error = json_string_value(json_object_get(answer, "error"));
		assert_non_null(error);
		assert_memory_equal(error, cases[i].error, strlen(cases[i].error));
		json_decref(answer);
	}
	assert_int_equal(log_module_level(LOG_TLS), LOG_LEVEL_INFO);
	assert_int_equal(log_module_level(LOG_POOL), LOG_LEVEL_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_levels_are_shown),
	    cmocka_unit_test(test_levels_are_set_for_one_and_for_all),
	    cmocka_unit_test(test_unknown_words_change_nothing),
	};

	return cmocka_run_group_tests_name("log_control", tests, NULL, NULL);
}
