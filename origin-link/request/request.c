/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request to an origin: finds a connection, sends head and content, watches the time, and ends
 * the exchange; response.c reads what comes back. Runs on one worker's loop. Owns its lease, its
 * dial and content that came before there was a connection; head, arena, source and sink are the
 * caller's.
 *
 * Nothing here calls the neighbours from inside olink_request_start(): what goes wrong there is
 * told at the end of the turn. The object is freed at the end of the turn too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/counters.h"
#include "origin-link/request/origin_reason.h"
#include "origin-link/request/request_internal.h"

#define REQUEST_MAGIC 0x4e90e501u

static void count(const struct olink_request *r, enum olink_counter id)
{
	metrics_add(r->worker->olink->metrics, r->worker->buffers->loop, id, 1);
}

static struct loop *loop_of(const struct olink_request *r)
{
	return r->worker->buffers->loop;
}

/* Ending */

/* The one way from a connection, or the way to one, to none. */
static void let_go(struct olink_request *r, bool keep)
{
	dial_cancel(&r->dial);
	lease_end(&r->lease, keep);
	free(r->held);
	r->held = NULL;
	r->n_held = 0;
}

static void over(struct olink_request *r, bool keep)
{
	r->phase = REQUEST_OVER;
	deadline_clear(&r->deadline);
	let_go(r, keep);
}

static void stop_body(struct olink_request *r, enum reason reason)
{
	bool pushing = r->body && !r->sent && !r->early_end;

	r->sent = true;
	if (pushing)
		r->body->ops->stop(r->body, reason);
}

void request_abandon(struct olink_request *r)
{
	r->response = NULL;
	r->sent = true;
	if (r->phase != REQUEST_OVER)
		over(r, false);
}

void request_fail(struct olink_request *r, enum reason reason)
{
	char addr[NET_ADDR_TEXT] = "no address";

	if (r->phase == REQUEST_OVER)
		return;
	if (r->facts.addr.sa.sa_family != AF_UNSPEC)
		net_addr_format(&r->facts.addr, addr);
	LOG_LIMITED(LOG_LEVEL_WARN, "origin %s at %s: %s%s%s", r->origin->name, addr,
		    reason_text(reason), reason == REASON_ORIGIN_MALFORMED ? ": " : "",
		    reason != REASON_ORIGIN_MALFORMED ? ""
		    : r->content.why                  ? r->content.why
		    : r->parser.why                   ? r->parser.why
						      : "unexpected status");
	count(r, OLINK_FAILURES);
	over(r, false);
	stop_body(r, reason);

	struct http_sink *response = r->response;

	r->response = NULL;
	if (response)
		response->ops->reset(response, reason);
}

void request_response_ended(struct olink_request *r, bool clean)
{
	bool keep = clean && r->keep_alive && r->sent && !r->write_failed &&
		    stream_is_drained(lease_stream(&r->lease));

	over(r, keep);
	stop_body(r, REASON_DONE);
}

/* Time */

static void deadline_cb(struct deadline *deadline)
{
	struct olink_request *r = CONTAINER_OF(deadline, struct olink_request, deadline);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	request_fail(r, r->waits);
}

void request_rearm(struct olink_request *r)
{
	enum reason waits = REASON_NONE;

	if (r->phase != REQUEST_OPEN)
		return;
	if (!stream_is_drained(lease_stream(&r->lease)))
		waits = REASON_ORIGIN_WRITE_TIMEOUT;
	else if (!r->sent)
		waits = REASON_NONE; /* for the client, whose time the edge watches */
	else if (!r->head_received)
		waits = REASON_ORIGIN_HEAD_TIMEOUT;
	else if (!r->paused)
		waits = REASON_ORIGIN_BODY_TIMEOUT;

	/* The time for a head is one time, however many pieces it comes in. */
	if (waits == REASON_ORIGIN_HEAD_TIMEOUT && r->waits == waits)
		return;
	r->waits = waits;
	if (waits == REASON_NONE)
		deadline_clear(&r->deadline);
	else
		deadline_set(&r->deadline, waits == REASON_ORIGIN_HEAD_TIMEOUT
					       ? r->origin->timeout.response
					       : r->origin->timeout.idle);
}

