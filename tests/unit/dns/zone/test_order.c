/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Canonical order: the example of RFC 4034, and many names by chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/dname.h>

#include "core/base/check.h"
#include "dns/zone/order.h"

/* Section 6.1, where "Z" is already in lower case. */
static const char *const example[] = {
    "example.",   "a.example.",       "yljkjljk.a.example.", "z.a.example.",     "zabc.a.example.",
    "z.example.", "\\001.z.example.", "*.z.example.",        "\\200.z.example.",
};

static void test_example_of_rfc_4034(void **state)
{
	struct dns_ordered names[ARRAY_SIZE(example)];
	knot_dname_storage_t wires[ARRAY_SIZE(example)];

	for (size_t i = 0; i < ARRAY_SIZE(example); i++) {
		size_t from = i * 4 % ARRAY_SIZE(example); /* another order, each once */

		assert_non_null(knot_dname_from_str(wires[from], example[from], sizeof(wires[0])));
		names[i].name = wires[from];
	}
	dns_order(names, ARRAY_SIZE(example), 1);
	for (size_t i = 0; i < ARRAY_SIZE(example); i++)
		assert_ptr_equal(names[i].name, wires[i]);
}

#define MANY 3000

static void random_name(uint8_t *wire, unsigned *seed)
{
	static const uint8_t octets[] = {0, 1, 2, '*', 'a', 'b', 255};
	unsigned labels = rand_r(seed) % 4;
	size_t n = 0;

	while (labels-- > 0) {
		unsigned len = 1 + rand_r(seed) % (rand_r(seed) % 8 == 0 ? 20 : 3);

		wire[n++] = (uint8_t)len;
		while (len-- > 0)
			wire[n++] = octets[rand_r(seed) % ARRAY_SIZE(octets)];
	}
	memcpy(wire + n, "\4zone", 6);
}

static int compare_names(const void *a, const void *b)
{
	return dns_order_compare(((const struct dns_ordered *)a)->name,
				 ((const struct dns_ordered *)b)->name);
}

/* By labels from the root, each as octets, as the RFC says it. */
static int compare_by_labels(const uint8_t *a, const uint8_t *b)
{
	size_t n_a = knot_dname_labels(a, NULL), n_b = knot_dname_labels(b, NULL);

	for (size_t i = 1; i <= MIN(n_a, n_b); i++) {
		const uint8_t *x = a, *y = b;
		int order;

		for (size_t k = i; k < n_a; k++)
			x += *x + 1;
		for (size_t k = i; k < n_b; k++)
			y += *y + 1;
		order = memcmp(x + 1, y + 1, MIN(*x, *y));
		if (order == 0)
			order = *x - *y;
		if (order != 0)
			return order;
	}
	return (int)n_a - (int)n_b;
}

static void test_many_names(void **state)
{
	static uint8_t wires[MANY][KNOT_DNAME_MAXLEN];
	struct dns_ordered *names = xcalloc(MANY, sizeof(*names));
	unsigned seed = 1;
	size_t n = 0;

	for (size_t i = 0; i < MANY; i++) {
		random_name(wires[i], &seed);
		names[i].name = wires[i];
	}
	qsort(names, MANY, sizeof(*names), compare_names);
	for (size_t i = 0; i < MANY; i++) { /* each once */
		int order = n == 0 ? 1 : compare_by_labels(names[i].name, names[n - 1].name);

		assert_true(order >= 0);
		if (order > 0)
			names[n++] = names[i];
	}
	assert_true(n > 500);
	for (size_t i = 0; i < n; i++) { /* away from where they belong */
		size_t k = rand_r(&seed) % n;
		struct dns_ordered other = names[k];

		names[k] = names[i];
		names[i] = other;
	}
	dns_order(names, n, 1);
	for (size_t i = 1; i < n; i++)
		assert_true(compare_by_labels(names[i - 1].name, names[i].name) < 0);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_example_of_rfc_4034),
	    cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
