/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request, as its two halves see it: request.c (where it goes, what is sent, how it ends) and
 * response.c (what comes back). Nobody else includes this.
 */
#pragma once

#include "core/http/h1.h"
#include "core/loop/deadline.h"
#include "origin-link/conns/lease.h"
#include "origin-link/request/request.h"
#include "origin-link/servers/link.h"

struct olink_worker {
	struct olink *olink;
	struct stream_buffers *buffers;
	struct conns *conns; /* of this loop */
	LIST_HEAD(, olink_request) requests;
	char *scratch; /* a request head, between two calls of nobody else */
	size_t scratch_size;
};

/* The address whose turn it is, and the one to try when it cannot be connected to. */
#define REQUEST_TRIES_MAX 2

enum request_phase {
	REQUEST_CONNECTING, /* no connection yet */
	REQUEST_OPEN,       /* a connection is leased */
	REQUEST_OVER,       /* and given back */
};

struct olink_request {
	unsigned magic;
	LIST_ENTRY(olink_request) link;
	struct olink_worker *worker;
	const struct cfg_origin *origin;
	struct http_sink sink;     /* takes the request's body */
	struct http_source source; /* of the response */
	const struct http_head *head;
	struct http_source *body;   /* NULL: the request has none */
	struct http_sink *response; /* NULL: ended, or nobody wants more of it */
	struct arena *arena;

	enum request_phase phase;
	bool finished; /* freed at the end of the turn */
	struct loop_task turn_end;
	enum reason failed; /* before anything could be told; told at the end of the turn */
	struct olink_facts facts;

	/* the connection */
	struct endpoint *candidates[REQUEST_TRIES_MAX]; /* pinned */
	unsigned n_candidates, candidate;
	mono_time started, connect_by;
	struct lease lease;
	struct deadline deadline;
	enum reason waits; /* what it means when the deadline fires; REASON_NONE: not set */

	/* request */
	bool head_sent;
	bool sent; /* all of it has been handed to the stream */
	bool write_failed;
	bool body_waits; /* its source is to be resumed */
	char *early;     /* content that came before there was a connection */
	size_t n_early;
	bool early_end;
	struct http_fields early_trailers;

	/* response */
	struct h1_head_parser parser;
	struct http_head *in; /* in `arena` */
	struct h1_body content;
	bool head_received; /* the final one */
	bool keep_alive;    /* what it said; the sink may have rewritten `in` since */
	bool paused;
	char *held; /* a line that is not whole yet */
	size_t n_held;
};

extern const struct stream_ops request_stream_ops;

/* request.c */


/* Frees the requests that were finished but not yet swept up. */
void olink_requests_sweep(struct olink_worker *worker);

/* Nobody is interested in how it ends. */
void request_abandon(struct olink_request *r);
/* Nothing of the response can come any more. The response's sink is reset, the body stopped. */
void request_fail(struct olink_request *r, enum reason reason);
/* The response is whole; its end has still to be pushed. `clean`: nothing but it was received. */
void request_response_ended(struct olink_request *r, bool clean);
/* A reused connection died before any byte of the response: the same again on a fresh one, if
 * that is allowed. */
bool request_retry(struct olink_request *r);
/* Sets the deadline to what is waited for now. */
void request_rearm(struct olink_request *r);
void request_drained(struct olink_request *r);

/* response.c */

/* Ready for a response head; false when the arena is full. */
bool response_begin(struct olink_request *r);
void response_readable(struct olink_request *r);
extern const struct http_source_ops response_source_ops;
