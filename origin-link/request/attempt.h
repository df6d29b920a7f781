/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One try of a request on one connection: the lease, what was given and received, and what takes
 * too long in it (watch.c). What is the protocol's stands behind its wire (wire.h). Embedded in the
 * request, which has a second one once it needs it; a repetition assigns it anew.
 *
 *   state  | lease    | wire, and h1 or h2 | deadlines | what comes is
 *   -------+----------+--------------------+-----------+----------------------------------------
 *   NONE   | -        | as left            | clear     | nothing
 *   LEASES | waits    | zero               | clear     | the lease's done()
 *   OPEN   | is ready | in use             | as needed | callbacks of the connection (HTTP/1.1)
 *          |          |                    |           | or of the stream (HTTP/2)
 *
 * NONE is before it begins and after its end; what was given and received then stays as left.
 */
#pragma once

#include "core/loop/deadline.h"
#include "origin-link/conns/lease.h"
#include "origin-link/request/h1_wire.h"
#include "origin-link/request/h2_wire.h"
#include "origin-link/request/wire.h"

struct olink_request;

enum attempt_state { ATTEMPT_NONE, ATTEMPT_LEASES, ATTEMPT_OPEN };

/* How much of the request the connection has been given; less of it may have been sent. */
enum attempt_given { GIVEN_NOTHING, GIVEN_HEAD, GIVEN_CONTENT };

/* What takes its time. */
enum watch {
	WATCH_NONE,  /* nothing of the origin's: the client is waited for, or it is a tunnel */
	WATCH_WRITE, /* the connection has to take what was written */
	WATCH_HEAD,  /* the request is sent, or its sender waits for leave: the response is due */
	WATCH_BODY,  /* more of the response's content is due */
};

/* What TCP knew of the other side at some moment. */
struct tcp_sight {
	uint64_t acked;     /* bytes, in all */
	bool outstanding;   /* something was sent and not acknowledged */
	bool retransmitted; /* and in vain once more */
	bool held_back;     /* something that was written was not sent at all */
	duration silence;   /* since the last acknowledgement */
};

struct attempt {
	/* Kept from one try to the next; all else is assigned as a whole. */
	struct olink_request *request;
	struct deadline watch_at, look_at;

	enum attempt_state state;
	struct endpoint *endpoint; /* of the request's candidates, which are pinned; NULL: nothing
				      was tried yet */
	mono_time began;
	duration time; /* to connect, at most */
	struct lease lease;
	mono_time opened; /* when it had its connection */
	mono_time sent;   /* when that was given all of the request; 0: not yet */
	mono_time first;  /* when the first byte came; 0: not yet */

	const struct wire_ops *wire;
	enum attempt_given given;
	uint64_t received; /* bytes, of anything */
	bool paused;       /* there is no credit for what may come: nothing is taken */
	unsigned n_informational;
	bool leave_given; /* 100 was among them */
	int status;       /* of the final head; 0: it has not come */
	/* of the protocol that the connection is of */
	struct h1_wire h1;
	struct h2_wire h2;

	enum watch watch;
	bool took_long;        /* in WATCH_HEAD, per_try_timeout has passed already */
	uint64_t progress;     /* at the start of WATCH_WRITE: bytes taken and received */
	struct tcp_sight seen; /* at the last look, if there was one */
	bool looked;
	mono_time moved; /* when nothing was outstanding, or something of it was acknowledged */
};

/* attempt.c */

void attempt_init(struct attempt *a, struct olink_request *r);
void attempt_fini(struct attempt *a);
/* READY: it is open, and the request is told so at once. WAITS: request_opened() or
 * request_unleased() comes, once, later. REFUSED: *reason at once. */
enum lease_result attempt_begin(struct attempt *a, const struct lease_order *order,
				enum reason *reason);
/* The only way out, whatever its state. `reason`: see outcome.h. */
void attempt_end(struct attempt *a, enum attempt_end how, enum reason reason);

/* Its final head has come: for what is seen of it. */
void attempt_answered(struct attempt *a, int status);

/* watch.c */

/* Sees to it that the deadline is about what is waited for now. */
void watch_update(struct attempt *a);
/* The same; what was waited for has come, so that its time begins anew. */
void watch_restart(struct attempt *a);
/* The head has been sent: looks now and then whether the server still answers TCP, until the first
 * byte of the response. */
void watch_look(struct attempt *a);
void watch_fire(struct deadline *deadline);
void watch_look_fire(struct deadline *deadline);
