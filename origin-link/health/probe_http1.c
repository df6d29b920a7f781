/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A probe's question by HTTP/1.1: the request, the head of the response, and its content as far as
 * the question is about it. Control loop only.
 */
#include "origin-link/health/probe_talk.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/h1.h"
#include "core/net/stream.h"

#define TALK_MAGIC 0x70683174u

/* A probe reads a head, not a document: enough for any real one. */
static const struct h1_limits limits = {
    .head_bytes = 16 * 1024,
    .fields = 200,
    .target_bytes = 8 * 1024,
};
#define HEAD_ARENA (64 * 1024)

struct http1_talk {
	unsigned magic;
	struct probe_talk_order order;
	struct arena arena;
	struct h1_head_parser parser;
	struct http_head head;
	bool in_content;
	struct h1_body body; /* then */
	struct probe_answer answer;
	char *held; /* a line that is not whole yet */
	size_t n_held;
};

/* Listening */

static void say(struct http1_talk *t, enum probe_cause cause, int status, const char *detail)
{
	t->order.said(t->order.arg, cause, status, detail);
}

enum probe_cause probe_talk_broken(const struct stream *stream, const char **detail)
{
	*detail = NULL;
	if (stream_fault(stream) != STREAM_FAULT_NO_MEMORY &&
	    stream_fault(stream) != STREAM_FAULT_MALFORMED)
		return PROBE_RESET;
	*detail = stream_fault_detail(stream);
	/* Of TLS 1.3, that is how a server says that it wants another certificate of us. */
	return stream_fault(stream) == STREAM_FAULT_MALFORMED ? PROBE_TLS_FAILED : PROBE_PREVENTED;
}

static void broken(struct http1_talk *t)
{
	const char *detail;
	enum probe_cause cause = probe_talk_broken(t->order.stream, &detail);

	say(t, cause, 0, detail);
}

static void begin_head(struct http1_talk *t)
{
	http_head_init(&t->head, &t->arena);
	h1_response_parser_init(&t->parser, &limits, strcmp(t->order.method, "HEAD") == 0);
}

enum heard {
	HEARD_MORE_WANTED,
	HEARD_ENOUGH, /* for probe_answer_judge() */
	HEARD_JUNK,
};

static enum heard hear_head(struct http1_talk *t, char *buf, size_t len, size_t *used)
{
	while (!t->in_content) {
		size_t n;
		enum h1_result result =
		    h1_head_parse(&t->parser, &t->head, buf + *used, len - *used, &n);

		*used += n;
		if (result == H1_MORE)
			return HEARD_MORE_WANTED;
		if (result == H1_BAD)
			return HEARD_JUNK;
		if (t->head.status < 200) {
			begin_head(t);
			continue;
		}
		if (probe_answer_status(&t->answer, t->head.status))
			return HEARD_ENOUGH;
		t->in_content = true;
		h1_body_init(&t->body, &t->head, &limits);
	}
	return HEARD_MORE_WANTED;
}

static enum heard hear_content(struct http1_talk *t, char *buf, size_t len, size_t *used)
{
	struct span data;
	size_t n;
	enum h1_result result =
	    h1_body_decode(&t->body, buf + *used, len - *used, PROBE_CONTENT_MAX, &n, &data);

	*used += n;
	if (probe_answer_content(&t->answer, data))
		return HEARD_ENOUGH;
	if (result == H1_BAD)
		return HEARD_JUNK;
	return result == H1_OK ? HEARD_ENOUGH : HEARD_MORE_WANTED;
}

/* True: it has said how it ended, and is gone. */
static bool hear(struct http1_talk *t, char *buf, size_t len)
{
	size_t used = 0;
	enum heard heard = hear_head(t, buf, len, &used);

	if (t->in_content && heard == HEARD_MORE_WANTED)
		heard = hear_content(t, buf, len, &used);
	if (heard == HEARD_JUNK) {
		say(t, PROBE_BAD_RESPONSE, 0, t->in_content ? t->body.why : t->parser.why);
		return true;
	}
	if (heard == HEARD_ENOUGH) {
		say(t, probe_answer_judge(&t->answer), t->answer.status, NULL);
		return true;
	}
	free(t->held);
	t->held = NULL;
	t->n_held = len - used;
	if (t->n_held > 0) {
		t->held = xmalloc(t->n_held);
		memcpy(t->held, buf + used, t->n_held);
	}
	return false;
}

static void ended(struct http1_talk *t)
{
	if (t->in_content && h1_body_close_is_end(&t->body))
		say(t, probe_answer_judge(&t->answer), t->answer.status, NULL);
	else
		broken(t);
}

static void readable_cb(void *arg)
{
	struct http1_talk *t = arg;
	char *buf = t->order.buffers->plain;

	MAGIC_CHECK(t, TALK_MAGIC);
	for (;;) {
		/* A line never grows past limits.head_bytes: the parsers refuse it before. */
		CHECK(t->n_held < STREAM_READ_MAX);
		memcpy(buf, t->held ? t->held : "", t->n_held);

		ssize_t n =
		    stream_read(t->order.stream, buf + t->n_held, STREAM_READ_MAX - t->n_held);

		if (n > 0) {
			if (hear(t, buf, t->n_held + n))
				return;
			continue;
		}
		if (n == STREAM_EOF)
			ended(t);
		else if (n != STREAM_AGAIN)
			broken(t);
		return;
	}
}

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	struct http1_talk *t = arg;

	MAGIC_CHECK(t, TALK_MAGIC);
	broken(t);
}

static const struct stream_ops callbacks = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

/* Asking */

/* It is gathered, and goes out in one piece. */
static void put(struct http1_talk *t, const char *text)
{
	struct iovec iov = {(char *)text, strlen(text)};

	stream_write(t->order.stream, &iov, 1);
}

static void put_field(struct http1_talk *t, const char *name, const char *value)
{
	put(t, name);
	put(t, ": ");
	put(t, value);
	put(t, "\r\n");
}

static void ask(struct http1_talk *t)
{
	const struct probe_question *q = t->order.question;

	put(t, t->order.method);
	put(t, " ");
	put(t, q->check.path);
	put(t, " HTTP/1.1\r\n");
	put_field(t, "Host", q->authority);
	if (!probe_question_has_field(q, "User-Agent"))
		put_field(t, "User-Agent", "perigee-probe");
	if (!probe_question_has_field(q, "Accept"))
		put_field(t, "Accept", "*/*");
	if (strcmp(t->order.method, "POST") == 0)
		put_field(t, "Content-Length", "0");
	for (unsigned i = 0; i < q->check.n_fields; i++)
		put_field(t, q->check.fields[i].name, q->check.fields[i].value);
	put(t, "Connection: close\r\n\r\n");
}

static void *begin(const struct probe_talk_order *order)
{
	struct http1_talk *t = xcalloc(1, sizeof(*t));

	t->magic = TALK_MAGIC;
	t->order = *order;
	arena_init(&t->arena, HEAD_ARENA);
	probe_answer_init(&t->answer, order->question);
	begin_head(t);
	stream_hand_over(order->stream, &callbacks, t);
	ask(t);
	return t;
}

static void end(void *arg)
{
	struct http1_talk *t = arg;

	MAGIC_CHECK(t, TALK_MAGIC);
	t->magic = MAGIC_DEAD;
	arena_fini(&t->arena);
	probe_answer_fini(&t->answer);
	free(t->held);
	free(t);
}

const struct probe_talk_ops probe_http1 = {.begin = begin, .end = end};
