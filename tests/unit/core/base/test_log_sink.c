/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A sink against readers that do not read, come late or go, and against files that take no more:
 * lines stay whole and in order, and what is missing is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log_sink.h"

#define CAPACITY 65536
#define LINE_BYTES 64

static char dir[64];
static char path[96];
static char rotated[96];
/* By enum log_sink_event: what was told last, and how often. */
static _Atomic uint64_t told[3], n_told[3];

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-sink-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(rotated, sizeof(rotated), "%s/log.1", dir);
	for (unsigned i = 0; i < ARRAY_SIZE(told); i++)
		told[i] = n_told[i] = 0;
	return 0;
}

static int tear_down(void **state)
{
	unlink(path);
	unlink(rotated);
	return rmdir(dir);
}

static void tell(const char *name, enum log_sink_event event, uint64_t value)
{
	told[event] = value;
	n_told[event]++;
}

static struct log_sink *start_path(void)
{
	const struct log_sink_spec spec = {
	    .name = path, .target = {.path = path}, .capacity = CAPACITY, .tell = tell};
	int error;
	struct log_sink *sink = log_sink_start(&spec, &error);

	assert_non_null(sink);
	return sink;
}

static struct log_sink *start_fd(int fd)
{
	const struct log_sink_spec spec = {.name = "fd",
					   .target = {.kind = LOG_TARGET_INHERITED, .fd = fd},
					   .capacity = CAPACITY,
					   .tell = tell};
	int error;
	struct log_sink *sink = log_sink_start(&spec, &error);

	assert_non_null(sink);
	return sink;
}

static uint64_t stop(struct log_sink **sink)
{
	uint64_t left = log_sink_stop(*sink, DUR_MS(300));

	log_sink_destroy(sink);
	return left;
}

/* A line of LINE_BYTES that says its number. */
static bool put(struct log_sink *sink, unsigned number)
{
	char line[LINE_BYTES + 1];

	snprintf(line, sizeof(line), "%-*u\n", LINE_BYTES - 1, number);
	return log_sink_put(sink, line, LINE_BYTES);
}

/* So many lines at once, from 0 on, that the thread, which takes them all together, cannot write
 * them to `in` while nobody reads; returns how many, once it is at that. Until then the buffers may
 * change places at any moment. */
static unsigned put_more_than_is_taken(struct log_sink *sink, int in)
{
	const unsigned n = CAPACITY / LINE_BYTES / 2;
	char *lines = xmalloc(CAPACITY);
	int in_pipe = 0;

	for (unsigned i = 0; i < n; i++)
		snprintf(lines + i * LINE_BYTES, LINE_BYTES + 1, "%-*u\n", LINE_BYTES - 1, i);
	assert_true(log_sink_put(sink, lines, n * LINE_BYTES));
	free(lines);
	while (in_pipe == 0) {
		assert_int_equal(ioctl(in, FIONREAD, &in_pipe), 0);
		usleep(1000);
	}
	assert_true((unsigned)in_pipe < n * LINE_BYTES);
	return n;
}

/* From `number` on until one does not fit; returns how many were tried. */
static unsigned put_until_full(struct log_sink *sink, unsigned number)
{
	unsigned n = 0;

	while (put(sink, number + n++))
		;
	return n;
}

/* The next whole line; -1 at the end. */
static int next_number(FILE *in)
{
	char line[LINE_BYTES * 2];

	if (fgets(line, sizeof(line), in) == NULL)
		return -1;
	assert_int_equal(strlen(line), LINE_BYTES);
	assert_int_equal(line[LINE_BYTES - 1], '\n');
	return atoi(line);
}

static unsigned expect_numbers(FILE *in, int from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(next_number(in), from + (int)i);
	return n;
}

