/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request to an origin. Worker's loop only.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/http/flow.h"
#include "origin-link/conns/connector.h"
#include "origin-link/servers/origins.h"

struct cfg_origin;
struct cfg_retries;
struct olink;
struct olink_request;
struct olink_worker;
struct stream_buffers;

/* One per worker; created before the worker starts, destroyed after it was joined. */
struct olink_worker *olink_worker_create(struct olink *olink, struct stream_buffers *buffers);
void olink_worker_destroy(struct olink_worker **worker);

/* What the sender of a request wants in another way than the origin says. */
struct olink_terms {
	duration response, idle;           /* 0: as the origin says */
	const struct cfg_retries *retries; /* all but the budget; NULL: as the origin says */
};

struct olink_open {                          /* copied */
	const struct olink_origins *origins; /* looked at only inside olink_request_open() */
	const struct cfg_origin *origin;     /* likewise: what is needed later is copied */
	struct proxy_parties client;         /* for PROXY headers; TLVs live as long as it */
	const struct olink_terms *terms;     /* NULL: all as the origin says */
	bool is_relayed;                     /* by another edge: it goes straight to a server */
	struct olink_affinity affinity;      /* to a server */
	struct flow_ends ends;
};

/*
 * Opens a leg (core/http/flow.h). The request's head, already rewritten for forwarding, is pushed
 * into leg->request; it and its arena must live until the request is closed. head->keep_alive is
 * about the connection that the request came by, and is not looked at. Response heads are parsed
 * into an arena of the request's own, bounded by the origin's limits, which lives until the request
 * is closed; head->keep_alive is not looked at after the push.
 *
 * Nothing is pushed into ends.response, nor stop() or grant() called on ends.request, from inside
 * olink_request_open() or leg->request->ops->head(). NULL: memory is gone.
 *
 * A failure is told to ends.response by reset(REASON_ORIGIN_*, or our own shortage), after
 * ends.request, unless it has ended, was stopped with the same reason. When the response ends
 * before the request, the request is stopped with REASON_DONE, and its connection, if that is of
 * HTTP/1.1, is not used again. After leg->request->ops->reset() or leg->response->ops->stop() the
 * whole request is over: neither of the ends hears of it any more.
 *
 * A tunnel is one when a request's head has HTTP_FRAMING_TUNNEL and the origin answers with 101 and
 * an Upgrade field; the response's head then has HTTP_FRAMING_TUNNEL too.
 */
struct olink_request *olink_request_open(struct olink_worker *w, const struct olink_open *open,
					 struct flow_leg *leg);

/* For the access log. */
enum olink_try_end {
	OLINK_TRY_CONNECT,   /* no connection came of it */
	OLINK_TRY_BROKE,     /* the connection broke */
	OLINK_TRY_VANISHED,  /* the server did not acknowledge what was sent */
	OLINK_TRY_TOOK_LONG, /* the response did not come in time */
	OLINK_TRY_STATUS,    /* the response's status is one after which another try is made */
	OLINK_TRY_LOST,      /* another one was faster */
};
const char *olink_try_end_text(enum olink_try_end end);

/* An attempt that another one has followed, or won over. */
struct olink_try {
	struct olink_try *next;
	struct net_addr addr;
	enum olink_try_end end;
	enum reason reason; /* CONNECT, BROKE: why */
	int status;         /* STATUS */
	duration time;      /* from its beginning to its end */
};

struct olink_facts {
	uint64_t number;      /* among the requests of its worker, as the log has it */
	bool reused;          /* sent over a connection that was already open */
	const char *protocol; /* of that connection, a literal; NULL: there was none */
	struct net_addr addr; /* the last that a connection to was tried; AF_UNSPEC: none */
	unsigned retries;     /* how often it was sent again */
	bool given;    /* some of it was given to a connection, so that a server may have acted */
	bool by_relay; /* the last connection that was had was to another edge */
	/* The attempts before the last one, in the order of their ends; until the request is
	 * closed. */
	unsigned n_tries;
	struct olink_try *tries;
	/* Until it had the connection that it was last sent by, but for the time to make that:
	 * waiting for a place, and attempts that came to nothing. */
	duration queue;
	duration connect;  /* to make that one, TLS included; zero when reused */
	duration response; /* from then on to the first byte that came; < 0: none did */
};
struct olink_facts olink_request_facts(const struct olink_request *r);

/* Ends it, whatever its state; the connection is kept for the next one when it is clean. What a
 * tunnel that has ended both ways has still to send goes out. */
void olink_request_close(struct olink_request **r);
