/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of an HTTP/2 client connection share this: h2_conn.c has its life, its stream of bytes
 * and its deadlines, h2_session.c what nghttp2 tells of frames, h2_stream.c the life of one stream,
 * h2_memory.c its memory, h2_request.c reads requests, h2_response.c takes responses, h2_write.c
 * decides what of them is written when, h2_pace.c whether the client keeps pace. Nobody else
 * includes it.
 *
 * A connection:
 *
 * state    |                                            | deadline
 * ---------+--------------------------------------------+---------------------------------
 * IDLE     | no request is under way                    | http.timeout.keep_alive
 * HEAD     | a header section has begun and is not      | http.timeout.head
 *          | whole; whatever else goes on               |
 * BUSY     | requests are under way, or the last of     | a tick, at which each stream is looked at
 *          | their responses is, or they linger         |
 * ENDED    | to be freed at the end of the turn         | none
 *
 * and whether it goes on:
 *
 * leaving  | what the client was told
 * ---------+-------------------------------------------------------------------------------
 * STAYS    | nothing
 * NOTICED  | GOAWAY that names no stream, and a PING: what it has sent meanwhile is served
 * GONE     | GOAWAY that names the last stream; it ends with the last of its streams
 * OVER     | GOAWAY with an error: it ends as soon as that is written
 *
 * A stream:
 *
 * request_side  | content from the client         response_side | content to the client
 * --------------+--------------------------       --------------+------------------------------
 * HEAD          | none: its head is not whole     AWAITED       | no final head was submitted
 * CONTENT       | goes on to the exchange         CONTENT       | a message's
 * ASKED         | is kept until the answer        TUNNEL        | any bytes
 * TUNNEL        | any bytes                       ENDED         | all is here; some may be queued
 * ENDED         | none is to come                 MUTED         | is thrown away: it was reset
 * UNWANTED      | is thrown away
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "core/http/h2_guard.h"
#include "core/http/h2_queue.h"
#include "core/http/websocket.h"
#include "core/loop/deadline.h"
#include "edge/conn/conn.h"
#include "edge/exchange/exchange.h"
#include "edge/h2/h2_head.h"
#include "edge/h2/h2_priority.h"
#include "edge/limit/pace.h"

#define H2_MAGIC 0x48324332u
#define H2_STREAM_MAGIC 0x48325332u

/* So many streams are remembered whose response has ended before their request. */
#define H2_LINGERING_MAX 16

enum h2_state { H2_IDLE, H2_HEAD, H2_BUSY, H2_ENDED };

enum h2_leaving { H2_STAYS, H2_NOTICED, H2_GONE, H2_OVER };

enum h2_request_side {
	H2_REQUEST_HEAD,
	H2_REQUEST_CONTENT,
	H2_REQUEST_ASKED,
	H2_REQUEST_TUNNEL,
	H2_REQUEST_ENDED,
	H2_REQUEST_UNWANTED,
};

enum h2_response_side {
	H2_RESPONSE_AWAITED,
	H2_RESPONSE_CONTENT,
	H2_RESPONSE_TUNNEL,
	H2_RESPONSE_ENDED,
	H2_RESPONSE_MUTED,
};

struct edge_h2;

/* One request and its response. */
struct h2_stream {
	unsigned magic;
	int32_t id;
	struct edge_h2 *conn;
	TAILQ_ENTRY(h2_stream) link; /* of the connection's open ones, or of the closed */
	struct edge_exchange *exchange;
	struct flow_leg leg;
	struct flow_source source; /* of the request */
	struct flow_sink sink;     /* of the response */
	enum h2_request_side request_side;
	enum h2_response_side response_side;
	bool closed;            /* for nghttp2; freed at the end of the turn */
	enum reason end_reason; /* that the exchange ends with; NONE: by how it was closed */

	/* the request */
	struct http_head *request; /* the exchange's */
	struct h2_head_parser parser;
	struct http_fields trailers;
	size_t trailer_bytes;
	bool trailers_bad;
	bool all_here;      /* END_STREAM has come */
	bool informed;      /* a 100 (Continue) was sent */
	bool content_began; /* something of it has come, with or without leave */
	bool unasked;       /* whole, and not yet passed on: others may go first */
	char websocket_key[WEBSOCKET_KEY + 1]; /* empty: it asks for none */
	size_t request_credit;                 /* content that the exchange will still take */
	size_t request_window;                 /* what the client may send, as it was told */
	struct h2_queue up;                    /* content that came before its credit */
	struct pace sending;
	mono_time last_in; /* content */

