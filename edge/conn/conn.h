/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client's connection, from accept to its end, whatever it speaks: the inlet takes it through
 * PROXY header, ClientHello and handshake, then hands it to a protocol; admission knows in which
 * stage each one is, and which gives way when there is no room. Worker's loop only.
 *
 * stage          | whose turn it is                       | gives way to newcomers
 * ---------------+----------------------------------------+----------------------------------------
 * SILENT         | the client has not said enough yet     | the oldest, over http.limit.silent, or
 *                |                                        | when full and none is idle
 * WAITING        | its ClientHello is here, but all of    | never (its time limit ends it)
 *                | http.limit.handshakes are taken        |
 * HANDSHAKING    | TLS; a place of http.limit.handshakes  | never (its time limit ends it)
 * IDLE           | a request is awaited, whole or the     | the one idle for longest, when full
 *                | rest of its head                       |
 * BUSY           | a request is being served              | never
 * LEAVING        | it has given way, and ends; no place   |
 */
#pragma once

#include <sys/queue.h>

#include "core/base/reason.h"
#include "core/net/stream.h"
#include "edge/facts/client.h"
#include "edge/node/worker.h"

enum edge_stage {
	EDGE_SILENT,
	EDGE_WAITING,
	EDGE_HANDSHAKING,
	EDGE_IDLE,
	EDGE_BUSY,
	EDGE_LEAVING,
	EDGE_STAGES
};

const char *edge_stage_text(enum edge_stage stage);

struct edge_conn;

/* What a protocol does for its connection. */
struct edge_conn_ops {
	/* End it in order as soon as nothing is under way: the program stops, or the client is an
	 * edge that would not be let in any more. Or room is needed: one that was IDLE then ends at
	 * once. `reason` is what it ends with. */
	void (*drain)(struct edge_conn *conn, enum reason reason);
	/* Ends with edge_conn_end() before it returns, whatever it does. Not from inside its own
	 * callbacks. */
	void (*destroy)(struct edge_conn *conn, enum reason reason);
};

struct edge_protocol {
	const char *alpn; /* "http/1.1" */
	const char *name; /* "HTTP/1.1" */
	/* Takes over a connection that is ready: sets conn->ops and conn->protocol, and hands the
	 * stream over to its own operations. `bytes` were read off it already; valid during the
	 * call. */
	void (*start)(struct edge_conn *conn, char *bytes, size_t n);
};

struct edge_conn {
	unsigned magic;
	struct edge_worker *worker;
	struct stream *stream;
	struct edge_client client;
	char *sni;  /* what client.sni points to; NULL: to nothing of its own */
	char *ja4;  /* likewise client.ja4 */
	char *edge; /* and client.edge */
	enum edge_stage stage;
	TAILQ_ENTRY(edge_conn) link; /* of its stage, oldest in it first */
	/* Of another edge: see review.h. */
	TAILQ_ENTRY(edge_conn) review;
	uint64_t reviewed;
	/* The protocol's, NULL before. */
	const struct edge_conn_ops *ops;
	void *protocol;
	struct edge_early *early; /* NULL: its handshake is done, or not as far */
	/* The inlet's, NULL after. */
	struct edge_inlet *inlet;
};

/* For protocols: between IDLE and BUSY. Of no effect on one that is LEAVING. */
void edge_conn_set_stage(struct edge_conn *conn, enum edge_stage stage);

/* For protocols: no further request is to come, as the program stops, or the client is an edge that
 * would not be let in any more. */
bool edge_conn_is_over(const struct edge_conn *conn);

enum edge_close {
	EDGE_CLOSE_ORDERLY, /* all that was written arrives, then the end */
	/* The client must see that something is missing: by a RST, unless it is told by an alert.
	 */
	EDGE_CLOSE_BREAK,
};
/* The one way out: counts, closes the stream, frees the connection. */
void edge_conn_end(struct edge_conn **conn, enum reason reason, enum edge_close how);
