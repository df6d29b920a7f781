/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compression in the flow: what arrives is what was sent, however credit, pieces and turns fall;
 * how much is taken in ahead and encoded in a turn; and each end in each state. The neighbours are
 * doubles that CHECK the rules of the flow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/check.h"
#include "core/loop/loop.h"
#include "edge/filter/compress.h"
#include "edge/filter/compressor.h"
#include "edge/node/worker.h"

#define CONTENT_MAX ((size_t)1024 * 1024)
#define PIECE ((size_t)32 * 1024) /* as in compress.c */

static enum cfg_coding formats[] = {CFG_CODING_GZIP};
static const char *types[] = {"text/*"};
static const struct cfg_compression on = {
    .enabled = true,
    .formats = formats,
    .n_formats = 1,
    .types = types,
    .n_types = 1,
    .min_size = 1,
    .level = {.zstd = 3, .br = 4, .gzip = 4},
};

/* Everything around a filter, for one response, as the exchange has it. */
static struct {
	struct edge_common common;
	struct edge_worker worker;
	struct edge_compress *filter; /* NULL: not before the head, or the content passes */
	struct flow_sink *out;
	struct flow_source *grants;
	size_t early_credit, limit;
	struct arena arena;
	struct http_head request, response;
	struct http_fields trailers;
	/* the origin */
	struct flow_source source;
	size_t credit, granted;
	bool stopped, out_ended;
	/* the client */
	struct flow_sink sink;
	size_t in_credit;
	bool head, in_ended, in_trailers, is_stopping;
	enum reason reset;
	size_t stop_after; /* bytes after which it wants no more, inside the push; 0: never */
	char *got;
	size_t n_got;
} w;

static char *content;

/* The neighbours */

static void note_grant(struct flow_source *source, size_t n)
{
	CHECK(n > 0 && !w.stopped);
	w.credit += n;
	w.granted += n;
}

static void note_stop(struct flow_source *source, enum reason reason)
{
	CHECK(!w.stopped && !w.out_ended);
	w.stopped = true;
}

static void note_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	CHECK(!w.head && !w.in_ended);
	w.head = head->status >= 200 || head->framing == HTTP_FRAMING_TUNNEL;
	w.in_ended = end;
}

static void stop(void)
{
	w.is_stopping = w.in_ended = true;
	w.grants->ops->stop(w.grants, REASON_CLIENT_CLOSED);
}

static void note_body(struct flow_sink *sink, struct slice slice, bool end)
{
	CHECK(w.head && !w.in_ended);
	CHECK(slice.n <= w.in_credit && (slice.n > 0 || end));
	w.in_credit -= slice.n;
	memcpy(w.got + w.n_got, slice.p, slice.n);
	w.n_got += slice.n;
	w.in_ended = end;
	if (w.stop_after > 0 && w.n_got >= w.stop_after && !end)
		stop();
}

static void note_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	CHECK(w.head && !w.in_ended && trailers == &w.trailers);
	w.in_ended = w.in_trailers = true;
}

static void note_reset(struct flow_sink *sink, enum reason reason)
{
	CHECK(!w.in_ended);
	w.in_ended = true;
	w.reset = reason;
}

static const struct flow_source_ops source_ops = {note_grant, note_stop};
static const struct flow_sink_ops sink_ops = {note_head, note_body, note_trailers, note_reset};

static void begin_limited(size_t limit)
{
	w.limit = limit;
	w.filter = NULL;
	w.out = &w.sink;
	w.grants = &w.source;
	w.early_credit = 0;
	w.source.ops = &source_ops;
	w.sink.ops = &sink_ops;
	w.credit = w.granted = w.in_credit = w.n_got = w.stop_after = 0;
	w.stopped = w.out_ended = w.head = w.in_ended = w.in_trailers = w.is_stopping = false;
	w.reset = REASON_NONE;
	arena_reset(&w.arena, 65536);
	http_head_init(&w.request, &w.arena);
	w.request.method_id = HTTP_METHOD_GET;
	CHECK(http_fields_add(&w.request.fields, &w.arena, SPAN("Accept-Encoding"), SPAN("gzip")));
	http_head_init(&w.response, &w.arena);
	w.response.status = 200;
	w.response.framing = HTTP_FRAMING_CHUNKED;
	CHECK(http_fields_add(&w.response.fields, &w.arena, SPAN("Content-Type"),
			      SPAN("text/plain")));
}