/* Sending */

static size_t trailers_size(const struct http_fields *trailers)
{
	size_t size = sizeof("0\r\n\r\n");

	for (unsigned i = 0; trailers && i < trailers->n; i++)
		size += trailers->v[i].name.n + trailers->v[i].value.n + sizeof(": \r\n");
	return size;
}

/* Memory for a head and a trailer section; NULL when there is none. Their size is bounded by what
 * the client's side lets in. */
static char *scratch(struct olink_worker *w, size_t size)
{
	if (w->scratch_size < size) {
		char *grown = realloc(w->scratch, size);

		if (!grown)
			return NULL;
		w->scratch = grown;
		w->scratch_size = size;
	}
	return w->scratch;
}

struct piece {
	const void *data;
	size_t len;
	bool end;
	const struct http_fields *trailers; /* with end, or NULL */
};

/* The head, if it has not been sent, and a piece of content, in one go. True: send more. */
static bool send_piece(struct olink_request *r, const struct piece *piece)
{
	bool chunked = r->head->framing == HTTP_FRAMING_CHUNKED;
	size_t head_size = r->head_sent ? 0 : h1_head_size(r->head);
	size_t tail_size = chunked && piece->end ? trailers_size(piece->trailers) : 0;
	char *text = scratch(r->worker, MAX(head_size + tail_size, 1));
	char chunk[20];
	struct iovec iov[5];
	int n = 0;

	if (!text) {
		request_fail(r, REASON_LIMIT);
		return true;
	}
	if (head_size) {
		struct http_head ours = *r->head;

		/* What the client wants of its connection says nothing about ours. */
		ours.keep_alive = true;
		size_t len = h1_write_head(&ours, true, text, head_size);

		CHECK(len > 0);
		iov[n++] = (struct iovec){text, len};
	}
	if (piece->len && chunked)
		iov[n++] = (struct iovec){chunk, h1_write_chunk_header(piece->len, chunk)};
	if (piece->len)
		iov[n++] = (struct iovec){(void *)piece->data, piece->len};
	if (piece->len && chunked)
		iov[n++] = (struct iovec){(void *)"\r\n", 2};
	if (tail_size) {
		size_t len = h1_write_last_chunk(piece->trailers, text + head_size, tail_size);

		CHECK(len > 0);
		iov[n++] = (struct iovec){text + head_size, len};
	}
	for (int i = 0; i < n; i++)
		r->facts.bytes_sent += iov[i].iov_len;
	r->head_sent = true;
	r->sent = piece->end;

	bool more = n == 0 || stream_write(lease_stream(&r->lease), iov, n);

	request_rearm(r);
	return more;
}

/* What there is so far: the head, and content that came before the connection. */
static void send_first(struct olink_request *r)
{
	struct piece piece = {
	    .data = r->early,
	    .len = r->n_early,
	    .end = !r->body || r->early_end,
	    .trailers = r->early_end ? &r->early_trailers : NULL,
	};
	bool more = send_piece(r, &piece);

	free(r->early);
	r->early = NULL;
	r->n_early = 0;
	if (more && r->body_waits && r->phase == REQUEST_OPEN)
		request_drained(r);
}

void request_drained(struct olink_request *r)
{
	request_rearm(r);
	if (!r->body_waits || r->sent)
		return;
	r->body_waits = false;
	r->body->ops->resume(r->body);
}

/* Connecting */

/* A connection is there; the head goes out with the first content if that comes in this turn. */
static bool opened(struct olink_request *r)
{
	r->phase = REQUEST_OPEN;
	r->waits = REASON_NONE;
	return response_begin(r);
}

static void try_candidate(struct olink_request *r);

static void connected(struct dial *dial, int fd, enum reason reason)
{
	struct olink_request *r = CONTAINER_OF(dial, struct olink_request, dial);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	if (reason != REASON_NONE) {
		count(r, OLINK_CONNECT_FAILURES);
		r->failed = reason;
		if (++r->candidate < r->n_candidates)
			try_candidate(r);
	} else {
		r->facts.connect = mono_since(loop_now(loop_of(r)), r->dialled);
		if (!lease_take_fresh(&r->lease, r->worker->buffers, fd, &request_stream_ops, r) ||
		    !opened(r))
			r->failed = REASON_LIMIT;
	}
	if (r->phase == REQUEST_OPEN && r->failed == REASON_NONE)
		send_first(r);
	else if (!r->dial.ev)
		request_fail(r, r->failed);
}

