/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading files: what is read, what is refused and in which words, and files that change meanwhile.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/file.h"

#define ROOM 4096

static char folder[64];

static int enter_folder(void **state)
{
	strcpy(folder, "/tmp/perigee-file-XXXXXX");
	return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
	char *command = xasprintf("rm -rf %s", folder);
	int rc = chdir("/") == 0 ? system(command) : -1;

	free(command);
	return rc;
}

static void write_file(const char *path, const char *data, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void expect_error(const char *path, size_t max, const char *expected)
{
	struct file file;
	size_t len;
	char *error;
	int fd;

	memset(&file, 'x', sizeof(file));
	error = file_read(&file, path, max);
	assert_non_null(error);
	assert_string_equal(error, expected);
	assert_null(file.data);
	assert_int_equal(file.len, 0);
	free(error);
	error = file_read_to_memfd(&fd, &len, path, max);
	assert_non_null(error);
	assert_string_equal(error, expected);
	assert_int_equal(fd, -1);
	free(error);
}

static void expect_contents(const char *path, const char *contents, size_t expected)
{
	struct file file;
	char copy[ROOM];
	size_t len;
	int fd;

	assert_null(file_read(&file, path, ROOM));
	assert_int_equal(file.len, expected);
	assert_memory_equal(file.data, contents, expected);
	assert_int_equal(file.data[expected], '\0');
	file_wipe(&file);
	assert_null(file.data);
	file_wipe(&file);

	assert_null(file_read_to_memfd(&fd, &len, path, ROOM));
	assert_int_equal(len, expected);
	assert_int_equal(pread(fd, copy, sizeof(copy), 0), expected);
	assert_memory_equal(copy, contents, expected);
	/* sealed */
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), expected == 0 ? 0 : -1);
	assert_int_equal(ftruncate(fd, ROOM + 1), -1);
	close(fd);
}

static void test_contents(void **state)
{
	char full[ROOM];
	struct file file, same;

	memset(full, 'f', sizeof(full));
	write_file("some", "a\0b\n", 4);
	write_file("empty", "", 0);
	write_file("full", full, ROOM);
	assert_int_equal(symlink("some", "link"), 0);
	expect_contents("some", "a\0b\n", 4);
	expect_contents("link", "a\0b\n", 4);
	expect_contents("empty", "", 0);
	expect_contents("full", full, ROOM);
	/* which file it is does not depend on its name */
	assert_null(file_read(&file, "some", ROOM));
	assert_null(file_read(&same, "link", ROOM));
	assert_true(file.device == same.device && file.inode == same.inode);
	file_wipe(&file);
	file_wipe(&same);
}

static void make_socket(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
}

static void test_only_regular_files(void **state)
{
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(symlink("fifo", "link-to-fifo"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	make_socket("socket");
	expect_error("fifo", ROOM, "is a FIFO, not a regular file");
	expect_error("link-to-fifo", ROOM, "is a FIFO, not a regular file");
	expect_error("folder", ROOM, "is a folder, not a regular file");
	expect_error("socket", ROOM, "is a socket, not a regular file");
	expect_error("/dev/zero", ROOM, "is a device, not a regular file");
	expect_error("dangling", ROOM, "cannot be read: No such file or directory");
	expect_error("loop", ROOM, "cannot be read: Too many levels of symbolic links");
	expect_error("", ROOM, "cannot be read: No such file or directory");
}

static void *open_to_write(void *arg)
{
	int fd = open("fifo", O_WRONLY | O_CLOEXEC);

	close(fd);
	atomic_store((_Atomic bool *)arg, true);
	return NULL;
}

/* Whoever waits to write into a FIFO must not find its reader in us. */
static void test_a_fifo_is_not_opened(void **state)
{
	_Atomic bool opened = false;
	pthread_t writer;
	int fd;

	assert_int_equal(pthread_create(&writer, NULL, open_to_write, &opened), 0);
	for (unsigned i = 0; i < 100; i++)
		expect_error("fifo", ROOM, "is a FIFO, not a regular file");
	assert_false(atomic_load(&opened));
	fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	pthread_join(writer, NULL);
	close(fd);
}

static void test_too_large(void **state)
{
	char full[ROOM + 1] = {0};

	write_file("over", full, ROOM + 1);
	expect_error("over", ROOM, "is larger than 4 KiB");
	write_file("huge", "", 0);
	assert_int_equal(truncate("huge", (off_t)1 << 40), 0);
	expect_error("huge", (size_t)16 << 20, "is larger than 16 MiB");
}

static void test_unreadable(void **state)
{
	write_file("secret", "key", 3);
	assert_int_equal(chmod("secret", 0), 0);
	if (geteuid() == 0) {
		struct file file;

		/* root may; and its errors would be tested as nobody */
		assert_null(file_read(&file, "secret", ROOM));
		file_wipe(&file);
		assert_int_equal(chmod(folder, 0711), 0);
		assert_int_equal(seteuid(65534), 0);
		expect_error("secret", ROOM,
			     "cannot be read: Permission denied (it belongs to user 0, mode 0000)");
		assert_int_equal(seteuid(0), 0);
		return;
	}
	char *expected = xasprintf(
	    "cannot be read: Permission denied (it belongs to user %u, mode 0000)", geteuid());

	expect_error("secret", ROOM, expected);
	free(expected);
}

/* The kernel has files that never keep to the size that they say. */
static void test_fewer_or_more_bytes_than_it_said(void **state)
{
	static const char *const fewer = "/sys/kernel/mm/transparent_hugepage/enabled";
	static const char *const more = "/proc/self/status";
	struct stat st;

	if (stat(fewer, &st) == 0 && st.st_size > 100)
		expect_error(fewer, ROOM, "was changed while it was read");
	if (stat(more, &st) == 0 && st.st_size == 0)
		expect_error(more, ROOM, "was changed while it was read");
}

#define LONG_SIZE (256 << 10)
#define SHORT_SIZE (100 << 10)

static _Atomic bool enough;

/* In place, as an editor or a copy does it. */
static void *rewrite(void *arg)
{
	char *text = calloc(1, LONG_SIZE);

	for (bool is_long = false; !atomic_load(&enough); is_long = !is_long) {
		FILE *f = fopen("moving", "we");

		fwrite(text, 1, is_long ? LONG_SIZE : SHORT_SIZE, f);
		fclose(f);
	}
	free(text);
	return NULL;
}

/* Each read ends, in words or with a file of a size that it had. */
static void test_truncated_and_grown_while_it_is_read(void **state)
{
	unsigned changed = 0;
	pthread_t writer;

	write_file("moving", "", 0);
	assert_int_equal(pthread_create(&writer, NULL, rewrite, NULL), 0);
	while (changed < 20) {
		struct file file;
		char *error = file_read(&file, "moving", 1 << 20);
		size_t len;
		int fd;

		if (error != NULL) {
			assert_string_equal(error, "was changed while it was read");
			changed++;
		} else {
			assert_true(file.len <= LONG_SIZE);
		}
		free(error);
		file_wipe(&file);
		free(file_read_to_memfd(&fd, &len, "moving", 1 << 20));
		if (fd >= 0)
			close(fd);
	}
	atomic_store(&enough, true);
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_only_regular_files),
	    cmocka_unit_test(test_a_fifo_is_not_opened),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_fewer_or_more_bytes_than_it_said),
	    cmocka_unit_test(test_truncated_and_grown_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
