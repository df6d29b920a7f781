/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A connected TCP socket as a stream of plaintext bytes on one loop. It begins plain; TLS may be
 * started on it, as server or client, with bytes that were already read off it.
 *
 * Cheap by construction: one persistent read event; the write event exists only while something is
 * queued; ciphertext is received into, and what is written is gathered in, the loop's own buffers,
 * so that an idle stream holds none.
 *
 * Writing always accepts. What is written in one turn of the loop is gathered and leaves at the end
 * of the turn, at STREAM_GATHER_MAX, or when another stream writes: many small pieces are one
 * record and one system call. What the socket does not take is queued, counted against the budget
 * of the node, and the caller is told to wait; a caller that goes on writing meanwhile owns the
 * growth.
 *
 * Reading is bounded per ready event by a share of the turn that shrinks with the number of ready
 * streams, so that bulk does not hold up the others: STREAM_AGAIN can mean "in the next turn" too.
 *
 * Three ends: stream_close() is the orderly one, stream_abort() resets (the other side must see
 * that something is missing), stream_destroy() just closes the socket. stream_end_writing() is the
 * half of the first.
 *
 * All functions belong to the stream's loop. A stream may be destroyed, closed, aborted, parked or
 * handed to another user inside its own callbacks. Callbacks come from the loop only, never from
 * inside a stream_*() call.
 */
#pragma once

#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "core/base/addr.h"
#include "core/loop/loop.h"
#include "core/net/tls.h"

struct handshakes;
struct stream;

/* Size of stream_buffers->plain: the most that one read takes at once, and so the bound on what one
 * exchange holds in each direction. Measured, CPU time for 1 GB of a large response: 1.25 s with
 * 16 KiB, 0.88 s with 256 KiB, 0.74 s with 512 KiB. */
#define STREAM_READ_MAX (512 * 1024)
/* The most that is gathered: four full records, as many as are sent at once. */
#define STREAM_GATHER_MAX (64 * 1024)

/* Why reading or writing has failed, whoever is at the other end. */
enum stream_fault {
	STREAM_FAULT_NONE,
	STREAM_FAULT_CLOSED,    /* FIN in a handshake or without close_notify; written to closed */
	STREAM_FAULT_RESET,     /* by the other side, or by something on the way */
	STREAM_FAULT_TIMED_OUT, /* TCP has given up: nothing was acknowledged for too long */
	STREAM_FAULT_HANDSHAKE, /* the TLS handshake failed */
	STREAM_FAULT_CERTIFICATE, /* client: the other side's certificate was not accepted */
	STREAM_FAULT_MALFORMED,   /* TLS broken, or ended by an alert, after the handshake */
	STREAM_FAULT_STALLED,   /* took nothing for longest when the budget was used up: cut off */
	STREAM_FAULT_NO_MEMORY, /* ours is gone */
};
/* "reset", "timed out"... for logs. */
const char *stream_fault_text(enum stream_fault fault);

/* What the loops of a node together hold for those who do not take it, and descriptors for those
 * who do not end. Whoever queues more than fits the limit makes its loop cut off
 * (STREAM_FAULT_STALLED) those of its other streams that took nothing for longest, until it fits,
 * and itself if that does not help. Any thread. */
struct stream_budget {
	_Atomic uint64_t queued; /* bytes of memory in the queues of all streams */
	_Atomic uint64_t limit;  /* 0: none */
	/* Streams of each loop that may close in the background; 0: as many as stream_close.c says
	 */
	_Atomic unsigned closing;
	_Atomic uint64_t cut; /* streams cut off for it so far */
};

/* How many streams were ready in this turn of the loop and in the one before. */
struct stream_turn {
	uint64_t number;
	unsigned ready, ready_before;
};

/* What the streams of one loop share: a read buffer for the loop's users, what is gathered, what
 * TLS needs, and the streams that close in the background. */
