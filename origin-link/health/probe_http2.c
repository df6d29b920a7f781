/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A probe's question by HTTP/2: a session of one stream, by nghttp2, for a plain question and for
 * the health protocol of gRPC. Control loop only.
 *
 * What a server can make us keep is bounded: header sections by nghttp2, content by
 * PROBE_CONTENT_MAX, at which the talk ends.
 */
#include "origin-link/health/probe_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "core/base/check.h"
#include "core/net/stream.h"

#define TALK_MAGIC 0x70683274u

/* Fields of a request: four of the protocol's own, then what gRPC wants, or User-Agent, Accept and
 * content-length. */
#define FIELDS_OWN 8

struct http2_talk {
	unsigned magic;
	struct probe_talk_order order;
	nghttp2_session *session;
	struct probe_answer answer;
	int status;      /* of the header section that is being read */
	int grpc_status; /* -1: none so far */
	char *content;   /* of the request; NULL: none */
	size_t n_content, n_sent;
	/* What is to be said once nghttp2 has returned. */
	bool is_over;
	enum probe_cause cause;
	const char *detail;
	char words[24]; /* for `detail` */
};

/* Only the first one counts. */
static void decide(struct http2_talk *t, enum probe_cause cause, const char *detail)
{
	if (t->is_over)
		return;
	t->is_over = true;
	t->cause = cause;
	t->detail = detail;
}

static void judge(struct http2_talk *t)
{
	if (t->order.question->check.kind != CFG_CHECK_GRPC) {
		decide(t, probe_answer_judge(&t->answer), NULL);
		return;
	}
	snprintf(t->words, sizeof(t->words), "grpc-status %d", t->grpc_status);
	decide(t, probe_grpc_judge(&t->answer, t->grpc_status),
	       t->grpc_status > 0 ? t->words : NULL);
}

/* What nghttp2 tells */

/* Of three digits, or two; else -1. */
static int read_number(const uint8_t *text, size_t n)
{
	int value = 0;

	if (n == 0 || n > 3)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + text[i] - '0';
	}
	return value;
}

static int header_cb(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
	struct span field = {(const char *)name, n_name};
	struct http2_talk *t = arg;

	if (span_equal(field, SPAN(":status")))
		t->status = read_number(value, n_value);
	else if (span_equal(field, SPAN("grpc-status")))
		t->grpc_status = read_number(value, n_value);
	return 0;
}

static int frame_cb(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_talk *t = arg;

	if (frame->hd.type == NGHTTP2_HEADERS && t->answer.status == 0 && t->status >= 200 &&
	    probe_answer_status(&t->answer, t->status))
		judge(t);
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && t->answer.status != 0)
		judge(t);
	return 0;
}

static int content_cb(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		      size_t n, void *arg)
{
	struct http2_talk *t = arg;

	if (probe_answer_content(&t->answer, (struct span){(const char *)data, n}))
		judge(t);
	return 0;
}

static int closed_cb(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	decide(arg, PROBE_RESET, nghttp2_http2_strerror(error));
	return 0;
}

static ssize_t give_content(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t size,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http2_talk *t = source->ptr;
	size_t n = MIN(size, t->n_content - t->n_sent);

	memcpy(buf, t->content + t->n_sent, n);
	t->n_sent += n;
	if (t->n_sent == t->n_content)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* The stream */

static void flush(struct http2_talk *t)
{
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(t->session, &data)) > 0)
		stream_write(t->order.stream, &(struct iovec){(void *)data, (size_t)n}, 1);
	if (n < 0)
		decide(t, PROBE_PREVENTED, nghttp2_strerror((int)n));
}

static void say(struct http2_talk *t)
{
	/* A response that cannot be understood is none. */
	bool answered = t->answer.status != 0 && t->cause != PROBE_BAD_RESPONSE &&
			t->cause != PROBE_RESET && t->cause != PROBE_PREVENTED;

	t->order.said(t->order.arg, t->cause, answered ? t->answer.status : 0, t->detail);
}

static void hear(struct http2_talk *t, const char *buf, size_t n)
{
	ssize_t taken = nghttp2_session_mem_recv(t->session, (const uint8_t *)buf, n);

	if (taken < 0)
		decide(t, PROBE_BAD_RESPONSE, nghttp2_strerror((int)taken));
	flush(t);
	if (!nghttp2_session_want_read(t->session))
		decide(t, PROBE_BAD_RESPONSE, "it does not speak HTTP/2");
}

