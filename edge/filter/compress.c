/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See compress.h. Encoding is done in background tasks of the loop, which share its time with
 * established traffic as TLS handshakes do.
 */
#include "edge/filter/compress.h"

#include "core/base/check.h"
#include "edge/filter/coding_choice.h"
#include "edge/node/worker.h"

/* Encoded in a turn, for each response: about as long as a step of a TLS handshake takes. */
#define PIECE ((size_t)16 * 1024)

static struct edge_compress *of_sink(struct flow_sink *sink)
{
	return CONTAINER_OF(CONTAINER_OF(sink, struct flow_filter, sink), struct edge_compress,
			    filter);
}

static struct edge_compress *of_source(struct flow_source *source)
{
	return CONTAINER_OF(CONTAINER_OF(source, struct flow_filter, source), struct edge_compress,
			    filter);
}

/* Nothing is encoded any more. */
static void end(struct edge_compress *c)
{
	struct edge_worker *w = c->setup.worker;

	c->state = EDGE_COMPRESS_ENDED;
	if (!c->compressor)
		return;
	loop_task_cancel(w->loop, &c->task);
	edge_compressor_give(w->compressors, &c->compressor);
	edge_count(w, EDGE_COMPRESSED_ACTIVE, -1);
}

/* The response cannot go on. */
static void fail(struct edge_compress *c)
{
	bool input_ended = c->input_ended;

	end(c);
	if (!input_ended)
		flow_pass_stop(&c->filter.source, REASON_LIMIT);
	flow_pass_reset(&c->filter.sink, REASON_LIMIT);
}

/* Content */

static void wake(struct edge_compress *c)
{
	loop_queue_background(c->setup.worker->loop, &c->task);
}

static void push_end(struct edge_compress *c)
{
	struct http_fields *trailers = c->trailers;

	end(c);
	if (trailers)
		flow_pass_trailers(&c->filter.sink, trailers);
	else
		flow_pass_body(&c->filter.sink, (struct slice){0}, true);
}

/* Pushes what was encoded, as far as it was granted. False: it is not all gone, or nothing more is
 * to be encoded. */
static bool push(struct edge_compress *c)
{
	struct edge_compressor *p = c->compressor;

	while (p->out_at < p->out_end && c->credit > 0) {
		struct slice slice = {.p = p->out + p->out_at,
				      .n = MIN(p->out_end - p->out_at, c->credit)};
		bool last;

		p->out_at += slice.n;
		c->credit -= slice.n;
		c->pushed += slice.n;
		edge_count(c->setup.worker, EDGE_COMPRESSED_OUT, (int64_t)slice.n);
		last = c->finished && p->out_at == p->out_end && !c->trailers;
		if (last)
			c->state = EDGE_COMPRESS_ENDED;
		flow_pass_body(&c->filter.sink, slice, last);
		if (last)
			end(c);
		if (c->state != EDGE_COMPRESS_CONTENT)
			return false;
	}
	if (p->out_at < p->out_end)
		return false;
	if (c->finished)
		push_end(c);
	return c->state == EDGE_COMPRESS_CONTENT;
}

static enum edge_encoder_op next_op(const struct edge_compress *c, size_t n)
{
	if (n < edge_compressor_waiting(c->compressor))
		return EDGE_ENCODER_GO_ON;
	if (c->input_ended)
		return EDGE_ENCODER_FINISH;
	return c->flush ? EDGE_ENCODER_FLUSH : EDGE_ENCODER_GO_ON;
}

/* Encodes at most *most bytes; all that was put out must be gone. False: there is nothing to do, or
 * it has failed. */
static bool encode(struct edge_compress *c, size_t *most)
{
	struct edge_compressor *p = c->compressor;
	size_t n = MIN(edge_compressor_waiting(p), *most), room = sizeof(p->out);
	struct span in = {p->in + p->in_at, n};
	enum edge_encoder_op op = next_op(c, n);
	enum edge_encoder_result result;
	char *out = p->out;

	if (n == 0 && (op == EDGE_ENCODER_GO_ON || (op == EDGE_ENCODER_FLUSH && !c->unflushed)))
		return false;
	result = edge_encoder_run(p->encoder, op, &in, &out, &room);
	if (result == EDGE_ENCODER_FAILED) {
		fail(c);
		return false;
	}
	p->in_at += n - in.n;
	*most -= n - in.n;
	p->out_at = 0;
	p->out_end = sizeof(p->out) - room;
	c->unflushed = op != EDGE_ENCODER_FLUSH || result != EDGE_ENCODER_DONE;
	c->finished = op == EDGE_ENCODER_FINISH && result == EDGE_ENCODER_DONE;
	return true;
}

/* Not before much of the window is free: each grant is a call through all that stand between. */
static void grant(struct edge_compress *c)
{
	size_t taken = c->granted + edge_compressor_waiting(c->compressor);
	size_t n = EDGE_COMPRESSOR_WINDOW - MIN(taken, EDGE_COMPRESSOR_WINDOW);

	if (c->input_ended || n < EDGE_COMPRESSOR_WINDOW / 2)
		return;
	c->granted += n;
	flow_pass_grant(&c->filter.source, n);
}

static void run(struct loop_task *task)
{
	struct edge_compress *c = CONTAINER_OF(task, struct edge_compress, task);
	size_t most = PIECE;
	bool more = true;

	while (more && push(c)) {
		if (most == 0) {
			wake(c);
			break;
		}
		more = encode(c, &most);
	}
	if (c->state == EDGE_COMPRESS_CONTENT)
		grant(c);
}

