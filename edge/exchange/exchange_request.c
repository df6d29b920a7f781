/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes from the client: its head is dispatched and takes the steps; what follows goes on to
 * the origin, as far as that grants. Worker's loop only; owns nothing.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/exchange/dispatch.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/facts/parties.h"
#include "edge/node/view.h"
#include "edge/route/affinity.h"
#include "edge/route/route.h"
#include "edge/rules/identity.h"
#include "edge/rules/rules.h"
#include "edge/terms/grpc.h"
#include "origin-link/olink.h"

/* Who answers */

static struct edge_dispatch dispatch(struct edge_exchange *x)
{
	struct edge_question question = {
	    .view = x->view,
	    .client = x->client,
	    .facts = &x->facts,
	    .stopping = x->worker->stopping,
	    .arena = &x->arena,
	    .path = &x->path,
	};
	struct edge_dispatch found = edge_dispatch(&question);

	x->site = found.site;
	x->route = found.route;
	x->facts.node = span_of(x->view->self->name);
	if (found.site) {
		x->facts.site = span_of(found.site->cfg->name);
		x->rules = found.site->rules;
	}
	if (found.route) {
		x->facts.route = found.route->name;
		x->rules = found.route->rules;
		x->to = edge_route_origin(found.route, &x->facts, &x->arena);
	}
	if (x->to)
		x->facts.origin = span_of(x->to->name);
	log_debug("%s: " SPAN_FMT " " SPAN_FMT SPAN_FMT ": site " SPAN_FMT ", origin " SPAN_FMT,
		  net_addr_shown(&x->client->addr), SPAN_ARG(x->received.method),
		  SPAN_ARG(x->received.authority), SPAN_ARG(x->received.target),
		  SPAN_ARG(x->facts.site), SPAN_ARG(x->facts.origin));
	return found;
}

/* What it is found by in logs. False: no room. */
static bool identify(struct edge_exchange *x)
{
	const struct cfg_http *http = &x->view->fleet->http;

	return edge_identify(http, x->client_is_trusted, clock_wall(), &x->worker->randomness,
			     &x->facts, &x->arena);
}

static struct olink_terms terms_of_route(const struct edge_exchange *x)
{
	const struct cfg_terms *cfg = &x->route->cfg->terms;

	return (struct olink_terms){
	    .response = cfg->timeout.response,
	    .idle = cfg->timeout.idle,
	    .retries = cfg->n_retries > 0 ? cfg->retries : NULL,
	};
}

/* The cookie that says so is the other edge's, which has read it, and kept it from us. */
static void stick_to_server(struct edge_exchange *x, struct olink_affinity *affinity)
{
	affinity->has_server = true;
	affinity->server = x->relay_order.server;
	x->stick.is_set = x->stick.is_current = true;
	x->stick.server = x->relay_order.server;
}

/* As another edge wants it, which has its own terms with the client. */
static struct olink_terms terms_of_edge(const struct edge_exchange *x, struct cfg_retries *retries)
{
	*retries = x->to->retries;
	retries->attempts = x->relay_order.retries;
	return (struct olink_terms){
	    .response = x->relay_order.response,
	    .idle = x->relay_order.idle,
	    .retries = retries,
	};
}

static bool open_origin(struct edge_exchange *x)
{
	struct cfg_retries retries;
	struct olink_terms terms =
	    x->client->is_edge ? terms_of_edge(x, &retries) : terms_of_route(x);
	const struct edge_client *client = x->client->is_edge ? x->person : x->client;
	struct olink_open open = {
	    .origins = x->view->origins,
	    .terms = &terms,
	    .origin = x->to,
	    .is_relayed = x->client->is_edge,
	    .affinity = edge_affinity_of(x->view->affinities, x->to, &x->facts, &x->arena,
					 clock_wall(), &x->stick),
	    .ends = {.request = &x->for_origin, .response = &x->from_origin},
	};

	if (!edge_proxy_parties(&open.client, client, &x->facts, x->to, &x->arena))
		return false;
	if (x->relay_order.has_server)
		stick_to_server(x, &open.affinity);
	x->origin = olink_request_open(x->worker->olink, &open, &x->leg);
	return x->origin != NULL;
}

