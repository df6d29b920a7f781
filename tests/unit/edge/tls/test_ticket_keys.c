/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Directories with keys of tickets: made as the operator's tool makes them, read as edges read
 * them, and every complaint about a broken one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/ticket_keys.h"
#include "tests/support/skip.h"

static char directory[64];
static char complaints[8192];

static int set_up(void **state)
{
	strcpy(directory, "/tmp/perigee-tickets-XXXXXX");
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	char *command = xasprintf("rm -rf %s", directory);
	int code = system(command);

	free(command);
	return code;
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", directory, name);
}

static void write_key(const char *name, char fill, size_t n, mode_t mode)
{
	char *path = path_of(name), bytes[8192];
	FILE *f = fopen(path, "w");

	memset(bytes, fill, sizeof(bytes));
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

/* What is complained about stands in `complaints` then. */
static bool read_all(struct ticket_keys *keys)
{
	struct diag *diag = diag_create();
	bool ok = ticket_keys_read(keys, directory, (struct cfg_place){.file = "test"}, diag);
	char *text = diag_text(diag);

	assert_int_equal(ok, diag_count(diag) == 0);
	snprintf(complaints, sizeof(complaints), "%s", text);
	free(text);
	diag_destroy(&diag);
	return ok;
}

static void assert_refused(const char *why)
{
	struct ticket_keys keys;

	assert_false(read_all(&keys));
	assert_null(keys.v);
	assert_int_equal(keys.n, 0);
	if (strstr(complaints, why) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", complaints, why);
}

static wall_time at(const char *text)
{
	wall_time time;

	assert_true(ticket_time_parse(text, strlen(text), &time));
	return time;
}

static void test_times(void **state)
{
	static const char *const bad[] = {
	    "",
	    "2026-11-26",
	    "2026-11-26T10:00:00",
	    "2026-11-26T10:00:00+01",
	    "2026-02-30T10:00:00Z",
	    "2262-01-01T00:00:00Z",
	    "9999-01-01T00:00:00Z",
	    "2026-11-26T24:00:00Z",
	    "2026-11-26t10:00:00Z",
	    "1969-11-26T10:00:00Z",
	    "  26-11-26T10:00:00Z",
	    "2026-11-26T10:00:00Zx",
	};
	wall_time time;
	char *text;

	assert_int_equal(at("1970-01-01T00:00:00Z").ns, 0);
	assert_int_equal(at("2026-11-26T10:00:00Z").ns, INT64_C(1795687200) * 1000000000);
	text = ticket_time_text(at("2028-02-29T23:59:59Z"));
	assert_string_equal(text, "2028-02-29T23:59:59Z");
	free(text);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(ticket_time_parse(bad[i], strlen(bad[i]), &time));
}

static void test_order_and_use(void **state)
{
	struct ticket_keys keys;

	write_key("2026-03-01T00:00:00Z.key", 'c', TICKET_SECRET_SIZE, 0600);
	write_key("2026-01-01T00:00:00Z-b.key", 'b', TICKET_SECRET_SIZE, 0600);
	write_key("2026-01-01T00:00:00Z-a.key", 'a', TICKET_SECRET_SIZE, 0640);
	write_key(".2026-01-01T00:00:00Z-x.key", 'x', 3, 0600);
	write_key("README", 'x', 3, 0644);
	assert_true(read_all(&keys));
	assert_string_equal(complaints, "");
	assert_int_equal(keys.n, 3);
	assert_string_equal(keys.v[0].name, "2026-01-01T00:00:00Z-a.key");
	assert_int_equal(keys.v[0].secret[TICKET_SECRET_SIZE - 1], 'a');
	assert_int_equal(keys.v[1].secret[0], 'b');
	assert_int_equal(keys.v[2].secret[0], 'c');
	assert_int_equal(keys.v[2].from.ns, at("2026-03-01T00:00:00Z").ns);

	assert_int_equal(ticket_keys_in_use(&keys, at("2025-12-31T23:59:59Z")), 3);
	assert_int_equal(ticket_keys_in_use(&keys, at("2026-01-01T00:00:00Z")), 1);
	assert_int_equal(ticket_keys_in_use(&keys, at("2026-02-28T23:59:59Z")), 1);
	assert_int_equal(ticket_keys_in_use(&keys, at("2026-03-01T00:00:00Z")), 2);
	ticket_keys_fini(&keys);
	assert_null(keys.v);
}

static void test_made_keys_are_read(void **state)
{
	char *error = NULL, *first = ticket_key_make(directory, at("2026-01-01T00:00:00Z"), &error);
	char *second = ticket_key_make(directory, at("2026-01-01T00:00:00Z"), &error);
	char *path = path_of(first);
	struct ticket_keys keys;
	struct stat st;

	assert_null(error);
	assert_true(ticket_key_name_is_good(first));
	assert_string_not_equal(first, second);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(read_all(&keys));
	assert_string_equal(complaints, "");
	assert_int_equal(keys.n, 2);
	assert_memory_not_equal(keys.v[0].secret, keys.v[1].secret, TICKET_SECRET_SIZE);
	ticket_keys_fini(&keys);
	free(first);
	free(second);
	free(path);

	assert_null(ticket_key_make("/nonexistent", at("2026-01-01T00:00:00Z"), &error));
	assert_string_equal(error, "/nonexistent: No such file or directory");
	free(error);
}

static void test_names(void **state)
{
	assert_true(ticket_key_name_is_good("2026-01-01T00:00:00Z.key"));
	assert_true(ticket_key_name_is_good("2026-01-01T00:00:00Z-any name.key"));
	assert_false(ticket_key_name_is_good("2026-01-01T00:00:00Zx.key"));
	assert_false(ticket_key_name_is_good("2026-01-01T00:00:00Z-/../../x.key"));
	assert_false(ticket_key_name_is_good("2026-01-01T00:00:00Z-a"));
	assert_false(ticket_key_name_is_good(".key"));
	assert_false(ticket_key_name_is_good(""));
}

static void test_empty_directory_has_none(void **state)
{
	struct ticket_keys keys;

	assert_true(read_all(&keys));
	assert_int_equal(keys.n, 0);
	assert_int_equal(ticket_keys_in_use(&keys, clock_wall()), 0);
	ticket_keys_fini(&keys);
}

static void test_no_directory(void **state)
{
	assert_int_equal(rmdir(directory), 0);
	assert_refused("No such file or directory");
}

static void test_every_broken_file_is_named(void **state)
{
	char *path = path_of("2026-01-03T00:00:00Z.key");

	write_key("2026-01-01T00:00:00Z.key", 'a', TICKET_SECRET_SIZE, 0600);
	write_key("2026-01-02T00:00:00Z.key", 'a', TICKET_SECRET_SIZE - 1, 0600);
	assert_int_equal(mkfifo(path, 0600), 0);
	write_key("2026-01-04T00:00:00Z.key", 'a', TICKET_SECRET_SIZE + 1, 0600);
	write_key("2026-01-05T00:00:00Z.key", 'a', 8192, 0600);
	write_key("newest.key", 'a', TICKET_SECRET_SIZE, 0600);
	assert_refused("/2026-01-02T00:00:00Z.key holds 63 bytes, where a key of tickets has 64");
	assert_refused("/2026-01-03T00:00:00Z.key is a FIFO, not a regular file");
	assert_refused("/2026-01-04T00:00:00Z.key holds 65 bytes");
	assert_refused("/2026-01-05T00:00:00Z.key is larger than 4 KiB");
	assert_refused("/newest.key: a key of tickets is called like 2026-");
	free(path);
}

static void test_file_of_zeros_is_no_key(void **state)
{
	write_key("2026-01-01T00:00:00Z.key", '\0', TICKET_SECRET_SIZE, 0600);
	assert_refused("/2026-01-01T00:00:00Z.key holds zeros only");
}

static void test_too_many(void **state)
{
	for (unsigned i = 0; i <= TICKET_KEYS_MAX; i++) {
		char *name = xasprintf("2026-01-01T00:00:%02uZ.key", i);

		write_key(name, 'a', TICKET_SECRET_SIZE, 0600);
		free(name);
	}
	assert_refused(" has 33 keys of tickets; 32 are the most");
}

static void test_unreadable(void **state)
{
	write_key("2026-01-01T00:00:00Z.key", 'a', TICKET_SECRET_SIZE, 0000);
	if (geteuid() == 0)
		SKIP("root may read any file");
	assert_refused("cannot be read: Permission denied");
}

static void test_key_that_everybody_may_read_is_warned_of(void **state)
{
	struct ticket_keys keys;

	write_key("2026-01-01T00:00:00Z.key", 'a', TICKET_SECRET_SIZE, 0644);
	assert_true(read_all(&keys));
	assert_int_equal(keys.n, 1);
	assert_non_null(strstr(complaints, "/2026-01-01T00:00:00Z.key may be read by "
					   "everybody (mode 0644)"));
	ticket_keys_fini(&keys);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(times),
	    RUN(order_and_use),
	    RUN(made_keys_are_read),
	    RUN(names),
	    RUN(empty_directory_has_none),
	    cmocka_unit_test_setup(test_no_directory, set_up),
	    RUN(every_broken_file_is_named),
	    RUN(file_of_zeros_is_no_key),
	    RUN(too_many),
	    RUN(unreadable),
	    RUN(key_that_everybody_may_read_is_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