static void begin(void)
{
	begin_limited(SIZE_MAX);
}

static void finish(void)
{
	if (w.filter)
		edge_compress_quit(w.filter);
	assert_int_equal(metrics_sum(w.common.metrics, EDGE_COMPRESSED_ACTIVE), 0);
}

static void turn(void)
{
	loop_stop_mt(w.worker.loop);
	loop_run(w.worker.loop);
}

static void grant(size_t n)
{
	w.in_credit += n;
	if (!w.head)
		w.early_credit += n;
	else
		w.grants->ops->grant(w.grants, n);
}

static bool start(void)
{
	const struct edge_compress_setup setup = {
	    .worker = &w.worker,
	    .cfg = &on,
	    .limit = w.limit,
	    .request = &w.request,
	    .response = &w.response,
	};

	return edge_compress_start(&w.filter, &setup);
}

static void push_head(bool end)
{
	w.out_ended = end;
	assert_true(start());
	if (w.filter) {
		struct flow_filter *filter = edge_compress_filter(w.filter);

		filter->before = &w.source;
		filter->after = &w.sink;
		w.out = &filter->sink;
		w.grants = &filter->source;
	}
	w.out->ops->head(w.out, &w.response, end);
	if (w.early_credit > 0)
		w.grants->ops->grant(w.grants, w.early_credit);
}

/* From a place of its own, so that a sanitizer sees who looks at it for too long. */
static void push_body(const char *p, size_t n, bool end)
{
	char *bytes = xmalloc(n + 1);

	CHECK(!w.stopped && n <= w.credit);
	memcpy(bytes, p, n);
	w.credit -= n;
	w.out_ended = end;
	w.out->ops->body(w.out, (struct slice){.p = bytes, .n = n}, end);
	free(bytes);
}

static void push_trailers(void)
{
	w.out_ended = true;
	w.out->ops->trailers(w.out, &w.trailers);
}

static void push_reset(void)
{
	w.out_ended = true;
	w.out->ops->reset(w.out, REASON_ORIGIN_RESET);
}

/* What can be read of what has come so far is the first `n` bytes of the content. */
static void check_got(size_t n, bool whole)
{
	z_stream z = {.next_in = (Bytef *)w.got, .avail_in = (uInt)w.n_got};
	char *text = xmalloc(CONTENT_MAX);
	int result;

	z.next_out = (Bytef *)text;
	z.avail_out = (uInt)CONTENT_MAX;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	result = inflate(&z, Z_SYNC_FLUSH);
	assert_int_equal(result, whole ? Z_STREAM_END : Z_OK);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, n);
	assert_memory_equal(text, content, n);
	inflateEnd(&z);
	free(text);
}

static int64_t counted(unsigned counter)
{
	return metrics_sum(w.common.metrics, counter);
}

/* Pushes content from `at` on as far as it was granted; returns how far that is. */
static size_t push_what_is_granted(size_t at, size_t n)
{
	size_t piece = MIN(w.credit, n - at);

	if (piece > 0)
		push_body(content + at, piece, at + piece == n);
	return at + piece;
}

/* The tests */

static void test_content_arrives(void **state)
{
	static const size_t sizes[] = {1, 100, PIECE, PIECE + 1, 300000};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t at = 0;

		begin();
		w.response.framing = i % 2 == 0 ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_CHUNKED;
		w.response.content_length = sizes[i];
		grant(CONTENT_MAX);
		push_head(false);
		assert_int_equal(w.response.framing, HTTP_FRAMING_CHUNKED);
		while (!w.in_ended) {
			at = push_what_is_granted(at, sizes[i]);
			turn();
		}
		assert_int_equal(at, sizes[i]);
		assert_int_equal(edge_compress_pushed(w.filter), w.n_got);
		check_got(sizes[i], true);
		finish();
	}
}

static void test_a_client_that_takes_nothing_holds_up_the_origin(void **state)
{
	size_t at = 0;

	begin();
	push_head(false);
	for (unsigned i = 0; i < 100; i++) {
		at = push_what_is_granted(at, CONTENT_MAX);
		turn();
	}
	/* What is in front of the encoder, what is behind it, and what it made room for. */
	assert_true(w.granted <= 2 * EDGE_COMPRESSOR_WINDOW + EDGE_COMPRESSOR_OUT * 16);
	assert_true(at < CONTENT_MAX);
	assert_int_equal(w.n_got, 0);
	while (!w.in_ended) {
		grant(1000);
		at = push_what_is_granted(at, CONTENT_MAX);
		turn();
	}
	check_got(CONTENT_MAX, true);
	finish();
}

