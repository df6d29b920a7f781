/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the HTTP/1.1 parser and writer. The first four bytes choose the kind of message, how it is
 * cut into pieces, and the size of the arena; the rest is the wire. What must hold: the outcome is
 * the same however the wire is cut, and a message that was understood is written so that it is
 * understood as the same.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "tests/support/h1_run.h"

#define ARENA_CAP (1 << 20)

/* What is written may be a little longer than what was read. */
static const struct h1_limits reread_limits = {
    .head_bytes = 1 << 16, .fields = 100, .target_bytes = 1 << 16};

static char *summary_of_pieces(const struct h1_run_input *in, size_t first, size_t step)
{
	struct h1_run_input pieces = *in;
	struct h1_run run;
	char *text;

	pieces.first = first;
	pieces.step = step;
	h1_run(&run, &pieces);
	text = h1_run_summary(&run);
	h1_run_fini(&run);
	return text;
}

static void check_pieces(const struct h1_run_input *in)
{
	char *whole = summary_of_pieces(in, in->len, 1);
	char *pieces = summary_of_pieces(in, in->first, in->step);
	char *bytes = summary_of_pieces(in, 1, 1);

	CHECK(strcmp(whole, pieces) == 0);
	CHECK(strcmp(whole, bytes) == 0);
	free(whole);
	free(pieces);
	free(bytes);
}

static void check_same_fields(const struct http_fields *a, const struct http_fields *b)
{
	CHECK(a->n == b->n);
	for (unsigned i = 0; i < a->n; i++) {
		CHECK(span_equal(a->v[i].name, b->v[i].name));
		CHECK(span_equal(a->v[i].value, b->v[i].value));
	}
}

static void check_same_message(const struct h1_run *a, const struct h1_run *b)
{
	CHECK(b->result == H1_OK);
	CHECK(span_equal(a->head.method, b->head.method));
	CHECK(a->head.method_id == b->head.method_id);
	CHECK(span_equal(a->head.authority, b->head.authority));
	CHECK(span_equal(a->head.target, b->head.target));
	CHECK(a->head.status == b->head.status);
	CHECK(a->head.reason_phrase.n == 0 ||
	      span_equal(a->head.reason_phrase, b->head.reason_phrase));
	CHECK(a->head.keep_alive == b->head.keep_alive);
	CHECK(a->head.framing == b->head.framing);
	CHECK(a->head.content_length == b->head.content_length ||
	      (a->head.framing == HTTP_FRAMING_NONE && !a->head.length_declared));
	CHECK(a->head.length_declared == b->head.length_declared);
	CHECK(a->data_len == b->data_len);
	CHECK(a->data_len == 0 || memcmp(a->data, b->data, a->data_len) == 0);
	check_same_fields(&a->head.fields, &b->head.fields);
	check_same_fields(&a->body.trailers, &b->body.trailers);
}

/* The message as we would send it on, in chunks of `step` bytes. */
static char *write_message(const struct h1_run *run, size_t step, size_t *len)
{
	size_t cap = h1_head_size(&run->head);
	char *out, *tight;
	size_t n;

	for (unsigned i = 0; i < run->body.trailers.n; i++)
		cap += run->body.trailers.v[i].name.n + run->body.trailers.v[i].value.n + 4;
	cap += run->data_len * 25 + 5;
	out = xmalloc(cap);
	n = h1_write_head(&run->head, run->parser.request, out, h1_head_size(&run->head));
	CHECK(n > 0);
	/* Exactly what it said is enough, and a byte less is not. */
	tight = xmalloc(n);
	CHECK(h1_write_head(&run->head, run->parser.request, tight, n) == n);
	CHECK(h1_write_head(&run->head, run->parser.request, tight, n - 1) == 0);
	free(tight);
	if (run->head.framing != HTTP_FRAMING_CHUNKED) {
		if (run->data_len > 0)
			memcpy(out + n, run->data, run->data_len);
		*len = n + run->data_len;
		return out;
	}
	for (size_t at = 0; at < run->data_len; at += MIN(step, run->data_len - at)) {
		size_t size = MIN(step, run->data_len - at);

		n += h1_write_chunk_header(size, out + n);
		memcpy(out + n, run->data + at, size);
		memcpy(out + n + size, "\r\n", 2);
		n += size + 2;
	}
	*len = n + h1_write_last_chunk(&run->body.trailers, out + n, cap - n);
	CHECK(*len > n);
	return out;
}

static void check_round_trip(const struct h1_run_input *in)
{
	struct h1_run_input again = *in;
	struct h1_run run, rerun;
	char *wire;

	h1_run(&run, in);
	/* Who forwards a request without an authority gives it one; Expect is between neighbours;
	 * Upgrade goes with the other hop-by-hop fields below. */
	if (run.result != H1_OK || (run.parser.request && run.head.authority.n == 0) ||
	    (run.head.framing == HTTP_FRAMING_TUNNEL &&
	     run.head.method_id != HTTP_METHOD_CONNECT)) {
		h1_run_fini(&run);
		return;
	}
	http_fields_remove_hop_by_hop(&run.head.fields);
	http_fields_remove(&run.head.fields, SPAN("Expect"));
	wire = write_message(&run, in->step, &again.len);
	again.wire = wire;
	again.first = again.len;
	again.limits = &reread_limits;
	again.arena_cap = ARENA_CAP;
	h1_run(&rerun, &again);
	CHECK(rerun.consumed == again.len);
	http_fields_remove(&rerun.head.fields, SPAN("Connection"));
	if (run.parser.request) {
		http_fields_remove(&run.head.fields, SPAN("Host"));
		http_fields_remove(&rerun.head.fields, SPAN("Host"));
	}
	check_same_message(&run, &rerun);
	h1_run_fini(&run);
	h1_run_fini(&rerun);
	free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h1_run_input in = {.limits = &h1_run_limits};

	if (size < 4)
		return 0;
	in.kind = data[0] % 3;
	in.first = data[1];
	in.step = data[2] + 1;
	in.arena_cap = data[3] < 128 ? ARENA_CAP : (data[3] - 128) * 40;
	in.wire = (const char *)data + 4;
	in.len = size - 4;
	check_pieces(&in);
	check_round_trip(&in);
	return 0;
}
