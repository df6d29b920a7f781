/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See h1_run.h. Single-threaded; owns what struct h1_run points to.
 */
#include "tests/support/h1_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

const struct h1_limits h1_run_limits = {.head_bytes = 8192, .fields = 64, .target_bytes = 4096};

/* One call of the head parser, then of the body. */
static enum h1_result feed(struct h1_run *run, char *buf, size_t len, size_t *consumed)
{
	enum h1_result r;
	struct span data;
	size_t n;

	*consumed = 0;
	if (!run->head_done) {
		r = h1_head_parse(&run->parser, &run->head, buf, len, consumed);
		CHECK(*consumed <= len);
		if (r != H1_OK)
			return r;
		run->head_done = true;
		h1_body_init(&run->body, &run->head, run->parser.limits);
	}
	r = h1_body_decode(&run->body, buf + *consumed, len - *consumed, SIZE_MAX, &n, &data);
	CHECK(n <= len - *consumed);
	CHECK(data.n <= n);
	*consumed += n;
	if (data.n > 0) {
		run->data = realloc(run->data, run->data_len + data.n);
		CHECK(run->data);
		memcpy(run->data + run->data_len, data.p, data.n);
		run->data_len += data.n;
	}
	return r;
}

static enum h1_result feed_copy(struct h1_run *run, const char *buf, size_t len, size_t *consumed)
{
	char *exact = xmalloc(len ? len : 1);
	enum h1_result r;

	memcpy(exact, buf, len);
	r = feed(run, exact, len, consumed);
	memset(exact, '#', len);
	free(exact);
	return r;
}

void h1_run(struct h1_run *run, const struct h1_run_input *in)
{
	size_t arrived = MIN(in->first, in->len);
	size_t n;

	*run = (struct h1_run){.result = H1_MORE};
	arena_init(&run->arena, in->arena_cap);
	http_head_init(&run->head, &run->arena);
	if (in->kind == H1_RUN_REQUEST)
		h1_request_parser_init(&run->parser, in->limits);
	else
		h1_response_parser_init(&run->parser, in->limits,
					in->kind == H1_RUN_RESPONSE_TO_HEAD);
	for (;;) {
		run->result = feed_copy(run, in->wire + run->consumed, arrived - run->consumed, &n);
		run->consumed += n;
		if (run->result != H1_MORE || arrived == in->len)
			break;
		arrived += MIN(in->step, in->len - arrived);
	}
	if (run->result == H1_MORE && run->head_done && h1_body_close_is_end(&run->body))
		run->result = H1_OK;
}

void h1_run_fini(struct h1_run *run)
{
	free(run->data);
	arena_fini(&run->arena);
}

static void print_bytes(FILE *f, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c < 0x20 || c >= 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
}

static void print_fields(FILE *f, const struct http_fields *fields)
{
	fputs(" {", f);
	for (unsigned i = 0; i < fields->n; i++) {
		if (i > 0)
			fputs("; ", f);
		print_bytes(f, fields->v[i].name);
		fputc('=', f);
		print_bytes(f, fields->v[i].value);
	}
	fputc('}', f);
}

static void print_head(FILE *f, const struct http_head *head, bool request)
{
	if (request) {
		fprintf(f, SPAN_FMT " %s ", SPAN_ARG(head->method),
			head->scheme.n > 0 ? head->scheme.p : "-");
		print_bytes(f, head->authority);
		fputc(' ', f);
		print_bytes(f, head->target);
	} else {
		fprintf(f, "%d ", head->status);
		print_bytes(f, head->reason_phrase);
	}
	fprintf(f, " 1.%u %s", head->minor, head->keep_alive ? "keep" : "close");
	if (head->expect_continue)
		fputs(" continue", f);
	switch (head->framing) {
	case HTTP_FRAMING_NONE:
		fputs(" none", f);
		if (head->length_declared)
			fprintf(f, "=%llu", (unsigned long long)head->content_length);
		break;
	case HTTP_FRAMING_LENGTH:
		fprintf(f, " length=%llu", (unsigned long long)head->content_length);
		break;
	case HTTP_FRAMING_CHUNKED:
		fputs(" chunked", f);
		break;
	case HTTP_FRAMING_CLOSE:
		fputs(" until-close", f);
		break;
	case HTTP_FRAMING_TUNNEL:
		fputs(" tunnel", f);
		break;
	}
	print_fields(f, &head->fields);
}

char *h1_run_summary(const struct h1_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	switch (run->result) {
	case H1_OK:
		print_head(f, &run->head, run->parser.request);
		fputs(" '", f);
		print_bytes(f, (struct span){run->data, run->data_len});
		fputc('\'', f);
		print_fields(f, &run->body.trailers);
		break;
	case H1_MORE:
		fprintf(f, "more %s", run->head_done ? "body" : "head");
		break;
	case H1_BAD:
		if (run->head_done)
			fprintf(f, "body: %s", run->body.why);
		else
			fprintf(f, "%d %s", run->parser.status, run->parser.why);
		break;
	}
	fprintf(f, " @%zu", run->consumed);
	CHECK(fclose(f) == 0);
	return text;
}

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

/* NULL when it is the same as `whole`. */
static char *check_pieces(const struct h1_run_input *in, size_t first, size_t step,
			  const char *whole)
{
	char *text = summary_of_pieces(in, first, step);
	char *report = NULL;

	if (strcmp(text, whole) != 0)
		report = xasprintf("'%.*s'\nwhole: %s\npieces of %zu and %zu: %s", (int)in->len,
				   in->wire, whole, first, step, text);
	free(text);
	return report;
}

char *h1_run_check(const struct h1_run_input *in, const char *expected)
{
	char *whole = summary_of_pieces(in, in->len, 1);
	size_t n = strlen(expected);
	char *report = NULL;

	if (strncmp(whole, expected, n) != 0 || strncmp(whole + n, " @", 2) != 0)
		report = xasprintf("'%.*s'\nexpected: %s\ngot: %s", (int)in->len, in->wire,
				   expected, whole);
	if (!report)
		report = check_pieces(in, 1, 1, whole);
	for (size_t i = 0; i < in->len && !report; i++)
		report = check_pieces(in, i, in->len, whole);
	free(whole);
	return report;
}