	/* the response */
	bool bodiless; /* answers HEAD: content that comes all the same is dropped */
	unsigned urgency;
	bool flows;                            /* it is among the connection's priorities */
	bool deferred;                         /* and does so again when it is told to */
	size_t granted;                        /* of the response, and not yet pushed */
	size_t window;                         /* up to which it is granted again */
	struct slice now;                      /* what is being pushed, until the push returns */
	struct h2_queue down;                  /* content that could not be written yet */
	struct http_fields *response_trailers; /* NULL: none */
	struct pace taking;                    /* when it is the client's window that is shut */
	uint64_t seen_sent; /* content_sent of the connection, when that was last looked at */
	mono_time last_out; /* when some of it was written */
};

struct h2_output;
TAILQ_HEAD(h2_streams, h2_stream);

struct edge_h2 {
	unsigned magic;
	enum h2_state state;
	enum h2_leaving leaving;
	struct edge_conn *conn;
	struct edge_worker *worker;
	struct stream *stream; /* the connection's */
	nghttp2_session *session;
	struct deadline deadline;
	int32_t last;          /* GONE: the last stream that is served, as GOAWAY says */
	mono_time leave_at;    /* NOTICED: when the client is not waited for any more */
	mono_time look;        /* when the streams are to be looked at; ns == 0: not yet known */
	struct loop_task turn; /* what is left to the end of the turn */
	enum reason end_reason;
	enum edge_close end_how;
	struct h2_streams streams, closed;
	unsigned n_streams;
	/* Of the client's streams, used or not; and those between two that were passed over. */
	int32_t highest, passed_from, passed_to;
	struct h2_stream *in_head; /* whose header section is being read, trailers too; or NULL */
	bool reading;              /* not paused */
	bool feeding;              /* nghttp2 reads, or h2_each_stream(): nothing is written */
	bool up_waits;             /* some stream has content whose credit has come */
	bool write_waits;          /* the stream has not yet drained */
	struct pace taking;        /* while it has not */
	uint64_t acked;            /* of all we sent, when that was last looked at */
	uint64_t content_sent;     /* of all streams */
	struct h2_output *output;  /* what is being written, while nghttp2 writes */
	int32_t lingering[H2_LINGERING_MAX]; /* oldest first */
	unsigned n_lingering;
	size_t held;    /* bytes in the queues of all streams */
	size_t windows; /* of all streams, for their responses */
	size_t wide;    /* what the streams' windows for requests have above the least, in sum */
	struct h2_priorities priorities;
	struct h2_update update; /* that is being read */
	struct h2_early_priority early[H2_EARLY_MAX];
	unsigned next_early;
	/* Bits: urgencies of which some streams may not be asked or granted yet, as others are more
	 * urgent. */
	unsigned held_back;
	struct h2_guard guard;
	nghttp2_mem memory; /* where nghttp2 has its own from */
	bool shares_frame;  /* its first buffer of frames is the worker's */
};

/* h2_conn.c */

/* How long a client has to see that its response is whole. */
#define H2_LINGER DUR_MS(500)

/* The one way to end it. Freed at the end of the turn. */
void h2_end(struct edge_h2 *c, enum reason reason, enum edge_close how);
/* Ends it with a GOAWAY that says why, once that is written. */
void h2_terminate(struct edge_h2 *c, uint32_t code, enum reason reason);
/* The client has done too much of that. */
void h2_flooded(struct edge_h2 *c, enum h2_flood kind);
/* The client has seen the notice: now it is told which stream was the last. */
void h2_leave(struct edge_h2 *c);
/* The streams are looked at no later than that: what is asked for often puts nothing off. */
void h2_look_within(struct edge_h2 *c, duration after);
/* At the end of the turn: what is left to do. */
void h2_defer(struct edge_h2 *c);
/* Nothing is written meanwhile, whatever the exchanges push: so no stream is closed, which would
 * take the way through the others away. */
void h2_each_stream(struct edge_h2 *c, void (*visit)(struct h2_stream *));
/* Bytes more or less in the queues of its streams: they count as what the node holds for it. */
void h2_hold(struct edge_h2 *c, ssize_t n);
const struct cfg_http *h2_http(const struct edge_h2 *c);
mono_time h2_now(const struct edge_h2 *c);

/* h2_session.c */

/* NULL when memory is gone. */
nghttp2_session *h2_session_create(struct edge_h2 *c);
/* A stream that was just opened gets the priority that was said of it before. */
void h2_session_take_early_priority(struct h2_stream *s);

/* h2_memory.c */

/* Sets c->memory. */
void h2_memory_init(struct edge_h2 *c);

/* h2_stream.c */