struct stream_buffers {
	struct loop *loop;
	char *plain; /* STREAM_READ_MAX bytes for the user of stream_read(); valid in a callback */
	struct stream_gather *gather;
	struct stream_tls_buffers *tls;
	struct stream_watch *watch;
	struct stream_tickets *tickets;
	struct stream_turn turn;
	struct stalls *stalls;
	struct handshake_lender *lender;                 /* NULL: the loop signs itself */
	TAILQ_HEAD(stream_closing_list, stream) closing; /* oldest first */
	unsigned n_closing;
};
struct stream_buffers *stream_buffers_create(struct loop *loop);
/* NULL: none. `budget` must outlive the buffers. */
void stream_buffers_set_budget(struct stream_buffers *b, struct stream_budget *budget);
/* Slow signatures of servers' handshakes are made on those threads from now on, unless there is no
 * descriptor left; they must outlive the buffers. At most once. */
void stream_buffers_set_handshakes(struct stream_buffers *b, struct handshakes *handshakes);
/* Whether a stream that closes in the background is owed something: bytes that the kernel has not
 * taken yet, or patience while it goes on sending, as a RST might cost it the end of its response.
 * A program that ends waits until none is; those that only say nothing more are owed nothing. */
bool stream_closing_is_owed(const struct stream_buffers *b);
/* Ends what is still closing, and waits for steps that are lent to other threads. No other stream
 * may be left. */
void stream_buffers_destroy(struct stream_buffers **buffers);

enum stream_status {
	STREAM_AGAIN = -1, /* nothing now; readable() will be called */
	STREAM_EOF = 0,    /* clean end: FIN, for TLS after close_notify */
	STREAM_ERROR = -2, /* reset, TLS failure, truncation: stream_fault() */
};

struct stream_ops {
	/* After stream_start_tls_...() only: the handshake is done, or as far that early data can
	 * be read (stream_is_early()). */
	void (*established)(void *arg);
	/* What was early when it was established is not any more: the handshake is done. Only for
	 * servers that take early data. */
	void (*handshaken)(void *arg);
	/* Bytes (or the end) can be read. Read until STREAM_AGAIN, or stop with stream_pause(). */
	void (*readable)(void *arg);
	/* All that was queued has been handed to the kernel. Also when no write was told to wait:
	 * what was gathered may have to be queued at the end of the turn. */
	void (*drained)(void *arg);
	/* The handshake or a write failed, or a pause was broken off by a reset; stream_fault()
	 * says why. Destroy the stream. After a failed write, what the other side had sent before
	 * can still be read in here. Not called for what stream_read() returned. */
	void (*failed)(void *arg);
};

/* Plain and established. Consumes fd, also on failure. NULL only when memory is gone. */
struct stream *stream_create(struct stream_buffers *b, int fd, const struct stream_ops *ops,
			     void *arg);

/* Begins a TLS handshake on a plain stream; established() or failed() follows. `prefix`: `n` bytes
 * that were read off the stream and belong to the handshake; copied. What was written before goes
 * out first, in the clear. A pause is over. A server's handshake runs in the loop's background
 * queue, but for slow signatures if there are threads for them, our own at the end of the turn; a
 * time limit on it is the caller's.
 * False when memory is gone: the stream is of no more use.
 *
 * `tls` must be there until release(arg), which is called once, on the loop, when the stream does
 * not look at it any more: after established(); after failed() or the stream's end, at once or
 * later; before this returns false; or, where that was early, after handshaken(). It may be NULL.
 * `arg` is what tls_session_arg() gives to GnuTLS's callbacks meanwhile. With TLS 1.3 the client
 * gets its tickets with the first that is written to it, or a tenth of a second after the
 * handshake. */
bool stream_start_tls_server(struct stream *s, const struct tls_server *tls,
			     void (*release)(void *arg), void *arg, const void *prefix, size_t n);
/* The stream holds `tls` as long as it lives. */
bool stream_start_tls_client(struct stream *s, struct tls_client *tls, const void *prefix,
			     size_t n);

/* Another user from now on; nothing else changes, not even a pause. What is waiting to be read, and
 * a failure that has not been told, is told to the new one. */
void stream_hand_over(struct stream *s, const struct stream_ops *ops, void *arg);

