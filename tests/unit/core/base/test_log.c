/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log's lines, levels and limit; and its writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"

static char dir[64];
static char path[96];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-log-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

/* The whole file, malloc'd, NUL-terminated. */
static char *read_file(const char *name, size_t *len)
{
	FILE *f = fopen(name, "r");
	char *text = xmalloc(1 << 22);
	size_t n;

	CHECK(f != NULL);
	n = fread(text, 1, (1 << 22) - 1, f);
	text[n] = '\0';
	fclose(f);
	if (len != NULL)
		*len = n;
	return text;
}

static int saved_stderr;

static void capture(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);

	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	CHECK(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
}

static char *captured(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	return read_file(path, NULL);
}

static void test_a_line_has_time_level_and_message(void **state)
{
	char *text, *rest;
	int fields, year, ms, used = 0;

	capture();
	log_warn("origin %s is %d", "web", 7);
	text = captured();
	fields = sscanf(text, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%3dZ %n", &year, &ms, &used);
	assert_int_equal(fields, 2);
	assert_int_equal(used, (int)strlen("2026-01-02T03:04:05.678Z "));
	rest = text + used;
	assert_string_equal(rest, "warn origin web is 7\n");
	free(text);
}

static void test_levels_above_the_set_one_are_silent(void **state)
{
	char *text;

	capture();
	log_debug("one");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("two");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("three");
	LOG_LIMITED(LOG_LEVEL_WARN, "four");
	log_error("five");
	log_set_level(LOG_LEVEL_INFO);
	text = captured();
	assert_null(strstr(text, "one"));
	assert_non_null(strstr(text, "debug process: two\n"));
	assert_null(strstr(text, "three"));
	assert_null(strstr(text, "four"));
	assert_non_null(strstr(text, "error five\n"));
	free(text);
}

static void test_a_message_cannot_forge_a_line(void **state)
{
	char *text, *big = xmalloc(100000);

	memset(big, 'x', 99999);
	big[99999] = '\0';
	capture();
	log_info("host %s", "a\n2026-01-01T00:00:00.000Z error forged\x1b[2J\x7f");
	log_info("%s", big);
	log_info("caf\xc3\xa9");
	text = captured();
	assert_non_null(strstr(text, "host a?2026-01-01T00:00:00.000Z error forged?[2J?\n"));
	assert_non_null(strstr(text, "xxx\n"));
	assert_true(strlen(text) < 5000);
	assert_non_null(strstr(text, "caf\xc3\xa9\n"));
	free(text);
	free(big);
}

static void test_the_limit_leaves_out_and_counts(void **state)
{
	struct log_limit limit = {0};
	char *text;

	capture();
	for (int i = 0; i < 5; i++) {
		log_write_limited(&limit, LOG_PROCESS, LOG_LEVEL_WARN, "bad client %d", i);
		assert_true(limit.next_ns > 0);
		limit.next_ns = INT64_MAX; /* the second never ends */
	}
	limit.next_ns = 0; /* now it has */
	log_write_limited(&limit, LOG_PROCESS, LOG_LEVEL_WARN, "bad client");
	limit.next_ns = 0;
	log_write_limited(&limit, LOG_PROCESS, LOG_LEVEL_WARN, "good client");
	text = captured();
	assert_non_null(strstr(text, "bad client 0\n"));
	assert_null(strstr(text, "bad client 1"));
	assert_non_null(strstr(text, "bad client (4 like this left out)\n"));
	assert_non_null(strstr(text, "good client\n"));
	free(text);
}

static int run_self(const char *what, int stderr_fd)
{
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	pid_t pid;
	int status;

	CHECK(n > 0);
	self[n] = '\0';
	pid = fork();
	if (pid == 0) {
		dup2(stderr_fd, STDERR_FILENO);
		execl(self, self, what, NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* What a program says whose standard error is the captured file, and which finds `stream` in
 * JOURNAL_STREAM. malloc'd. */
static char *logged_with_journal(const char *stream)
{
	int status;

	setenv("JOURNAL_STREAM", stream, 1);
	status = run_self("log-one-line", STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(status, 0);
	return captured();
}

static void test_the_journal_gets_the_level_as_a_prefix(void **state)
{
	char *stream, *text;
	struct stat st;

	capture();
	CHECK(fstat(STDERR_FILENO, &st) == 0);
	stream =
	    xasprintf("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	text = logged_with_journal(stream);
	free(stream);
	assert_memory_equal(text, "<3>2", 4);
	assert_non_null(strstr(text, "Z error for the journal\n"));
	free(text);
}

/* A shell under systemd has the variable, and so has all that it starts with other outputs. */
static void test_the_prefix_went_to_where_no_journal_is(void **state)
{
	static const char *const others[] = {"1:2", "", "0:0"};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		char *text;

		capture();
		text = logged_with_journal(others[i]);
		assert_memory_equal(text, "2", 1);
		free(text);
	}
}

static const char *const *evaluated;

static const char *evaluate(const char *text)
{
	static const char *last;

	last = text;
	evaluated = &last;
	return text;
}

static void test_what_is_not_logged_is_not_evaluated(void **state)
{
	log_set_level(LOG_LEVEL_INFO);
	evaluated = NULL;
	log_debug("%s", evaluate("never"));
	LOG_LIMITED(LOG_LEVEL_DEBUG, "%s", evaluate("never"));
	assert_null(evaluated);
}

#undef LOG_MODULE
#define LOG_MODULE LOG_POOL

static void test_modules_have_levels_of_their_own(void **state)
{
	char *text;

	capture();
	log_set_module_level(LOG_POOL, LOG_LEVEL_DEBUG);
	log_debug("leased %d", 1);
	log_info("no trace");
	log_write(LOG_TLS, LOG_LEVEL_DEBUG, "shaken");
	log_set_module_level(LOG_POOL, LOG_LEVEL_ERROR);
	log_warn("silent");
	text = captured();
	assert_int_equal(log_module_level(LOG_POOL), LOG_LEVEL_ERROR);
	assert_int_equal(log_module_level(LOG_TLS), LOG_LEVEL_INFO);
	assert_non_null(strstr(text, "debug pool: leased 1\n"));
	assert_non_null(strstr(text, "info no trace\n"));
	assert_non_null(strstr(text, "debug tls: shaken\n"));
	assert_null(strstr(text, "silent"));
	log_set_module_level(LOG_POOL, LOG_LEVEL_INFO);
	free(text);
}

#undef LOG_MODULE
#define LOG_MODULE LOG_PROCESS

/* A reload for another reason must not end an operator's search. */
static void test_a_level_that_stays_the_same_in_the_file_changes_nothing(void **state)
{
	log_set_level(LOG_LEVEL_WARN);
	assert_int_equal(log_module_level(LOG_DNS), LOG_LEVEL_WARN);
	log_set_module_level(LOG_DNS, LOG_LEVEL_DEBUG);
	log_set_level(LOG_LEVEL_WARN);
	assert_int_equal(log_module_level(LOG_DNS), LOG_LEVEL_DEBUG);
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(log_module_level(LOG_DNS), LOG_LEVEL_INFO);
}

static void test_names_are_found(void **state)
{
	for (int i = 0; i < LOG_N_MODULES; i++)
		assert_int_equal(log_module_find(log_modules[i].name), i);
	for (int i = 0; i < LOG_N_LEVELS; i++)
		assert_int_equal(log_level_find(log_level_text((enum log_level)i)), i);
	assert_int_equal(log_module_find("poo"), -1);
	assert_int_equal(log_level_find(""), -1);
}

static void test_the_writer_writes_in_order_and_before_and_after_it_too(void **state)
{
	char *text;

	capture();
	log_info("before");
	log_start_writer();
	for (int i = 0; i < 1000; i++)
		log_info("line %d.", i);
	log_drain();
	log_info("last");
	log_stop_writer();
	log_info("after");
	log_stop_writer(); /* does nothing */
	text = captured();
	assert_non_null(strstr(text, "before\n"));
	for (int i = 0, at = 0; i < 1000; i++) {
		char line[32];

		snprintf(line, sizeof(line), "line %d.\n", i);
		assert_non_null(strstr(text + at, line));
		at = (int)(strstr(text + at, line) - text);
	}
	assert_non_null(strstr(text, "last\n"));
	assert_non_null(strstr(text, "after\n"));
	assert_int_equal(log_dropped(), 0);
	free(text);
}

/* Standard error becomes a pipe that nobody reads; returns the end that could be read. */
static int capture_nowhere(void)
{
	int ends[2];

	saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

static void test_a_log_that_nobody_reads_stops_nobody(void **state)
{
	int reader = capture_nowhere();
	char *text = xmalloc(1 << 20);
	size_t n = 0;
	ssize_t got;

	log_start_writer();
	/* 64 KiB in the pipe, and twice 256 KiB. */
	for (int i = 0; i < 20000; i++)
		log_info(
		    "a line of about a hundred bytes, number %d ..............................", i);
	assert_true(log_dropped() > 0);
	log_stop_writer(); /* after a second */
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	while ((got = read(reader, text + n, (1 << 20) - n)) > 0)
		n += (size_t)got;
	close(reader);
	assert_true(n > 0);
	assert_int_equal(text[n - 1], '\n');
	free(text);
}

static void *read_slowly(void *arg)
{
	FILE *in = fdopen(*(int *)arg, "r");
	char line[4096];
	intptr_t found = 0;

	while (fgets(line, sizeof(line), in) != NULL) {
		if (strstr(line, "lines of this log are missing before this") != NULL)
			found = 1;
		assert_int_equal(line[strlen(line) - 1], '\n');
		assert_int_equal(line[0], '2'); /* each is whole */
	}
	fclose(in);
	return (void *)found;
}

static void test_the_log_says_what_is_missing(void **state)
{
	int reader = capture_nowhere();
	uint64_t dropped = log_dropped();
	pthread_t thread;
	void *found;

	log_start_writer();
	while (log_dropped() == dropped)
		log_info("a line of about a hundred bytes, and of no other interest .............");
	pthread_create(&thread, NULL, read_slowly, &reader);
	log_stop_writer();
	dup2(saved_stderr, STDERR_FILENO); /* which ends the reader's file */
	close(saved_stderr);
	pthread_join(thread, &found);
	assert_non_null(found);
}

static void test_what_was_logged_before_a_failed_check_is_there(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
	int status = run_self("fail-a-check", fd);
	char *text = read_file(path, NULL), *line, *bug;

	close(fd);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* sanitizers exit */
	line = strstr(text, "the last words\n");
	bug = strstr(text, "bug: CHECK(");
	assert_non_null(line);
	assert_non_null(bug);
	assert_true(line < bug);
	free(text);
}

static void test_a_failed_check_waits_for_nobody(void **state)
{
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], path, 1) == 1)
		;
	fcntl(ends[1], F_SETFL, 0);
	status = run_self("fail-a-check", ends[1]);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_closed_standard_descriptors_are_taken(void **state)
{
	int saved[3];

	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD, 10);
		close(fd);
	}
	log_keep_standard_fds();
	for (int fd = 0; fd < 3; fd++) {
		char byte = 'x';
		bool is_open = fcntl(fd, F_GETFD) >= 0;
		ssize_t n = write(fd, &byte, 1);

		dup2(saved[fd], fd);
		close(saved[fd]);
		assert_true(is_open);
		assert_int_equal(n, 1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_line_has_time_level_and_message, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_levels_above_the_set_one_are_silent, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_message_cannot_forge_a_line, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_the_limit_leaves_out_and_counts, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_the_prefix_went_to_where_no_journal_is, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_the_journal_gets_the_level_as_a_prefix, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_what_is_not_logged_is_not_evaluated, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_modules_have_levels_of_their_own, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(
		test_a_level_that_stays_the_same_in_the_file_changes_nothing, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(test_names_are_found, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		test_the_writer_writes_in_order_and_before_and_after_it_too, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_log_that_nobody_reads_stops_nobody, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_the_log_says_what_is_missing, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_what_was_logged_before_a_failed_check_is_there,
					    make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_failed_check_waits_for_nobody, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_closed_standard_descriptors_are_taken, make_dir,
					    remove_dir),
	};

	if (argc == 2 && strcmp(argv[1], "log-one-line") == 0) {
		log_error("for the journal");
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "fail-a-check") == 0) {
		log_start_writer();
		log_info("the last words");
		CHECK(argc == 3);
	}
	unsetenv("JOURNAL_STREAM"); /* CI may run under systemd */
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
