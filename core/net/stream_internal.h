/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of a stream share: stream.c (the socket, its events, its user), stream_write.c
 * (what goes out, and its queue), stream_tls.c (what GnuTLS does between those and the user),
 * stream_handshake.c (how TLS begins), stream_early.c (what may come before it is done),
 * stream_ticket.c (what follows it), stream_watch.c (resets
 * while nobody reads), stream_close.c (the orderly end). Nobody else includes this.
 */
#pragma once

#include <event2/event_struct.h>

#include "core/net/handshakes.h"
#include "core/net/stream.h"
#include "core/net/stream_stall.h"

#define STREAM_MAGIC 0x57e4a301u

enum stream_phase {
	STREAM_OPEN,      /* plain, or TLS established */
	STREAM_HANDSHAKE, /* goes on, or has failed */
	STREAM_EARLY,     /* the same, but the user has it already, and reads early data */
	STREAM_PARKED,    /* has no loop: b, ops and arg are NULL */
	STREAM_CLOSING,   /* has no user: ops and arg are NULL; `closing` is set; no TLS any more */
};

/* The direction that we write to. */
enum stream_out {
	OUT_OPEN,
	OUT_ENDING, /* FIN follows when all is flushed */
	OUT_ENDED,  /* FIN was sent */
	OUT_FAILED, /* nothing is queued; failed() is told */
};

/* Bytes that the socket did not take. Owns memory only while there are any. */
struct stream_queue {
	char *data;
	size_t start, end, size;
};

struct stream {
	/* Immutable. */
	uint32_t magic;
	int fd;
	uint64_t sent, received; /* bytes that it has taken, and given */

	/* Owner only, as all of the rest. */
	enum stream_phase phase;
	struct stream_tls *tls; /* NULL: plain */
	struct stream_buffers *b;
	const struct stream_ops *ops;
	void *arg;
	struct event read_event, write_event;
	struct loop_task again; /* readable() or failed() at the end of this turn */
	bool *left;             /* set to true when its user lets go of it inside a callback */
	bool read_armed, write_armed;
	bool paused;
	bool watched; /* no read event, but a user */
	TAILQ_ENTRY(stream) watch_link;
	TAILQ_ENTRY(stream) ticket_link; /* while tls->tickets_owed */

	/* What comes in. */
	enum stream_status end; /* what reading ended with; STREAM_AGAIN: it goes on */
	bool end_told;          /* stream_read() has returned `end` */
	size_t recv_left;       /* how much may still be taken from the socket in this event */

	/* What goes out. */
	enum stream_out out;
	bool failed_told;
	struct stream_queue queue;
	size_t held;        /* bytes that the user holds for it */
	struct stall stall; /* that and the queue's memory, while it has a loop */

	enum stream_fault fault;
	char *fault_detail;

	struct stream_closing *closing;
	TAILQ_ENTRY(stream) closing_link;
};

/* stream.c */

