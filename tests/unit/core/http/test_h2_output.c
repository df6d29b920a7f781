/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Output that is gathered: it comes out in its order, few pieces at a time, and what it was owed is
 * dropped once it is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/h2_output.h"

static char written[64 * 1024];
static size_t n_written;
static unsigned n_writes, most_pieces, n_released;

static void write_cb(struct h2_output *out)
{
	size_t bytes = 0;

	assert_ptr_equal(out->arg, written);
	for (unsigned i = 0; i < out->n; i++) {
		assert_true(n_written + out->v[i].iov_len <= sizeof(written));
		memcpy(written + n_written, out->v[i].iov_base, out->v[i].iov_len);
		n_written += out->v[i].iov_len;
		bytes += out->v[i].iov_len;
	}
	assert_int_equal(bytes, out->bytes);
	most_pieces = MAX(most_pieces, out->n);
	n_writes++;
}

static void release(struct slice_owner *owner)
{
	n_released++;
}

static void begin(struct h2_output *out)
{
	n_written = 0;
	n_writes = most_pieces = n_released = 0;
	h2_output_init(out, write_cb, written, false);
}

static void test_small_frames_are_one_piece(void **state)
{
	struct h2_output out;

	begin(&out);
	for (unsigned i = 0; i < 100; i++)
		h2_output_add_control(&out, "0123456789abcdef", 17);
	assert_int_equal(n_writes, 0);
	h2_output_flush(&out);
	assert_int_equal(n_writes, 1);
	assert_int_equal(most_pieces, 1);
	assert_int_equal(n_written, 1700);
	for (unsigned i = 0; i < 100; i++)
		assert_memory_equal(written + 17 * i, "0123456789abcdef", 17);
}

static void test_more_pieces_than_there_is_room_for(void **state)
{
	enum { FRAMES = 100 };
	struct slice_owner owners[FRAMES];
	char header[H2_FRAME_HEADER + 1], content[FRAMES][8];
	struct h2_output out;

	begin(&out);
	for (int i = 0; i < FRAMES; i++) {
		snprintf(header, sizeof(header), "header%03d", i);
		snprintf(content[i], sizeof(content[i]), "data%03d", i);
		owners[i] = (struct slice_owner){.refs = 1, .release = release};
		h2_output_add_header(&out, header);
		h2_output_add_content(&out, (struct slice){content[i], 7, &owners[i]});
	}
	assert_in_range(n_released, FRAMES - H2_OUTPUT_PIECES, FRAMES - 1);
	h2_output_flush(&out);
	assert_int_equal(n_released, FRAMES);
	assert_in_range(most_pieces, 2, H2_OUTPUT_PIECES);
	assert_int_equal(n_written, FRAMES * 16);
	for (int i = 0; i < FRAMES; i++) {
		snprintf(header, sizeof(header), "header%03d", i);
		assert_memory_equal(written + 16 * i, header, 9);
		assert_memory_equal(written + 16 * i + 9, content[i], 7);
	}
}

static void test_a_frame_larger_than_the_buffer_is_written_at_once(void **state)
{
	static char large[H2_OUTPUT_SMALL + 1];
	struct h2_output out;

	begin(&out);
	memset(large, 'l', sizeof(large));
	h2_output_add_control(&out, "before", 6);
	h2_output_add_control(&out, large, sizeof(large));
	assert_int_equal(n_written, 6 + sizeof(large));
	assert_memory_equal(written, "beforelll", 9);
	h2_output_add_control(&out, "after", 5);
	h2_output_flush(&out);
	assert_memory_equal(written + 6 + sizeof(large), "after", 5);
}

static void test_much_is_what_a_stream_gathers(void **state)
{
	static char content[STREAM_GATHER_MAX - H2_FRAME_HEADER];
	struct h2_output out;

	begin(&out);
	h2_output_add_header(&out, "123456789");
	h2_output_add_content(&out, (struct slice){content, sizeof(content) - 1, NULL});
	assert_false(h2_output_is_much(&out));
	h2_output_add_content(&out, (struct slice){content, 1, NULL});
	assert_true(h2_output_is_much(&out));
	h2_output_flush(&out);
	assert_false(h2_output_is_much(&out));
	assert_int_equal(n_released, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small_frames_are_one_piece),
	    cmocka_unit_test(test_more_pieces_than_there_is_room_for),
	    cmocka_unit_test(test_a_frame_larger_than_the_buffer_is_written_at_once),
	    cmocka_unit_test(test_much_is_what_a_stream_gathers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
