/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of an HTTP/2 session with an origin share this: h2_session.c has its life, its bytes
 * and its time, h2_frames.c what nghttp2 tells, h2_stream.c the life of one stream, h2_request.c
 * what goes out on it, h2_receive.c what comes in, h2_write.c what is written when. Nobody else
 * includes it, but for their tests.
 *
 * A session:
 *
 * state   | new streams | what it does                                   | silence
 * --------+-------------+------------------------------------------------+---------------------
 * OPEN    | as granted  | whatever its streams do                        | a PING, then its end
 * LEAVING | none        | the same; over with the last of its streams    | the same
 * OVER    | none        | nothing; what is whole of streams is still told | nothing
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "core/http/h2_guard.h"
#include "core/loop/deadline.h"
#include "core/net/stream.h"
#include "origin-link/h2/h2.h"

#define ORIGIN_H2_MAGIC 0x4f483243u
#define ORIGIN_H2_STREAM_MAGIC 0x4f483253u

/* Of a kind of frames that do no work so many are free in ten seconds (core/http/h2_guard.h): far
 * more than any origin has a reason to send. */
#define ORIGIN_H2_FRAMES 1000
/* Streams that the origin resets, or makes us reset. One that refuses all of its 256 streams,
 * twice, is not hostile. */
#define ORIGIN_H2_RESETS 1000

/* Of a connection at first: several streams of ORIGIN_H2_WINDOW_MIN. */
#define ORIGIN_H2_CONN_WINDOW (4 * 1024 * 1024)

enum origin_h2_state { ORIGIN_H2_OPEN, ORIGIN_H2_LEAVING, ORIGIN_H2_OVER };

struct h2_output;
TAILQ_HEAD(origin_h2_streams, origin_h2_stream);

struct origin_h2 {
	unsigned magic;
	enum origin_h2_state state;
	struct loop *loop;
	struct stream_buffers *buffers;
	struct stream *stream;
	struct span scheme;
	const struct origin_h2_ops *ops;
	void *arg;
	nghttp2_session *session;
	struct loop_task turn; /* what is left to the end of the turn */
	struct deadline quiet; /* when silence has lasted for long enough to do something */
	struct h2_guard guard;

	struct origin_h2_streams streams, ready;
	unsigned n_streams;

	bool reading;      /* not paused */
	bool feeding;      /* nghttp2 reads: nothing is written */
	bool write_waits;  /* the stream has not yet drained */
	bool changed;      /* the owner is to be told */
	bool has_settings; /* the origin's have come */
	bool wants_h1;
	bool says_why; /* a GOAWAY of ours tells of a fault: over once it is written */
	enum reason end_reason;
	const char *end_detail; /* a literal, or of the stream; NULL: none */
	bool vanished;
	struct h2_output *output; /* what is being written, while nghttp2 writes */

	/* what comes in */
	size_t frame_left; /* of the DATA frame that is being read: content, unless it is padded */
	bool frame_padded;
	size_t wide; /* what the streams' windows have above the least, in sum */
	struct h2_window window;
	size_t first_window; /* of a stream, unless others have too much */

	/* silence */
	mono_time heard;  /* when something came */
	mono_time worked; /* when a header section or content came */
	mono_time asked;  /* when the last PING of this silence went; ns == 0: none has */
	bool awaits_word;

	/* what TCP tells */
	struct deadline look; /* set while a stream waits for the first word of its response */
	duration patience;
	uint64_t acked;  /* at the last look */
	mono_time moved; /* when that was more than before, or nothing was outstanding */
};

/* h2_session.c */

/* It is of no more use: its streams are told at the end of the turn. `detail` as in end_detail. */
void origin_h2_end(struct origin_h2 *h, enum reason reason, const char *detail);
/* The same, after a GOAWAY that says why. `detail`: a literal. */
void origin_h2_terminate(struct origin_h2 *h, uint32_t code, enum reason reason,
			 const char *detail);