/* > 0 bytes read, else enum stream_status. */
ssize_t stream_read(struct stream *s, void *buf, size_t len);
/* No readable() until stream_resume(), which also calls it (deferred) for what is buffered. While
 * it is paused, a reset of the connection is noticed within about a second and told by failed(). */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Takes all. True: go on. False: something is queued; wait for drained(). Errors come later,
 * through failed(). Not in a handshake, and not after stream_end_writing(). */
bool stream_write(struct stream *s, const struct iovec *iov, int n);
/* Nothing is queued; what is only gathered does not count. */
bool stream_is_drained(const struct stream *s);
/* Bytes that the socket has taken, in all: as long as that is the same, nothing of what was written
 * has left us. */
uint64_t stream_sent(const struct stream *s);
/* Bytes that were taken off the socket, in all. */
uint64_t stream_received(const struct stream *s);
/* Bytes that the socket did not take. */
size_t stream_queued(const struct stream *s);
/* So many bytes the user holds itself until the other side takes them, in all: they count against
 * the budget as if they were queued. */
void stream_hold(struct stream *s, size_t n);
/* The half-close: what was written goes out, then close_notify and FIN; drained() still comes for
 * what is queued. No write may follow; reading goes on. Not in a handshake, nor while it is early.
 */
void stream_end_writing(struct stream *s);

/* Why it failed, and the same in GnuTLS's or the kernel's words: a line for the log, owned by the
 * stream. */
enum stream_fault stream_fault(const struct stream *s);
const char *stream_fault_detail(const struct stream *s);

/* Immediate: closes the socket without ceremony. What the kernel has taken still goes out; what was
 * gathered in this turn does not. */
void stream_destroy(struct stream **s);
/* Immediate, with a RST: the other side must not take what it has got for the whole. */
void stream_abort(struct stream **s);
/* Orderly, in the background: flushes, sends close_notify and FIN, and reads away what the other
 * side still sends, so that a last response is not lost to a RST. While it flushes, and while it
 * reads away, `linger` is how long there may be no progress; a minute for the one and half a minute
 * for the other is the most, and 64 MiB are. A stream in its handshake says that it is canceled.
 * One that has failed is just destroyed, but for one that has sent an alert, which is to arrive. */
void stream_close(struct stream **s, duration linger);

/* On the way from one loop to another: a parked stream belongs to none and has no event. Only an
 * established, drained stream can be parked. What it holds unread is kept, and makes it count as
 * not alive; so does what was gathered when the socket does not take it now. */
void stream_park(struct stream *s);
/* Any thread that owns the parked stream: false when it was closed, or sent bytes nobody asked for.
 */
bool stream_parked_is_alive(struct stream *s);
void stream_unpark(struct stream *s, struct stream_buffers *b, const struct stream_ops *ops,
		   void *arg);
void stream_parked_destroy(struct stream **s);

int stream_fd(const struct stream *s);
/* To look at and, before the handshake, to set; NULL for plain streams. What GnuTLS is made to send
 * this way goes out before what is gathered, with the stream_write() that must follow at once; an
 * empty one will do. A server's is not to be asked for ALPN after established(). */
gnutls_session_t stream_tls_session(const struct stream *s);
/* The error of GnuTLS by which reading or the handshake has failed; 0: something else, or none. */
int stream_tls_error(const struct stream *s);
/* Whether an alert has told the other side that this is the end: stream_close() sees to it that it
 * arrives. */
bool stream_has_alerted(const struct stream *s);
/* TLS: time from its start to established; zero for plain. */
duration stream_handshake_time(const struct stream *s);

/* What the client has sent before the handshake was done, which somebody may have recorded and sent
 * again. */
enum stream_early {
	STREAM_EARLY_NONE, /* nothing, or to a server that takes none of anybody */
	STREAM_EARLY_REFUSED,
	STREAM_EARLY_ACCEPTED,
};
enum stream_early stream_early(const struct stream *s);
/* Established, but the handshake is not done: handshaken() or failed() follows. What is read is
 * early data; what is written waits until then. */
bool stream_is_early(const struct stream *s);
