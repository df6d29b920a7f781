/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log's lines and their limit; the log file that loops share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/loop.h"
#include "core/process/log_file.h"

static char dir[64];
static char path[96];
static char rotated[96];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-log-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(rotated, sizeof(rotated), "%s/log.1", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	unlink(rotated);
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
	assert_non_null(strstr(text, "debug two\n"));
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
		log_write_limited(&limit, LOG_LEVEL_WARN, "bad client %d", i);
		assert_true(limit.next_ns > 0);
		limit.next_ns = INT64_MAX; /* the second never ends */
	}
	limit.next_ns = 0; /* now it has */
	log_write_limited(&limit, LOG_LEVEL_WARN, "bad client");
	limit.next_ns = 0;
	log_write_limited(&limit, LOG_LEVEL_WARN, "good client");
	text = captured();
	assert_non_null(strstr(text, "bad client 0\n"));
	assert_null(strstr(text, "bad client 1"));
	assert_non_null(strstr(text, "bad client (4 like this left out)\n"));
	assert_non_null(strstr(text, "good client\n"));
	free(text);
}

static void test_the_journal_gets_the_level_as_a_prefix(void **state)
{
	char *text, self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	pid_t pid;
	int status;

	assert_true(n > 0);
	self[n] = '\0';
	capture();
	pid = fork();
	if (pid == 0) {
		setenv("JOURNAL_STREAM", "1:2", 1);
		execl(self, self, "log-one-line", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	text = captured();
	assert_int_equal(status, 0);
	assert_memory_equal(text, "<3>2", 4);
	assert_non_null(strstr(text, "Z error for the journal\n"));
	free(text);
}

static void append(struct log_file *file, struct loop *loop, char c, size_t len)
{
	char *line = xmalloc(len);

	memset(line, c, len);
	line[len - 1] = '\n';
	log_file_append(file, loop, line, len);
	free(line);
}

static void test_a_file_is_appended_to_and_reopened(void **state)
{
	struct loop_group *group = loop_group_create(1);
	struct log_file *file;
	char *error = NULL, *text;
	size_t n;

	file = log_file_open(path, group, &error);
	assert_non_null(file);
	append(file, group->control, 'a', 40000);
	append(file, group->control, 'b', 40000); /* does not fit: the first is written */
	assert_int_equal(rename(path, rotated), 0);
	log_file_reopen(file);
	append(file, group->workers[0], 'c', 10);
	append(file, group->workers[0], 'd', 200000); /* larger than a buffer, and after the c */
	log_file_close(&file);
	assert_null(file);

	text = read_file(rotated, &n);
	assert_int_equal(n, 40000);
	assert_int_equal(text[0], 'a');
	free(text);
	text = read_file(path, &n);
	assert_int_equal(n, 40000 + 10 + 200000);
	assert_int_equal(text[0], 'c');
	assert_int_equal(text[10], 'd');
	assert_int_equal(text[200010], 'b');
	free(text);

	/* Opened again, it is continued. */
	file = log_file_open(path, group, &error);
	append(file, group->control, 'e', 5);
	log_file_close(&file);
	text = read_file(path, &n);
	assert_int_equal(n, 40000 + 10 + 200000 + 5);
	free(text);
	loop_group_destroy(&group);
}

static void stop_when_written(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	size_t n;

	free(read_file(path, &n));
	if (n > 0)
		loop_stop_mt(loop);
}

static void test_a_quiet_loops_lines_do_get_written(void **state)
{
	struct loop_group *group = loop_group_create(0);
	const struct timeval interval = {.tv_usec = 20000};
	struct event *ev;
	struct log_file *file;
	char *error;

	file = log_file_open(path, group, &error);
	ev =
	    event_new(loop_base(group->control), -1, EV_PERSIST, stop_when_written, group->control);
	event_add(ev, &interval);
	append(file, group->control, 'a', 10);
	loop_run(group->control);
	event_free(ev);
	log_file_close(&file);
	loop_group_destroy(&group);
}

static void test_a_file_that_cannot_be_opened_is_an_error(void **state)
{
	struct loop_group *group = loop_group_create(0);
	char *error = NULL;

	assert_null(log_file_open("/nonexistent/access.log", group, &error));
	assert_string_equal(error,
			    "cannot open /nonexistent/access.log: No such file or directory");
	free(error);
	loop_group_destroy(&group);
}

static void test_a_failed_reopen_keeps_the_old_file(void **state)
{
	struct loop_group *group = loop_group_create(0);
	struct log_file *file;
	char *error, *text;
	size_t n;

	file = log_file_open(path, group, &error);
	assert_int_equal(rename(path, rotated), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* cannot be opened for writing */
	log_file_reopen(file);
	append(file, group->control, 'a', 10);
	log_file_close(&file);
	text = read_file(rotated, &n);
	assert_int_equal(n, 10);
	free(text);
	rmdir(path);
	loop_group_destroy(&group);
}

static void test_lines_that_cannot_be_written_are_counted(void **state)
{
	struct loop_group *group = loop_group_create(0);
	struct log_file *file;
	char *error;

	file = log_file_open("/dev/full", group, &error);
	assert_non_null(file);
	append(file, group->control, 'a', 40000);
	append(file, group->control, 'b', 20000);
	assert_int_equal(log_file_dropped(file), 0);
	append(file, group->control, 'c', 20000);
	assert_int_equal(log_file_dropped(file), 2);
	append(file, group->control, 'd', 100000);
	assert_int_equal(log_file_dropped(file), 4);
	log_file_close(&file);
	loop_group_destroy(&group);
}

#define LINES_EACH 20000

struct writer {
	struct log_file *file;
	struct loop *loop;
};

static void write_many(void *arg)
{
	struct writer *w = arg;
	char line[64];

	for (int i = 0; i < LINES_EACH; i++) {
		int n = snprintf(line, sizeof(line), "%s %d end\n", loop_name(w->loop), i);

		log_file_append(w->file, w->loop, line, (size_t)n);
	}
}

static unsigned count_whole_lines(const char *name)
{
	char *text = read_file(name, NULL), *save;
	unsigned lines = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int worker, number, used = 0;

		assert_int_equal(sscanf(line, "worker%d %d end%n", &worker, &number, &used), 2);
		assert_int_equal(line[used], '\0');
		lines++;
	}
	free(text);
	return lines;
}

static void test_loops_share_a_file_while_it_is_rotated(void **state)
{
	struct loop_group *group = loop_group_create(2);
	struct writer writers[2];
	struct log_file *file;
	char *error;

	file = log_file_open(path, group, &error);
	loop_group_start_workers(group);
	for (unsigned i = 0; i < ARRAY_SIZE(writers); i++) {
		writers[i] = (struct writer){file, group->workers[i]};
		loop_post_mt(group->workers[i], write_many, &writers[i]);
	}
	assert_int_equal(rename(path, rotated), 0);
	for (int i = 0; i < 20; i++)
		log_file_reopen(file);
	loop_group_stop_workers(group);
	assert_int_equal(log_file_dropped(file), 0);
	log_file_close(&file);
	assert_int_equal(count_whole_lines(path) + count_whole_lines(rotated), 2 * LINES_EACH);
	loop_group_destroy(&group);
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
	    cmocka_unit_test_setup_teardown(test_the_journal_gets_the_level_as_a_prefix, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_file_is_appended_to_and_reopened, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_quiet_loops_lines_do_get_written, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_opened_is_an_error, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_failed_reopen_keeps_the_old_file, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_lines_that_cannot_be_written_are_counted, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_loops_share_a_file_while_it_is_rotated, make_dir,
					    remove_dir),
	};

	if (argc == 2 && strcmp(argv[1], "log-one-line") == 0) {
		log_error("for the journal");
		return 0;
	}
	unsetenv("JOURNAL_STREAM"); /* CI may run under systemd */
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