void origin_h2_set_wants_h1(struct origin_h2 *h);
void origin_h2_flooded(struct origin_h2 *h, enum h2_flood kind);
/* At the end of the turn: what is left to do. */
void origin_h2_defer(struct origin_h2 *h);
mono_time origin_h2_now(const struct origin_h2 *h);
/* Of the way to the origin, as TCP has measured it; 0 where it has not. */
duration origin_h2_rtt(const struct origin_h2 *h);
/* A request goes out: the server is to acknowledge it. */
void origin_h2_watch(struct origin_h2 *h);
/* Bytes that the other side has acknowledged. */
uint64_t origin_h2_acked(const struct origin_h2 *h);

/* h2_frames.c */

/* NULL when memory is gone. */
nghttp2_session *origin_h2_nghttp2(struct origin_h2 *h);
bool origin_h2_is_fatal(struct origin_h2 *h, int rv);

/* h2_stream.c */

/* Its stream, if it is still open. */
struct origin_h2_stream *origin_h2_stream_find(struct origin_h2 *h, int32_t id);
/* nghttp2 knows it no more. */
void origin_h2_stream_left(struct origin_h2_stream *s, uint32_t code);
/* It has something to tell at the end of the turn. */
void origin_h2_stream_ready(struct origin_h2_stream *s);
void origin_h2_stream_tell(struct origin_h2_stream *s);
/* It ends before its response does, which is told at the end of the turn. */
void origin_h2_stream_die(struct origin_h2_stream *s, const struct origin_h2_death *death);
/* The origin has broken a rule: it is reset, and dies of it. */
void origin_h2_stream_spoil(struct origin_h2_stream *s, const char *why);
/* All that have an id above that, which the origin has not acted upon. */
void origin_h2_streams_refused(struct origin_h2 *h, int32_t above);
/* SETTINGS have come: those that have waited for them go, or die. */
void origin_h2_streams_held(struct origin_h2 *h);
/* The session is over. */
void origin_h2_streams_end(struct origin_h2 *h);

/* h2_request.c */

/* The origin's id for it, or nghttp2's error. */
int32_t origin_h2_submit(struct origin_h2_stream *s, const struct origin_h2_order *order);
/* nghttp2 asks for content, and takes what it was offered. */
ssize_t origin_h2_offer(struct origin_h2_stream *s, size_t max, uint32_t *flags);

/* h2_receive.c */

/* Its head has gone: nghttp2 knows it from now on. */
void origin_h2_open_wide(struct origin_h2_stream *s);
void origin_h2_begin_section(struct origin_h2_stream *s);
/* False: the section is of no use, and the stream dies of it. */
bool origin_h2_field(struct origin_h2_stream *s, struct span name, struct span value);
/* The section is whole. */
void origin_h2_section(struct origin_h2_stream *s, bool end);
/* `last`: the end of the response comes with it. */
void origin_h2_content(struct origin_h2_stream *s, const uint8_t *data, size_t n, bool last);
/* END_STREAM, on whatever frame. */
void origin_h2_end_of_content(struct origin_h2_stream *s);
/* At the end of the turn: what is kept, as far as it is granted, and the end. */
void origin_h2_tell_kept(struct origin_h2_stream *s);
/* Content of a stream that is closed. */
void origin_h2_consume(struct origin_h2 *h, size_t n);

/* h2_write.c */

/* Writes what nghttp2 has, as far as the stream takes it. Not while nghttp2 reads. */
void origin_h2_write(struct origin_h2 *h);
/* The same, whether the stream takes it or not: the last of a session. */
void origin_h2_write_last(struct origin_h2 *h);
ssize_t origin_h2_write_control(struct origin_h2 *h, const uint8_t *data, size_t n);
void origin_h2_write_content(struct origin_h2_stream *s, const uint8_t *header, size_t n);
/* Whether nghttp2 is to pause. */
bool origin_h2_write_is_full(const struct origin_h2 *h);
