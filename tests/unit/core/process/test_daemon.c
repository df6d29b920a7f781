/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A daemon's life: its start, what it is asked and told, its end. Its reloads:
 * test_daemon_reload.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/process/daemon.h"
#include "tests/support/skip.h"
#include "tests/support/trial_daemon.h"

static void test_start_and_stop(void **state)
{
	json_t *answer;

	trial_begin();
	answer = trial_call("status");
	trial_assert_member(answer, "program", "perigee-test");
	trial_assert_member(answer, "state", "serving");
	assert_int_equal(json_integer_value(json_object_get(answer, "workers")), 2);
	assert_true(json_is_true(json_object_get(answer, "own")));
	assert_null(json_object_get(answer, "last_reload"));
	json_decref(answer);
	trial_stop();
	assert_string_equal(trial->trace, TRIAL_STARTED "stop close ");
}

static void test_commands(void **state)
{
	json_t *answer;

	trial_begin();
	answer = trial_call("add 3 4");
	assert_int_equal(json_integer_value(answer), 7);
	json_decref(answer);
	answer = trial_call("add");
	trial_assert_member(answer, "error", "usage: add A [B]");
	json_decref(answer);
	answer = trial_call("add 1 2 3");
	trial_assert_member(answer, "error", "usage: add A [B]");
	json_decref(answer);
	answer = trial_call("frob");
	trial_assert_member(
	    answer, "error",
	    "unknown command \"frob\"; there are: status, reload, log [LEVEL [MODULE]], add A [B]");
	json_decref(answer);
	trial_stop();
}

static void test_who_waits_is_told_of_a_stop(void **state)
{
	json_t *answer;
	int asked;

	trial_begin();
	trial->unsettled = 'u';
	trial->file = 'u';
	asked = trial_ask("reload");
	trial_wait(TRIAL_STARTED "watch(u) ");
	trial_stop();
	assert_string_equal(trial->trace, TRIAL_STARTED "watch(u) drop(u) stop close ");
	answer = trial_answer_of(asked);
	assert_non_null(json_object_get(answer, "error"));
	json_decref(answer);
}

/* It waited for a load that might never end. */
static void test_stop_during_a_load_ends_at_once(void **state)
{
	trial->hold = true;
	trial_child = trial_start(NULL, NULL);
	trial_wait_loads(1);
	trial_stop();
	assert_string_equal(trial->trace, "");

	trial->hold = false;
	trial_begin();
	trial->hold = true;
	trial_signal(SIGHUP);
	trial_wait_loads(3);
	trial_stop();
	assert_string_equal(trial->trace, TRIAL_STARTED "stop close ");
}

static void test_stop_before_the_first_view_has_settled(void **state)
{
	trial->unsettled = 'a';
	trial_child = trial_start(NULL, NULL);
	trial_wait("open(a) watch(a) publish(a) ");
	trial_stop();
	assert_string_equal(trial->trace, "open(a) watch(a) publish(a) close ");
}

static void test_logs_are_reopened(void **state)
{
	trial_begin();
	trial_signal(SIGUSR1);
	trial_wait(TRIAL_STARTED "reopen ");
	trial_stop();
}

static void read_all(FILE *f, char *text, size_t size)
{
	rewind(f);
	text[fread(text, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void test_broken_configuration_is_told_whole(void **state)
{
	static const char *const arguments[] = {NULL, "--check"};
	char text[256];

	trial->file = 'x';
	for (unsigned i = 0; i < ARRAY_SIZE(arguments); i++) {
		FILE *err = tmpfile();

		assert_int_equal(trial_exit_code(trial_start(arguments[i], err)), 1);
		read_all(err, text, sizeof(text));
		assert_string_equal(text, "file:1:1: warning: is odd\nfile:1:2: is broken\n"
					  "file:3:4: so is this\n");
	}
	assert_string_equal(trial->trace, "");
}

static void test_failed_start_leaves_nothing(void **state)
{
	trial->fail_plan = true;
	assert_int_equal(trial_exit_code(trial_start(NULL, NULL)), 1);
	assert_string_equal(trial->trace, "");
	trial->fail_plan = false;
	trial->fail_open = true;
	assert_int_equal(trial_exit_code(trial_start(NULL, NULL)), 1);
	assert_string_equal(trial->trace, "open(a) close ");
	assert_int_not_equal(access(trial_control, F_OK), 0);
}

/* An account of its own, so that its threads are counted alone. */
#define POOR_USER 32343

static int start_poor(rlim_t threads)
{
	struct rlimit limit;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		int code;

		CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0 && setuid(POOR_USER) == 0);
		limit.rlim_cur = threads;
		CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		code = trial_run(NULL);
		/* A sanitizer looks for leaks by a process of its own. */
		limit.rlim_cur = limit.rlim_max;
		CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		exit(code);
	}
	return trial_exit_code(pid);
}

/* It aborted, and left its socket behind. */
static void test_too_few_threads_are_an_error_of_the_start(void **state)
{
	unsigned n_opened = 0;

	if (geteuid() != 0)
		SKIP("it takes root to become another user");
	CHECK(chmod(trial_dir, 0777) == 0);
	/* The log's is missing, then that of the jobs, the first worker's and the second's;
	 * sanitizers have some of their own before. */
	for (rlim_t threads = 1; n_opened < 2; threads++) {
		trial->len = 0;
		trial->trace[0] = '\0';
		assert_int_equal(start_poor(threads), 1);
		assert_int_not_equal(access(trial_control, F_OK), 0);
		n_opened += trial->len > 0;
	}
	assert_string_equal(trial->trace, "open(a) watch(a) publish(a) close ");
}

static void test_second_start_touches_nothing(void **state)
{
	FILE *err = tmpfile();
	char text[512], *says;

	trial_begin();
	assert_int_equal(trial_exit_code(trial_start(NULL, err)), 1);
	read_all(err, text, sizeof(text));
	says = xasprintf("already running: process %d holds %s", (int)trial_child, trial_control);
	assert_non_null(strstr(text, says));
	free(says);
	assert_string_equal(trial->trace, TRIAL_STARTED);
	json_decref(trial_call("status"));
	trial_stop();
}

static void test_the_file_limit_is_raised(void **state)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, 64);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	daemon_raise_file_limit();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur == limit.rlim_max);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, trial_setup, trial_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_start_and_stop),
	    TEST(test_commands),
	    TEST(test_who_waits_is_told_of_a_stop),
	    TEST(test_stop_during_a_load_ends_at_once),
	    TEST(test_stop_before_the_first_view_has_settled),
	    TEST(test_logs_are_reopened),
	    TEST(test_broken_configuration_is_told_whole),
	    TEST(test_failed_start_leaves_nothing),
	    TEST(test_too_few_threads_are_an_error_of_the_start),
	    TEST(test_second_start_touches_nothing),
	    TEST(test_the_file_limit_is_raised),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
