/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of a stream share: stream.c (the socket, its events and its output queue),
 * stream_tls.c (what GnuTLS does between that and the user), stream_close.c (the orderly end).
 * Nobody else includes this.
 */
#pragma once

#include <event2/event_struct.h>

#include "core/net/stream.h"

#define STREAM_MAGIC 0x57e4a301u

/* Bytes that the socket did not take. Owns memory only while there are any. */
struct stream_queue {
	char *data;
	size_t start, end, size;
};

struct stream {
	/* Immutable. */
	uint32_t magic;
	int fd;
	struct stream_tls *tls; /* NULL: plain */

	/* Whose it is: all NULL while it is parked; ops is NULL while it closes. */
	struct stream_buffers *b;
	const struct stream_ops *ops;
	void *arg;

	/* Owner only, as all of the rest. */
	struct event read_event, write_event;
	struct loop_task again; /* readable() or failed() at the end of this turn */
	struct stream_queue queue;
	size_t recv_left; /* how much may still be taken from the socket in this event */
	bool *left;       /* set to true when its user lets go of it inside a callback */

	bool handshaking; /* or failed in it */
	bool paused;
	bool read_armed, write_armed;
	bool end_told; /* stream_read() has returned `end` */
	bool write_failed, failed_told;
	enum stream_status end; /* what reading ended with; STREAM_AGAIN: it goes on */
	enum reason reason;
	char *error_text;

	struct stream_closing *closing; /* NULL: in use */
	TAILQ_ENTRY(stream) closing_link;
};

/* Calls one of the user's functions; false when the stream is no longer ours (and maybe gone). */
bool stream_call(struct stream *s, void (*fn)(void *arg));
/* readable(), now, and again at the end of the turn if that left something. */
void stream_call_readable(struct stream *s);
/* readable() at the end of the turn if something is waiting that no event will tell of. */
void stream_look_again(struct stream *s);

void stream_arm_read(struct stream *s);
void stream_disarm_read(struct stream *s);

/* One recv() within the bound of this event. > 0, 0 at FIN, or a negative errno. */
ssize_t stream_recv(struct stream *s, void *buf, size_t len);
/* To the socket, or else to the queue; in order, always accepts. */
void stream_send(struct stream *s, const struct iovec *iov, int n);
/* The first end stays; no more read events. */
void stream_end_reading(struct stream *s, enum stream_status end);
void stream_fail_writing(struct stream *s);
/* The first error is kept: later ones follow from it. */
void stream_set_error(struct stream *s, enum reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void stream_set_errno(struct stream *s, int err);

/* The part of creation that plain and TLS share; consumes fd. NULL when memory is gone. */
struct stream *stream_new(struct stream_buffers *b, int fd, const struct stream_ops *ops,
			  void *arg);
/* Loses its user: what destroy, close and park begin with. */
void stream_let_go(struct stream *s);
void stream_free(struct stream *s);

/* stream_close.c: the events of a stream that closes. Each may free it. */
void stream_closing_readable(struct stream *s);
void stream_closing_drained(struct stream *s);
void stream_closing_fini(struct stream *s);

/* stream_tls.c */
struct stream_tls_buffers *stream_tls_buffers_create(void);
void stream_tls_buffers_destroy(struct stream_tls_buffers **buffers);
/* The socket is readable while the handshake goes on. */
void stream_tls_handshake_readable(struct stream *s);
/* Bytes read; 0: none now, or see s->end. */
size_t stream_tls_read(struct stream *s, void *buf, size_t len);
void stream_tls_write(struct stream *s, const struct iovec *iov, int n);
/* Ciphertext or decrypted bytes that a read would find without the socket. */
bool stream_tls_has_buffered(const struct stream *s);
void stream_tls_send_close_notify(struct stream *s);
/* Moves what is the stream's out of the loop's buffer into its own; ends reading when memory is
 * gone. */
void stream_tls_keep(struct stream *s);
/* Reads tickets and the like; false when anything else came. */
bool stream_tls_parked_is_alive(struct stream *s);
void stream_tls_free(struct stream *s);
