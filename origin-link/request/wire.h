/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a protocol has to do for an attempt, and what it tells it. A wire puts one request on the
 * connection of the attempt's lease and takes the response off it: it knows framing, parsers and
 * the connection, and keeps what it needs in the attempt. It knows nothing of candidates,
 * repetitions and of who pushes or takes content.
 *
 * Nothing is told from inside an operation but where it says so: what there is to tell comes from
 * the callbacks of the connection, or of its stream of HTTP/2, or from go_on(). What is told may
 * end the attempt; whoever tells looks at attempt_is_read() again before it tells more.
 */
#pragma once

#include "core/http/flow.h"

struct attempt;

/* A piece of a request. */
struct wire_piece {
	const struct http_head *head; /* NULL: it went with another piece */
	struct slice data;            /* n may be 0 */
	bool end;
	const struct http_fields *trailers; /* with `end`; NULL: none */
};

/* It is all taken, whatever is returned, but for the last. */
enum wire_sent {
	WIRE_SENT,   /* go on */
	WIRE_QUEUED, /* some of it has to wait: attempt_drained() comes */
	WIRE_NO_MEMORY,
};

enum attempt_end {
	ATTEMPT_KEEP,  /* both messages have ended, the connection can carry another */
	ATTEMPT_CLOSE, /* something is left on it that nobody wants */
	ATTEMPT_BREAK, /* the server has to see that something is missing */
};

struct wire_ops {
	const char *name; /* for the log */
	/* The first piece comes with the head. */
	enum wire_sent (*send)(struct attempt *a, const struct wire_piece *piece);
	/* request->wanted has grown: what is held, and what comes, is told from now on; the
	 * request's task at the end of the turn calls go_on(), if that is asked for. */
	void (*grant)(struct attempt *a);
	/* Tells what is held, as far as it is wanted. */
	void (*go_on)(struct attempt *a);
	/* All that was sent has left us. */
	bool (*is_drained)(const struct attempt *a);
	/* A number that changes when some of what was sent was taken by the other side. */
	uint64_t (*progress)(const struct attempt *a);
	/* The socket that TCP can be asked about, if it is the attempt's alone; else -1. */
	int (*socket)(const struct attempt *a);
	/* Nothing more will be sent or told. Gives up what it holds; the lease is ended next. */
	void (*end)(struct attempt *a, enum attempt_end how);
};

/* How an attempt came to nothing. */
struct attempt_death {
	enum reason reason;
	const char *detail; /* words for the log, valid during the call; NULL: none */
	/* It is certain that the server has not acted upon the request, whatever was sent of it. */
	bool unacted;
	/* The connection is as good as before: it was this request that the server has broken off,
	 * which a new connection would not change. */
	bool alone;
};

/* Whether what comes is still of interest. */
bool attempt_is_read(const struct attempt *a);
/* So many bytes have come, of whatever; before they are told. */
void attempt_received(struct attempt *a, size_t n);
/* Status < 200, and not 101. */
void attempt_informational(struct attempt *a, struct http_head *head);
/* The final head. With HTTP_FRAMING_TUNNEL it opens the tunnel that was asked for. */
enum response_end {
	RESPONSE_GOES_ON,
	RESPONSE_ENDS,         /* that was all */
	RESPONSE_ENDS_CLEANLY, /* and for the wire the connection can carry another request */
};
void attempt_final(struct attempt *a, struct http_head *head, enum response_end end);
/* Not more of it than request->wanted. */
void attempt_content(struct attempt *a, struct slice slice);
/* With the last of the content (n may be 0), and trailers (NULL: none). */
void attempt_complete(struct attempt *a, struct slice last, struct http_fields *trailers,
		      enum response_end end);
/* All that was queued has left us. */
void attempt_drained(struct attempt *a);
/* The connection, or the stream of HTTP/2, ended or broke before the response did: it may be tried
 * again. */
void attempt_died(struct attempt *a, const struct attempt_death *death);
/* The rest of the request cannot be sent, but more of the response may still come. */
void attempt_unsendable(struct attempt *a, enum reason reason);
/* The response is of no use, or our memory is gone. Nothing is tried again. */
void attempt_spoilt(struct attempt *a, enum reason reason, const char *detail);
