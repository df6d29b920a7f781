/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See flow_filters.h.
 */
#include "tests/support/flow_filters.h"

#include <string.h>

#include "core/base/check.h"

struct flow_ends filter_ends(struct flow_filter *request, struct flow_filter *response,
			     const struct flow_ends *front)
{
	request->before = front->request;
	response->after = front->response;
	return (struct flow_ends){.request = &request->source, .response = &response->sink};
}

struct flow_leg filter_leg(struct flow_filter *request, struct flow_filter *response,
			   const struct flow_leg *behind)
{
	request->after = behind->request;
	response->before = behind->response;
	return (struct flow_leg){.request = &request->sink, .response = &response->source};
}

/* Pass */

void pass_init(struct flow_filter *request, struct flow_filter *response)
{
	static const struct flow_sink_ops sink = {
	    .head = flow_pass_head,
	    .body = flow_pass_body,
	    .trailers = flow_pass_trailers,
	    .reset = flow_pass_reset,
	};
	static const struct flow_source_ops source = {
	    .grant = flow_pass_grant,
	    .stop = flow_pass_stop,
	};
	*request = *response = (struct flow_filter){.sink.ops = &sink, .source.ops = &source};
}

/* Seam */

static struct seam_way *seam_of_sink(struct flow_sink *sink)
{
	return CONTAINER_OF(sink, struct seam_way, filter.sink);
}

static struct seam_way *seam_of_source(struct flow_source *source)
{
	return CONTAINER_OF(source, struct seam_way, filter.source);
}

static void seam_push(struct seam_way *s)
{
	CHECK(!s->granting);
	CHECK(!s->stopped);
	CHECK(s->state != SEAM_ENDED);
}

static void seam_final_head(struct seam_way *s, const struct http_head *head, bool end)
{
	struct seam_way *request = s->other;

	s->framing = head->framing;
	s->state = end ? SEAM_ENDED : SEAM_CONTENT;
	s->clean = end;
	CHECK(!end || head->framing != HTTP_FRAMING_TUNNEL);
	if (!s->is_response)
		return;
	CHECK((head->framing == HTTP_FRAMING_TUNNEL) <= (request->framing == HTTP_FRAMING_TUNNEL));
	/* The other protocol was refused. */
	if (request->framing == HTTP_FRAMING_TUNNEL && head->framing != HTTP_FRAMING_TUNNEL &&
	    request->state == SEAM_CONTENT) {
		request->state = SEAM_ENDED;
		request->clean = true;
	}
}

static void seam_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct seam_way *s = seam_of_sink(sink);

	seam_push(s);
	CHECK(s->state == SEAM_HEAD);
	if (s->is_response)
		CHECK(s->other->state != SEAM_HEAD);
	if (s->is_response && head->status < 200 && head->status != 101) {
		CHECK(!end);
		s->informational++;
	} else {
		seam_final_head(s, head, end);
	}
	flow_pass_head(sink, head, end);
}

static void seam_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct seam_way *s = seam_of_sink(sink);

	seam_push(s);
	CHECK(s->state == SEAM_CONTENT);
	CHECK(slice.n > 0 || end);
	if (s->framing == HTTP_FRAMING_TUNNEL && !s->is_response)
		CHECK(s->other->framing == HTTP_FRAMING_TUNNEL);
	s->passed += slice.n;
	CHECK(s->passed <= s->granted);
	if (end) {
		s->state = SEAM_ENDED;
		s->clean = true;
	}
	flow_pass_body(sink, slice, end);
}

static void seam_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct seam_way *s = seam_of_sink(sink);

	seam_push(s);
	CHECK(s->state == SEAM_CONTENT);
	CHECK(s->framing != HTTP_FRAMING_TUNNEL);
	s->state = SEAM_ENDED;
	s->clean = true;
	flow_pass_trailers(sink, trailers);
}

static void seam_reset(struct flow_sink *sink, enum reason reason)
{
	struct seam_way *s = seam_of_sink(sink);

	seam_push(s);
	CHECK(reason != REASON_NONE && reason != REASON_DONE);
	s->state = SEAM_ENDED;
	flow_pass_reset(sink, reason);
}

