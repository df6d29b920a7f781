/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Client connections: how they come, change their stage and end. Does what admission says, and
 * keeps the counters and gauges of connections. What happens in a stage is the inlet's and the
 * protocols' business.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/conn/conn.h"

#include <stdlib.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/clients/client_cert.h"
#include "edge/conn/admission.h"
#include "edge/conn/conns.h"
#include "edge/conn/early.h"
#include "edge/conn/inlet.h"
#include "edge/conn/review.h"
#include "edge/limit/guard.h"
#include "edge/node/view.h"
#include "edge/relay/edges.h"

#define CONN_MAGIC 0x436f6e6eu

/* How long a client may take nothing while the last of a response goes out, and then say nothing
 * while its end is waited for. A segment may be lost twice meanwhile (sent again after 1 s and 2 s
 * more: RFC 6298), and 26 kB/s are enough to be seen: the kernel takes more when half of what
 * listener.c lets it hold has been sent. */
#define LINGER DUR_S(5)

static struct edge_limits limits_of(const struct edge_worker *w)
{
	const struct edge_view *view = edge_view_current(&w->common->views);
	const struct cfg_http *http = &view->fleet->http;

	return (struct edge_limits){
	    .connections = view->descriptors.clients,
	    .silent = http->limit.silent,
	    .handshakes = http->limit.handshakes,
	};
}

/* Stages */

const char *edge_stage_text(enum edge_stage stage)
{
	static const char *const texts[] = {
	    [EDGE_SILENT] = "silent",
	    [EDGE_WAITING] = "waiting",
	    [EDGE_HANDSHAKING] = "handshaking",
	    [EDGE_IDLE] = "idle",
	    [EDGE_BUSY] = "busy",
	    [EDGE_LEAVING] = "leaving",
	    [EDGE_STAGES] = "gone",
	};

	CHECK((unsigned)stage < ARRAY_SIZE(texts));
	return texts[stage];
}

static void count_stage(struct edge_worker *w, enum edge_stage stage, int n)
{
	switch (stage) {
	case EDGE_SILENT:
		edge_count(w, EDGE_SILENT_ACTIVE, n);
		break;
	case EDGE_WAITING:
		edge_count(w, EDGE_HANDSHAKES_WAITING, n);
		break;
	case EDGE_HANDSHAKING:
		edge_count(w, EDGE_HANDSHAKES_ACTIVE, n);
		break;
	default:
		break;
	}
}

/* Admission has moved it, or forgotten it (EDGE_STAGES). */
static void stage_changed(const struct edge_conn *conn, enum edge_stage from, enum edge_stage to)
{
	struct edge_worker *w = conn->worker;
	struct edge_limits limits;

	log_debug("%s: %s, now %s", net_addr_shown(&conn->client.addr), edge_stage_text(from),
		  edge_stage_text(to));
	count_stage(w, from, -1);
	count_stage(w, to, 1);
	if (from != EDGE_HANDSHAKING)
		return;
	limits = limits_of(w);
	if (edge_admission_goes_on(w->admission, &limits))
		edge_inlets_look(w->inlets);
}

static void move(struct edge_conn *conn, enum edge_stage stage)
{
	enum edge_stage from = conn->stage;

	edge_admission_move(conn->worker->admission, conn, stage);
	stage_changed(conn, from, stage);
}

void edge_conn_set_stage(struct edge_conn *conn, enum edge_stage stage)
{
	MAGIC_CHECK(conn, CONN_MAGIC);
	CHECK(stage == EDGE_IDLE || stage == EDGE_BUSY);
	if (conn->stage != stage && conn->stage != EDGE_LEAVING)
		move(conn, stage);
}

bool edge_conn_is_outdated(const struct edge_conn *conn)
{
	const struct edge_client *client = &conn->client;

	return client->is_edge &&
	       !edge_tls_edges_know(edge_view_current(&conn->worker->common->views)->edges,
				    client->edge, client->authorities);
}

bool edge_conn_is_over(const struct edge_conn *conn)
{
	return conn->worker->stopping || edge_conn_is_outdated(conn);
}

