/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two halves of an HTTP/1.1 client connection share this: client_h1.c has its life and its
 * stream, client_h1_message.c what goes in and out over it.
 */
#pragma once

#include "core/loop/deadline.h"
#include "edge/exchange/exchange.h"
#include "edge/h1/h1.h"
#include "edge/h1/h1_response.h"

#define H1_MAGIC 0x48314331u

enum h1_state {
	H1_IDLE, /* between requests */
	H1_HEAD, /* some of a head has come */
	H1_EXCHANGE,
	H1_ENDED, /* to be freed at the end of the turn */
};

struct edge_h1 {
	unsigned magic;
	enum h1_state state;
	struct edge_conn *conn;
	struct edge_worker *worker;
	struct stream *stream; /* the connection's */
	struct deadline deadline;
	struct loop_task turn; /* what is left to the end of the turn */
	enum reason end_reason;
	bool end_orderly;
	bool reading;    /* not paused */
	bool client_eof; /* it will send no more */
	char *kept;      /* bytes read ahead of their turn, or of an incomplete line */
	size_t kept_len;

	/* from the first byte of a request to the end of its exchange */
	struct edge_view *view;

	/* one request and its response */
	struct arena arena;
	mono_time began;
	struct h1_head_parser parser;
	struct http_head request;
	struct h1_body body;
	struct http_source source; /* of the request's content */
	struct http_sink sink;     /* of the response */
	struct edge_exchange *exchange;
	struct edge_h1_response response;
	bool request_ended;  /* it was read, or is of no more interest */
	bool origin_waits;   /* the origin takes no more of the request for now */
	bool informed;       /* a 100 (Continue) was sent */
	bool response_ended; /* all of it was written */
	bool source_waits;   /* the response waits for our resume() */
	bool write_waits;    /* the stream has not yet drained */
	bool close_after;
	uint64_t acked; /* of all we sent, when the write deadline was set */
};

/* client_h1.c */

/* The one way to end it: orderly with a close_notify, or else so that a break can be seen. Freed at
 * the end of the turn. */
void edge_h1_end(struct edge_h1 *c, enum reason reason, bool orderly);
/* Pauses or resumes the stream, and sets the deadline, by the state. */
void edge_h1_update_reading(struct edge_h1 *c);
void edge_h1_update_deadline(struct edge_h1 *c);
const struct cfg_http *edge_h1_http(const struct edge_h1 *c);

/* client_h1_message.c */

extern const struct http_source_ops edge_h1_source_ops;
extern const struct http_sink_ops edge_h1_sink_ops;

/* Feeds what was read, after what was kept, to the requests; keeps what is before its turn. `buf`
 * may be what was kept, taken out. */
void edge_h1_take_bytes(struct edge_h1 *c, const char *buf, size_t len);
/* A request whose head cannot be read to its end. */
void edge_h1_refuse(struct edge_h1 *c, int status, enum reason reason);
/* The rest of the request's content will not come, or not as content. */
void edge_h1_body_failed(struct edge_h1 *c, enum reason reason);
/* Writes a head that is still held back. */
void edge_h1_flush(struct edge_h1 *c);
