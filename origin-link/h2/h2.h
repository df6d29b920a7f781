/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's side of one HTTP/2 connection to an origin (RFC 9113), and its streams. One loop. It
 * takes an established stream of bytes and reads it until it is over; who may use it, and when it
 * is given up, is for its owner.
 *
 * What an origin can make grow is bounded. Of a session: nghttp2's memory, 40 KiB and less than
 * 1 KiB for each stream; what was sent to us and not granted, ORIGIN_H2_KEPT_MAX and at most the
 * connection's window more (ORIGIN_H2_WINDOW_MAX): only what is taken, or fits into the first, is
 * given back to that window. Of a stream: heads and trailers by its limits, in the arena of who
 * opens it; content by its window, which begins with ORIGIN_H2_WINDOW_MIN and grows as fast as
 * content is taken.
 */
#pragma once

#include "core/base/clock.h"
#include "core/http/flow.h"
#include "core/http/h1.h"
#include "core/http/h2_queue.h"
#include "origin-link/h2/h2_response.h"
#include "origin-link/h2/h2_window.h"

struct origin_h2;
struct origin_h2_stream;
struct stream;
struct stream_buffers;

/* Of a stream at first: 1 MB over a long path comes without a wait for a larger one. */
#define ORIGIN_H2_WINDOW_MIN (1024 * 1024)
/* Of a stream and of a connection at most: 1 Gbit/s over 150 ms are 18.75 MB on their way. */
#define ORIGIN_H2_WINDOW_MAX (24 * 1024 * 1024)
/* A client that had such a stream running and then stops reading leaves the connection to others.
 */
#define ORIGIN_H2_KEPT_MAX (32 * 1024 * 1024)
/* Streams of a connection, whatever the origin lets us open: more would share one loss of TCP. */
#define ORIGIN_H2_STREAMS_MAX 256

/* Sessions */

struct origin_h2_ops {
	/* There may be more room, or less, or it has begun to leave. From the loop, at the end of
	 * a turn; it may be destroyed in here if no stream is open. */
	void (*changed)(void *arg);
	/* The origin's settings have come, or it wants HTTP/1.1 (RFC 9113 section 7). At once,
	 * before streams are told what has become of them; nothing may be done with the session in
	 * here. */
	void (*said)(void *arg);
};

/* Sends the preface. Consumes the stream (established), also when memory is gone: then NULL.
 * `scheme`: "https" or "http", for what is sent. `patience`: as long as a server that is there may
 * take to acknowledge something. */
struct origin_h2 *origin_h2_create(struct stream_buffers *b, struct stream *stream,
				   struct span scheme, duration patience,
				   const struct origin_h2_ops *ops, void *arg);
/* No stream is open. With a GOAWAY, and in order, if it is still alive. */
void origin_h2_destroy(struct origin_h2 **h);

/* How many streams may be opened now; 0 for one that is leaving. */
unsigned origin_h2_room(const struct origin_h2 *h);
/* As many as may be open at once: what the origin has said, or what is assumed until it has. */
unsigned origin_h2_streams_max(const struct origin_h2 *h);
unsigned origin_h2_streams(const struct origin_h2 *h);
/* No new streams from now on: the last to end is the end of it. */
void origin_h2_leave(struct origin_h2 *h);
/* changed() comes at the end of the turn. */
void origin_h2_note(struct origin_h2 *h);
/* It is leaving: the origin or its owner has said so, ids have run out, or it is broken. */
bool origin_h2_is_leaving(const struct origin_h2 *h);
/* Nothing comes or goes any more. */
bool origin_h2_is_over(const struct origin_h2 *h);
/* The origin has said what it allows. */
bool origin_h2_has_settings(const struct origin_h2 *h);
/* It has, and takes an extended CONNECT (RFC 8441). */
bool origin_h2_takes_connect(const struct origin_h2 *h);
/* It has. */
bool origin_h2_wants_h1(const struct origin_h2 *h);
/* The server does not answer any more: gives up all streams. `detail`: for the log, a literal. */
void origin_h2_vanished(struct origin_h2 *h, const char *detail);
struct stream *origin_h2_bytes(const struct origin_h2 *h);

/* Streams: one request and its response */

/* How a stream has ended before its response did. */
struct origin_h2_death {
	enum reason reason;
	const char *detail; /* for the log, as long as the session lives; or NULL */
	/* The server has surely not acted on the request: it has said so, or was never told. */
	bool unacted;
	/* It has reset this stream, whatever becomes of the others. */
	bool alone;
	/* It does not answer at all. */
	bool vanished;
	/* The response was malformed: no other try would be better. */
	bool spoilt;
};

/* Called from the loop, never from inside an origin_h2_...() call. The stream may be closed in all
 * of them. Their order is that of core/http/flow.h. */