static void dial_candidate(struct olink_request *r)
{
	mono_time now = loop_now(loop_of(r));
	duration left = mono_since(r->connect_by, now);

	/* The first one may not use up the time of the next. */
	if (r->candidate + 1 < r->n_candidates)
		left.ns /= 2;
	r->phase = REQUEST_CONNECTING;
	r->failed = REASON_NONE;
	r->dialled = now;
	count(r, OLINK_CONNECTS);
	dial_start(&r->dial, &r->candidates[r->candidate], DUR_NS(MAX(left.ns, 0)));
}

/* Ends in REQUEST_OPEN, or in REQUEST_CONNECTING with a dial under way. */
static void try_candidate(struct olink_request *r)
{
	const struct net_addr *addr = &r->candidates[r->candidate];
	struct pool_key key = pool_key_http(addr);
	struct lease_terms terms = origins_terms(r->origin);

	r->facts.addr = *addr;
	lease_init(&r->lease, &r->worker->olink->pool, loop_of(r), &key, &terms);
	if (!r->facts.retried &&
	    lease_take_idle(&r->lease, r->worker->buffers, &request_stream_ops, r)) {
		r->facts.reused = true;
		r->failed = opened(r) ? REASON_NONE : REASON_LIMIT;
		return;
	}
	dial_candidate(r);
}

bool request_retry(struct olink_request *r)
{
	bool repeatable = !r->body && http_method_is_idempotent(r->head->method_id);

	if (!r->facts.reused || r->facts.retried || (r->head_sent && !repeatable))
		return false;
	let_go(r, false);
	r->facts.reused = false;
	r->facts.retried = true;
	r->head_sent = false;
	r->sent = false;
	r->write_failed = false;
	r->connect_by = mono_add(loop_now(loop_of(r)), r->origin->timeout.connect);
	count(r, OLINK_RETRIES);
	deadline_clear(&r->deadline);
	dial_candidate(r);
	return true;
}

/* The request's content, pushed by its source */

static struct olink_request *of_sink(struct http_sink *sink)
{
	struct olink_request *r = CONTAINER_OF(sink, struct olink_request, sink);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	return r;
}

static void keep_early(struct olink_request *r, const struct piece *piece)
{
	if (piece->len) {
		char *grown = realloc(r->early, r->n_early + piece->len);

		if (!grown) {
			request_fail(r, REASON_LIMIT);
			return;
		}
		memcpy(grown + r->n_early, piece->data, piece->len);
		r->early = grown;
		r->n_early += piece->len;
	}
	r->early_end = piece->end;
	if (piece->trailers)
		r->early_trailers = *piece->trailers;
}

static bool push(struct olink_request *r, const struct piece *piece)
{
	bool more;

	if (r->phase == REQUEST_OVER)
		return true;
	if (r->phase == REQUEST_CONNECTING || r->failed != REASON_NONE) {
		keep_early(r, piece);
		more = false;
	} else {
		more = send_piece(r, piece);
	}
	r->body_waits = !more;
	return more;
}

static void sink_head(struct http_sink *sink, struct http_head *head, bool end)
{
	CHECK(!"the head of a request is given to olink_request_start()");
}

static bool sink_body(struct http_sink *sink, const void *data, size_t len, bool end)
{
	return push(of_sink(sink), &(struct piece){.data = data, .len = len, .end = end});
}

static void sink_trailers(struct http_sink *sink, const struct http_fields *trailers)
{
	push(of_sink(sink), &(struct piece){.end = true, .trailers = trailers});
}

static void sink_reset(struct http_sink *sink, enum reason reason)
{
	request_abandon(of_sink(sink));
}

static const struct http_sink_ops sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};

/* The connection */

static void readable_cb(void *arg)
{
	struct olink_request *r = arg;

	MAGIC_CHECK(r, REQUEST_MAGIC);
	response_readable(r);
}

