/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See compress.h. Encoding is done in background tasks of the loop, which share its time with
 * established traffic as TLS handshakes do.
 */
#include "edge/filter/compress.h"

#include "core/base/check.h"
#include "core/loop/loop.h"
#include "edge/filter/coding_choice.h"
#include "edge/filter/compressor.h"
#include "edge/node/worker.h"

#define COMPRESS_MAGIC 0x434f4d46u

/* Encoded in a turn, for each response: it takes about as long as a step of a TLS handshake, and is
 * more than most responses are. */
#define PIECE ((size_t)32 * 1024)

struct edge_compress {
	struct flow_filter filter;
	unsigned magic;
	struct edge_worker *worker;
	struct edge_compressor *compressor; /* lent, until the end */
	bool ended;                         /* nothing more goes out */
	bool pushing;                       /* some of what the compressor has */
	struct loop_task task;              /* encodes and pushes */
	size_t credit;                      /* of what is behind */
	size_t granted;                     /* to what is in front, which has not pushed it yet */
	bool flush;                         /* what has come goes out, whether or not more does */
	bool unflushed;                     /* something was encoded since the last flush */
	bool input_ended, finished;
	struct http_fields *trailers; /* NULL: none */
	uint64_t pushed;
};

static struct edge_compress *of_sink(struct flow_sink *sink)
{
	struct edge_compress *c = CONTAINER_OF(sink, struct edge_compress, filter.sink);

	MAGIC_CHECK(c, COMPRESS_MAGIC);
	return c;
}

static struct edge_compress *of_source(struct flow_source *source)
{
	struct edge_compress *c = CONTAINER_OF(source, struct edge_compress, filter.source);

	MAGIC_CHECK(c, COMPRESS_MAGIC);
	return c;
}

/* The response cannot go on. */
static void fail(struct edge_compress *c)
{
	bool input_ended = c->input_ended;

	edge_compress_quit(c);
	if (!input_ended)
		flow_pass_stop(&c->filter.source, REASON_LIMIT);
	flow_pass_reset(&c->filter.sink, REASON_LIMIT);
}

/* Content */

static void wake(struct edge_compress *c)
{
	loop_queue_background(c->worker->loop, &c->task);
}

static void push_end(struct edge_compress *c)
{
	struct http_fields *trailers = c->trailers;

	edge_compress_quit(c);
	if (trailers)
		flow_pass_trailers(&c->filter.sink, trailers);
	else
		flow_pass_body(&c->filter.sink, (struct slice){0}, true);
}

static struct slice next_slice(struct edge_compress *c)
{
	struct edge_compressor *p = c->compressor;
	struct slice slice = {.p = p->out + p->out_at, .n = MIN(p->out_end - p->out_at, c->credit)};

	p->out_at += slice.n;
	c->credit -= slice.n;
	c->pushed += slice.n;
	edge_count(c->worker, EDGE_COMPRESSED_OUT, (int64_t)slice.n);
	return slice;
}

/* Pushes what was encoded, as far as it was granted. False: it is not all gone, or nothing more is
 * to be encoded. */
static bool push(struct edge_compress *c)
{
	struct edge_compressor *p = c->compressor;

	while (p->out_at < p->out_end) {
		struct slice slice;

		if (c->credit == 0)
			return false;
		slice = next_slice(c);
		c->ended = c->finished && p->out_at == p->out_end && !c->trailers;
		c->pushing = true;
		flow_pass_body(&c->filter.sink, slice, c->ended);
		c->pushing = false;
		if (c->ended) {
			edge_compress_quit(c);
			return false;
		}
	}
	if (c->finished)
		push_end(c);
	return !c->ended;
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
	struct edge_encoder *encoder;
	char *out = p->out;

	if (n == 0 && (op == EDGE_ENCODER_GO_ON || (op == EDGE_ENCODER_FLUSH && !c->unflushed)))
		return false;
	encoder = edge_compressor_encoder(c->worker->compressors, p);
	result = encoder ? edge_encoder_run(encoder, op, &in, &out, &room) : EDGE_ENCODER_FAILED;
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

	MAGIC_CHECK(c, COMPRESS_MAGIC);
	while (more && push(c)) {
		if (most == 0) {
			wake(c);
			break;
		}
		more = encode(c, &most);
	}
	if (!c->ended)
		grant(c);
}

/* The flow */