/* A file that must hold these lines and no more. */
static void expect_file(const char *name, int from, unsigned n)
{
	FILE *in = fopen(name, "r");

	assert_non_null(in);
	expect_numbers(in, from, n);
	assert_int_equal(next_number(in), -1);
	fclose(in);
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

static void test_lines_are_written_at_once_and_in_order(void **state)
{
	struct log_sink *sink = start_path();

	for (unsigned i = 0; i < 100; i++) {
		assert_true(put(sink, i));
		wait_for_size(path, (i + 1) * LINE_BYTES);
	}
	assert_int_equal(stop(&sink), 0);
	expect_file(path, 0, 100);
}

static void test_draining_waits_until_all_is_written(void **state)
{
	struct log_sink *sink = start_path();

	for (unsigned i = 0; i < 500; i++)
		put(sink, i);
	log_sink_drain(sink, DUR_S(30));
	assert_int_equal(size_of(path), 500 * LINE_BYTES);
	stop(&sink);
}

/* Reads all of it while the sink works, then stops it; the numbers must be those that were put, but
 * for one gap of `dropped`. */
static void expect_one_gap(FILE *in, struct log_sink *sink, unsigned n, uint64_t dropped)
{
	unsigned held = 0;
	int number;

	assert_true(dropped > 0);
	while (held < n - dropped) {
		number = next_number(in);
		assert_int_equal(number, held);
		held++;
	}
	while (n_told[LOG_SINK_LOST] == 0)
		usleep(1000);
	assert_int_equal(told[LOG_SINK_LOST], dropped);
	assert_int_equal(log_sink_dropped(sink), dropped);
	assert_true(put(sink, n)); /* there is room again */
	assert_int_equal(next_number(in), n);
}

static void test_a_pipe_that_is_not_read_stops_nobody(void **state)
{
	struct log_sink *sink;
	int ends[2];
	unsigned n;
	FILE *in;

	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	in = fdopen(ends[0], "r");
	sink = start_fd(ends[1]);
	n = put_more_than_is_taken(sink, ends[0]);
	n += put_until_full(sink, n);
	for (unsigned i = 0; i < 100; i++)
		assert_false(put(sink, n++));
	expect_one_gap(in, sink, n, log_sink_dropped(sink));
	assert_int_equal(stop(&sink), 0);
	fclose(in);
	close(ends[1]);
}

/* As the journal is. */
static void test_a_socket_that_is_not_read_stops_nobody(void **state)
{
	struct log_sink *sink;
	int ends[2];
	int small = 4096;
	unsigned n;
	FILE *in;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	in = fdopen(ends[0], "r");
	sink = start_fd(ends[1]);
	n = put_more_than_is_taken(sink, ends[0]);
	n += put_until_full(sink, n);
	expect_one_gap(in, sink, n, log_sink_dropped(sink));
	assert_int_equal(stop(&sink), 0);
	fclose(in);
	close(ends[1]);
}

static void test_a_stop_gives_up_who_does_not_read(void **state)
{
	struct log_sink *sink;
	int ends[2], in_pipe = 0;
	unsigned n;
	char byte;

	assert_int_equal(pipe(ends), 0);
	sink = start_fd(ends[1]);
	n = put_until_full(sink, 0);
	n -= (unsigned)log_sink_dropped(sink);
	n -= (unsigned)stop(&sink);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while (read(ends[0], &byte, 1) == 1)
		in_pipe++;
	assert_int_equal(in_pipe, n * LINE_BYTES);
	close(ends[0]);
	close(ends[1]);
}

static void test_the_descriptors_flags_are_left_alone(void **state)
{
	struct log_sink *sink;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	sink = start_fd(ends[1]);
	put(sink, 0);
	log_sink_drain(sink, DUR_S(30));
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	stop(&sink);
	close(ends[0]);
	close(ends[1]);
}

static void test_a_fifo_waits_for_its_reader_and_outlives_it(void **state)
{
	struct log_sink *sink;
	unsigned n;
	FILE *in;

	assert_int_equal(mkfifo(path, 0600), 0);
	sink = start_path(); /* does not wait */
	put(sink, 0);
	while (n_told[LOG_SINK_FAILED] == 0)
		usleep(1000);
	assert_int_equal(told[LOG_SINK_FAILED], ENXIO);
	in = fopen(path, "r");
	assert_int_equal(next_number(in), 0);
	put(sink, 1);
	assert_int_equal(next_number(in), 1);
	fclose(in);

	/* Nobody reads it any more: it is filled up. */
	n = put_until_full(sink, 0);
	while (told[LOG_SINK_FAILED] != EPIPE)
		usleep(1000);
	in = fopen(path, "r");
	expect_one_gap(in, sink, n, log_sink_dropped(sink));
	assert_int_equal(stop(&sink), 0);
	fclose(in);
}

static void test_a_line_longer_than_a_pipe_takes_begins_anew_for_the_next_reader(void **state)
{
	struct log_sink *sink;
	char *line = xmalloc(CAPACITY), *got = xmalloc(CAPACITY);
	FILE *in;

	memset(line, 'x', CAPACITY);
	line[0] = 'a';
	line[20000] = '\n';
	assert_int_equal(mkfifo(path, 0600), 0);
	sink = start_path();
	log_sink_put(sink, line, 20001);
	in = fopen(path, "r");
	assert_int_equal(fgetc(in), 'a');
	/* A reader who came before it is noticed that this one has gone would go on reading where
	 * he has left off. */
	fclose(in);
	while (told[LOG_SINK_FAILED] != EPIPE) {
		log_sink_put(sink, line, 20001);
		usleep(1000);
	}
	in = fopen(path, "r");
	assert_non_null(fgets(got, CAPACITY, in));
	assert_int_equal(got[0], 'a');
	assert_int_equal(strlen(got), 20001);
	fclose(in);
	stop(&sink);
	free(line);
	free(got);
}

/* A file may grow to so many bytes and no further, like a disk that is full. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_line_torn_by_a_full_disk_is_completed(void **state)
{
	struct log_sink *sink = start_path();

	limit_files(10 * LINE_BYTES + 30);
	for (unsigned i = 0; i < 20; i++)
		put(sink, i);
	while (n_told[LOG_SINK_FAILED] == 0)
		usleep(1000);
	assert_int_equal(told[LOG_SINK_FAILED], EFBIG);
	assert_int_equal(size_of(path), 10 * LINE_BYTES + 30);
	limit_files(RLIM_INFINITY);
	wait_for_size(path, 20 * LINE_BYTES);
	assert_int_equal(stop(&sink), 0);
	expect_file(path, 0, 20);
}

static void test_a_torn_line_is_written_anew_after_a_rotation(void **state)
{
	struct log_sink *sink = start_path();

	limit_files(10 * LINE_BYTES + 30);
	for (unsigned i = 0; i < 20; i++)
		put(sink, i);
	wait_for_size(path, 10 * LINE_BYTES + 30);
	assert_int_equal(rename(path, rotated), 0);
	limit_files(RLIM_INFINITY);
	log_sink_reopen(sink);
	wait_for_size(path, 10 * LINE_BYTES);
	assert_int_equal(stop(&sink), 0);
	expect_file(path, 10, 10);
}

static void test_a_torn_line_stays_whole_when_the_same_file_is_reopened(void **state)
{
	struct log_sink *sink = start_path();

	limit_files(10 * LINE_BYTES + 30);
	for (unsigned i = 0; i < 20; i++)
		put(sink, i);
	wait_for_size(path, 10 * LINE_BYTES + 30);
	log_sink_reopen(sink);
	limit_files(RLIM_INFINITY);
	wait_for_size(path, 20 * LINE_BYTES);
	assert_int_equal(stop(&sink), 0);
	expect_file(path, 0, 20);
}

/* What an earlier process left. */
static void test_after_a_torn_line_of_before_the_next_begins_on_its_own(void **state)
{
	char line[LINE_BYTES * 2];
	struct log_sink *sink;
	FILE *file = fopen(path, "w");

	fputs("torn", file);
	fclose(file);
	sink = start_path();
	put(sink, 7);
	assert_int_equal(stop(&sink), 0);
	file = fopen(path, "r");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "torn\n");
	assert_int_equal(next_number(file), 7);
	fclose(file);
}

