/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Encoders: what goes in comes out of another library's decoder, in whatever pieces and however
 * often it is flushed; what is flushed can be read at once; an encoder can be used again at any
 * time; and none holds more than its coding is said to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <brotli/decode.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/check.h"
#include "edge/filter/encoder.h"

#define CONTENT_MAX ((size_t)2 * 1024 * 1024)

static const unsigned levels[][2] = {
    [CFG_CODING_ZSTD] = {1, 9},
    [CFG_CODING_BR] = {0, 6},
    [CFG_CODING_GZIP] = {1, 9},
};

static char *content, *encoded, *decoded;

/* Words, so that there is something to find. */
static int prepare(void **state)
{
	uint32_t seed = 1;

	content = xmalloc(CONTENT_MAX);
	encoded = xmalloc(2 * CONTENT_MAX);
	decoded = xmalloc(CONTENT_MAX);
	for (size_t i = 0; i < CONTENT_MAX; i++) {
		if (i % 7 == 0)
			seed = seed * 1664525 + 1013904223;
		content[i] = (char)('a' + (seed >> 24) % 61 % (i % 7 + 1));
	}
	return 0;
}

static int clean(void **state)
{
	free(content);
	free(encoded);
	free(decoded);
	return 0;
}

static size_t decode_gzip(size_t n, size_t *used)
{
	z_stream z = {.next_in = (Bytef *)encoded,
		      .avail_in = (uInt)n,
		      .next_out = (Bytef *)decoded,
		      .avail_out = (uInt)CONTENT_MAX};
	int result;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	result = inflate(&z, Z_SYNC_FLUSH);
	assert_true(result == Z_OK || result == Z_STREAM_END);
	*used = z.total_in;
	inflateEnd(&z);
	return z.total_out;
}

static size_t decode_br(size_t n, size_t *used)
{
	BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	size_t in = n, room = CONTENT_MAX, total = 0;
	const uint8_t *next_in = (const uint8_t *)encoded;
	uint8_t *next_out = (uint8_t *)decoded;

	assert_int_not_equal(
	    BrotliDecoderDecompressStream(d, &in, &next_in, &room, &next_out, &total),
	    BROTLI_DECODER_RESULT_ERROR);
	BrotliDecoderDestroyInstance(d);
	*used = n - in;
	return total;
}

static size_t decode_zstd(size_t n, size_t *used)
{
	ZSTD_DStream *d = ZSTD_createDStream();
	ZSTD_inBuffer in = {encoded, n, 0};
	ZSTD_outBuffer out = {decoded, CONTENT_MAX, 0};

	while (in.pos < in.size && out.pos < out.size)
		assert_false(ZSTD_isError(ZSTD_decompressStream(d, &out, &in)));
	ZSTD_freeDStream(d);
	*used = in.pos;
	return out.pos;
}

/* The `n` bytes at `encoded` are those of the first `expected` of the content. */
static void check_decoded(enum cfg_coding coding, size_t n, size_t expected)
{
	static size_t (*const decode[])(size_t, size_t *) = {
	    [CFG_CODING_ZSTD] = decode_zstd,
	    [CFG_CODING_BR] = decode_br,
	    [CFG_CODING_GZIP] = decode_gzip,
	};
	size_t used;

	assert_int_equal(decode[coding](n, &used), expected);
	assert_int_equal(used, n);
	assert_memory_equal(decoded, content, expected);
}

/* With `room` bytes of room at a time. Returns where the output ends. */
static char *run(struct edge_encoder *e, enum edge_encoder_op op, struct span in, char *out,
		 size_t room_at_once)
{
	enum edge_encoder_result result;

	do {
		size_t room = room_at_once;

		result = edge_encoder_run(e, op, &in, &out, &room);
		assert_int_not_equal(result, EDGE_ENCODER_FAILED);
	} while (result == EDGE_ENCODER_MORE);
	assert_int_equal(in.n, 0);
	return out;
}

static void encode_and_check(struct edge_encoder *e, enum cfg_coding coding, size_t n, size_t piece,
			     size_t room, bool flush)
{
	char *out = encoded;

	for (size_t at = 0; at < n; at += piece) {
		struct span in = {content + at, MIN(piece, n - at)};

		out = run(e, flush ? EDGE_ENCODER_FLUSH : EDGE_ENCODER_GO_ON, in, out, room);
		if (flush && at < 20 * piece)
			check_decoded(coding, (size_t)(out - encoded), at + in.n);
	}
	out = run(e, EDGE_ENCODER_FINISH, (struct span){0}, out, room);
	check_decoded(coding, (size_t)(out - encoded), n);
}

static void each(void (*check)(enum cfg_coding coding, unsigned level))
{
	for (unsigned coding = 0; coding < ARRAY_SIZE(levels); coding++) {
		for (unsigned level = levels[coding][0]; level <= levels[coding][1]; level++)
			check((enum cfg_coding)coding, level);
	}
}

static void check_round_trip(enum cfg_coding coding, unsigned level)
{
	static const size_t sizes[] = {0, 1, 1000, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct edge_encoder *e = edge_encoder_create(coding, level, sizes[i]);

		assert_non_null(e);
		encode_and_check(e, coding, sizes[i], 16384, 16384, false);
		assert_true(edge_encoder_reuse(e, level, EDGE_LENGTH_UNKNOWN));
		encode_and_check(e, coding, sizes[i], 777, 64, true);
		edge_encoder_destroy(&e);
		assert_null(e);
	}
}

static void test_what_goes_in_comes_out(void **state)
{
	each(check_round_trip);
}

static void test_one_that_was_left_in_the_middle_can_be_used_again(void **state)
{
	for (unsigned coding = 0; coding < ARRAY_SIZE(levels); coding++) {
		unsigned level = levels[coding][1];
		struct edge_encoder *e = edge_encoder_create((enum cfg_coding)coding, level, 50000);

		run(e, EDGE_ENCODER_GO_ON, (struct span){content + 5, 40000}, encoded, 16384);
		assert_true(edge_encoder_reuse(e, level, 30000));
		encode_and_check(e, (enum cfg_coding)coding, 30000, 16384, 16384, false);
		edge_encoder_destroy(&e);
	}
}

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void check_memory(enum cfg_coding coding, unsigned level)
{
	size_t before = in_use(), most = 0;
	struct edge_encoder *e = edge_encoder_create(coding, level, EDGE_LENGTH_UNKNOWN);
	char *out = encoded;

	for (size_t at = 0; at < CONTENT_MAX; at += 16384) {
		out = run(e, EDGE_ENCODER_GO_ON, (struct span){content + at, 16384}, out, 16384);
		most = in_use() > most ? in_use() : most;
	}
	run(e, EDGE_ENCODER_FINISH, (struct span){0}, out, 16384);
	most = in_use() > most ? in_use() : most;
	print_message("%.*s level %u: %zu KiB\n", (int)edge_coding_name(coding).n,
		      edge_coding_name(coding).p, level, (most - before) / 1024);
	assert_true(most - before <= edge_encoder_size(coding));
	edge_encoder_destroy(&e);
}

static void test_none_holds_more_than_is_said(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* what malloc says is not true there */
#endif
	each(check_memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_goes_in_comes_out),
	    cmocka_unit_test(test_one_that_was_left_in_the_middle_can_be_used_again),
	    cmocka_unit_test(test_none_holds_more_than_is_said),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
