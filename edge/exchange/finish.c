/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is done with every final response head before it goes to the client, whether an origin has
 * given it or we ourselves, in order. Worker's loop only.
 */
#include "config/fleet.h"
#include "core/loop/loop.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/exchange/proxy_status.h"
#include "edge/exchange/server_timing.h"
#include "edge/filter/compress.h"
#include "edge/node/view.h"
#include "edge/route/route.h"
#include "edge/rules/rules.h"
#include "origin-link/olink.h"

static bool add_server_timing(struct edge_exchange *x)
{
	struct edge_timing timing = {
	    .total = mono_since(loop_now(x->worker->loop), x->began),
	};

	if (!x->view->fleet->http.server_timing)
		return true;
	if (x->origin) {
		struct olink_facts facts = olink_request_facts(x->origin);

		timing.asked = true;
		timing.queue = facts.queue;
		timing.connect = facts.connect;
		timing.response = facts.response;
	}
	return edge_server_timing_add(&x->answer, &timing);
}

static bool add_proxy_status(struct edge_exchange *x)
{
	/* Of an origin's response nobody knows yet how it will end. */
	bool own = x->end != REASON_NONE;
	struct edge_proxy_status what = {
	    .proxy = x->worker->common->pseudonym,
	    .next_hop = x->origin ? x->facts.origin : SPAN(""),
	    .own = own,
	    .reason = x->end,
	    .received = x->received_status,
	};

	switch (x->view->fleet->http.proxy_status) {
	case CFG_PROXY_STATUS_OFF:
		return true;
	case CFG_PROXY_STATUS_ERRORS:
		if (!own || x->answer.status < 400)
			return true;
		break;
	case CFG_PROXY_STATUS_ALL:
		break;
	}
	return edge_proxy_status_add(&x->answer, &what);
}

static bool compress(struct edge_exchange *x)
{
	const struct edge_compress_setup setup = {
	    .worker = x->worker,
	    .cfg = &x->route->cfg->compression,
	    .limit = x->view->fleet->http.limit.compression / x->worker->common->group->n_workers,
	    .request = &x->received,
	    .identified = x->facts.client_cert != NULL,
	    .response = &x->answer,
	};

	if (!setup.cfg->enabled || x->answer.framing == HTTP_FRAMING_TUNNEL)
		return true;
	if (!edge_compress_start(&x->compress, &setup))
		return false;
	if (x->compress)
		exchange_put_filter(x, edge_compress_filter(x->compress));
	return true;
}

/* Whoever has answered is to answer the next one too. */
static bool keep_server(struct edge_exchange *x)
{
	struct olink_facts facts;

	if (!x->stick.sticky || x->received_status == 0)
		return true;
	facts = olink_request_facts(x->origin);
	/* A relay knows who it was, and has said so. */
	if (facts.by_relay)
		return true;
	return edge_affinity_keep(&x->stick, &facts.addr, clock_wall(), &x->answer);
}

bool exchange_finish(struct edge_exchange *x)
{
	x->facts.response = &x->answer;
	exchange_learn_hints(x);
	/* In this order: rules may take an origin's fields away, not what the edge says itself; the
	 * filter goes by all that the head has come to. An error page has taken the place of the
	 * content before. */
	if (!edge_rules_response(x->rules, &x->facts, &x->answer))
		return false;
	if (!keep_server(x) || !add_proxy_status(x) || !add_server_timing(x) ||
	    !exchange_tell_relay(x))
		return false;
	return exchange_tell_limits(x) && (!x->route || compress(x));
}