bool edge_conn_take_handshake(struct edge_conn *conn)
{
	struct edge_worker *w = conn->worker;
	struct edge_limits limits = limits_of(w);
	enum edge_stage from = conn->stage;
	bool taken = edge_admission_take_handshake(w->admission, &limits, conn);

	stage_changed(conn, from, conn->stage);
	return taken;
}

struct edge_conn *edge_conn_next_handshake(struct edge_worker *w, bool all)
{
	struct edge_limits limits = limits_of(w);
	struct edge_conn *conn = NULL;

	if (all || edge_admission_goes_on(w->admission, &limits))
		conn = edge_admission_next_handshake(w->admission, &limits);
	if (conn != NULL)
		stage_changed(conn, EDGE_WAITING, conn->stage);
	return conn;
}

void edge_conn_ready(struct edge_conn *conn, const struct edge_protocol *protocol, char *bytes,
		     size_t n)
{
	move(conn, EDGE_IDLE);
	conn->client.protocol = protocol->name;
	if (conn->client.is_edge)
		edge_review_add(conn->worker->review, conn);
	protocol->start(conn, bytes, n);
}

/* The way in */

static void displace(struct edge_conn *conn)
{
	log_debug("%s: gives way to a newcomer", net_addr_shown(&conn->client.addr));
	edge_count(conn->worker, EDGE_CONNECTIONS_DISPLACED, 1);
	if (conn->ops == NULL) {
		LOG_LIMITED(LOG_LEVEL_WARN, "no room for newcomers: the client connection that has "
					    "been silent for longest gives way");
		edge_conn_end(&conn, REASON_CLIENT_DISPLACED, EDGE_CLOSE_BREAK);
		return;
	}
	LOG_LIMITED(LOG_LEVEL_WARN, "no room for newcomers: the client connection that has been "
				    "idle for longest gives way");
	/* First: its end may come at once. */
	move(conn, EDGE_LEAVING);
	conn->ops->drain(conn, REASON_CLIENT_DISPLACED);
}

static bool let_in(struct edge_worker *w, struct edge_conn *newcomer)
{
	struct edge_limits limits = limits_of(w);
	struct edge_conn *other;

	for (;;) {
		switch (edge_admission_ask(w->admission, &limits, newcomer, &other)) {
		case EDGE_LET_IN:
			count_stage(w, EDGE_SILENT, 1);
			return true;
		case EDGE_DISPLACE:
			displace(other);
			break;
		case EDGE_TURN_AWAY:
			return false;
		}
	}
}

static bool take_in(struct edge_conn *conn, bool is_client)
{
	if (is_client && edge_conn_judge(conn) != REASON_NONE)
		return false;
	if (let_in(conn->worker, conn))
		return true;
	edge_count(conn->worker, EDGE_CONNECTIONS_REFUSED, 1);
	LOG_LIMITED(LOG_LEVEL_WARN, "too many client connections: newcomers are closed");
	edge_guard_leave(&conn->client);
	return false;
}

struct edge_conn *edge_conn_create(struct edge_worker *w, const struct net_addr *remote,
				   bool is_client)
{
	struct edge_conn *conn = xcalloc(1, sizeof(*conn));

	conn->magic = CONN_MAGIC;
	conn->worker = w;
	conn->client.addr = *remote;
	net_addr_format_ip(remote, conn->client.ip);
	conn->client.protocol = conn->client.tls = conn->client.sni = "";
	conn->client.ja4 = "";
	if (!take_in(conn, is_client)) {
		free(conn);
		return NULL;
	}
	edge_count(w, EDGE_CONNECTIONS, 1);
	edge_count(w, EDGE_CONNECTIONS_ACTIVE, 1);
	return conn;
}

/* The way out */

