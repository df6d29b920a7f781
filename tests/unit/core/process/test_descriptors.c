/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The budget of descriptors by table: for every limit and configuration what is promised together
 * fits, and is as much as fits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/process/descriptors.h"
#include "tests/support/few_descriptors.h"

struct row {
	const char *name;
	struct descriptor_needs needs;
	uint64_t allowed;
	bool enough;
	unsigned clients_low, clients_high;
};

static const struct row rows[] = {
    {"an edge by its defaults, on Debian by systemd",
     {5, 9, 16, 20, 15000, true},
     524288,
     true,
     15000,
     15000},
    {"the same in a shell", {5, 9, 16, 20, 15000, true}, 1024, true, 300, 400},
    {"a small edge, ulimit -n 120", {5, 2, 1, 2, 15000, true}, 120, true, 20, 40},
    {"few clients fit where many do not", {5, 2, 1, 2, 10, true}, 120, true, 10, 10},
    {"one more than none", {5, 2, 1, 2, 1, true}, 120, true, 1, 1},
    {"an edge, ulimit -n 64", {5, 2, 1, 2, 15000, true}, 64, false, 8, 8},
    {"nothing", {5, 2, 1, 2, 15000, true}, 0, false, 8, 8},
    {"a name server, ulimit -n 80", {5, 2, 2, 3, 256, false}, 80, true, 10, 30},
    {"a name server by its defaults", {5, 3, 4, 3, 512, false}, 524288, true, 512, 512},
    {"a listener without a connection", {5, 65, 512, 3, 65536, false}, 1000, false, 512, 512},
    {"health checks of a large fleet", {5, 3, 4, 5000, 512, false}, 1024, true, 500, 512},
    {"unlimited", {5, 2, 1, 2, 10000000, true}, UINT64_MAX, true, 10000000, 10000000},
};

static uint64_t promised(const struct row *row, const struct descriptor_budget *b)
{
	return (uint64_t)b->clients * (row->needs.forwards ? 2 : 1) + b->closing + b->idle;
}

static void test_table(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct descriptor_budget b;

		print_message("%s\n", row->name);
		assert_int_equal(descriptors_share(&row->needs, row->allowed, &b), row->enough);
		assert_in_range(b.clients, row->clients_low, row->clients_high);
		assert_true(b.closing >= 1);
		if (!row->enough) {
			assert_true(b.needed > row->allowed);
			continue;
		}
		assert_true(promised(row, &b) + row->needs.open < row->allowed);
		assert_int_equal(b.clients == row->needs.clients, b.needed <= b.allowed);
		if (!row->needs.forwards)
			assert_int_equal(b.idle, 0);
	}
}

/* Whatever is allowed: what is kept back is the same, and more descriptors are never fewer
 * clients. `needed` is what would let all in. */
static void test_each_limit(void **state)
{
	struct descriptor_needs needs = {5, 5, 8, 4, 300, true};
	struct descriptor_budget b, all;
	unsigned before = 0;
	uint64_t least;

	assert_false(descriptors_share(&needs, 0, &b));
	least = b.needed;
	assert_true(descriptors_share(&needs, 100000, &all));
	for (uint64_t allowed = 16; allowed < 2000; allowed++) {
		bool enough = descriptors_share(&needs, allowed, &b);

		assert_true(b.clients >= before);
		before = b.clients;
		if (!enough) {
			assert_true(allowed < b.needed);
			assert_int_equal(b.clients, 8);
			continue;
		}
		assert_int_equal(b.needed, all.needed);
		assert_int_equal(b.clients == 300, allowed >= b.needed);
		/* All but a few crumbs of rounding are given out. */
		assert_in_range(allowed - promised(&(struct row){.needs = needs}, &b),
				least - 20 - 4, least - 20 + 4);
	}
	assert_int_equal(before, 300);
}

static void test_the_process(void **state)
{
	uint64_t before = descriptors_open(), allowed = descriptors_allowed();
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(before >= 3 && fd >= 0);
	assert_int_equal(descriptors_open(), before + 1);
	close(fd);
	assert_int_equal(descriptors_open(), before);
	descriptors_allow(64);
	assert_int_equal(descriptors_allowed(), 64);
	descriptors_allow(allowed);
	/* Without one to look with. */
	descriptors_use_up();
	assert_int_equal(descriptors_open(), descriptors_allowed());
	descriptors_allow(allowed);
}

/* What is said of it, in the log's words. */
static void said(char *text, size_t size, const struct descriptor_needs *needs, bool expect)
{
	struct descriptor_budget b;
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	CHECK(saved >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK(dup2(fds[1], STDERR_FILENO) >= 0);
	assert_int_equal(descriptors_plan(needs, "client connections", "http.limit", &b), expect);
	CHECK(dup2(saved, STDERR_FILENO) >= 0);
	n = read(fds[0], text, size - 1);
	text[MAX(n, 0)] = '\0';
	close(fds[0]);
	close(fds[1]);
	close(saved);
}

static void test_words(void **state)
{
	struct descriptor_needs needs = {5, 2, 1, 2, 15000, true};
	uint64_t allowed = descriptors_allowed();
	char text[1024];

	descriptors_allow(120);
	said(text, sizeof(text), &needs, true);
	assert_non_null(strstr(text, " warn 15000 client connections need 375"));
	assert_non_null(strstr(text, " open files, and 120 are allowed: only "));
	assert_non_null(strstr(text, "raise LimitNOFILE= (ulimit -n) or lower http.limit\n"));
	needs.clients = 10;
	said(text, sizeof(text), &needs, true);
	assert_string_equal(text, "");
	descriptors_allow(40);
	said(text, sizeof(text), &needs, false);
	assert_non_null(strstr(text, " error "));
	assert_non_null(strstr(text, "and 40 are allowed: raise LimitNOFILE="));
	descriptors_allow(allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_each_limit),
	    cmocka_unit_test(test_the_process),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