static void seam_grant(struct flow_source *source, size_t n)
{
	struct seam_way *s = seam_of_source(source);
	bool nested = s->granting;

	CHECK(!s->stopped);
	CHECK(n > 0);
	s->granted += n;
	s->granting = true;
	flow_pass_grant(source, n);
	s->granting = nested;
}

static void seam_stop(struct flow_source *source, enum reason reason)
{
	struct seam_way *s = seam_of_source(source);

	CHECK(!s->stopped);
	CHECK(reason != REASON_NONE);
	s->stopped = true;
	flow_pass_stop(source, reason);
}

void seam_init(struct seam *seam)
{
	static const struct flow_sink_ops sink = {
	    .head = seam_head,
	    .body = seam_body,
	    .trailers = seam_trailers,
	    .reset = seam_reset,
	};
	static const struct flow_source_ops source = {
	    .grant = seam_grant,
	    .stop = seam_stop,
	};
	const struct seam_way fresh = {.filter = {.sink.ops = &sink, .source.ops = &source}};

	seam->request = seam->response = fresh;
	seam->request.other = &seam->response;
	seam->response.other = &seam->request;
	seam->response.is_response = true;
}

/* Digest */

static void digest_end(struct digest_way *d, bool clean)
{
	if (d->hash)
		gnutls_hash_deinit(d->hash, clean ? d->sum : NULL);
	d->hash = NULL;
}

static struct digest_way *digest_of(struct flow_sink *sink)
{
	return CONTAINER_OF(sink, struct digest_way, filter.sink);
}

static void digest_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	if (end)
		digest_end(digest_of(sink), true);
	flow_pass_head(sink, head, end);
}

static void digest_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct digest_way *d = digest_of(sink);

	if (slice.n > 0)
		CHECK(gnutls_hash(d->hash, slice.p, slice.n) == 0);
	if (end)
		digest_end(d, true);
	flow_pass_body(sink, slice, end);
}

static void digest_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	digest_end(digest_of(sink), true);
	flow_pass_trailers(sink, trailers);
}

static void digest_reset(struct flow_sink *sink, enum reason reason)
{
	digest_end(digest_of(sink), false);
	flow_pass_reset(sink, reason);
}

static void digest_way_init(struct digest_way *d)
{
	static const struct flow_sink_ops sink = {
	    .head = digest_head,
	    .body = digest_body,
	    .trailers = digest_trailers,
	    .reset = digest_reset,
	};
	static const struct flow_source_ops source = {
	    .grant = flow_pass_grant,
	    .stop = flow_pass_stop,
	};
	*d = (struct digest_way){.filter = {.sink.ops = &sink, .source.ops = &source}};
	CHECK(gnutls_hash_init(&d->hash, GNUTLS_DIG_SHA256) == 0);
}

void digest_init(struct digest *d)
{
	digest_way_init(&d->request);
	digest_way_init(&d->response);
}

void digest_fini(struct digest *d)
{
	digest_end(&d->request, false);
	digest_end(&d->response, false);
}

/* Rechunk */

static struct rechunk_way *rechunk_of_sink(struct flow_sink *sink)
{
	return CONTAINER_OF(sink, struct rechunk_way, filter.sink);
}

static struct rechunk_way *rechunk_of_source(struct flow_source *source)
{
	return CONTAINER_OF(source, struct rechunk_way, filter.source);
}

static void rechunk_drop(struct rechunk_way *r)
{
	while (r->n_held > 0)
		slice_drop(&r->held[--r->n_held]);
	loop_task_cancel(r->loop, &r->task);
}

/* Up to `piece` bytes of the first slice that is held; true when that empties it. */
static bool rechunk_first(const struct rechunk_way *r, struct slice *piece)
{
	*piece = r->held[0];
	piece->n = MIN(piece->n, MIN(r->piece, r->credit));
	return piece->n == r->held[0].n;
}

