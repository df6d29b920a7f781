/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The log file that loops share: it is written soon, rotated, and waited for by nobody.
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

static struct log_file *open_log(const char *name, struct loop_group *group, char **error)
{
	const struct log_target target = {.kind = LOG_TARGET_FILE, .path = name};

	return log_file_open(name, &target, group, error);
}

static size_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? (size_t)st.st_size : 0;
}

static void wait_for_size(const char *name, size_t n)
{
	while (size_of(name) < n)
		usleep(1000);
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

	file = open_log(path, group, &error);
	assert_non_null(file);
	append(file, group->control, 'a', 40000);
	append(file, group->control, 'b', 40000); /* does not fit: the first is written */
	wait_for_size(path, 40000);
	assert_int_equal(rename(path, rotated), 0);
	log_file_reopen(file);
	while (access(path, F_OK) < 0)
		usleep(1000);
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
	file = open_log(path, group, &error);
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

	file = open_log(path, group, &error);
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

	assert_null(open_log("/nonexistent/access.log", group, &error));
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

	file = open_log(path, group, &error);
	assert_int_equal(rename(path, rotated), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* cannot be opened for writing */
	log_file_reopen(file);
	append(file, group->control, 'a', 10);
	log_file_close(&file); /* what was asked for is done before */
	text = read_file(rotated, &n);
	assert_int_equal(n, 10);
	free(text);
	rmdir(path);
	loop_group_destroy(&group);
}

static void test_a_folder_is_an_error(void **state)
{
	struct loop_group *group = loop_group_create(0);
	char *error = NULL;

	assert_null(open_log("/", group, &error));
	assert_string_equal(error, "cannot open /: Is a directory");
	free(error);
	loop_group_destroy(&group);
}

static void test_lines_that_cannot_be_written_are_counted(void **state)
{
	struct loop_group *group = loop_group_create(0);
	struct log_file *file;
	unsigned appended = 0;
	char *error;

	log_set_level(LOG_LEVEL_ERROR);
	file = open_log("/dev/full", group, &error);
	assert_non_null(file);
	/* 4 MiB are held, and as much or less in the thread's hands. */
	for (; appended < 40; appended++)
		append(file, group->control, 'a', 100000);
	assert_int_equal(log_file_dropped(file), 0);
	while (log_file_dropped(file) == 0 && appended < 1000) {
		append(file, group->control, 'b', 100000);
		appended++;
	}
	assert_true(appended < 90);
	log_file_close(&file);
	log_set_level(LOG_LEVEL_INFO);
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

	file = open_log(path, group, &error);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_file_is_appended_to_and_reopened, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_quiet_loops_lines_do_get_written, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_opened_is_an_error, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_folder_is_an_error, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_failed_reopen_keeps_the_old_file, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_lines_that_cannot_be_written_are_counted, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_loops_share_a_file_while_it_is_rotated, make_dir,
					    remove_dir),
	};

	return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
