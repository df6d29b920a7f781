/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The use of one connection by one request. From the loop's own idle connections (they stay
 * registered with the loop: no epoll_ctl, no look; the origin's close is seen at once), else from
 * another loop's (asked by mail, it answers with one or with none), else a new one, else (as many
 * are open as may be) from a queue. Over a long path another loop is asked as well when it has one
 * with a wider window. Of HTTP/2 it is the use of one stream of a connection that
 * other leases of the loop use as well: where there is room in one it is ready at once, and while
 * one is being made it is waited for. A lease belongs to the loop of its `conns`.
 */
#pragma once

#include "core/loop/loop.h"
#include "origin-link/conns/connector.h"

struct endpoint;
struct quota;
struct stream;
struct stream_ops;

struct lease_terms {              /* by value: no configuration is referred to */
	unsigned max_idle;        /* of an endpoint, over all loops; passed by a few when several
				     loops give one back at once */
	unsigned max_connections; /* of an endpoint, over all loops */
	unsigned max_waiting;     /* for an endpoint, over all loops */
	struct quota *quota;      /* of the origin; NULL: any number */
	unsigned max_in_all;      /* of the origin's connections, over all endpoints and loops */
	unsigned max_requests;    /* that a connection is used for; 0: any number */
	duration max_age;         /* of a connection; 0: any */
	duration idle_timeout, connect_timeout, queue_timeout;
	duration tls_timeout; /* of connect_timeout; 0: what is left of that */
};

/* What the connection has to speak. */
enum lease_protocol {
	LEASE_ANY,
	LEASE_H1,
	LEASE_WEBSOCKET, /* HTTP/1.1, or HTTP/2 with an origin that takes WebSockets by it */
};

struct lease_order {
	struct endpoint *endpoint; /* as for endpoint_pin(); the lease pins it itself */
	struct lease_terms terms;
	const struct proxy_parties *client; /* copied; NULL: none */
	bool fresh;           /* only a new connection will do: an idle one has just failed */
	mono_time newer_than; /* fresh: when that was; of HTTP/2 one that was made since will do */
	enum lease_protocol protocol;
	bool careful;  /* the request cannot be repeated: an idle connection is looked at before it
			  is used */
	duration time; /* to connect, if that is less than terms.connect_timeout; time in the queue
			  is not counted */
};

/* How long its stages took; < 0: did not come to an end, or was skipped. */
struct lease_times {
	duration queue; /* in ASKS, JOINS and QUEUED */
	duration connect, tls;
};

enum lease_result { LEASE_READY, LEASE_WAITS, LEASE_REFUSED };

enum lease_state {
	LEASE_NONE,
	LEASE_ASKS,     /* another loop; a connection of our own that becomes free will do too */
	LEASE_JOINS,    /* one that is being made for another lease may be of HTTP/2, for both */
	LEASE_QUEUED,   /* as many are open as may be, of the endpoint or of all; may have asked
			   as well */
	LEASE_CONNECTS, /* a new connection is being made */
	LEASE_PROMISED, /* done() comes at the end of the turn */
	LEASE_HELD,
};

struct conns_mail;
struct origin_conn;
struct origin_h2;

/* Embedded in who wants a connection. */
struct lease {
	struct conns *conns;
	const struct stream_ops *ops;
	void *arg;
	void (*done)(struct lease *l, enum reason reason, const char *detail);

	enum lease_state state;
	/* all but NONE */
	uint64_t number;           /* among those of its loop, for the log */
	struct endpoint *endpoint; /* pinned */
	struct lease_terms terms;
	bool has_client, fresh, careful;
	mono_time newer_than;
	enum lease_protocol protocol;
	struct proxy_parties client;
	duration time;
	unsigned n_asked;
	bool is_most; /* with it more are in use on its loop than before in this period */
	struct lease_times times;
	/* ASKS, JOINS, QUEUED */
	mono_time waits_since;
	TAILQ_ENTRY(lease) link;
	struct conns_mail *question; /* NULL: none under way */
	struct event timer;
	/* QUEUED */
	bool lacks; /* a place of the quota: then it is in conns->lacking as well */
	TAILQ_ENTRY(lease) lacking_link;
	/* CONNECTS */
	struct quota *place; /* the quota that the new connection has a place of; NULL: none */
	struct connector connector;
	mono_time dialled;
	bool made_room; /* an idle connection was closed for its descriptor */
	bool opens;     /* others may join it: counted in slot->opening */
	/* PROMISED */
	struct loop_task told;
	/* PROMISED, HELD */
	struct origin_conn *conn;
	/* HELD */
	bool reused;
	duration connect_time;
};

/* `ops` are called with `arg` for the connection while it is held, if it is of HTTP/1.1. */
void lease_init(struct lease *l, struct conns *conns, const struct stream_ops *ops, void *arg,
		void (*done)(struct lease *l, enum reason reason, const char *detail));
/* READY: lease_stream() is established. WAITS: done() comes, once, later: REASON_NONE (ready now)
 * or why not: what connector.h says, or REASON_ORIGIN_QUEUE_FULL, _QUEUE_TIMEOUT; `detail` (may be
 * NULL) are words for the log, valid during the call. REFUSED: *reason at once
 * (REASON_ORIGIN_QUEUE_FULL). Another lease may be taken after a failure, and after lease_end(). */
enum lease_result lease_take(struct lease *l, const struct lease_order *order, enum reason *reason);
/* While it is held. The session that it has a stream of; NULL: the connection is of HTTP/1.1. */
struct origin_h2 *lease_h2(const struct lease *l);
/* While it is held, of HTTP/1.1. */
struct stream *lease_stream(const struct lease *l);
bool lease_is_reused(const struct lease *l);
/* NULL: it has none, as it has ended, or failed. */
struct endpoint *lease_endpoint(const struct lease *l);
/* It waits for somebody else: for a place, or another loop. */
bool lease_is_waiting(const struct lease *l);
/* A new connection is being made. */
bool lease_is_connecting(const struct lease *l);
/* And the server has not said anything yet, not even by TCP. */
bool lease_is_dialling(const struct lease *l);
duration lease_connect_time(const struct lease *l); /* zero when reused */
/* While it is held, and when it has failed, until the next is taken. */
struct lease_times lease_times(const struct lease *l);
/* The only way out, whatever its state (also while it waits; nothing to do when there is nothing).
 * `keep`: drained, nothing of this exchange left on it. Otherwise the connection is destroyed.
 * Allowed inside the stream's callbacks. */
void lease_end(struct lease *l, bool keep);
