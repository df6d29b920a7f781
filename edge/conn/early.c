/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See early.h. The inlet hands such a connection on before it is done with it; what is left of the
 * inlet's task lies in here.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/conn/early.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "edge/conn/conn.h"
#include "edge/facts/early.h"

struct edge_early {
	struct edge_conn *conn;
	struct deadline deadline;
	mono_time since; /* its ClientHello */
};

static void on_deadline(struct deadline *deadline)
{
	struct edge_conn *conn = CONTAINER_OF(deadline, struct edge_early, deadline)->conn;

	conn->ops->destroy(conn, REASON_CLIENT_HANDSHAKE_TIMEOUT);
}

void edge_conn_begin_early(struct edge_conn *conn, mono_time since, mono_time until)
{
	struct loop *loop = conn->worker->loop;
	struct edge_early *early = xcalloc(1, sizeof(*early));
	duration left = mono_since(until, loop_now(loop));

	early->conn = conn;
	early->since = since;
	deadline_init(&early->deadline, loop, on_deadline);
	deadline_set(&early->deadline, left.ns > 0 ? left : DUR_NS(1));
	conn->early = early;
	edge_early_begin(&conn->client);
	edge_count(conn->worker, EDGE_EARLY_DATA, 1);
}

static void forget(struct edge_conn *conn)
{
	deadline_fini(&conn->early->deadline);
	free(conn->early);
	conn->early = NULL;
}

void edge_conn_handshaken(struct edge_conn *conn)
{
	mono_time since = conn->early->since;

	forget(conn);
	edge_conn_count_handshake(conn, since);
	edge_early_done(&conn->client, conn->worker->loop);
}

void edge_conn_end_early(struct edge_conn *conn)
{
	if (conn->early == NULL)
		return;
	forget(conn);
	edge_count(conn->worker, EDGE_HANDSHAKE_FAILURES, 1);
}

void edge_conn_count_handshake(struct edge_conn *conn, mono_time since)
{
	struct edge_worker *w = conn->worker;

	conn->client.handshake = mono_since(loop_now(w->loop), since);
	log_debug("%s: handshake done: %s%s", net_addr_shown(&conn->client.addr), conn->client.tls,
		  conn->client.tls_resumed ? ", resumed" : "");
	edge_count(w, EDGE_HANDSHAKES, 1);
	if (conn->client.tls_resumed)
		edge_count(w, EDGE_HANDSHAKES_RESUMED, 1);
	if (stream_early(conn->stream) == STREAM_EARLY_REFUSED)
		edge_count(w, EDGE_EARLY_DATA_REFUSED, 1);
}
