/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A worker's stock of compressors: its limit holds, spares give way to other codings, and what
 * waits to be encoded stays in order while it grows and is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/check.h"
#include "edge/filter/compressor.h"

#define MANY 64

static size_t cost(enum cfg_coding coding)
{
	return sizeof(struct edge_compressor) + EDGE_COMPRESSOR_WINDOW + edge_encoder_size(coding);
}

static void test_no_more_are_lent_than_the_limit_allows(void **state)
{
	struct edge_compressors *stock = edge_compressors_create();
	struct edge_compressor *lent[MANY];
	size_t limit = 3 * cost(CFG_CODING_GZIP) + 1;
	unsigned n = 0;

	while (n < MANY && (lent[n] = edge_compressor_take(stock, CFG_CODING_GZIP, 4, 1000, limit)))
		n++;
	assert_int_equal(n, 3);
	edge_compressor_give(stock, &lent[--n]);
	assert_null(lent[n]);
	lent[n] = edge_compressor_take(stock, CFG_CODING_GZIP, 4, 1000, limit);
	assert_non_null(lent[n++]);
	assert_null(edge_compressor_take(stock, CFG_CODING_GZIP, 4, 1000, limit));
	while (n > 0)
		edge_compressor_give(stock, &lent[--n]);
	assert_null(edge_compressor_take(stock, CFG_CODING_BR, 4, 1000, 0));
	edge_compressors_destroy(&stock);
	assert_null(stock);
}

static void test_spares_of_one_coding_give_way_to_another(void **state)
{
	struct edge_compressors *stock = edge_compressors_create();
	struct edge_compressor *c[6];
	size_t limit = 6 * cost(CFG_CODING_GZIP);

	assert_true(cost(CFG_CODING_ZSTD) < limit);
	for (unsigned i = 0; i < 6; i++) {
		c[i] = edge_compressor_take(stock, CFG_CODING_GZIP, 4, 1000, limit);
		assert_non_null(edge_compressor_encoder(stock, c[i]));
	}
	assert_null(edge_compressor_take(stock, CFG_CODING_ZSTD, 3, 1000, limit));
	for (unsigned i = 0; i < 6; i++)
		edge_compressor_give(stock, &c[i]);
	c[0] = edge_compressor_take(stock, CFG_CODING_ZSTD, 3, 1000, limit);
	assert_non_null(c[0]);
	edge_compressor_give(stock, &c[0]);
	edge_compressors_destroy(&stock);
}

static void test_the_newest_spare_is_used_unless_it_has_another_level(void **state)
{
	struct edge_compressors *stock = edge_compressors_create();
	struct edge_compressor *c[3];
	struct edge_encoder *e;

	for (unsigned i = 0; i < 3; i++)
		c[i] = edge_compressor_take(stock, CFG_CODING_GZIP, 1, 1000, SIZE_MAX);
	e = edge_compressor_encoder(stock, c[0]);
	assert_ptr_equal(edge_compressor_encoder(stock, c[0]), e);
	assert_ptr_not_equal(edge_compressor_encoder(stock, c[1]), e);
	edge_compressor_give(stock, &c[1]);
	edge_compressor_give(stock, &c[0]);
	/* It was not needed before. */
	assert_ptr_equal(edge_compressor_encoder(stock, c[2]), e);
	edge_compressor_give(stock, &c[2]);
	c[0] = edge_compressor_take(stock, CFG_CODING_GZIP, 9, 1000, SIZE_MAX);
	assert_non_null(edge_compressor_encoder(stock, c[0]));
	edge_compressor_give(stock, &c[0]);
	edge_compressors_destroy(&stock);
}

static void test_what_waits_stays_in_order(void **state)
{
	struct edge_compressors *stock = edge_compressors_create();
	struct edge_compressor *c = edge_compressor_take(stock, CFG_CODING_GZIP, 4, 1000, SIZE_MAX);
	unsigned char added = 0, taken = 0;
	char piece[3000];

	for (unsigned round = 0; round < 200; round++) {
		size_t n = 1 + round * 37 % sizeof(piece), take = round * 53 % sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = (char)added++;
		assert_true(edge_compressor_add(c, piece, n));
		take = MIN(take, edge_compressor_waiting(c));
		for (size_t i = 0; i < take; i++)
			assert_int_equal((unsigned char)c->in[c->in_at + i], taken++);
		c->in_at += take;
	}
	assert_true(edge_compressor_add(c, NULL, 0));
	while (edge_compressor_waiting(c) > 0)
		assert_int_equal((unsigned char)c->in[c->in_at++], taken++);
	assert_int_equal(added, taken);
	edge_compressor_give(stock, &c);
	edge_compressors_destroy(&stock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_more_are_lent_than_the_limit_allows),
	    cmocka_unit_test(test_spares_of_one_coding_give_way_to_another),
	    cmocka_unit_test(test_the_newest_spare_is_used_unless_it_has_another_level),
	    cmocka_unit_test(test_what_waits_stays_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
