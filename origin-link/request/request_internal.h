/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request, as its parts see it: request.c (its life and its ends), trying.c (where it goes, and
 * what is tried again), send.c (what its source pushes), response.c (what its sink is pushed), and
 * its attempts (attempt.h). Nobody else includes this, but for olink.c, which makes the workers.
 *
 * A request lives through phases. While it is tried it has a current attempt, which a repetition
 * assigns anew as a whole; beside it there may be a rival: one that connects as well while the
 * current one is long in connecting, or that is asked the same while the answer of the current one
 * is long in coming. The first that has a connection, or a final head, is the current one from then
 * on, and the other ends. What is set when:
 *
 *   phase    | head | candidates | current         | rival           | what comes is
 *   ---------+------+------------+-----------------+-----------------+--------------------
 *   OPENING  | NULL | pinned     | NONE            | NULL            | the request's head
 *   TRYING   | set  | pinned     | LEASES or OPEN, | NULL, LEASES    | what attempts tell
 *            |      |            | NONE if `again` | or OPEN         |
 *   OVER     | set  | none       | NONE, as left   | NULL            | olink_request_close()
 *
 * `failed` is set before the first attempt only, for the end of the turn to tell; `again` from the
 * end of an attempt to that of the turn, when the next begins.
 *
 * `content` holds what the current attempt has not been given yet (its last n_ungiven bytes), and
 * before that, while `keeps`, all that it has been given, so that the next can be given it again.
 *
 * Each direction has a side of its own: the request's is what its source has still to push, the
 * response's what its sink was pushed, whatever the attempt.
 *
 *   request side | ends.request may       | response side | ends.response has got
 *   -------------+------------------------+---------------+-----------------------------------
 *   HEAD_AWAITED | push the head          | HEAD_AWAITED  | informational heads at most
 *   BODY         | push content, and end  | BODY          | the head, and content as it comes
 *   ASKED        | wait for the response  | TUNNEL        | a head that opens the tunnel, bytes
 *   TUNNEL       | push bytes, and end    | ENDED         | the end
 *   ENDED        | do nothing: it ended   | UNWANTED      | nothing more: it was stopped, or the
 *   UNWANTED     | do nothing: stopped    |               | request was reset
 */
#pragma once

#include "core/http/h1.h"
#include "core/net/stream.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/lease.h"
#include "origin-link/recent/recent.h"
#include "origin-link/request/attempt.h"
#include "origin-link/request/request.h"
#include "origin-link/request/retry.h"
#include "origin-link/servers/link.h"
#include "origin-link/servers/origins.h"

/* Origins whose failures are told apart by the limit on log lines; others share. */
#define REQUEST_LOG_LIMITS 64

#define REQUEST_MAGIC 0x4e90e501u

struct olink_worker {
	struct olink *olink;
	struct stream_buffers *buffers;
	struct conns *conns; /* of this loop */
	LIST_HEAD(request_list, olink_request) requests;
	struct request_list spares; /* what they own is kept for the next ones */
	unsigned n_spares;
	uint64_t n_opened; /* requests so far: the last one's number */
	size_t kept;       /* content that requests keep to send it again */
	char *scratch;     /* a request head, between two calls of nobody else */
	size_t scratch_size;
	struct log_limit log_limits[REQUEST_LOG_LIMITS]; /* by id of the origin */
};

enum request_phase { REQUEST_OPENING, REQUEST_TRYING, REQUEST_OVER };

enum request_side {
	REQUEST_HEAD_AWAITED,
	REQUEST_BODY,
	REQUEST_ASKED, /* for another protocol */
	REQUEST_TUNNEL,
	REQUEST_ENDED, /* pushed to its end: it may have to wait here for a connection */
	REQUEST_UNWANTED,
};

enum response_side {
	RESPONSE_HEAD_AWAITED,
	RESPONSE_BODY,
	RESPONSE_TUNNEL,
	RESPONSE_ENDED,
	RESPONSE_UNWANTED,
};