/* The end that came while a step waited. */
static void push_ending(struct edge_exchange *x)
{
	struct flow_sink *to = x->leg.request;

	switch (x->ending) {
	case ENDING_NONE:
	case ENDING_HEAD:
		break;
	case ENDING_CONTENT:
		to->ops->body(to, (struct slice){0}, true);
		break;
	case ENDING_TRAILERS:
		exchange_clean_trailers(x, x->trailers);
		edge_rules_trailers(x->rules, x->trailers);
		to->ops->trailers(to, x->trailers);
		break;
	}
}

void exchange_ask_origin(struct edge_exchange *x)
{
	if (!open_origin(x)) {
		exchange_respond(x, 503, REASON_LIMIT);
		return;
	}
	log_debug("%s: goes to " SPAN_FMT " as %s request %llu", net_addr_shown(&x->client->addr),
		  SPAN_ARG(x->facts.origin), loop_name(x->worker->loop),
		  (unsigned long long)olink_request_facts(x->origin).number);
	x->leg.request->ops->head(x->leg.request, &x->forwarded, x->ending == ENDING_HEAD);
	push_ending(x);
	exchange_send_hints(x);
}

/* From the client */

static void client_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_client);
	struct edge_dispatch found;

	CHECK(head == &x->received);
	exchange_count_in(x);
	if (end)
		x->ending = ENDING_HEAD;
	exchange_set_request(x, end                                    ? REQUEST_ENDED
				: head->framing == HTTP_FRAMING_TUNNEL ? REQUEST_ASKED
								       : REQUEST_CONTENT);
	x->is_grpc = edge_grpc_is(head);
	if (!exchange_know_client(x) || !identify(x)) {
		exchange_respond(x, 431, REASON_LIMIT);
		return;
	}
	if (x->client->is_edge) {
		exchange_relay(x);
		return;
	}
	found = dispatch(x);
	if (!found.for_all && !exchange_guard(x, found.site))
		return;
	if (found.status != 0)
		exchange_respond(x, found.status, found.reason);
	else
		exchange_take_steps(x);
}

static void client_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_client);

	if (!exchange_request_goes_on(x))
		return;
	CHECK(x->request_side != REQUEST_ASKED && (x->origin || slice.n == 0));
	x->bytes_in += slice.n;
	if (x->bytes_in > x->content_max && x->request_side == REQUEST_CONTENT) {
		exchange_fail(x, REASON_CLIENT_CONTENT_LIMIT);
		return;
	}
	if (end)
		exchange_set_request(x, REQUEST_ENDED);
	if (x->n_mirrors > 0)
		exchange_mirror_content(x, &slice, end);
	if (x->origin)
		x->leg.request->ops->body(x->leg.request, slice, end);
	else if (end)
		x->ending = ENDING_CONTENT;
}

static void client_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_client);

	if (!exchange_request_goes_on(x))
		return;
	exchange_set_request(x, REQUEST_ENDED);
	if (!x->origin) {
		x->ending = ENDING_TRAILERS;
		x->trailers = trailers;
		return;
	}
	exchange_clean_trailers(x, trailers);
	edge_rules_trailers(x->rules, trailers);
	if (x->n_mirrors > 0)
		exchange_mirror_content(x, &(struct slice){0}, true);
	x->leg.request->ops->trailers(x->leg.request, trailers);
}

static void client_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_client);

	if (!exchange_request_goes_on(x))
		return;
	exchange_set_request(x, REQUEST_ENDED);
	exchange_fail(x, reason);
}

const struct flow_sink_ops exchange_from_client_ops = {
    .head = client_head,
    .body = client_body,
    .trailers = client_trailers,
    .reset = client_reset,
};

/* What the origin wants of it */

static void origin_grants(struct flow_source *source, size_t n)
{
	struct edge_exchange *x = EXCHANGE_OF(source, for_origin);

	if (exchange_request_goes_on(x))
		x->ends.request->ops->grant(x->ends.request, n);
}

static void origin_stops(struct flow_source *source, enum reason reason)
{
	struct edge_exchange *x = EXCHANGE_OF(source, for_origin);

	if (!exchange_request_goes_on(x))
		return;
	exchange_set_request(x, REQUEST_UNWANTED);
	x->ends.request->ops->stop(x->ends.request, reason);
}

const struct flow_source_ops exchange_for_origin_ops = {
    .grant = origin_grants,
    .stop = origin_stops,
};
