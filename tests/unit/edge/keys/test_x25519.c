/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The function that GnuTLS finds for X25519 against nettle's own, before and after libcrypto was
 * proved, and against what RFC 7748 says.
 */
#include <config.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <gnutls/crypto.h>
#include <nettle/curve25519.h>

#include "core/base/check.h"
#include "edge/keys/x25519.h"

#ifndef X25519_BY_LIBCRYPTO

int main(void)
{
	return edge_x25519_start() ? 1 : 77;
}

#else

#define SIZE CURVE25519_SIZE

typedef void (*mul_fn)(uint8_t *q, const uint8_t *n, const uint8_t *p);

static void make_random(uint8_t bytes[SIZE])
{
	assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, bytes, SIZE), 0);
}

static mul_fn of_nettle(void)
{
	mul_fn found = (mul_fn)dlsym(RTLD_NEXT, "nettle_curve25519_mul");

	assert_non_null(found);
	return found;
}

static void test_it_stands_before_nettles(void **state)
{
	assert_ptr_equal(dlsym(RTLD_DEFAULT, "nettle_curve25519_mul"), nettle_curve25519_mul);
	assert_ptr_not_equal(of_nettle(), nettle_curve25519_mul);
}

/* RFC 7748 section 5.2. */
static void iterate(unsigned times, const char *result)
{
	uint8_t k[SIZE] = {9}, u[SIZE] = {9}, q[SIZE];

	for (unsigned i = 0; i < times; i++) {
		nettle_curve25519_mul(q, k, u);
		memcpy(u, k, SIZE);
		memcpy(k, q, SIZE);
	}
	assert_memory_equal(k, result, SIZE);
}

static void test_a_thousand_iterations(void **state)
{
	iterate(1, "\x42\x2c\x8e\x7a\x62\x27\xd7\xbc\xa1\x35\x0b\x3e\x2b\xb7\x27\x9f"
		   "\x78\x97\xb8\x7b\xb6\x85\x4b\x78\x3c\x60\xe8\x03\x11\xae\x30\x79");
	iterate(1000, "\x68\x4c\xf5\x9b\xa8\x33\x09\x55\x28\x00\xef\x56\x6f\x2f\x4d\x3c"
		      "\x1c\x38\x87\xc4\x93\x60\xe3\x87\x5f\x2e\xb9\x4d\x99\x53\x2c\x51");
}

/* Also of points with the bit that is not looked at, and of those not below the prime. */
static void test_as_nettle(void **state)
{
	mul_fn nettles = of_nettle();
	uint8_t n[SIZE], p[SIZE], q[SIZE], nettles_q[SIZE];

	for (unsigned i = 0; i < 500; i++) {
		make_random(n);
		make_random(p);
		if (i % 2 == 0) {
			memset(p + 1, 0xff, SIZE - 1);
			p[0] |= 0xe0; /* 2^255 - 19 has 0xed there */
		}
		nettle_curve25519_mul(q, n, p);
		nettles(nettles_q, n, p);
		assert_memory_equal(q, nettles_q, SIZE);
	}
}

/* GnuTLS refuses it by looking. */
static void test_points_of_small_order_make_zeros(void **state)
{
	static const uint8_t zeros[SIZE];
	uint8_t n[SIZE], p[SIZE] = {0}, q[SIZE];

	make_random(n);
	for (unsigned order = 0; order < 2; order++) {
		p[0] = order;
		memset(q, 0xaa, SIZE);
		nettle_curve25519_mul(q, n, p);
		assert_memory_equal(q, zeros, SIZE);
	}
}

static void test_start(void **state)
{
	assert_true(edge_x25519_start());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_stands_before_nettles),
	    cmocka_unit_test(test_a_thousand_iterations),
	    cmocka_unit_test(test_points_of_small_order_make_zeros),
	    cmocka_unit_test(test_start),
	    cmocka_unit_test(test_a_thousand_iterations),
	    cmocka_unit_test(test_as_nettle),
	    cmocka_unit_test(test_points_of_small_order_make_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
