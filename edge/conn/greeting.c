/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See greeting.h.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/conn/greeting.h"

#include <stdlib.h>

#include <gnutls/gnutls.h>

#include "core/base/check.h"
#include "core/tls/groups.h"
#include "edge/conn/conn.h"
#include "edge/conn/conns.h"
#include "edge/node/view.h"
#include "edge/tls/client_hello.h"
#include "edge/tls/ja4.h"
#include "edge/tls/policy.h"

#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

static struct edge_greeting refuse(enum edge_failure failure, gnutls_alert_description_t alert)
{
	return (struct edge_greeting){.failure = failure, .alert = (uint8_t)alert};
}

static void count_offers(struct edge_worker *w, const struct edge_client_hello *hello)
{
	edge_count(w, EDGE_HELLOS, 1);
	if (edge_client_hello_offers(hello, TLS_1_3))
		edge_count(w, EDGE_HELLOS_TLS13, 1);
	else if (!edge_client_hello_offers(hello, TLS_1_2))
		edge_count(w, EDGE_HELLOS_OLD, 1);
	if (edge_u16s_have(hello->groups, TLS_GROUP_X25519_MLKEM768))
		edge_count(w, EDGE_HELLOS_HYBRID, 1);
}

/* What a request may be judged by, or logged with, and nobody need have asked for. */
static void take_fingerprint(struct edge_conn *conn, const struct edge_view *view,
			     const struct edge_client_hello *hello)
{
	if (!view->needs_ja4)
		return;
	conn->ja4 = xmalloc(EDGE_JA4_SIZE);
	edge_ja4_write(hello, conn->ja4);
	conn->client.ja4 = conn->ja4;
}

static struct edge_greeting greet(struct edge_conn *conn, const struct edge_client_hello *hello)
{
	const struct edge_view *view = edge_view_current(&conn->worker->common->views);

	count_offers(conn->worker, hello);
	if (!edge_tls_policy_shares_version(&view->tls_policy, hello))
		return refuse(EDGE_FAILURE_VERSION, GNUTLS_A_PROTOCOL_VERSION);
	/* RFC 8446, 4.1.2. */
	if (hello->compresses && edge_client_hello_offers(hello, TLS_1_3))
		return refuse(EDGE_FAILURE_MALFORMED, GNUTLS_A_ILLEGAL_PARAMETER);
	/* RFC 8446, 6.2: it has nothing to do with the client's messages, and will not last. Who
	 * comes to be let in as an edge may be anybody. */
	if (edge_conn_shakes_too_fast(conn))
		return refuse(EDGE_FAILURE_LIMITED, GNUTLS_A_INTERNAL_ERROR);
	/* Its certificate says whether it is let in. */
	if (conn->client.is_edge)
		return (struct edge_greeting){.shares_group = true};
	take_fingerprint(conn, view, hello);
	if (edge_conn_is_denied(conn))
		return refuse(EDGE_FAILURE_DENIED, GNUTLS_A_ACCESS_DENIED);
	return (struct edge_greeting){
	    .shares_group = edge_tls_policy_shares_group(&view->tls_policy, hello),
	};
}

struct edge_greeting edge_conn_greet(struct edge_conn *conn, struct span wire)
{
	struct edge_client_hello hello;
	struct edge_greeting greeting;
	struct span message;
	char *copy;

	if (!edge_client_hello_gather(wire, &message, &copy))
		return refuse(EDGE_FAILURE_OWN, GNUTLS_A_INTERNAL_ERROR);
	if (edge_client_hello_parse(message, &hello))
		greeting = greet(conn, &hello);
	else
		greeting = refuse(EDGE_FAILURE_MALFORMED, GNUTLS_A_DECODE_ERROR);
	free(copy);
	return greeting;
}