void edge_conn_end(struct edge_conn **connp, enum reason reason, enum edge_close how)
{
	struct edge_conn *conn = TAKE(connp);
	struct edge_worker *w = conn->worker;
	enum edge_stage stage = conn->stage;

	MAGIC_CHECK(conn, CONN_MAGIC);
	LOOP_ASSERT_OWNER(w->loop);
	log_debug("%s: ends %s: %s", net_addr_shown(&conn->client.addr),
		  how == EDGE_CLOSE_ORDERLY ? "in order" : "broken off", reason_text(reason));
	edge_conn_end_early(conn, reason);
	if (how == EDGE_CLOSE_ORDERLY || (conn->stream != NULL && stream_has_alerted(conn->stream)))
		stream_close(&conn->stream, LINGER);
	else
		stream_abort(&conn->stream);
	if (conn->inlet != NULL)
		edge_inlet_end(&conn->inlet, reason);
	if (conn->client.is_edge && conn->ops != NULL)
		edge_review_remove(w->review, conn);
	edge_guard_leave(&conn->client);
	edge_admission_remove(w->admission, conn);
	stage_changed(conn, stage, EDGE_STAGES);
	edge_count(w, EDGE_CONNECTIONS_ACTIVE, -1);
	edge_count(w, EDGE_CONNECTION_END + reason, 1);
	free(conn->sni);
	edge_client_cert_destroy(&conn->client.cert);
	free(conn->ja4);
	free(conn->edge);
	conn->magic = MAGIC_DEAD;
	free(conn);
}

/* All of a worker's */

void edge_conns_create(struct edge_worker *w)
{
	w->admission = xcalloc(1, sizeof(*w->admission));
	edge_admission_init(w->admission, &w->common->places, w->common->group->n_workers);
	w->review = xcalloc(1, sizeof(*w->review));
	edge_review_init(w->review, w->loop);
	w->inlets = edge_inlets_create(w);
}

void edge_conns_destroy(struct edge_worker *w)
{
	struct edge_conn *conn;

	for (enum edge_stage s = 0; s < EDGE_STAGES; s++) {
		while ((conn = edge_admission_oldest(w->admission, s)) != NULL) {
			if (conn->ops != NULL)
				conn->ops->destroy(conn, REASON_SHUTDOWN);
			else
				edge_conn_end(&conn, REASON_SHUTDOWN, EDGE_CLOSE_BREAK);
		}
	}
	edge_inlets_destroy(&w->inlets);
	edge_review_fini(w->review);
	free(w->review);
	w->review = NULL;
	free(w->admission);
	w->admission = NULL;
}

void edge_conns_drain(struct edge_worker *w)
{
	static const enum edge_stage stages[] = {EDGE_IDLE, EDGE_BUSY};
	struct edge_conn *conn, *next;

	while ((conn = edge_admission_oldest(w->admission, EDGE_SILENT)) != NULL)
		edge_conn_end(&conn, REASON_SHUTDOWN, EDGE_CLOSE_BREAK);
	TAILQ_FOREACH (conn, &w->admission->conns[EDGE_WAITING], link)
		edge_inlet_hurry(conn->inlet);
	TAILQ_FOREACH (conn, &w->admission->conns[EDGE_HANDSHAKING], link)
		edge_inlet_hurry(conn->inlet);
	for (unsigned i = 0; i < ARRAY_SIZE(stages); i++) {
		for (conn = edge_admission_oldest(w->admission, stages[i]); conn != NULL;
		     conn = next) {
			next = TAILQ_NEXT(conn, link); /* its end may come at once */
			conn->ops->drain(conn, REASON_SHUTDOWN);
		}
	}
}

void edge_conns_review(struct edge_worker *w)
{
	edge_review_begin(w->review);
}

unsigned edge_conns_host(const struct edge_worker *w)
{
	unsigned self = loop_index(w->loop) - 1;
	struct edge_limits limits = limits_of(w);
	unsigned most = 0, host = self;

	if (!edge_admission_is_full(w->admission, &limits))
		return self;
	for (unsigned i = 0; i < w->common->group->n_workers; i++) {
		const struct edge_worker *other = w->common->workers[i];
		unsigned n =
		    atomic_load_explicit(&other->admission->yielding, memory_order_relaxed);

		if (n > most) {
			most = n;
			host = i;
		}
	}
	return host;
}

unsigned edge_conns_count(const struct edge_worker *w)
{
	return edge_admission_count(w->admission);
}