/* The only ways to another one: they tell the log. */
void stream_set_phase(struct stream *s, enum stream_phase phase);
void stream_set_out(struct stream *s, enum stream_out out);
/* Calls one of the user's functions; false when the stream is no longer ours (and maybe gone). */
bool stream_call(struct stream *s, void (*fn)(void *arg));
/* readable() at the end of the turn if something is waiting that no event will tell of. */
void stream_look_again(struct stream *s);
void stream_arm_read(struct stream *s);
void stream_disarm_read(struct stream *s);
/* One recv() within the bound of this event. > 0, 0 at FIN, or a negative errno. */
ssize_t stream_recv(struct stream *s, void *buf, size_t len);
/* The first end stays; no more read events. */
void stream_end_reading(struct stream *s, enum stream_status end);
/* The first fault is kept: later ones follow from it. */
void stream_set_fault(struct stream *s, enum stream_fault fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void stream_set_errno(struct stream *s, int err);
/* But for this: it follows from the one that is about to be set. */
void stream_forget_fault(struct stream *s);
/* Loses its user: what destroy, close and park begin with. */
void stream_let_go(struct stream *s);
void stream_free(struct stream *s);

/* stream_write.c */

struct stream_gather *stream_gather_create(struct loop *loop);
void stream_gather_destroy(struct stream_gather **gather);
/* Sends what of it was gathered; drops it. */
void stream_flush(struct stream *s);
void stream_gather_drop(struct stream *s);
/* What is gathered and, for TLS, close_notify. Nothing may be written after it. */
void stream_write_last(struct stream *s);
/* FIN, if nothing but that is left to be sent. */
void stream_end_if_flushed(struct stream *s);
/* To the socket, or else to the queue; in order, always accepts. */
void stream_send(struct stream *s, const struct iovec *iov, int n);
/* The same for what is queued. */
void stream_send_queued(struct stream *s);
void stream_fail_writing(struct stream *s);
void stream_arm_write(struct stream *s);
void stream_disarm_write(struct stream *s);
void stream_queue_clear(struct stream *s);
/* Whether the socket has taken all; what waits for a handshake does not matter. */
bool stream_queue_is_empty(const struct stream *s);
/* Its queues have grown or shrunk, or it belongs to a loop again. */
void stream_count_held(struct stream *s);

/* stream_watch.c */

struct stream_watch *stream_watch_create(struct loop *loop);
void stream_watch_destroy(struct stream_watch **watch);
/* failed(), soon, if the connection breaks. Doing either twice does nothing. */
void stream_watch(struct stream *s);
void stream_unwatch(struct stream *s);

/* stream_close.c: the events of a stream that closes. Each may free it. */

void stream_closing_readable(struct stream *s);
/* FIN was sent. */
void stream_closing_flushed(struct stream *s);
void stream_closing_fini(struct stream *s);

/* stream_handshake.c */

/* The socket is readable while the handshake goes on. */
void stream_handshake_readable(struct stream *s);
/* Of a server's session that has sent its tickets; ALPN is not to be asked for any more. */
void stream_forget_hello(struct stream *s);

/* stream_ticket.c */

struct stream_tickets *stream_tickets_create(struct loop *loop);
void stream_tickets_destroy(struct stream_tickets **tickets);
/* The client gets so many tickets with the first that is written, or else soon. */
void stream_tickets_owe(struct stream *s, unsigned n);
/* Now, if any are owed; stream_tls_flush() must follow. */
void stream_tickets_send(struct stream *s);
void stream_tickets_forget(struct stream *s);

/* stream_early.c */

struct stream_tls;
/* Of a server's session, before the handshake; then with each ClientHello, and when that was read.
 */
void stream_early_set_up(struct stream_tls *tls, const struct tls_server *server);
void stream_early_look(struct stream_tls *tls, const gnutls_datum_t *message);
void stream_early_decide(struct stream_tls *tls);
/* A step was made and more are to come: established() if there is early data. */
void stream_early_step_made(struct stream *s);
/* 0: none, for now. */
size_t stream_early_read(struct stream *s, void *buf, size_t len);
/* The handshake is done: what was written meanwhile goes out. */
void stream_early_flush(struct stream *s);
/* It will not: stream_count_held() must follow. */
void stream_early_forget(struct stream *s);
/* Before any are sent. */
void stream_early_expect_tickets(struct stream_tls *tls);

/* stream_tls.c */

#define STREAM_TLS_MAGIC 0x57e4a302u

/* What is there as long as the handshake lasts, or has failed. */
struct stream_tls_handshake {
	struct stream_tls *tls;
	struct loop_task step;
	struct handshake_step away; /* the same on another thread */
	int ret;                    /* * what the step came to */
	struct stream_tls_pushed {
		char *data;
		size_t len, size;
	} pushed;           /* * by the step, to be sent when it is back */
	struct tls_use use; /* a server's, until its release */
	mono_time started;
	unsigned warnings;     /* * alerts that have come, and end nothing */
	gnutls_datum_t ticket; /* * see early.has_ticket */
};

/* What GnuTLS knows us by. It outlives its stream when that ends while a thread has the session. */
struct stream_tls {
	uint32_t magic;
	struct stream *stream; /* NULL: it has ended */
	gnutls_session_t session;
	struct stream_tls_handshake *handshake; /* NULL: it is done */
	bool lent;     /* its step; `session` and what is marked * is the thread's then */
	bool answered; /* by our whole first flight, with TLS 1.3, when it was lent */
	struct tls_client *client; /* NULL: a server */
	duration handshake_time;
	/* Ciphertext that does not lie in the loop's buffer; NULL mostly. */
	char *kept; /* * */
	size_t kept_start, kept_end;
	bool pulled_empty; /* * pull has said EAGAIN since this was last cleared */
	uint32_t pulled;   /* * bytes: in the handshake, then by one read */
	uint32_t begun;    /* bytes of a record that is not whole yet */
	uint32_t wordless; /* bytes of records without data */
	bool socket_ended; /* after the ciphertext at hand comes a FIN, or `socket_errno` */
	int socket_errno;  /* 0: a FIN */
	mono_time last_write;
	size_t ramp_written;
	unsigned n_tickets; /* that a server has sent us and we have kept */
	int error;          /* of the library, by which it has failed; 0: none */
	bool alerted;       /* the other side was told that this is the end, and why */
	unsigned tickets_owed;
	mono_time tickets_by;
	struct stream_tls_early {
		struct tls_early *tickets; /* the server's; NULL: none is taken */
		uint32_t max;
		bool offered;    /* * by a ClientHello */
		bool has_ticket; /* * may be accepted with that, while the ClientHello is read */
		bool accepted;
		bool unread;                 /* the library may have some that nobody has read */
		struct stream_queue waiting; /* written meanwhile, to be encrypted */
	} early;
};

struct stream_tls_buffers *stream_tls_buffers_create(void);
void stream_tls_buffers_destroy(struct stream_tls_buffers **buffers);
/* Becomes a TLS stream with a session that pulls and pushes here; NULL when memory is gone. */
struct stream_tls *stream_tls_create(struct stream *s, unsigned gnutls_flags);
/* Back to a plain one. */
void stream_tls_free(struct stream *s);
/* The handshake is done: the server is still to be released. */
struct tls_use stream_tls_end_handshake(struct stream_tls *tls);
/* Without a stream. */
void stream_tls_destroy(struct stream_tls **tls);
/* Bytes read; 0: none now, or see s->end. */
size_t stream_tls_read(struct stream *s, void *buf, size_t len);
/* stream_tls_flush() must follow. */
void stream_tls_encrypt(struct stream *s, const struct iovec *iov, int n);
void stream_tls_say_goodbye(struct stream *s);
/* Of a handshake that has not failed, but is given up. */
void stream_tls_cancel(struct stream *s);
/* Sends what the library has pushed; after each call of it. */
void stream_tls_flush(struct stream *s);
/* Ciphertext or decrypted bytes that a read would find without the socket. */
bool stream_tls_has_buffered(const struct stream *s);
/* A fatal error of the library: keeps what it means, and tells the other side if that helps. */
void stream_tls_failed(struct stream *s, int ret);
/* Puts ciphertext aside that a later read will find first; false when memory is gone. */
bool stream_tls_put_aside(struct stream_tls *tls, const void *data, size_t len);
/* How much more of what comes should be. */
size_t stream_tls_put_aside_max(const struct stream_tls *tls);
/* After what is at hand comes a FIN (0) or an error. */
void stream_tls_socket_ended(struct stream_tls *tls, int err);
/* Moves what is the stream's out of the loop's buffer into its own; ends reading when memory is
 * gone. */
void stream_tls_keep(struct stream *s);
/* Reads tickets and the like; false when anything else came. */
bool stream_tls_parked_is_alive(struct stream *s);
