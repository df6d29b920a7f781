/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See early.h. The inlet hands such a connection on before it is done with it; what is left of the
 * inlet's task lies in here.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/conn/early.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "edge/conn/conn.h"
#include "edge/conn/reason.h"
#include "edge/facts/early.h"
#include "edge/tls/failure.h"

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

void edge_conn_end_early(struct edge_conn *conn, enum reason reason)
{
	enum edge_failure failure;
	int error;

	if (conn->early == NULL)
		return;
	forget(conn);
	error = stream_tls_error(conn->stream);
	failure = error != 0 ? edge_failure_of(error) : edge_failure_of_reason(reason);
	edge_count(conn->worker, EDGE_HANDSHAKE_FAILURES, 1);
	edge_count(conn->worker, EDGE_HANDSHAKE_FAILURE + failure - 1, 1);
}

static void count_handshake(struct edge_worker *w, gnutls_session_t session)
{
	const char *group = gnutls_group_get_name(gnutls_group_get(session));

	edge_count(w, EDGE_HANDSHAKES, 1);
	if (gnutls_session_is_resumed(session))
		edge_count(w, EDGE_HANDSHAKES_RESUMED, 1);
	if (gnutls_protocol_get_version(session) < GNUTLS_TLS1_3)
		edge_count(w, EDGE_HANDSHAKES_TLS12, 1);
	if (group != NULL && strcmp(group, "X25519") == 0)
		edge_count(w, EDGE_HANDSHAKES_X25519, 1);
	else if (group != NULL && strcmp(group, "X25519-MLKEM768") == 0)
		edge_count(w, EDGE_HANDSHAKES_HYBRID, 1);
}

void edge_conn_count_handshake(struct edge_conn *conn, mono_time since)
{
	struct edge_worker *w = conn->worker;

	conn->client.handshake = mono_since(loop_now(w->loop), since);
	log_debug("%s: handshake done: %s%s", net_addr_shown(&conn->client.addr), conn->client.tls,
		  conn->client.tls_resumed ? ", resumed" : "");
	count_handshake(w, stream_tls_session(conn->stream));
	if (stream_early(conn->stream) == STREAM_EARLY_REFUSED)
		edge_count(w, EDGE_EARLY_DATA_REFUSED, 1);
}