/* What is needed of the configuration. */
struct request_settings {
	unsigned origin_id;
	char origin_name[64]; /* for the log: cut when it is longer */
	bool tells_client;    /* by a PROXY header */
	duration connect, response, idle;
	duration total; /* 0: any */
	struct retry_rule retry;
	size_t kept_max;  /* of content */
	duration per_try; /* for a head; 0: no more than `response` */
	bool hedges;
	duration hedge_after; /* 0: by the percentile */
	double hedge_percentile;
	struct budget_terms budget;
	struct lease_terms terms;
	struct h1_limits limits; /* of response heads, and of the trailer section */
};

struct olink_request {
	unsigned magic;
	LIST_ENTRY(olink_request) link;
	/* These are kept for the next one when it becomes a spare; all else is assigned as a whole
	 * when a request is opened. */
	struct arena arena; /* response heads and trailers */
	struct attempt attempt;
	struct deadline hedge_at; /* a second attempt begins: while the first connects, in a race;
				     later as a hedge */
	struct deadline total_at; /* TRYING: it has taken too long; not of a tunnel */
	struct loop_task turn_end;

	struct olink_worker *worker;
	struct flow_sink sink;     /* takes the request */
	struct flow_source source; /* of the response */
	struct flow_ends ends;
	struct request_settings settings;
	struct proxy_parties client;
	enum request_phase phase;
	bool closed;        /* freed at the end of the turn, or when a tunnel has drained */
	enum reason failed; /* told at the end of the turn */
	struct olink_facts facts;
	mono_time began;

	/* where it goes: candidates before `candidate` were given up, but for the current attempt's
	 * in a race; that one is the last that was tried */
	struct net_addr looked_at; /* the last candidate's, for the log */
	struct endpoint *candidates[ORIGINS_CANDIDATES_MAX];
	unsigned n_candidates, candidate;
	mono_time died_at;     /* the attempt before; 0: this is the first */
	duration connect_left; /* for this candidate and those behind it */
	/* relay.c */
	struct olink_affinity affinity; /* as it was opened with */
	struct span relay_order; /* what a relay is told; in the arena; empty: nothing so far */
	struct attempt *current, *rival;
	struct attempt *second; /* beside the embedded one, when there has been a rival; malloc'd */
	unsigned n_again;       /* how often it was tried again, as retry.h counts it */
	/* The last server whose connection broke: there by new ones only; NULL: none did. May be
	 * pinned no more, and is only compared. */
	const struct endpoint *broke;
	enum reason again;     /* NONE: it is not to be tried again */
	struct recent *recent; /* of the origin; lives as long as the olink */
	struct olink_try **last_try;

	/* the request */
	enum request_side side;
	struct http_head *head; /* the caller's */
	struct http_fields *trailers;
	uint64_t content_left; /* with HTTP_FRAMING_LENGTH: not pushed yet */
	size_t window;         /* as much as may be on its way here; 0: nothing granted yet */
	size_t credit;         /* granted, and not pushed yet */
	char *content;
	size_t n_content, n_ungiven;
	bool keeps; /* all content that was ever pushed is there */

	/* the response */
	enum response_side response;
	bool is_tunnel; /* it has opened it */
	size_t wanted;  /* content that its sink has granted, and that was not pushed yet */
};

static inline struct loop *request_loop(const struct olink_request *r)
{
	return r->worker->buffers->loop;
}

/* A line of the log about one request; for .c files of LOG_ORIGIN. */
#define REQUEST_TRACE(r, fmt, ...)                                                                 \
	log_debug("%s request %llu to %s: " fmt, loop_name(request_loop(r)),                       \
		  (unsigned long long)(r)->facts.number, (r)->settings.origin_name, __VA_ARGS__)

/* request.c */

/* The only ways to another state, but for what is assigned as a whole: they tell the log. */
void request_set_phase(struct olink_request *r, enum request_phase phase);
void request_set_side(struct olink_request *r, enum request_side side);
void request_set_response(struct olink_request *r, enum response_side side);