static void drained_cb(void *arg)
{
	struct olink_request *r = arg;

	MAGIC_CHECK(r, REQUEST_MAGIC);
	request_drained(r);
}

/* Writing failed. An origin that answers and closes without reading all of the request does that
 * to us: its answer, or the rest of it, is still there to be read. */
static void failed_cb(void *arg)
{
	struct olink_request *r = arg;
	enum stream_fault fault = stream_fault(lease_stream(&r->lease));
	enum reason reason =
	    fault == STREAM_FAULT_CLOSED ? REASON_ORIGIN_RESET : olink_origin_reason(fault);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	r->write_failed = true;
	response_readable(r);
	if (r->phase != REQUEST_OPEN)
		return;
	if (r->head_received) {
		stop_body(r, reason);
		request_rearm(r);
	} else if (r->facts.bytes_received > 0 || !request_retry(r)) {
		request_fail(r, reason);
	}
}

const struct stream_ops request_stream_ops = {
    .established = NULL,
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

/* Life */

static void request_free(struct olink_request *r)
{
	LIST_REMOVE(r, link);
	deadline_fini(&r->deadline);
	free(r->early);
	r->magic = MAGIC_DEAD;
	free(r);
}

static void turn_end(struct loop_task *task)
{
	struct olink_request *r = CONTAINER_OF(task, struct olink_request, turn_end);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	if (r->finished)
		request_free(r);
	else if (r->failed != REASON_NONE)
		request_fail(r, r->failed);
	else if (r->phase == REQUEST_OPEN && !r->head_sent)
		send_first(r);
}

struct olink_request *olink_request_start(struct olink_worker *worker,
					  const struct olink_origins *origins,
					  const struct cfg_origin *origin,
					  const struct http_head *head, bool end,
					  struct http_source *body, struct http_sink *response,
					  struct arena *response_arena)
{
	struct olink_request *r = xcalloc(1, sizeof(*r));
	struct loop *loop = worker->buffers->loop;

	LOOP_ASSERT_OWNER(loop);
	CHECK(end == (body == NULL));
	r->magic = REQUEST_MAGIC;
	LIST_INSERT_HEAD(&worker->requests, r, link);
	r->worker = worker;
	r->origin = origin;
	r->sink.ops = &sink_ops;
	r->source.ops = &response_source_ops;
	r->head = head;
	r->body = body;
	r->response = response;
	r->arena = response_arena;
	r->turn_end.run = turn_end;
	r->started = loop_now(loop);
	r->connect_by = mono_add(r->started, origin->timeout.connect);
	dial_init(&r->dial, loop, connected);
	deadline_init(&r->deadline, loop, deadline_cb);
	count(r, OLINK_REQUESTS);

	r->failed = origins_pick(origins, origin, loop, r->candidates, &r->n_candidates);
	if (r->failed == REASON_NONE)
		try_candidate(r);
	if (r->failed == REASON_NONE && r->phase == REQUEST_OPEN && end)
		send_first(r);
	else if (r->failed != REASON_NONE || r->phase == REQUEST_OPEN)
		loop_defer(loop, &r->turn_end);
	return r;
}

struct http_sink *olink_request_sink(struct olink_request *r)
{
	return &r->sink;
}

struct http_source *olink_request_source(struct olink_request *r)
{
	return &r->source;
}

struct olink_facts olink_request_facts(const struct olink_request *r)
{
	return r->facts;
}

void olink_request_finish(struct olink_request **requestp)
{
	struct olink_request *r = *requestp;

	*requestp = NULL;
	if (!r)
		return;
	MAGIC_CHECK(r, REQUEST_MAGIC);
	LOOP_ASSERT_OWNER(loop_of(r));
	request_abandon(r);
	r->finished = true;
	loop_defer(loop_of(r), &r->turn_end);
}

void olink_requests_sweep(struct olink_worker *worker)
{
	struct olink_request *r;

	while ((r = LIST_FIRST(&worker->requests))) {
		CHECK(r->finished);
		loop_task_cancel(worker->buffers->loop, &r->turn_end);
		request_free(r);
	}
}
