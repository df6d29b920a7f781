/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A connected TCP socket, with or without TLS, as a stream of plaintext bytes on one loop.
 *
 * Cheap by construction: one persistent read event; a write is tried at once and the write event
 * exists only while something is queued; ciphertext is received into, and gathered in, the loop's
 * own buffers, so that an idle stream holds none.
 *
 * Writing always accepts: what the socket does not take is queued, and the caller is told to wait.
 * A caller that goes on writing while told to wait owns the growth.
 *
 * Reading is bounded per ready event, so that one fast sender does not hold up the others:
 * STREAM_AGAIN can mean "in the next turn" too.
 *
 * All functions belong to the stream's loop. A stream may be destroyed, closed or parked inside its
 * own callbacks. Callbacks come from the loop only, never from inside a stream_*() call.
 */
#pragma once

#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "core/base/addr.h"
#include "core/base/reason.h"
#include "core/loop/loop.h"
#include "core/net/tls.h"

struct stream;

/* Size of stream_buffers->plain: the most that one read takes at once, and so the bound on what one
 * exchange holds in each direction. 256 KiB: measured, bulk costs 30% less than with 16 KiB. */
#define STREAM_READ_MAX (256 * 1024)

/* What the streams of one loop share: a read buffer for the loop's users, what TLS needs, and the
 * streams that close in the background. */
struct stream_buffers {
	struct loop *loop;
	char *plain; /* STREAM_READ_MAX bytes for the user of stream_read(); valid in a callback */
	struct stream_tls_buffers *tls;
	TAILQ_HEAD(stream_closing_list, stream) closing; /* oldest first */
	unsigned n_closing; /* a program that ends may wait for zero before it stops its loops */
};
struct stream_buffers *stream_buffers_create(struct loop *loop);
/* Ends what is still closing. No other stream may be left. */
void stream_buffers_destroy(struct stream_buffers **buffers);

enum stream_status {
	STREAM_AGAIN = -1, /* nothing now; readable() will be called */
	STREAM_EOF = 0,    /* clean end: FIN, for TLS after close_notify */
	STREAM_ERROR = -2, /* reset, TLS failure, truncation: stream_reason() */
};

struct stream_ops {
	/* TLS only: the handshake is done. Plain streams start established and do not call it. */
	void (*established)(void *arg);
	/* Bytes (or the end) can be read. Read until STREAM_AGAIN, or stop with stream_pause(). */
	void (*readable)(void *arg);
	/* All that was queued has been handed to the kernel. */
	void (*drained)(void *arg);
	/* The handshake or a write failed; stream_reason() says why. Destroy the stream. After a
	 * failed write, what the other side had sent before can still be read in here. Not called
	 * for what stream_read() returned. */
	void (*failed)(void *arg);
};

/* Consume fd, also on failure. `ops`/`arg` as above. NULL only when memory is gone. */
struct stream *stream_create_plain(struct stream_buffers *b, int fd, const struct stream_ops *ops,
				   void *arg);
/* The handshake runs in the loop's background queue; a time limit on it is the caller's. `tls` must
 * outlive the handshake: once established() was called the stream does not look at it again. */
struct stream *stream_create_tls_server(struct stream_buffers *b, int fd,
					const struct tls_server *tls, const struct stream_ops *ops,
					void *arg);
/* `host`: for SNI (unless it is an address) and verification; copied. */
struct stream *stream_create_tls_client(struct stream_buffers *b, int fd,
					const struct tls_client *tls, const char *host,
					const struct stream_ops *ops, void *arg);

/* > 0 bytes read, else enum stream_status. */
ssize_t stream_read(struct stream *s, void *buf, size_t len);
/* Takes all. True: go on. False: queued; wait for drained(). Errors come later, through failed().
 * Not before established(). */
bool stream_write(struct stream *s, const struct iovec *iov, int n);
bool stream_is_drained(const struct stream *s);
/* No readable() until stream_resume(), which also calls it (deferred) for what is buffered. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Why it failed. REASON_CLIENT_* stand for either side here: _CLOSED (a FIN in the middle of a
 * handshake or without close_notify, or writing to a closed connection), _RESET (also timed out by
 * TCP), _HANDSHAKE_FAILED, _MALFORMED (TLS broken later on); REASON_LIMIT: memory is gone. */
enum reason stream_reason(const struct stream *s);
/* A line for the log: GnuTLS's or the kernel's words. Owned by the stream. */
const char *stream_error_text(const struct stream *s);

/* Immediate: closes the socket without ceremony. */
void stream_destroy(struct stream **s);
/* Orderly, in the background: flushes, sends close_notify and FIN, and reads away what the other
 * side still sends for at most `linger`, so that a last response is not lost to a RST. While it
 * flushes, `linger` is how long it may make no progress. A stream in its handshake, or that has
 * failed, is just destroyed. */
void stream_close(struct stream **s, duration linger);

/* The pool: a parked stream belongs to no loop and has no event. Only an established, drained
 * stream can be parked. What it holds unread is kept, and makes it count as not alive. */
void stream_park(struct stream *s);
/* Any thread that owns the parked stream: false when it was closed, or sent bytes nobody asked for.
 */
bool stream_parked_is_alive(struct stream *s);
void stream_unpark(struct stream *s, struct stream_buffers *b, const struct stream_ops *ops,
		   void *arg);
void stream_parked_destroy(struct stream **s);

int stream_fd(const struct stream *s);
/* To look at and, before the handshake, to set; NULL for plain streams. What GnuTLS is made to send
 * this way waits for the stream_write() that must follow at once; an empty one will do. */
gnutls_session_t stream_tls_session(const struct stream *s);
/* TLS: time from creation to established; zero for plain. */
duration stream_handshake_time(const struct stream *s);