/* Frees the requests that were closed but not yet swept up, and the spares. */
void olink_requests_sweep(struct olink_worker *worker);
/* Both ends have been heard, or want to hear no more: the attempt ends. */
void request_over(struct olink_request *r, enum attempt_end how, enum reason reason);
/* Nobody is interested in how it ends. */
void request_abandon(struct olink_request *r);
/* Nothing of the response can come any more: the request is stopped, the response reset. `detail`:
 * words for the log, or NULL. Not inside olink_request_open() and what is pushed before the end of
 * that turn. */
void request_fail(struct olink_request *r, enum reason reason, const char *detail);
/* Tells the source of the request that no more of it is wanted, if more would come. */
void request_stop(struct olink_request *r, enum reason reason);
/* One direction of a tunnel has ended, or all that was written is gone: lets the connection go when
 * nothing more has to pass. */
void request_tunnel_ended(struct olink_request *r);
void request_count(const struct olink_request *r, enum olink_counter id);

/* trying.c */

/* How much of the time that is left to connect the next of `n` candidates gets. */
duration request_share_of_time(duration left, unsigned n);
/* Finds a connection for the head that has come. What goes wrong is told at the end of the turn. */
void request_try(struct olink_request *r);
/* At the end of the turn in which an attempt has come to nothing. */
void request_try_again(struct olink_request *r);
/* Whatever is tried is over. */
void request_end_tries(struct olink_request *r, enum attempt_end how, enum reason reason);

/* From an attempt: it has a connection. */
void request_opened(struct olink_request *r, struct attempt *a);
/* It got none; it is over. */
void request_unleased(struct olink_request *r, struct attempt *a, enum reason reason,
		      const char *detail);
/* The connection ended or broke before the response did. Sends the request again, if that may be;
 * else it fails. */
void request_died(struct olink_request *r, struct attempt *a, const struct attempt_death *death);
/* The server does not answer any more; `unacted`: it has surely not acted upon the request. The
 * same, but elsewhere if there is another one. */
void request_vanished(struct olink_request *r, struct attempt *a, bool unacted);
/* per_try_timeout has passed. False: it may go on. */
bool request_took_long(struct olink_request *r, struct attempt *a);
/* It is of no use: the request fails, unless there is another attempt. */
void request_spoilt(struct olink_request *r, struct attempt *a, enum reason reason,
		    const char *detail);
/* Its final head has that status. True: the attempt is over, and the head of no interest. */
bool request_holds_back(struct olink_request *r, struct attempt *a, int status,
			enum response_end end);
/* Its head is the response's. */
void request_won(struct olink_request *r, struct attempt *a);

/* The current attempt was given the request: a rival may follow after a while. */
void request_hedge(struct olink_request *r);
void request_hedge_fire(struct deadline *deadline);

/* The relay has said that it has no response for it, for that reason, and whether no server has
 * acted upon it. The attempt is over; the request is sent elsewhere, or fails. */
void request_refused_by_relay(struct olink_request *r, struct attempt *a, enum reason reason,
			      bool unacted, enum response_end end);

/* relay.c */

/* Before the head is given to the wire: says which origin it is for to a relay, and to nobody else.
 * False: no memory. */
bool relay_address_head(struct attempt *a);
/* Whether the attempt is made at a relay. */
bool relay_has(const struct attempt *a);
/* Whether a final head is the relay's own, and not an origin's: then the attempt has ended. */
bool relay_answered(struct attempt *a, const struct http_head *head, enum response_end end);

/* send.c */

extern const struct flow_sink_ops request_sink_ops;

/* At the end of the turn in which the connection came: grants, or sends the head. */
void send_begin(struct olink_request *r);
/* The rival has its connection. */
void send_rival(struct olink_request *r);
/* The next attempt has to be given all of it. */
void send_again(struct olink_request *r);
/* Nothing has to be given again any more, or nothing at all (OVER). */
void send_forget(struct olink_request *r);
/* Nothing is queued any more. */
void send_drained(struct olink_request *r);
/* The origin has agreed: the request's source may push. */
void send_tunnel(struct olink_request *r);

/* response.c */

extern const struct flow_source_ops request_source_ops;