static void test_a_turn_encodes_no_more_than_a_piece(void **state)
{
	unsigned turns = 0;

	begin();
	w.response.framing = HTTP_FRAMING_LENGTH;
	w.response.content_length = EDGE_COMPRESSOR_WINDOW;
	grant(CONTENT_MAX);
	push_head(false);
	push_body(content, EDGE_COMPRESSOR_WINDOW, true);
	assert_int_equal(w.n_got, 0);
	while (!w.in_ended) {
		turn();
		turns++;
	}
	assert_true(turns >= EDGE_COMPRESSOR_WINDOW / PIECE);
	check_got(EDGE_COMPRESSOR_WINDOW, true);
	finish();
}

static void test_a_piece_of_what_is_being_made_goes_out_at_once(void **state)
{
	begin();
	grant(CONTENT_MAX);
	push_head(false);
	for (size_t n = 10; n <= 100; n += 10) {
		push_body(content + n - 10, 10, false);
		turn();
		check_got(n, false);
	}
	/* Nothing has come since. */
	turn();
	check_got(100, false);
	push_trailers();
	turn();
	assert_true(w.in_ended && w.in_trailers);
	check_got(100, true);
	finish();
}

static void test_trailers_wait_for_the_content(void **state)
{
	begin();
	push_head(false);
	push_body(content, 5000, false);
	push_trailers();
	turn();
	assert_false(w.in_ended);
	while (!w.in_ended) {
		grant(1);
		turn();
	}
	assert_true(w.in_trailers);
	check_got(5000, true);
	finish();
}

static void test_over_the_limit_it_goes_out_as_it_is(void **state)
{
	int64_t refused = counted(EDGE_COMPRESSED_REFUSED);

	begin_limited(1000);
	grant(1000);
	push_head(false);
	assert_null(w.filter);
	assert_int_equal(counted(EDGE_COMPRESSED_REFUSED), refused + 1);
	assert_non_null(http_fields_find(&w.response.fields, SPAN("Vary"), NULL));
	assert_null(http_fields_find(&w.response.fields, SPAN("Content-Encoding"), NULL));
	push_body(content, 1000, true);
	assert_true(w.in_ended);
	assert_int_equal(w.n_got, 1000);
	assert_memory_equal(w.got, content, 1000);
	finish();
}

static void test_a_head_that_is_the_end_has_no_coding(void **state)
{
	begin();
	push_head(true);
	assert_true(w.head && w.in_ended);
	assert_null(http_fields_find(&w.response.fields, SPAN("Content-Encoding"), NULL));
	finish();
}

static void test_an_answer_to_head_has_the_fields(void **state)
{
	int64_t compressed = counted(EDGE_COMPRESSED);

	begin();
	w.request.method_id = HTTP_METHOD_HEAD;
	w.response.framing = HTTP_FRAMING_NONE;
	w.response.length_declared = true;
	w.response.content_length = 5000;
	push_head(true);
	assert_true(w.in_ended);
	assert_null(w.filter);
	assert_false(w.response.length_declared);
	assert_non_null(http_fields_find(&w.response.fields, SPAN("Content-Encoding"), NULL));
	assert_int_equal(counted(EDGE_COMPRESSED), compressed);
	finish();
}

static void test_no_room_in_the_arena(void **state)
{
	/* For the filter, or after it for the fields. */
	for (unsigned room = 0; room < 512; room += 8) {
		struct arena small;

		arena_init(&small, room);
		begin();
		w.response.arena = &small;
		w.response.fields.cap = w.response.fields.n;
		if (!start())
			assert_null(w.filter);
		finish();
		assert_true(room > 0 || !w.filter);
		arena_fini(&small);
	}
}

/* How far a response has come when it ends. */
enum moment {
	BEGUN,
	HELD,        /* content waits to be encoded */
	PUT_OUT,     /* encoded content waits for credit */
	INPUT_ENDED, /* and so does the end */
	N_MOMENTS,
};

static void reach(enum moment moment)
{
	begin();
	push_head(false);
	if (moment >= HELD)
		push_body(content, 1000, moment == INPUT_ENDED);
	if (moment >= PUT_OUT)
		turn();
}

