/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is kept of sessions, and how much of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/net/tls_sessions.h"

static struct net_addr server(uint16_t port)
{
	struct net_addr addr;

	assert_true(net_addr_parse("192.0.2.1", port, &addr));
	return addr;
}

static void put(struct tls_sessions *s, uint16_t port, unsigned char mark, unsigned size)
{
	struct net_addr addr = server(port);
	gnutls_datum_t data = {gnutls_malloc(size), size};

	memset(data.data, mark, size);
	tls_sessions_put(s, &addr, &data);
	assert_null(data.data);
}

/* Its mark; -1: there is none. */
static int take(struct tls_sessions *s, uint16_t port)
{
	struct net_addr addr = server(port);
	gnutls_datum_t data;
	int mark;

	if (!tls_sessions_take(s, &addr, &data))
		return -1;
	mark = data.data[data.size - 1];
	gnutls_free(data.data);
	return mark;
}

static void test_the_newest_first_and_once(void **state)
{
	struct tls_sessions *s = tls_sessions_create();

	assert_int_equal(take(s, 443), -1);
	put(s, 443, 1, 100);
	put(s, 444, 2, 100);
	put(s, 443, 3, 100);
	assert_int_equal(take(s, 443), 3);
	assert_int_equal(take(s, 443), 1);
	assert_int_equal(take(s, 443), -1);
	assert_int_equal(take(s, 445), -1);
	assert_int_equal(take(s, 444), 2);
	tls_sessions_destroy(&s);
	assert_null(s);
}

/* Neither one server nor many can make it grow, and one does not drive out the others. */
static void test_bounded(void **state)
{
	struct tls_sessions *s = tls_sessions_create();
	unsigned n = 0;

	put(s, 1, 7, 100);
	for (unsigned i = 0; i < 100; i++)
		put(s, 443, i, 100);
	assert_int_equal(take(s, 1), 7);
	for (int i = 0; i < 8; i++)
		assert_int_equal(take(s, 443), 99 - i);
	assert_int_equal(take(s, 443), -1);

	for (unsigned i = 0; i < 100; i++)
		put(s, 1000 + i, i, 100);
	for (unsigned i = 0; i < 100; i++)
		n += take(s, 1000 + i) >= 0;
	assert_int_equal(n, 64);
	put(s, 443, 1, 16 * 1024 + 1);
	assert_int_equal(take(s, 443), -1);
	put(s, 443, 1, 16 * 1024);
	tls_sessions_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_newest_first_and_once),
	    cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