static void take_content(struct edge_compress *c, struct slice slice, bool ends)
{
	c->granted -= MIN(c->granted, slice.n); /* what the edge answers itself is not granted */
	c->input_ended = ends;
	edge_count(c->setup.worker, EDGE_COMPRESSED_IN, (int64_t)slice.n);
	if (!edge_compressor_add(c->compressor, slice.p, slice.n)) {
		fail(c);
		return;
	}
	wake(c);
}

/* The head */

static unsigned level_of(const struct cfg_compression *cfg, enum cfg_coding coding)
{
	switch (coding) {
	case CFG_CODING_ZSTD:
		return cfg->level.zstd;
	case CFG_CODING_BR:
		return cfg->level.br;
	case CFG_CODING_GZIP:
		break;
	}
	return cfg->level.gzip;
}

/* Content that is still being made goes out as it comes: a length says that it is not. */
static bool is_being_made(const struct http_head *head)
{
	return head->framing != HTTP_FRAMING_LENGTH;
}

/* The compressor of a response that gets one. */
static void lend(struct edge_compress *c, const struct http_head *head,
		 struct edge_coding_choice *choice)
{
	struct edge_worker *w = c->setup.worker;

	c->compressor = edge_compressor_take(
	    w->compressors, choice->coding, level_of(c->setup.cfg, choice->coding),
	    is_being_made(head) ? EDGE_LENGTH_UNKNOWN : head->content_length, c->setup.limit);
	if (!c->compressor) {
		edge_count(w, EDGE_COMPRESSED_REFUSED, 1);
		choice->encode = false;
		return;
	}
	c->flush = is_being_made(head);
	edge_count(w, EDGE_COMPRESSED, 1);
	edge_count(w, EDGE_COMPRESSED_ACTIVE, 1);
}

/* The head has passed, and content follows. */
static void begin_content(struct edge_compress *c)
{
	size_t kept_back = c->credit;

	if (c->compressor) {
		c->state = EDGE_COMPRESS_CONTENT;
		c->credit += c->granted;
		grant(c);
		return;
	}
	c->state = EDGE_COMPRESS_PASS;
	if (kept_back > 0)
		flow_pass_grant(&c->filter.source, kept_back);
}

static void final_head(struct edge_compress *c, struct http_head *head, bool ends)
{
	struct edge_coding_choice choice = edge_coding_choose(c->setup.cfg, c->setup.request, head);

	if (choice.encode && !ends)
		lend(c, head, &choice);
	if (!edge_coding_apply(choice, head)) {
		c->input_ended = ends;
		fail(c);
		return;
	}
	if (ends)
		end(c);
	else
		begin_content(c);
	flow_pass_head(&c->filter.sink, head, ends);
}

/* The flow */

static void sink_head(struct flow_sink *sink, struct http_head *head, bool ends)
{
	struct edge_compress *c = of_sink(sink);

	if (c->state == EDGE_COMPRESS_ENDED)
		return;
	if (head->framing == HTTP_FRAMING_TUNNEL) {
		begin_content(c);
		flow_pass_head(sink, head, ends);
	} else if (head->status < 200) {
		flow_pass_head(sink, head, ends);
	} else {
		final_head(c, head, ends);
	}
}

static void sink_body(struct flow_sink *sink, struct slice slice, bool ends)
{
	struct edge_compress *c = of_sink(sink);

	if (c->state == EDGE_COMPRESS_PASS)
		flow_pass_body(sink, slice, ends);
	else if (c->state == EDGE_COMPRESS_CONTENT)
		take_content(c, slice, ends);
}

static void sink_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_compress *c = of_sink(sink);

	if (c->state == EDGE_COMPRESS_PASS) {
		flow_pass_trailers(sink, trailers);
	} else if (c->state == EDGE_COMPRESS_CONTENT) {
		c->trailers = trailers;
		c->input_ended = true;
		wake(c);
	}
}

static void sink_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_compress *c = of_sink(sink);

	if (c->state == EDGE_COMPRESS_ENDED)
		return;
	end(c);
	flow_pass_reset(sink, reason);
}

static const struct flow_sink_ops sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};

static void source_grant(struct flow_source *source, size_t n)
{
	struct edge_compress *c = of_source(source);
	size_t at_once;

	switch (c->state) {
	case EDGE_COMPRESS_HEAD:
		/* No more than a compressor would take in. */
		at_once = MIN(n, EDGE_COMPRESSOR_WINDOW - c->granted);
		c->granted += at_once;
		c->credit += n - at_once;
		if (at_once > 0)
			flow_pass_grant(source, at_once);
		break;
	case EDGE_COMPRESS_PASS:
		flow_pass_grant(source, n);
		break;
	case EDGE_COMPRESS_CONTENT:
		c->credit += n;
		wake(c);
		break;
	case EDGE_COMPRESS_ENDED:
		break;
	}
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	struct edge_compress *c = of_source(source);
	bool input_ended = c->input_ended;

	if (c->state == EDGE_COMPRESS_ENDED)
		return;
	end(c);
	if (!input_ended)
		flow_pass_stop(source, reason);
}

static const struct flow_source_ops source_ops = {.grant = source_grant, .stop = source_stop};

void edge_compress_init(struct edge_compress *c, const struct edge_compress_setup *setup)
{
	*c = (struct edge_compress){
	    .filter = {.sink.ops = &sink_ops,
		       .source.ops = &source_ops,
		       .before = setup->before,
		       .after = setup->after},
	    .setup = *setup,
	    .task.run = run,
	};
}

void edge_compress_fini(struct edge_compress *c)
{
	end(c);
}
