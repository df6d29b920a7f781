/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The daemons' command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/process/daemon_options.h"

static const struct daemon_program program = {"perigee-test", "Stands in for a daemon."};

static struct daemon_options options;
static char out[4096], err[4096];

static int divert(FILE *from, FILE *to)
{
	int saved = dup(fileno(from));

	fflush(from);
	CHECK(saved >= 0 && dup2(fileno(to), fileno(from)) >= 0);
	return saved;
}

static void restore(FILE *from, FILE *to, int saved, char text[4096])
{
	size_t n;

	fflush(from);
	dup2(saved, fileno(from));
	close(saved);
	rewind(to);
	n = fread(text, 1, 4095, to);
	text[n] = '\0';
	fclose(to);
}

/* What daemon_options_parse() returns for the words; what it printed is in out and err. */
static int parse(const char *words)
{
	/* The strings must outlive the call, as those of argv do. */
	static char name[] = "perigee-test", line[256];
	char *argv[16] = {name}, *save, *word;
	FILE *out_file = tmpfile(), *err_file = tmpfile();
	int argc = 1, saved_out, saved_err, result;

	snprintf(line, sizeof(line), "%s", words);
	for (word = strtok_r(line, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	saved_out = divert(stdout, out_file);
	saved_err = divert(stderr, err_file);
	result = daemon_options_parse(&options, &program, argc, argv);
	restore(stdout, out_file, saved_out, out);
	restore(stderr, err_file, saved_err, err);
	return result;
}

static void test_defaults(void **state)
{
	char host[256];

	assert_int_equal(parse(""), -1);
	gethostname(host, sizeof(host));
	host[strcspn(host, ".")] = '\0';
	assert_string_equal(options.config, SYSCONFDIR "/perigee/perigee.yaml");
	assert_string_equal(options.node, host);
	assert_null(options.control);
	assert_int_equal(options.workers, 0);
	assert_false(options.check_only);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
}

static void test_all_options(void **state)
{
	assert_int_equal(parse("-c a.yaml --node=fra1 --check --control /run/x --workers 4"), -1);
	assert_string_equal(options.config, "a.yaml");
	assert_string_equal(options.node, "fra1");
	assert_string_equal(options.control, "/run/x");
	assert_int_equal(options.workers, 4);
	assert_true(options.check_only);
	assert_int_equal(parse("--config b.yaml -n ams.example"), -1);
	assert_string_equal(options.config, "b.yaml");
	assert_string_equal(options.node, "ams.example");
	assert_int_equal(options.workers, 0);
}

static void test_help_and_version_go_to_standard_output(void **state)
{
	assert_int_equal(parse("--help"), 0);
	assert_memory_equal(out, "Usage: perigee-test ", 20);
	assert_non_null(strstr(out, "Stands in for a daemon.\n"));
	assert_non_null(strstr(out, SYSCONFDIR "/perigee/perigee.yaml"));
	assert_string_equal(err, "");
	assert_int_equal(parse("--version"), 0);
	assert_memory_equal(out, "perigee-test ", 13);
	assert_string_equal(err, "");
}

static void test_mistakes_go_to_standard_error_with_a_hint(void **state)
{
	static const struct {
		const char *words, *says;
	} rows[] = {
	    {"--frobnicate", "--frobnicate"}, {"-x", "'x'"},
	    {"--config", "--config"},         {"stray", "unexpected argument 'stray'"},
	    {"--workers 0", "not '0'"},       {"--workers -1", "not '-1'"},
	    {"--workers 4x", "not '4x'"},     {"--workers 99999999999999999999999", "--workers"},
	    {"--workers=", "not ''"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse(rows[i].words), 1);
		assert_string_equal(out, "");
		assert_non_null(strstr(err, rows[i].says));
		assert_non_null(strstr(err, "Try 'perigee-test --help' for more.\n"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_all_options),
	    cmocka_unit_test(test_help_and_version_go_to_standard_output),
	    cmocka_unit_test(test_mistakes_go_to_standard_error_with_a_hint),
	};

	return cmocka_run_group_tests_name("daemon_options", tests, NULL, NULL);
}