static void rechunk_push_end(struct rechunk_way *r)
{
	struct flow_sink *after = r->filter.after;

	if (r->trailers)
		after->ops->trailers(after, r->trailers);
	else
		after->ops->body(after, (struct slice){0}, true);
}

static void rechunk_run(struct loop_task *task)
{
	struct rechunk_way *r = CONTAINER_OF(task, struct rechunk_way, task);
	struct flow_source *before = r->filter.before;
	struct flow_sink *after = r->filter.after;

	while (r->n_held > 0 && r->credit > 0) {
		struct slice piece;
		bool whole = rechunk_first(r, &piece);

		/* What is pushed is kept for as long as that takes. */
		CHECK(slice_keep(&piece));
		r->credit -= piece.n;
		r->to_grant += piece.n;
		r->held[0].p += piece.n;
		r->held[0].n -= piece.n;
		if (whole) {
			slice_drop(&r->held[0]);
			r->n_held--;
			memmove(&r->held[0], &r->held[1], r->n_held * sizeof(r->held[0]));
		}
		after->ops->body(after, piece, false);
		slice_drop(&piece);
	}
	if (r->stopped)
		return;
	if (r->end && r->n_held == 0) {
		r->stopped = true;
		rechunk_push_end(r);
	} else if (r->to_grant > 0 && !r->end) {
		size_t n = r->to_grant;

		r->to_grant = 0;
		before->ops->grant(before, n);
	}
}

static void rechunk_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct rechunk_way *r = rechunk_of_sink(sink);

	if (end)
		r->stopped = true;
	else if (head->status == 0 || head->status >= 200 || head->status == 101)
		loop_defer(r->loop, &r->task);
	flow_pass_head(sink, head, end);
}

static void rechunk_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct rechunk_way *r = rechunk_of_sink(sink);

	r->end = end;
	if (slice.n > 0) {
		CHECK(r->n_held < RECHUNK_SLICES);
		CHECK(slice_keep(&slice));
		r->held[r->n_held++] = slice;
	}
	loop_defer(r->loop, &r->task);
}

static void rechunk_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct rechunk_way *r = rechunk_of_sink(sink);

	r->end = true;
	r->trailers = trailers;
	loop_defer(r->loop, &r->task);
}

static void rechunk_reset(struct flow_sink *sink, enum reason reason)
{
	struct rechunk_way *r = rechunk_of_sink(sink);

	r->stopped = true;
	rechunk_drop(r);
	flow_pass_reset(sink, reason);
}

static void rechunk_grant(struct flow_source *source, size_t n)
{
	struct rechunk_way *r = rechunk_of_source(source);

	r->credit += n;
	if (!r->stopped)
		loop_defer(r->loop, &r->task);
}

static void rechunk_stop(struct flow_source *source, enum reason reason)
{
	struct rechunk_way *r = rechunk_of_source(source);
	bool ended = r->end || r->stopped;

	r->stopped = true;
	rechunk_drop(r);
	if (!ended)
		flow_pass_stop(source, reason);
}

static void rechunk_way_init(struct rechunk_way *r, struct loop *loop, size_t piece)
{
	static const struct flow_sink_ops sink = {
	    .head = rechunk_head,
	    .body = rechunk_body,
	    .trailers = rechunk_trailers,
	    .reset = rechunk_reset,
	};
	static const struct flow_source_ops source = {
	    .grant = rechunk_grant,
	    .stop = rechunk_stop,
	};
	CHECK(piece > 0);
	*r = (struct rechunk_way){
	    .filter = {.sink.ops = &sink, .source.ops = &source},
	    .loop = loop,
	    .task.run = rechunk_run,
	    .piece = piece,
	    .to_grant = RECHUNK_WINDOW,
	};
}

void rechunk_init(struct rechunk *r, struct loop *loop, size_t request_piece, size_t response_piece)
{
	rechunk_way_init(&r->request, loop, request_piece);
	rechunk_way_init(&r->response, loop, response_piece);
}

void rechunk_fini(struct rechunk *r)
{
	rechunk_drop(&r->request);
	rechunk_drop(&r->response);
}