static void broken(struct http2_talk *t)
{
	const char *detail;
	enum probe_cause cause = probe_talk_broken(t->order.stream, &detail);

	decide(t, cause, detail);
	say(t);
}

static void readable_cb(void *arg)
{
	struct http2_talk *t = arg;
	ssize_t n = STREAM_AGAIN;

	MAGIC_CHECK(t, TALK_MAGIC);
	while (!t->is_over &&
	       (n = stream_read(t->order.stream, t->order.buffers->plain, STREAM_READ_MAX)) > 0)
		hear(t, t->order.buffers->plain, (size_t)n);
	if (t->is_over)
		say(t);
	else if (n != STREAM_AGAIN)
		broken(t);
}

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	struct http2_talk *t = arg;

	MAGIC_CHECK(t, TALK_MAGIC);
	broken(t);
}

static const struct stream_ops callbacks = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

/* Asking */

static void start_session(struct http2_talk *t)
{
	/* Nobody is to push, nor to send us requests. */
	static const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},
	};
	nghttp2_session_callbacks *calls;

	CHECK(nghttp2_session_callbacks_new(&calls) == 0);
	nghttp2_session_callbacks_set_on_header_callback(calls, header_cb);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, frame_cb);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, content_cb);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, closed_cb);
	CHECK(nghttp2_session_client_new(&t->session, calls, t) == 0);
	nghttp2_session_callbacks_del(calls);
	CHECK(nghttp2_submit_settings(t->session, NGHTTP2_FLAG_NONE, settings,
				      ARRAY_SIZE(settings)) == 0);
}

/* nghttp2 copies names and values, and makes names lower case. */
static void put(nghttp2_nv *fields, size_t *n, const char *name, const char *value)
{
	fields[(*n)++] = (nghttp2_nv){
	    .name = (uint8_t *)name,
	    .value = (uint8_t *)value,
	    .namelen = strlen(name),
	    .valuelen = strlen(value),
	    .flags = NGHTTP2_NV_FLAG_NONE,
	};
}

static void ask(struct http2_talk *t)
{
	const struct probe_question *q = t->order.question;
	const struct cfg_check *check = &q->check;
	bool is_grpc = check->kind == CFG_CHECK_GRPC;
	nghttp2_data_provider provider = {.source.ptr = t, .read_callback = give_content};
	nghttp2_nv *fields = xcalloc(FIELDS_OWN + check->n_fields, sizeof(*fields));
	size_t n = 0;

	put(fields, &n, ":method", t->order.method);
	put(fields, &n, ":scheme", stream_tls_session(t->order.stream) ? "https" : "http");
	put(fields, &n, ":authority", q->authority);
	put(fields, &n, ":path", is_grpc ? PROBE_GRPC_PATH : check->path);
	if (is_grpc || !probe_question_has_field(q, "User-Agent"))
		put(fields, &n, "user-agent", "perigee-probe");
	if (is_grpc) {
		put(fields, &n, "content-type", "application/grpc");
		put(fields, &n, "te", "trailers");
		t->content = probe_grpc_request(check->service, &t->n_content);
	} else {
		if (!probe_question_has_field(q, "Accept"))
			put(fields, &n, "accept", "*/*");
		if (strcmp(t->order.method, "POST") == 0)
			put(fields, &n, "content-length", "0");
		for (unsigned i = 0; i < check->n_fields; i++)
			put(fields, &n, check->fields[i].name, check->fields[i].value);
	}
	CHECK(nghttp2_submit_request(t->session, NULL, fields, n, is_grpc ? &provider : NULL,
				     NULL) > 0);
	free(fields);
	flush(t);
}

static void *begin(const struct probe_talk_order *order)
{
	struct http2_talk *t = xcalloc(1, sizeof(*t));

	t->magic = TALK_MAGIC;
	t->order = *order;
	t->grpc_status = -1;
	probe_answer_init(&t->answer, order->question);
	start_session(t);
	stream_hand_over(order->stream, &callbacks, t);
	ask(t);
	return t;
}

static void end(void *arg)
{
	struct http2_talk *t = arg;

	MAGIC_CHECK(t, TALK_MAGIC);
	/* The last that is written: the server may be sending still. */
	if (stream_fault(t->order.stream) == STREAM_FAULT_NONE) {
		nghttp2_session_terminate_session(t->session, NGHTTP2_NO_ERROR);
		flush(t);
	}
	t->magic = MAGIC_DEAD;
	nghttp2_session_del(t->session);
	probe_answer_fini(&t->answer);
	free(t->content);
	free(t);
}

const struct probe_talk_ops probe_http2 = {.begin = begin, .end = end};
