/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A daemon's reloads: what is loaded when, published in which order, and who is told of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "tests/support/trial_daemon.h"

static void test_reload_tells_its_outcome(void **state)
{
	json_t *answer, *last;

	trial_begin();
	trial->file = 'r';
	answer = trial_call("reload");
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	trial_assert_member(answer, "restart", "some.option");
	assert_int_equal(json_array_size(json_object_get(answer, "warnings")), 0);
	json_decref(answer);
	answer = trial_call("status");
	last = json_object_get(answer, "last_reload");
	trial_assert_member(last, "result", "ok");
	assert_int_equal(json_string_length(json_object_get(last, "time")),
			 strlen("2026-01-02T03:04:05Z"));
	json_decref(answer);

	trial->file = 'x';
	answer = trial_call("reload");
	assert_non_null(json_object_get(answer, "error"));
	last = json_object_get(answer, "errors");
	assert_int_equal(json_array_size(last), 3);
	assert_string_equal(json_string_value(json_array_get(last, 2)), "file:3:4: so is this");
	json_decref(answer);
	answer = trial_call("status");
	trial_assert_member(json_object_get(answer, "last_reload"), "result",
			    "file:1:2: is broken");
	json_decref(answer);
	trial_stop();
	assert_string_equal(trial->trace,
			    TRIAL_STARTED "watch(r) publish(r) reloaded refused stop close ");
}

static void test_reload_tells_warnings(void **state)
{
	json_t *answer, *warnings;

	trial_begin();
	trial->file = 'w';
	answer = trial_call("reload");
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	warnings = json_object_get(answer, "warnings");
	assert_int_equal(json_array_size(warnings), 1);
	assert_string_equal(json_string_value(json_array_get(warnings, 0)),
			    "file:1:1: warning: is odd");
	json_decref(answer);
	answer = trial_call("status");
	trial_assert_member(json_object_get(answer, "last_reload"), "result", "ok");
	json_decref(answer);
	trial_stop();
}

static void test_reload_tells_what_is_being_done(void **state)
{
	char *reading = xasprintf("reading %s/perigee/perigee.yaml", SYSCONFDIR);
	json_t *answer;
	int asked, second;

	trial_begin();
	trial->hold_end = true;
	trial->unsettled = trial->file = 'u';
	asked = trial_ask("reload");
	trial_assert_progress(asked, reading);
	trial_wait_progress(asked, "part 2 of 2");
	/* Another one is told what concerns it, and the first nothing of that. */
	second = trial_ask("reload");
	trial_assert_progress(second,
			      "waiting until the reload that is under way has read its files");
	trial->hold_end = false;
	sem_post(&trial->go);
	trial_assert_progress(second, reading);
	trial_wait_progress(asked, "settling, waiting for edge fra1");
	trial->unsettled = '\0';
	answer = trial_answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	json_decref(trial_answer_of(second));
	trial_stop();
	free(reading);
}

/* It was lost, or came to a program that could not bear it. */
static void test_hup_before_the_start_is_over_is_a_reload_after_it(void **state)
{
	trial->hold = true;
	trial_child = trial_start(NULL, NULL);
	trial_wait_loads(1);
	trial_signal(SIGHUP);
	trial->file = 'b';
	trial->hold = false;
	sem_post(&trial->go);
	trial_wait(TRIAL_STARTED "watch(b) publish(b) reloaded ");
	trial_stop();
}

/* It was forgotten, and who had asked by the control socket was not answered. */
static void test_reload_while_the_first_view_settles_comes_after_it(void **state)
{
	json_t *answer;
	int asked;

	trial->unsettled = 'a';
	trial_child = trial_start(NULL, NULL);
	trial_wait("open(a) watch(a) publish(a) ");
	trial->file = 'b';
	asked = trial_ask("reload");
	trial_signal(SIGHUP);
	json_decref(trial_call("status"));
	answer = trial_call("status"); /* a turn later: both have come */
	trial_assert_member(answer, "state", "starting");
	json_decref(answer);
	trial->unsettled = '\0';
	answer = trial_answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	assert_string_equal(trial->trace, TRIAL_STARTED "watch(b) publish(b) reloaded ");
	assert_int_equal(trial->n_loads, 2);
	trial_stop();
}

static void test_reloads_during_a_reload_are_one_more(void **state)
{
	json_t *answer;
	int asked;

	trial_begin();
	trial->hold = true;
	trial->file = 'b';
	trial_signal(SIGHUP);
	trial_wait_loads(2);
	/* The one under way has read the file before this. */
	trial->file = 'c';
	trial_signal(SIGHUP);
	json_decref(trial_call("status"));
	trial_signal(SIGHUP);
	asked = trial_ask("reload");
	/* It does answer meanwhile. */
	json_decref(trial_call("status"));
	trial->hold = false;
	sem_post(&trial->go);
	answer = trial_answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	assert_string_equal(trial->trace, TRIAL_STARTED
			    "watch(b) publish(b) reloaded watch(c) publish(c) reloaded ");
	assert_int_equal(trial->n_loads, 3);
	trial_stop();
}

static void test_later_view_takes_the_place_of_one_that_settles(void **state)
{
	json_t *answer;
	int asked;

	trial_begin();
	trial->unsettled = 'u';
	trial->file = 'u';
	asked = trial_ask("reload");
	trial_wait(TRIAL_STARTED "watch(u) ");
	trial->file = 'x';
	answer = trial_call("reload");
	assert_non_null(json_object_get(answer, "error"));
	json_decref(answer);
	trial->file = 'c';
	trial_signal(SIGHUP);
	answer = trial_answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	trial_stop();
	assert_string_equal(trial->trace, TRIAL_STARTED
			    "watch(u) refused watch(c) drop(u) publish(c) reloaded stop close ");
}

/* Each began its time anew, so that nothing that they brought was ever published. */
static void test_reloads_that_follow_each_other_fast_are_published(void **state)
{
	const duration apart = DUR_S(1); /* less than a view may take to settle */
	bool published = false;

	trial_begin();
	trial->unsettled = 'u';
	trial->file = 'u';
	for (unsigned i = 0; i < 10 && !published; i++) {
		mono_time began = clock_mono();

		trial_signal(SIGHUP);
		while (!published && mono_since(clock_mono(), began).ns < apart.ns) {
			usleep(1000);
			published = strstr(trial->trace, "publish(u)") != NULL;
		}
	}
	assert_true(published);
	trial_stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, trial_setup, trial_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_reload_tells_its_outcome),
	    TEST(test_reload_tells_warnings),
	    TEST(test_reload_tells_what_is_being_done),
	    TEST(test_hup_before_the_start_is_over_is_a_reload_after_it),
	    TEST(test_reload_while_the_first_view_settles_comes_after_it),
	    TEST(test_reloads_during_a_reload_are_one_more),
	    TEST(test_later_view_takes_the_place_of_one_that_settles),
	    TEST(test_reloads_that_follow_each_other_fast_are_published),
	};

	return cmocka_run_group_tests_name("daemon reload", tests, NULL, NULL);
}