static void test_a_stop_gives_up_a_full_disk_at_once(void **state)
{
	const struct log_sink_spec spec = {
	    .name = "full", .target = {.path = "/dev/full"}, .capacity = CAPACITY, .tell = tell};
	int error;
	struct log_sink *sink = log_sink_start(&spec, &error);

	for (unsigned i = 0; i < 20; i++)
		put(sink, i);
	assert_int_equal(stop(&sink), 20);
	assert_int_equal(told[LOG_SINK_FAILED], ENOSPC);
}

static void test_what_cannot_be_opened_is_an_error(void **state)
{
	struct log_sink_spec spec = {
	    .name = "dir", .target = {.path = dir}, .capacity = CAPACITY, .tell = tell};
	int error;

	assert_null(log_sink_start(&spec, &error));
	assert_int_equal(error, -EISDIR);
	spec.target.path = "/nonexistent/log";
	assert_null(log_sink_start(&spec, &error));
	assert_int_equal(error, -ENOENT);
}

static void test_a_failed_reopen_is_told(void **state)
{
	struct log_sink *sink = start_path();

	assert_int_equal(rename(path, rotated), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	log_sink_reopen(sink);
	put(sink, 1);
	while (n_told[LOG_SINK_UNREOPENED] == 0)
		usleep(1000);
	assert_int_equal(told[LOG_SINK_UNREOPENED], EISDIR);
	assert_int_equal(stop(&sink), 0);
	expect_file(rotated, 1, 1);
	rmdir(path);
}

static void test_more_than_all_room_is_dropped_and_told(void **state)
{
	struct log_sink *sink = start_path();
	char *line = xmalloc(CAPACITY + 1);

	memset(line, '\n', CAPACITY + 1);
	assert_false(log_sink_put(sink, line, CAPACITY + 1));
	while (n_told[LOG_SINK_LOST] == 0)
		usleep(1000);
	assert_int_equal(told[LOG_SINK_LOST], CAPACITY + 1);
	assert_true(put(sink, 1));
	assert_int_equal(stop(&sink), 0);
	expect_file(path, 1, 1);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_lines_are_written_at_once_and_in_order, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_draining_waits_until_all_is_written, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_pipe_that_is_not_read_stops_nobody, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_socket_that_is_not_read_stops_nobody, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_stop_gives_up_who_does_not_read, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_the_descriptors_flags_are_left_alone, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_fifo_waits_for_its_reader_and_outlives_it,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_a_line_longer_than_a_pipe_takes_begins_anew_for_the_next_reader, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(test_a_line_torn_by_a_full_disk_is_completed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_torn_line_is_written_anew_after_a_rotation,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_a_torn_line_stays_whole_when_the_same_file_is_reopened, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_after_a_torn_line_of_before_the_next_begins_on_its_own, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_stop_gives_up_a_full_disk_at_once, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_is_an_error, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_failed_reopen_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_more_than_all_room_is_dropped_and_told, set_up,
					    tear_down),
	};

	signal(SIGXFSZ, SIG_IGN); /* as the sink's thread has it */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("log_sink", tests, NULL, NULL);
}
