/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes from another edge of the fleet, for which this one is a relay: the request names its
 * origin, and goes straight to the servers of that. Routes, rules, limits and terms of the site
 * were the other edge's; balancing, connections and health are this one's. Worker's loop only.
 *
 * Nobody but an edge gets here: the listener lets no one else in (edge/relay/edges.h). What is sent
 * on is never sent by a relay again, and what this edge says of itself is told apart from what an
 * origin says by the field Perigee-Relay (core/http/relay_field.h).
 */
#define LOG_MODULE LOG_EXCHANGE
#include "config/fleet.h"
#include "core/base/log.h"
#include "core/http/relay_field.h"
#include "edge/exchange/dispatch.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/exchange/respond.h"
#include "edge/node/view.h"
#include "edge/relay/edges.h"
#include "origin-link/olink.h"

/* "?origin=NAME" behind the path of the health answer; empty: it asks about the edge alone. False:
 * the request is for something else. */
static bool asks_for_health(struct span target, struct span *origin)
{
	static const struct span path = SPAN(EDGE_HEALTH_PATH), query = SPAN("?origin=");

	*origin = SPAN("");
	if (target.n < path.n || memcmp(target.p, path.p, path.n) != 0)
		return false;
	target.p += path.n;
	target.n -= path.n;
	if (target.n > query.n && memcmp(target.p, query.p, query.n) == 0)
		*origin = (struct span){target.p + query.n, target.n - query.n};
	return target.n == 0 || origin->n > 0;
}

/* Whether requests for it are welcome here: the other edge has another way, which is better than
 * one that leads to nobody. */
static int health_status(const struct edge_exchange *x, struct span name)
{
	const struct cfg_origin *origin;

	if (x->worker->stopping)
		return 503;
	if (name.n == 0)
		return 200;
	origin = olink_origins_find(x->view->origins, name);
	return origin && olink_origins_are_usable(x->view->origins, origin) ? 200 : 503;
}

/* Content that means nothing: what is sent widens the way that it goes. */
static void send_filling(struct edge_exchange *x)
{
	static char filling[RELAY_FILLING]; /* never written: it takes no memory */
	struct span date = edge_date_text(&x->worker->date, clock_wall()), content;

	x->arena.cap += EXCHANGE_OWN_HEAD_MAX;
	if (!edge_respond(&x->answer, &x->arena, 200, date, &content)) {
		exchange_fail(x, REASON_LIMIT);
		return;
	}
	x->answer.content_length = sizeof(filling);
	exchange_answer(x, (struct span){filling, sizeof(filling)}, REASON_DONE);
}

/* A reload may have taken the other edge out of the fleet, the authority that it was let in by, or
 * this one's part as a relay, since the connection was made. */
static bool is_still_known(const struct edge_exchange *x)
{
	return edge_tls_edges_know(x->view->edges, x->client->edge, x->client->authorities);
}

/* Of the other edge's own requests, not of those that it passes on: a client may ask for the same,
 * and then means the origin. False: it is for an origin. */
static bool answer_edge(struct edge_exchange *x)
{
	struct span name;

	if (asks_for_health(x->received.target, &name))
		exchange_respond(x, health_status(x, name), REASON_DONE);
	else if (span_equal(x->received.target, SPAN(RELAY_FILLING_TARGET)))
		send_filling(x);
	else
		return false;
	return true;
}

/* False: it has been answered. */
static bool find_origin(struct edge_exchange *x)
{
	const struct http_field *field =
	    http_fields_find(&x->received.fields, SPAN(RELAY_FIELD), NULL);

	if (!field && answer_edge(x))
		return false;
	if (field && relay_order_parse(field->value, &x->relay_order))
		x->to = olink_origins_find(x->view->origins, x->relay_order.origin);
	if (x->to == NULL) {
		/* The edges have different configurations for a moment. */
		exchange_respond(x, 421, REASON_CLIENT_MISDIRECTED);
		return false;
	}
	x->facts.origin = span_of(x->to->name);
	return true;
}

/* False: it has been answered. */
static bool rewrite(struct edge_exchange *x)
{
	int status = 431;

	x->forward = (struct edge_forward){
	    .client_ip = x->client->ip,
	    .client_speaks_http2 = edge_client_speaks_http2(x->client),
	    .client_is_trusted = true,
	    .is_relayed = true,
	    .trusted_fields = &x->view->fleet->http.trusted_fields,
	    .underscores = CFG_UNDERSCORES_PASS,
	    .facts = &x->facts,
	    .pseudonym = x->worker->common->pseudonym,
	};
	if (http_head_copy(&x->forwarded, &x->received, &x->arena))
		status = edge_forward_request(&x->forwarded, &x->forward);
	if (status != 0)
		exchange_respond(x, status, REASON_DONE);
	return status == 0;
}

void exchange_relay(struct edge_exchange *x)
{
	const char *why;
	enum reason reason;
	duration wait;

	x->facts.node = span_of(x->view->self->name);
	/* What fails is told to the edge, which tells the client in the client's words. */
	x->is_grpc = false;
	if (!is_still_known(x)) {
		exchange_respond(x, 421, REASON_CLIENT_MISDIRECTED);
		return;
	}
	/* What the origin's balance may look at; the other edge has refused what cannot be read. */
	if (http_path_parse(&x->path, x->received.target, &x->arena, &why) == HTTP_PATH_OK)
		x->facts.path = &x->path;
	if (!find_origin(x) || !rewrite(x))
		return;
	/* Only here is seen what becomes of relayed requests. */
	reason = olink_origins_let_pass(x->view->origins, x->to, x->worker->loop, &wait);
	if (reason != REASON_NONE) {
		exchange_respond(x, 503, reason);
		return;
	}
	log_debug("%s: relayed for edge " SPAN_FMT " to origin %s",
		  net_addr_shown(&x->client->addr), SPAN_ARG(x->client->edge), x->to->name);
	edge_count(x->worker, EDGE_RELAYED, 1);
	exchange_ask_origin(x);
}

bool exchange_tell_relay(struct edge_exchange *x)
{
	struct relay_answer answer = {.reason = x->end};
	char text[RELAY_ANSWER_MAX], *copy;
	size_t n;

	if (!x->client->is_edge || x->end == REASON_NONE)
		return true;
	answer.unacted = !x->origin || !olink_request_facts(x->origin).given;
	n = relay_answer_write(&answer, text);
	copy = arena_copy(&x->arena, text, n);
	return copy && http_fields_add(&x->answer.fields, &x->arena, SPAN(RELAY_FIELD),
				       (struct span){copy, n});
}
