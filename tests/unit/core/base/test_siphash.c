/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SipHash by the vectors of its authors: the seed is 00 01 .. 0f, the data 00 01 .. of each length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/siphash.h"

static const struct vector {
	size_t n;
	uint64_t hash;
} vectors[] = {
    {0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
    {2, UINT64_C(0x0d6c8009d9a94f5a)}, {3, UINT64_C(0x85676696d7fb7e2d)},
    {8, UINT64_C(0x93f5f5799a932462)}, {15, UINT64_C(0xa129ca6149be45e5)},
};

static void test_vectors(void **state)
{
	struct siphash_seed seed;
	uint8_t data[16];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = seed.bytes[i] = (uint8_t)i;
	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
		assert_int_equal(siphash(&seed, data, vectors[i].n), vectors[i].hash);
}

static void test_seed_decides(void **state)
{
	const struct siphash_seed one = {{1}}, other = {{2}};

	assert_int_not_equal(siphash(&one, "key", 3), siphash(&other, "key", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_seed_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
