/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of an HTTP/1.1 client connection share this: h1_conn.c has its life and its stream,
 * h1_request.c reads requests off it, h1_reply.c writes responses to it. Nobody else includes it.
 *
 * What is set when:
 *
 * state    |                                        | exchange | deadline
 * ---------+----------------------------------------+----------+---------------------------------
 * IDLE     | between requests                       | NULL     | http.timeout.keep_alive
 * HEAD     | some of a head has come                | open     | http.timeout.head
 * EXCHANGE | its head has come whole, or is refused | open     | by what is waited for: below
 * ENDED    | to be freed at the end of the turn     | any      | none
 *
 * in EXCHANGE, the first that is so:
 *   in a tunnel                             http.timeout.tunnel since the last byte
 *   the client does not take the response   http.timeout.write, by its pace
 *   content is awaited, and would be taken  http.timeout.body, by its pace
 *   else it is the origin's time, which the link to it watches
 * While content is awaited, an early response that goes out is progress too: its reader may have
 * stopped.
 *
 * request_side  | content from the client      response_side | content to the client
 * --------------+-----------------------       --------------+------------------------------
 * CONTENT       | goes on to the exchange      AWAITED       | no final head was written
 * ASKED         | is kept until the answer     CONTENT       | a message's
 * TUNNEL        | any bytes                    TUNNEL        | any bytes
 * SKIPPED       | is all here, thrown away     ENDED         | all was written
 * ENDED         | belongs to the next request
 * UNWANTED      | is thrown away
 */
#pragma once

#include "core/http/h1.h"
#include "core/loop/deadline.h"
#include "edge/conn/conn.h"
#include "edge/exchange/exchange.h"
#include "edge/h1/h1_response.h"
#include "edge/limit/pace.h"

#define H1_MAGIC 0x48314331u

enum h1_state { H1_IDLE, H1_HEAD, H1_EXCHANGE, H1_ENDED };

enum h1_request_side {
	H1_REQUEST_CONTENT,
	H1_REQUEST_ASKED,
	H1_REQUEST_TUNNEL,
	H1_REQUEST_SKIPPED,
	H1_REQUEST_ENDED,
	H1_REQUEST_UNWANTED,
};

enum h1_response_side {
	H1_RESPONSE_AWAITED,
	H1_RESPONSE_CONTENT,
	H1_RESPONSE_TUNNEL,
	H1_RESPONSE_ENDED,
};

/* One request and its response: assigned whole at the first byte of the request. */
struct h1_message {
	struct edge_exchange *exchange;
	struct flow_leg leg;
	struct http_head *request; /* the exchange's */
	struct h1_head_parser parser;
	struct h1_body body;
	enum h1_request_side request_side;
	enum h1_response_side response_side;
	bool informed;         /* a 100 (Continue) was sent */
	bool content_began;    /* something of it has come, with or without leave */
	bool close_after;      /* no request may follow it on this connection */
	bool content_is_here;  /* all of it came with the head */
	size_t request_credit; /* content that the exchange will still take */
	size_t granted;        /* of the response, and not yet pushed */
	size_t window;         /* up to which it is granted again when the client takes all */
	struct pace sending;   /* of the client, content */
	struct pace taking;    /* the response */
	struct h1_response response;
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
	enum edge_close end_how;
	bool reading;     /* not paused */
	bool client_eof;  /* it will send no more */
	bool feeding;     /* bytes are being dealt with: what a grant allows is found on return */
	bool write_waits; /* the stream has not yet drained */
	uint64_t acked;   /* of all we sent, when it was last looked at for that */
	char *kept;       /* bytes read ahead of their turn, or of an incomplete line */
	size_t kept_len;
	struct flow_source source;  /* of the request */
	struct flow_sink sink;      /* of the response */
	struct h1_message *message; /* NULL in IDLE: most connections are idle most of the time */
};

/* h1_conn.c */

/* The only way to another state: it tells the log. */
void h1_set_state(struct edge_h1 *c, enum h1_state state);
/* The one way to end it. Freed at the end of the turn. */
void h1_end(struct edge_h1 *c, enum reason reason, enum edge_close how);
/* Pauses or resumes the stream, by the state. */
void h1_update_reading(struct edge_h1 *c);
void h1_update_deadline(struct edge_h1 *c);
/* At the first byte of a request. */
void h1_begin_paces(struct edge_h1 *c);
/* The final head has gone out. */
void h1_pace_answered(struct edge_h1 *c);
/* Some content came, or went out in answer to some that is still to come. */
void h1_content_progress(struct edge_h1 *c, size_t n);
const struct cfg_http *h1_http(const struct edge_h1 *c);

/* h1_request.c */

extern const struct flow_source_ops h1_source_ops;
/* How many bytes may be read now; 0: none. */
size_t h1_wanted(const struct edge_h1 *c);
/* Feeds what was read, after what was kept, to the requests; keeps what is before its turn. */
void h1_take_bytes(struct edge_h1 *c, char *buf, size_t len);
/* What was kept, when its turn may have come. */
void h1_take_kept(struct edge_h1 *c);
/* A request whose head cannot be read to its end. */
void h1_refuse(struct edge_h1 *c, int status, enum reason reason);
/* The rest of the request's content will not come, or not as content. */
void h1_content_failed(struct edge_h1 *c, enum reason reason);
/* The client has sent all that it will. */
void h1_reached_eof(struct edge_h1 *c);

/* h1_reply.c */

extern const struct flow_sink_ops h1_sink_ops;
/* The first of the response's credit. */
void h1_grant_first(struct edge_h1 *c);
void h1_drained(struct edge_h1 *c);
