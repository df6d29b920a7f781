/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lock file: one holder, whatever else lies there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/process/pid_lock.h"

#define PROCESSES 16

static char dir[64];
static char path[96];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-lock-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/lock", dir);
	return 0;
}

static int teardown(void **state)
{
	CHECK(access(path, F_OK) != 0);
	return rmdir(dir);
}

static void test_second_is_told_who_was_first(void **state)
{
	char *error = NULL,
	     *says = xasprintf("already running: process %ld holds ", (long)getpid());
	int fd = pid_lock_take(path, &error);
	struct stat st;

	assert_true(fd >= 0);
	CHECK(fstat(fd, &st) == 0);
	assert_int_equal(st.st_mode & 07,
			 0); /* a stranger could keep a lock on what is left of it */
	assert_int_equal(pid_lock_take(path, &error), -1);
	assert_non_null(strstr(error, says));
	assert_non_null(strstr(error, path));
	free(error);
	free(says);
	pid_lock_give(&fd, path);
	assert_int_equal(fd, -1);
	pid_lock_give(&fd, path); /* of no effect */
}

static void test_file_of_a_dead_process_is_no_lock(void **state)
{
	FILE *left = fopen(path, "w");
	char *error = NULL;
	int fd;

	/* 1 lives, but does not hold it. */
	CHECK(left != NULL && fputs("1\n and more than a process id is long", left) > 0);
	fclose(left);
	fd = pid_lock_take(path, &error);
	assert_true(fd >= 0);
	assert_int_equal(pid_lock_take(path, &error), -1);
	assert_null(strstr(error, "process 1 "));
	free(error);
	pid_lock_give(&fd, path);
}

static void test_what_cannot_be_opened_is_said(void **state)
{
	char *error = NULL;

	CHECK(mkdir(path, 0755) == 0);
	assert_int_equal(pid_lock_take(path, &error), -1);
	assert_non_null(strstr(error, "cannot open"));
	free(error);
	CHECK(rmdir(path) == 0);
	CHECK(symlink("/nonexistent", path) == 0);
	assert_int_equal(pid_lock_take(path, &error), -1);
	free(error);
	CHECK(unlink(path) == 0);
}

/* Each takes the lock, says so, and gives it back when all have tried. */
static int one_process(int said, int go, int over)
{
	char *error = NULL, c;
	int fd;

	CHECK(read(go, &c, 1) == 0);
	fd = pid_lock_take(path, &error);
	CHECK(write(said, fd >= 0 ? "y" : "n", 1) == 1);
	CHECK(read(over, &c, 1) == 0);
	pid_lock_give(&fd, path);
	free(error);
	return 0;
}

static void test_of_many_at_the_same_moment_one_wins(void **state)
{
	int said[2], go[2], over[2], status, winners = 0;
	char c;

	CHECK(pipe(said) == 0 && pipe(go) == 0 && pipe(over) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			close(go[1]);
			close(over[1]);
			_exit(one_process(said[1], go[0], over[0]));
		}
	}
	close(go[1]);
	for (int i = 0; i < PROCESSES; i++) {
		CHECK(read(said[0], &c, 1) == 1);
		winners += c == 'y';
	}
	close(over[1]);
	for (int i = 0; i < PROCESSES; i++) {
		CHECK(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(winners, 1);
	close(said[0]);
	close(said[1]);
	close(go[0]);
	close(over[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_second_is_told_who_was_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_file_of_a_dead_process_is_no_lock, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_is_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_of_many_at_the_same_moment_one_wins, setup,
					    teardown),
	};

	return cmocka_run_group_tests_name("pid_lock", tests, NULL, NULL);
}
