/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A sink whose lines are datagrams, against a real receiver that reads, does not, goes away and
 * comes back: each line is one datagram, in order, and what is missing is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log_sink.h"

#define CAPACITY 65536
#define PATIENCE DUR_S(10)

static char dir[64], path[96];
static _Atomic uint64_t failed;

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-datagram-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/log", dir);
	failed = 0;
	return 0;
}

static int tear_down(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void tell(const char *name, enum log_sink_event event, uint64_t value)
{
	if (event == LOG_SINK_FAILED)
		failed = value;
}

static int receive_unix(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(un.sun_path, path);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	return fd;
}

static int receive_udp(struct net_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_DGRAM, 0);
	socklen_t len = net_addr_len(addr);

	CHECK(fd >= 0 && bind(fd, &addr->sa, len) == 0);
	CHECK(getsockname(fd, &addr->sa, &len) == 0);
	return fd;
}

static struct log_sink *start(struct log_target target)
{
	const struct log_sink_spec spec = {
	    .name = "receiver", .target = target, .capacity = CAPACITY, .tell = tell};
	struct log_sink *sink;
	int error;

	sink = log_sink_start(&spec, &error);
	assert_non_null(sink);
	return sink;
}

static struct log_sink *start_unix(void)
{
	return start((struct log_target){.kind = LOG_TARGET_SOCKET, .path = path});
}

static void stop(struct log_sink **sink, uint64_t left)
{
	assert_int_equal(log_sink_stop(*sink, DUR_MS(300)), left);
	log_sink_destroy(sink);
}

static void put(struct log_sink *sink, unsigned from, unsigned n)
{
	char line[32];

	for (unsigned i = from; i < from + n; i++)
		assert_true(
		    log_sink_put(sink, line, (size_t)snprintf(line, sizeof(line), "line %u\n", i)));
}

static void expect(int fd, unsigned from, unsigned n)
{
	char got[64], line[32];

	for (unsigned i = from; i < from + n; i++) {
		ssize_t len = recv(fd, got, sizeof(got), 0);

		assert_int_equal(len, snprintf(line, sizeof(line), "line %u", i));
		assert_memory_equal(got, line, (size_t)len);
	}
}

static void expect_nothing(int fd)
{
	char got[64];

	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_each_line_is_a_datagram(void **state)
{
	int fd = receive_unix();
	struct log_sink *sink = start_unix();

	put(sink, 0, 500);
	expect(fd, 0, 500);
	stop(&sink, 0);
	expect_nothing(fd);
	close(fd);
}

static void test_by_udp(void **state)
{
	static const char *const addrs[] = {"127.0.0.1:0", "[::1]:0"};

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		struct log_target target = {.kind = LOG_TARGET_UDP};
		struct log_sink *sink;
		int fd;

		CHECK(net_addr_parse(addrs[i], 0, &target.addr));
		fd = receive_udp(&target.addr);
		sink = start(target);
		put(sink, 0, 100);
		expect(fd, 0, 100);
		stop(&sink, 0);
		close(fd);
	}
}

/* The kernel takes a few for it; the buffers fill, and the rest is counted. */
static void test_a_receiver_that_does_not_read(void **state)
{
	int fd = receive_unix();
	struct log_sink *sink = start_unix();
	char line[1024], got[1024];
	unsigned n = 0, read = 0;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (log_sink_put(sink, line, sizeof(line)))
		n++;
	assert_true(n >= CAPACITY / sizeof(line));
	assert_int_equal(log_sink_dropped(sink), 1);
	while (read < n) {
		assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(line) - 1);
		read++;
	}
	stop(&sink, 0);
	expect_nothing(fd);
	close(fd);
}

static void test_a_receiver_that_does_not_read_does_not_outlive_a_stop(void **state)
{
	int fd = receive_unix();
	struct log_sink *sink = start_unix();
	char line[1024];
	uint64_t n = 0, left;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (log_sink_put(sink, line, sizeof(line)))
		n++;
	left = log_sink_stop(sink, DUR_MS(100));
	log_sink_destroy(&sink);
	assert_in_range(left, 1, n);
	for (; left < n; left++)
		assert_int_equal(recv(fd, line, sizeof(line), MSG_DONTWAIT), sizeof(line) - 1);
	expect_nothing(fd);
	close(fd);
}

static void wait_for_failure(int error)
{
	while (failed != (uint64_t)error)
		usleep(1000);
}

static void test_a_receiver_that_goes_and_comes_back(void **state)
{
	struct log_sink *sink = start_unix();
	int fd;

	/* It is not there yet. */
	put(sink, 0, 10);
	wait_for_failure(ENOENT);
	fd = receive_unix();
	expect(fd, 0, 10);
	close(fd);
	put(sink, 10, 10);
	wait_for_failure(ECONNREFUSED);
	unlink(path);
	fd = receive_unix();
	expect(fd, 10, 10);
	assert_int_equal(log_sink_dropped(sink), 0);
	stop(&sink, 0);
	expect_nothing(fd);
	close(fd);
}

/* UDP tells of a line that it has not arrived only when the next one is sent. */
static void test_by_udp_to_nobody(void **state)
{
	struct log_target target = {.kind = LOG_TARGET_UDP};
	struct log_sink *sink;

	CHECK(net_addr_parse("127.0.0.1:0", 0, &target.addr));
	close(receive_udp(&target.addr));
	sink = start(target);
	put(sink, 0, 10);
	wait_for_failure(ECONNREFUSED);
	assert_true(log_sink_dropped(sink) >= 1);
	/* It is tried again after a second; a stop does not wait for that. */
	assert_in_range(log_sink_stop(sink, DUR_MS(300)), 1, 9);
	log_sink_destroy(&sink);
}

static void test_a_line_that_no_datagram_holds_is_counted(void **state)
{
	struct log_target target = {.kind = LOG_TARGET_UDP};
	static char line[65536 - 8];
	struct log_sink *sink;
	int fd;

	CHECK(net_addr_parse("127.0.0.1:0", 0, &target.addr));
	fd = receive_udp(&target.addr);
	sink = start(target);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_true(log_sink_put(sink, line, sizeof(line)));
	log_sink_drain(sink, PATIENCE);
	put(sink, 0, 3);
	expect(fd, 0, 3);
	assert_int_equal(log_sink_dropped(sink), 1);
	stop(&sink, 0);
	close(fd);
}

static void test_a_path_that_no_socket_can_have_is_an_error(void **state)
{
	char name[200] = "/";
	struct log_sink_spec spec = {.name = "receiver", .capacity = CAPACITY, .tell = tell};
	int error;

	memset(name + 1, 'x', sizeof(name) - 2);
	spec.target = (struct log_target){.kind = LOG_TARGET_SOCKET, .path = name};
	assert_null(log_sink_start(&spec, &error));
	assert_int_equal(error, -ENAMETOOLONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_each_line_is_a_datagram),
	    TEST(test_by_udp),
	    TEST(test_a_receiver_that_does_not_read),
	    TEST(test_a_receiver_that_does_not_read_does_not_outlive_a_stop),
	    TEST(test_a_receiver_that_goes_and_comes_back),
	    TEST(test_by_udp_to_nobody),
	    TEST(test_a_line_that_no_datagram_holds_is_counted),
	    TEST(test_a_path_that_no_socket_can_have_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