/* NULL: there is no room. */
struct h2_stream *h2_stream_open(struct edge_h2 *c, int32_t id);
/* nghttp2 knows it no more. */
void h2_stream_closed(struct h2_stream *s, uint32_t code);
void h2_stream_free(struct h2_stream *s);
/* Its response was sent, its request has not come whole: it goes, and its content is thrown away.
 * For a while: some clients lose a response that comes with a reset. */
void h2_stream_linger(struct h2_stream *s);
/* That one was closed. */
void h2_stream_lingers_no_more(struct edge_h2 *c, int32_t id);
/* The while is over: the clients are told to send no more (RFC 9113 section 8.1). */
void h2_stream_reset_lingering(struct edge_h2 *c, unsigned n);
/* The client is told that it will not be completed. */
void h2_stream_reset(struct h2_stream *s, uint32_t code, enum reason reason);
/* What it waits for may have taken too long. */
void h2_stream_check_time(struct h2_stream *s);

/* h2_pace.c */

/* Of a new stream. */
void h2_pace_begin(struct h2_stream *s);
/* Whether it is the client's turn to send content may have changed. */
void h2_pace_update(struct h2_stream *s);
/* The final head has come: what the client was behind by is forgiven. */
void h2_pace_answered(struct h2_stream *s);
void h2_pace_content_came(struct h2_stream *s, size_t n);
void h2_pace_content_sent(struct h2_stream *s, size_t n);
/* At a tick: one that is too slow fails, or is reset. */
void h2_pace_check_sending(struct h2_stream *s);
void h2_pace_check_taking(struct h2_stream *s);
/* Of a new connection, when what is written begins or ceases to wait, and at a tick. `acked`: of
 * all that was sent. */
void h2_pace_begin_conn(struct edge_h2 *c);
void h2_pace_update_conn(struct edge_h2 *c);
void h2_pace_check_conn(struct edge_h2 *c, uint64_t acked);

/* h2_request.c */

extern const struct flow_source_ops h2_source_ops;
void h2_request_field(struct h2_stream *s, struct span name, struct span value);
/* Its header section is whole. */
void h2_request_head(struct h2_stream *s, bool end);
/* Passes on one that waits for others. */
void h2_request_ask(struct h2_stream *s);
void h2_request_content(struct h2_stream *s, const uint8_t *data, size_t n);
/* END_STREAM, on whatever frame. */
void h2_request_end(struct h2_stream *s);
/* What was kept, when there may be credit for it. */
void h2_request_take_kept(struct h2_stream *s);
/* It will not be taken, so it does not count against the connection's window any more. */
void h2_request_drop_kept(struct h2_stream *s);
/* It is closed, and its window counts no more. */
void h2_request_leave_window(struct h2_stream *s);
/* Its head cannot be taken: it counts as a request, which gets `status`, or with 0 a reset. */
void h2_request_refuse(struct h2_stream *s, int status);
/* Awaited content did not come. */
void h2_request_failed(struct h2_stream *s, enum reason reason);
/* Content is awaited, and would be taken. */
bool h2_request_is_due(const struct h2_stream *s);

/* h2_response.c */

extern const struct flow_sink_ops h2_sink_ops;
/* Submits those of its response: after its content, as its end. 0, or nghttp2's error. */
int h2_response_trailers(struct h2_stream *s);
/* h2_write.c */

/* Writes what nghttp2 has, as far as the stream takes it. Not while nghttp2 reads. */
void h2_write(struct edge_h2 *c);
/* The same, whether the stream takes it or not: the last of a connection. */
void h2_write_last(struct edge_h2 *c);
ssize_t h2_write_control(struct edge_h2 *c, const uint8_t *data, size_t n);
/* Where nghttp2 has the content of responses from: its read_callback and send_data_callback. */
ssize_t h2_write_offer(struct h2_stream *s, size_t max, uint32_t *flags);
int h2_write_content(struct h2_stream *s, const uint8_t *header, size_t n);
/* Content was pushed by the exchange: writes it, or keeps it. */
void h2_write_push(struct h2_stream *s, struct slice slice);
/* Its content can go on, or has ended. */
void h2_write_resume(struct h2_stream *s);
/* Grants as much as may be held for it. */
void h2_write_grant(struct h2_stream *s);
/* A response is awaited from now on: it is asked for and granted at the end of the turn, when it is
 * known what else the client wants. */
void h2_write_begin(struct h2_stream *s);
/* It is awaited no more. */
void h2_write_end(struct h2_stream *s);
void h2_write_set_urgency(struct h2_stream *s, unsigned urgency);
/* Streams that were held back are asked for and granted, if their turn has come. */
void h2_write_grant_held_back(struct edge_h2 *c);
