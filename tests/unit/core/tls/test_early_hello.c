/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is read of a ClientHello about early data, whole, cut off anywhere and with wrong lengths;
 * and which one a server will ask no other for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/tls/early_hello.h"

/* As servers have it. */
#define OURS "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:%SERVER_PRECEDENCE"

enum { P256 = 23, P384 = 24, X25519 = 29, HYBRID = 4588, GREASE = 0x2a2a };

static uint8_t bytes[4096];
static unsigned len, extensions;

static void put(unsigned size, unsigned number)
{
	while (size-- > 0)
		bytes[len++] = (uint8_t)(number >> 8 * size);
}

static void begin(void)
{
	len = 0;
	put(2, 0x0303);
	len += 32;
	put(1, 0);
	put(2, 2);
	put(2, 0x1301);
	put(2, 0x0100);
	extensions = len;
	put(2, 0);
}

static unsigned open_extension(unsigned type)
{
	put(2, type);
	put(2, 0);
	return len;
}

static void close_extension(unsigned start)
{
	bytes[start - 2] = (uint8_t)((len - start) >> 8);
	bytes[start - 1] = (uint8_t)(len - start);
	bytes[extensions] = (uint8_t)((len - extensions - 2) >> 8);
	bytes[extensions + 1] = (uint8_t)(len - extensions - 2);
}

static void add_groups(const unsigned *groups, unsigned n)
{
	unsigned start = open_extension(10);

	put(2, 2 * n);
	for (unsigned i = 0; i < n; i++)
		put(2, groups[i]);
	close_extension(start);
}

static void add_shares(const unsigned *groups, unsigned n)
{
	unsigned start = open_extension(51);

	put(2, 6 * n);
	for (unsigned i = 0; i < n; i++) {
		put(2, groups[i]);
		put(2, 2);
		put(2, 0xabcd);
	}
	close_extension(start);
}

static void add_ticket(const char *ticket)
{
	unsigned start = open_extension(41), n = (unsigned)strlen(ticket);

	put(2, n + 6);
	put(2, n);
	memcpy(bytes + len, ticket, n);
	len += n;
	put(4, 12345);
	put(2, 33);
	put(1, 32);
	len += 32;
	close_extension(start);
}

/* Of memory of exactly that size, for who reads beyond it. */
static struct early_hello read_part(unsigned n)
{
	struct early_hello hello;
	uint8_t *copy = malloc(n + 1);

	memcpy(copy, bytes, n);
	copy = realloc(copy, n > 0 ? n : 1);
	assert_non_null(copy);
	early_hello_read(&hello, &(gnutls_datum_t){copy, n});
	if (hello.ticket) {
		assert_true(hello.ticket >= copy && hello.ticket + hello.ticket_len <= copy + n);
		hello.ticket = bytes + (hello.ticket - copy);
	}
	free(copy);
	return hello;
}

static struct early_hello read_all(void)
{
	return read_part(len);
}

static void test_nothing(void **state)
{
	struct early_hello hello;

	begin();
	hello = read_all();
	assert_false(hello.offered);
	assert_null(hello.ticket);
	assert_int_equal(hello.n_groups + hello.n_shares, 0);
}

static void make_whole(void)
{
	static const unsigned groups[] = {GREASE, X25519, P256}, shares[] = {GREASE, X25519};

	begin();
	add_groups(groups, 3);
	add_shares(shares, 2);
	close_extension(open_extension(42));
	add_ticket("a ticket");
}

static void test_whole(void **state)
{
	struct early_hello hello;

	make_whole();
	hello = read_all();
	assert_true(hello.offered);
	assert_int_equal(hello.ticket_len, 8);
	assert_memory_equal(hello.ticket, "a ticket", 8);
	assert_int_equal(hello.n_groups, 3);
	assert_int_equal(hello.groups[1], X25519);
	assert_int_equal(hello.n_shares, 2);
	assert_int_equal(hello.shares[1], X25519);
}

static void test_cut_off_or_wrong_anywhere(void **state)
{
	make_whole();
	for (unsigned n = 0; n < len; n++)
		read_part(n);
	for (unsigned i = 0; i < len; i++) {
		make_whole();
		bytes[i] ^= 0xff;
		read_all();
	}
}

static void test_more_groups_than_anybody_has(void **state)
{
	unsigned many[EARLY_HELLO_GROUPS + 9];
	struct early_hello hello;
	gnutls_priority_t priority;

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = X25519;
	CHECK(gnutls_priority_init(&priority, OURS, NULL) == 0);
	begin();
	add_groups(many, ARRAY_SIZE(many));
	add_shares(many, 1);
	hello = read_all();
	assert_int_equal(hello.n_groups, EARLY_HELLO_GROUPS + 1);
	assert_false(early_hello_goes_through(&hello, priority));
	gnutls_priority_deinit(priority);
}

static bool goes_through(const char *string, const unsigned *groups, unsigned n_groups,
			 const unsigned *shares, unsigned n_shares)
{
	struct early_hello hello;
	gnutls_priority_t priority;
	bool goes;

	CHECK(gnutls_priority_init(&priority, string, NULL) == 0);
	begin();
	add_groups(groups, n_groups);
	add_shares(shares, n_shares);
	hello = read_all();
	goes = early_hello_goes_through(&hello, priority);
	gnutls_priority_deinit(priority);
	return goes;
}

static void test_which_goes_through(void **state)
{
	static const unsigned x[] = {X25519}, p[] = {P256}, both[] = {GREASE, X25519, P256},
			      turned[] = {P256, X25519}, all[] = {HYBRID, X25519, P256, P384},
			      none[] = {GREASE, P384 + 1};
	static const char own_order[] = "NORMAL:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519";

	assert_true(goes_through(OURS, both, 3, x, 1));
	assert_true(goes_through(OURS, both, 3, both, 3));
	assert_false(goes_through(OURS, both, 3, p, 1));
	assert_false(goes_through(OURS, both, 3, both, 0));
	assert_true(goes_through(OURS, p, 1, p, 1));
	assert_false(goes_through(OURS, none, 2, none, 2));
	/* Where the orders differ, both must do. */
	assert_false(goes_through(OURS, turned, 2, x, 1));
	assert_true(goes_through(OURS, turned, 2, turned, 2));
	assert_false(goes_through(own_order, both, 3, x, 1));
	assert_true(goes_through(own_order, both, 3, both, 3));
	/* One that this library may not have. */
	assert_true(goes_through(OURS, all, 4, all, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_cut_off_or_wrong_anywhere),
	    cmocka_unit_test(test_more_groups_than_anybody_has),
	    cmocka_unit_test(test_which_goes_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
