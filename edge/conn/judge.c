/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is let in at all, by http.access and http.per_client: before anything is read of it, and by
 * its ClientHello. Worker's loop only.
 */
#define LOG_MODULE LOG_CLIENT
#include "config/fleet.h"
#include "core/base/log.h"
#include "edge/conn/conn.h"
#include "edge/conn/conns.h"
#include "edge/facts/forwarded.h"
#include "edge/limit/access.h"
#include "edge/limit/guard.h"
#include "edge/node/view.h"

/* One a worker, of a large machine. */
#define LINKS_OF_AN_EDGE 64

/* Name servers check whether we serve: nobody's limits are to make them think that we do not. */
static bool is_name_server(const struct cfg_fleet *fleet, const struct net_addr *addr)
{
	struct net_addr other;

	for (unsigned i = 0; i < fleet->n_nameservers; i++) {
		const struct cfg_addrs *listen = &fleet->nameservers[i].listen;

		for (unsigned a = 0; a < listen->n; a++) {
			other = listen->v[a];
			net_addr_set_port(&other, net_addr_port(addr));
			if (net_addr_equal(&other, addr))
				return true;
		}
	}
	return false;
}

/* By its network, and its fingerprint when that is known: whom a place denies is told so by an
 * answer. */
static bool is_denied(const struct edge_view *view, struct edge_client *client, const char *ja4)
{
	enum edge_access_verdict verdict;
	struct net_prefix address;
	const struct geo_place *place = NULL;

	if (view->access == NULL)
		return false;
	address = net_prefix_of(&client->addr);
	if (edge_access_needs_place(view->access))
		place = edge_client_place(client, view->places);
	verdict = edge_access_ask(view->access, &address, place, ja4);
	return verdict == EDGE_ACCESS_DENIED_NETWORK || verdict == EDGE_ACCESS_DENIED_JA4;
}

bool edge_conn_is_denied(struct edge_conn *conn)
{
	const struct edge_view *view = edge_view_current(&conn->worker->common->views);

	return edge_access_needs_ja4(view->access) &&
	       !is_name_server(view->fleet, &conn->client.addr) &&
	       is_denied(view, &conn->client, conn->client.ja4);
}

static enum reason refuse(struct edge_conn *conn, unsigned counter, enum reason reason)
{
	edge_count(conn->worker, counter, 1);
	log_debug("%s: is not let in: %s", net_addr_shown(&conn->client.addr), reason_text(reason));
	return reason;
}

/* As many are behind a trusted proxy's connections as it says, they are not its own. */
static enum reason judge_by_limits(struct edge_conn *conn, const struct cfg_http *http)
{
	struct edge_worker *w = conn->worker;

	if (edge_is_trusted(&http->trusted_proxies, &conn->client.addr))
		return REASON_NONE;
	switch (edge_guard_enter(w->common->guard, &http->per_client, &conn->client,
				 loop_now(w->loop))) {
	case EDGE_GUARD_TOO_MANY:
		return refuse(conn, EDGE_CONNECTIONS_TOO_MANY, REASON_CLIENT_LIMITED);
	case EDGE_GUARD_TOO_FAST:
		return refuse(conn, EDGE_CONNECTIONS_TOO_FAST, REASON_CLIENT_LIMITED);
	case EDGE_GUARD_PASSES:
		break;
	}
	return REASON_NONE;
}

static bool handshake_counts(const struct edge_conn *conn, const struct cfg_fleet *fleet)
{
	return fleet->http.per_client.handshake_rate.count > 0 &&
	       !is_name_server(fleet, &conn->client.addr) &&
	       !edge_is_trusted(&fleet->http.trusted_proxies, &conn->client.addr);
}

bool edge_conn_shakes_too_fast(struct edge_conn *conn)
{
	const struct edge_worker *w = conn->worker;
	const struct cfg_fleet *fleet = edge_view_current(&w->common->views)->fleet;
	const struct cfg_rate *rate = &fleet->http.per_client.handshake_rate;
	mono_time now = loop_now(w->loop);

	if (!handshake_counts(conn, fleet))
		return false;
	if (!conn->client.is_edge)
		return !edge_guard_shake(w->common->guard, rate, &conn->client, now);
	/* Until it is let in it is charged: and it makes all of its connections at once when it or
	 * we start, a check of each origin and a link of each worker. */
	return !edge_guard_shake_edge(w->common->guard, rate, fleet->n_origins + LINKS_OF_AN_EDGE,
				      &conn->client, now);
}

void edge_conn_excuse_handshake(struct edge_conn *conn)
{
	const struct edge_worker *w = conn->worker;
	const struct cfg_fleet *fleet = edge_view_current(&w->common->views)->fleet;

	if (handshake_counts(conn, fleet))
		edge_guard_unshake_edge(w->common->guard, &fleet->http.per_client.handshake_rate,
					&conn->client);
}

enum reason edge_conn_judge(struct edge_conn *conn)
{
	const struct edge_view *view = edge_view_current(&conn->worker->common->views);
	const struct cfg_http *http = &view->fleet->http;
	bool limited = edge_guard_is_needed(&http->per_client);

	if ((view->access == NULL && !limited) || is_name_server(view->fleet, &conn->client.addr))
		return REASON_NONE;
	if (is_denied(view, &conn->client, NULL))
		return refuse(conn, EDGE_CONNECTIONS_DENIED, REASON_CLIENT_DENIED);
	return limited ? judge_by_limits(conn, http) : REASON_NONE;
}