static void test_a_reset_in_every_state(void **state)
{
	for (unsigned moment = 0; moment < INPUT_ENDED; moment++) {
		reach((enum moment)moment);
		push_reset();
		assert_int_equal(w.reset, REASON_ORIGIN_RESET);
		turn();
		assert_int_equal(w.n_got, 0);
		finish();
	}
}

static void test_a_stop_in_every_state(void **state)
{
	for (unsigned moment = 0; moment < N_MOMENTS; moment++) {
		reach((enum moment)moment);
		stop();
		assert_int_equal(w.stopped, moment != INPUT_ENDED);
		turn();
		assert_int_equal(w.n_got, 0);
		finish();
	}
}

static void test_an_end_in_every_state(void **state)
{
	for (unsigned moment = 0; moment < N_MOMENTS; moment++) {
		reach((enum moment)moment);
		finish();
		turn();
		assert_int_equal(w.n_got, 0);
	}
}

static void test_a_stop_inside_a_push(void **state)
{
	begin();
	w.stop_after = 1;
	grant(CONTENT_MAX);
	push_head(false);
	push_body(content, 20000, false);
	turn();
	assert_true(w.stopped && w.n_got > 0);
	turn();
	finish();
}

/* Anything, in whatever order, by numbers that are the same each time. */
static void play(uint32_t seed)
{
	size_t n = seed % 5 == 0 ? 200000 : seed * 7919 % 20000 + 1, at = 0;
	bool trailers = seed % 3 == 0;

	begin();
	if (!trailers && seed % 2 == 0) {
		w.response.framing = HTTP_FRAMING_LENGTH;
		w.response.content_length = n;
	}
	grant(seed % 1000 + 1);
	push_head(false);
	while (!w.in_ended) {
		size_t piece;

		seed = seed * 1664525 + 1013904223;
		piece = MIN(MIN(w.credit, n - at), (seed >> 8) % 5000);
		switch (seed >> 30) {
		case 0:
			grant((seed >> 8) % 3000 + 1);
			break;
		case 1:
			turn();
			break;
		default:
			if (piece > 0) {
				push_body(content + at, piece, at + piece == n && !trailers);
				at += piece;
			} else if (at == n && !w.out_ended) {
				push_trailers();
			}
		}
	}
	assert_int_equal(w.in_trailers, trailers);
	check_got(n, true);
	finish();
}

static void test_plays(void **state)
{
	for (uint32_t seed = 1; seed <= 300; seed++)
		play(seed);
}

static int prepare(void **state)
{
	uint32_t seed = 1;

	content = xmalloc(CONTENT_MAX);
	for (size_t i = 0; i < CONTENT_MAX; i++) {
		seed = seed * 1664525 + 1013904223;
		content[i] = (char)('a' + (seed >> 24) % (i / 1000 % 60 + 1));
	}
	w.got = xmalloc(2 * CONTENT_MAX);
	w.common.metrics = edge_counters_create(1);
	w.worker.common = &w.common;
	w.worker.loop = loop_create("test");
	w.worker.compressors = edge_compressors_create();
	arena_init(&w.arena, 65536);
	return 0;
}

static int clean(void **state)
{
	edge_compressors_destroy(&w.worker.compressors);
	loop_destroy(&w.worker.loop);
	metrics_destroy(&w.common.metrics);
	arena_fini(&w.arena);
	free(w.got);
	free(content);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_content_arrives),
	    cmocka_unit_test(test_a_client_that_takes_nothing_holds_up_the_origin),
	    cmocka_unit_test(test_a_turn_encodes_no_more_than_a_piece),
	    cmocka_unit_test(test_a_piece_of_what_is_being_made_goes_out_at_once),
	    cmocka_unit_test(test_trailers_wait_for_the_content),
	    cmocka_unit_test(test_over_the_limit_it_goes_out_as_it_is),
	    cmocka_unit_test(test_a_head_that_is_the_end_has_no_coding),
	    cmocka_unit_test(test_an_answer_to_head_has_the_fields),
	    cmocka_unit_test(test_no_room_in_the_arena),
	    cmocka_unit_test(test_a_reset_in_every_state),
	    cmocka_unit_test(test_a_stop_in_every_state),
	    cmocka_unit_test(test_an_end_in_every_state),
	    cmocka_unit_test(test_a_stop_inside_a_push),
	    cmocka_unit_test(test_plays),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