struct origin_h2_stream_ops {
	/* Informational (status < 200), or final. It lives in the arena. */
	void (*head)(struct origin_h2_stream *s, struct http_head *head, bool end);
	/* As granted. */
	void (*content)(struct origin_h2_stream *s, struct slice slice, bool end);
	void (*trailers)(struct origin_h2_stream *s, struct http_fields *trailers);
	/* What was sent is on its way, after origin_h2_stream_send() has said false. */
	void (*drained)(struct origin_h2_stream *s);
	/* The response was not complete. Nothing follows but that it is to be closed. */
	void (*died)(struct origin_h2_stream *s, const struct origin_h2_death *death);
};

struct origin_h2_order {
	struct http_head *head; /* must live until the stream is closed */
	bool end;               /* there is no content */
	/* A WebSocket, by an extended CONNECT; waits for the origin's SETTINGS, and dies if it
	 * takes none. */
	bool connect;
	bool refused;                   /* dies: HTTP/2 has no way to ask for that */
	struct arena *arena;            /* of the response's heads and trailers */
	const struct h1_limits *limits; /* of those; outlives the stream */
};

enum origin_h2_request { ORIGIN_H2_SENDS, ORIGIN_H2_TRAILS, ORIGIN_H2_SENT };

enum origin_h2_response {
	ORIGIN_H2_AWAITS,
	ORIGIN_H2_RECEIVES,
	ORIGIN_H2_WHOLE, /* all is here; some of it may not have been granted yet */
	ORIGIN_H2_TOLD,  /* its end, or its death */
};

/* Embedded in who opens it; private. */
struct origin_h2_stream {
	unsigned magic;
	const struct origin_h2_stream_ops *ops;
	struct origin_h2 *session; /* NULL: closed */
	TAILQ_ENTRY(origin_h2_stream) link, ready_link;
	int32_t id;
	struct arena *arena;
	const struct h1_limits *limits;
	bool is_ready;    /* in the session's list of those with something to tell */
	bool has_left;    /* nghttp2 knows it no more */
	bool is_deferred; /* it has no content for nghttp2, and tells it when it has */
	bool was_sent;    /* its head */
	bool is_held;     /* `held` waits for the origin's SETTINGS */
	bool dies;        /* of `death`: to be told */
	struct origin_h2_order held;
	struct origin_h2_death death;

	/* the request */
	enum origin_h2_request request;
	bool waits;          /* drained() is owed */
	bool end_sent;       /* its last frame has gone */
	uint64_t sent;       /* content, to the connection */
	struct slice now;    /* what is being sent, until that returns */
	struct h2_queue out; /* content that could not be written yet */
	const struct http_fields *request_trailers;

	/* the response */
	enum origin_h2_response response;
	struct http_head *head; /* being read; NULL: none */
	struct h2_response_parser parser;
	size_t informational_bytes;
	struct http_fields trailers;
	size_t trailer_bytes;
	const char *bad; /* why it is of no use; NULL: it is not */
	bool is_head;    /* answers HEAD */
	bool is_connect; /* answers an extended CONNECT */
	bool has_length;
	uint64_t length_left;
	size_t credit;      /* content that is granted, and was not pushed yet */
	struct h2_queue in; /* content that came before its credit */
	struct h2_window window;
};

void origin_h2_stream_init(struct origin_h2_stream *s, const struct origin_h2_stream_ops *ops);
/* There is room. False when memory is gone: it is closed then. The head goes out at the end of the
 * turn, or with what is sent before. */
bool origin_h2_stream_open(struct origin_h2 *h, struct origin_h2_stream *s,
			   const struct origin_h2_order *order);
/* Content of the request (n may be 0 only with `end`); `end`: and there is no more. True: go on.
 * False: it waits, and drained() follows. */
bool origin_h2_stream_send(struct origin_h2_stream *s, struct slice slice, bool end);
/* In the place of an end; they must live until the stream is closed. */
void origin_h2_stream_send_trailers(struct origin_h2_stream *s, const struct http_fields *trailers);
/* All that was sent has been given to the connection. */
bool origin_h2_stream_is_sent(const struct origin_h2_stream *s);
/* A number that changes when some of it was taken by the other side, or has got closer to that. */
uint64_t origin_h2_stream_progress(const struct origin_h2_stream *s);
/* So much more of the response's content may be told. */
void origin_h2_stream_grant(struct origin_h2_stream *s, size_t n);
/* Whatever its state; the origin is told if it has something left to do. Nothing to do for one that
 * is closed. */
void origin_h2_stream_close(struct origin_h2_stream *s);
bool origin_h2_stream_is_open(const struct origin_h2_stream *s);