static void sink_head(struct flow_sink *sink, struct http_head *head, bool ends)
{
	struct edge_compress *c = of_sink(sink);

	if (c->ended)
		return;
	if (ends) {
		/* It has no content after all. */
		http_fields_remove(&head->fields, SPAN("Content-Encoding"));
		edge_compress_quit(c);
	} else {
		grant(c);
	}
	flow_pass_head(sink, head, ends);
}

static void sink_body(struct flow_sink *sink, struct slice slice, bool ends)
{
	struct edge_compress *c = of_sink(sink);

	if (c->ended)
		return;
	c->granted -= MIN(c->granted, slice.n); /* what the edge answers itself is not granted */
	c->input_ended = ends;
	edge_count(c->worker, EDGE_COMPRESSED_IN, (int64_t)slice.n);
	if (!edge_compressor_add(c->compressor, slice.p, slice.n))
		fail(c);
	else if (ends || c->flush || edge_compressor_waiting(c->compressor) >= PIECE)
		wake(c);
}

static void sink_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_compress *c = of_sink(sink);

	if (c->ended)
		return;
	c->trailers = trailers;
	c->input_ended = true;
	wake(c);
}

static void sink_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_compress *c = of_sink(sink);

	if (c->ended)
		return;
	edge_compress_quit(c);
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

	if (c->ended)
		return;
	c->credit += n;
	if (c->compressor->out_at < c->compressor->out_end)
		wake(c);
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	struct edge_compress *c = of_source(source);

	if (c->ended)
		return;
	edge_compress_quit(c);
	if (!c->input_ended)
		flow_pass_stop(source, reason);
}

static const struct flow_source_ops source_ops = {.grant = source_grant, .stop = source_stop};

/* Beginning and end */

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

/* NULL: the content passes as it is. */
static struct edge_compressor *lend(const struct edge_compress_setup *setup, enum cfg_coding coding,
				    uint64_t length)
{
	struct edge_worker *w = setup->worker;
	struct edge_compressor *c = edge_compressor_take(
	    w->compressors, coding, level_of(setup->cfg, coding), length, setup->limit);

	edge_count(w, c ? EDGE_COMPRESSED : EDGE_COMPRESSED_REFUSED, 1);
	if (c)
		edge_count(w, EDGE_COMPRESSED_ACTIVE, 1);
	return c;
}

static bool make_filter(struct edge_compress **cp, const struct edge_compress_setup *setup,
			struct edge_coding_choice *choice)
{
	/* Content whose length is not known is still being made: it goes out as it comes. */
	bool is_made = setup->response->framing == HTTP_FRAMING_LENGTH;
	struct edge_compress *c = arena_alloc(setup->response->arena, sizeof(*c));

	if (!c)
		return false;
	*c = (struct edge_compress){
	    .magic = COMPRESS_MAGIC,
	    .filter = {.sink.ops = &sink_ops, .source.ops = &source_ops},
	    .worker = setup->worker,
	    .compressor = lend(setup, choice->coding,
			       is_made ? setup->response->content_length : EDGE_LENGTH_UNKNOWN),
	    .task.run = run,
	    .flush = !is_made,
	};
	if (c->compressor)
		*cp = c;
	else
		choice->encode = false;
	return true;
}

bool edge_compress_start(struct edge_compress **c, const struct edge_compress_setup *setup)
{
	struct edge_coding_choice choice =
	    edge_coding_choose(setup->cfg, setup->request, setup->response, setup->identified);

	*c = NULL;
	if (choice.encode && choice.has_content && !make_filter(c, setup, &choice))
		return false;
	if (edge_coding_apply(choice, setup->response))
		return true;
	if (*c)
		edge_compress_quit(*c);
	*c = NULL;
	return false;
}

struct flow_filter *edge_compress_filter(struct edge_compress *c)
{
	return &c->filter;
}

void edge_compress_quit(struct edge_compress *c)
{
	c->ended = true;
	/* What is being pushed stays until that returns. */
	if (!c->compressor || c->pushing)
		return;
	loop_task_cancel(c->worker->loop, &c->task);
	edge_compressor_give(c->worker->compressors, &c->compressor);
	edge_count(c->worker, EDGE_COMPRESSED_ACTIVE, -1);
}

uint64_t edge_compress_pushed(const struct edge_compress *c)
{
	return c->pushed;
}
