/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes back for one request: reads the connection into the loop's buffer, parses, and pushes
 * heads and slices of content into the response's sink, at its pace. Runs on the request's loop;
 * owns only the start of a line that is not whole yet. How the exchange ends is request.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "origin-link/request/origin_reason.h"
#include "origin-link/request/request_internal.h"

/* As others do (nginx 4-8 KiB a line, HAProxy 16 KiB): more than any sane origin sends. */
static const struct h1_limits limits = {
    .head_bytes = 64 * 1024,
    .fields = 200,
    .target_bytes = 0,
};

bool response_begin(struct olink_request *r)
{
	bool answers_head = r->head->method_id == HTTP_METHOD_HEAD;

	/* One in the arena for each, so that an informational one outlives the next. */
	r->in = arena_alloc(r->arena, sizeof(*r->in));
	if (!r->in)
		return false;
	http_head_init(r->in, r->arena);
	h1_response_parser_init(&r->parser, &limits, answers_head);
	return true;
}

/* The source of the response, as its sink sees it */

static void source_resume(struct http_source *source)
{
	struct olink_request *r = CONTAINER_OF(source, struct olink_request, source);

	if (!r->paused || r->phase != REQUEST_OPEN)
		return;
	r->paused = false;
	stream_resume(lease_stream(&r->lease));
	request_rearm(r);
}

static void source_stop(struct http_source *source, enum reason reason)
{
	struct olink_request *r = CONTAINER_OF(source, struct olink_request, source);

	request_abandon(r);
}

const struct http_source_ops response_source_ops = {
    .resume = source_resume,
    .stop = source_stop,
};

/* Pushing */

static void push_head(struct olink_request *r, bool end)
{
	struct http_sink *sink = r->response;

	if (end)
		r->response = NULL;
	if (sink)
		sink->ops->head(sink, r->in, end);
}

static void push_body(struct olink_request *r, struct span data, bool end)
{
	struct http_sink *sink = r->response;

	if (end)
		r->response = NULL;
	if (!sink || sink->ops->body(sink, data.p, data.n, end))
		return;
	if (r->phase == REQUEST_OPEN) {
		r->paused = true;
		stream_pause(lease_stream(&r->lease));
	}
}

static void push_end(struct olink_request *r, struct span last)
{
	const struct http_fields *trailers = &r->content.trailers;
	struct http_sink *sink;

	if (trailers->n == 0) {
		push_body(r, last, true);
		return;
	}
	if (last.n)
		push_body(r, last, false);
	sink = r->response;
	r->response = NULL;
	if (sink)
		sink->ops->trailers(sink, trailers);
}

/* Parsing */

static void hold(struct olink_request *r, const char *buf, size_t len)
{
	free(r->held);
	r->held = NULL;
	r->n_held = len;
	if (len == 0)
		return;
	r->held = malloc(len);
	if (!r->held) {
		r->n_held = 0;
		request_fail(r, REASON_LIMIT);
		return;
	}
	memcpy(r->held, buf, len);
}

static void take_content(struct olink_request *r, const char *buf, size_t len)
{
	struct span last = {0}; /* pushed one behind, so that the end can go with it */

	for (;;) {
		struct span data;
		size_t used;
		enum h1_result result = h1_body_parse(&r->content, buf, len, &used, &data);

		buf += used;
		len -= used;
		if (result == H1_OK && data.n == 0) {
			request_response_ended(r, len == 0);
			push_end(r, last);
			return;
		}
		if (last.n)
			push_body(r, last, false);
		if (r->phase != REQUEST_OPEN)
			return;
		if (result == H1_BAD) {
			request_fail(r, REASON_ORIGIN_MALFORMED);
			return;
		}
		if (result == H1_MORE) {
			hold(r, buf, len);
			return;
		}
		last = data;
	}
}

/* A final head is there; `len` bytes follow it. True when content does too. */
static bool take_final_head(struct olink_request *r, size_t len)
{
	struct span data;
	size_t used;
	bool end;

	r->head_received = true;
	r->keep_alive = r->in->keep_alive;
	h1_body_init(&r->content, r->in, &limits);
	end = h1_body_parse(&r->content, NULL, 0, &used, &data) == H1_OK;
	if (end)
		request_response_ended(r, len == 0);
	push_head(r, end);
	return !end && r->phase == REQUEST_OPEN;
}

static void take_heads(struct olink_request *r, const char *buf, size_t len)
{
	while (r->phase == REQUEST_OPEN) {
		size_t used;
		enum h1_result result = h1_head_parse(&r->parser, r->in, buf, len, &used);

		buf += used;
		len -= used;
		if (result == H1_MORE) {
			hold(r, buf, len);
			return;
		}
		/* Nobody asked for another protocol: Upgrade is not forwarded. */
		if (result == H1_BAD || r->in->status == 101) {
			request_fail(r, REASON_ORIGIN_MALFORMED);
			return;
		}
		if (r->in->status >= 200) {
			if (take_final_head(r, len))
				take_content(r, buf, len);
			return;
		}
		push_head(r, false);
		if (r->phase != REQUEST_OPEN)
			return;
		r->waits = REASON_NONE; /* the origin is alive: its time begins anew */
		if (!response_begin(r))
			request_fail(r, REASON_LIMIT);
	}
}

/* The origin closed the connection, or it broke. */
static void connection_ended(struct olink_request *r, bool cleanly)
{
	bool nothing = r->facts.bytes_received == 0;

	if (cleanly && r->head_received && h1_body_close_is_end(&r->content)) {
		request_response_ended(r, false);
		push_end(r, (struct span){0});
		return;
	}
	if (nothing && request_retry(r))
		return;
	if (!cleanly && stream_fault(lease_stream(&r->lease)) != STREAM_FAULT_CLOSED)
		request_fail(r, olink_origin_reason(stream_fault(lease_stream(&r->lease))));
	else
		request_fail(r, nothing ? REASON_ORIGIN_CLOSED : REASON_ORIGIN_TRUNCATED);
}

void response_readable(struct olink_request *r)
{
	char *buf = r->worker->buffers->plain;

	while (r->phase == REQUEST_OPEN && !r->paused) {
		ssize_t n;

		/* Neither a head nor a trailer section may grow past limits.head_bytes. */
		CHECK(r->n_held < STREAM_READ_MAX);
		if (r->n_held)
			memcpy(buf, r->held, r->n_held);
		n = stream_read(lease_stream(&r->lease), buf + r->n_held,
				STREAM_READ_MAX - r->n_held);
		if (n == STREAM_AGAIN)
			break;
		if (n <= 0) {
			connection_ended(r, n == STREAM_EOF);
			return;
		}
		if (r->facts.bytes_received == 0)
			r->facts.first_byte =
			    mono_since(loop_now(r->worker->buffers->loop), r->started);
		r->facts.bytes_received += n;
		if (r->head_received)
			take_content(r, buf, r->n_held + n);
		else
			take_heads(r, buf, r->n_held + n);
	}
	request_rearm(r);
}
