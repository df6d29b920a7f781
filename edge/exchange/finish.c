/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is done with every final response head before it goes to the client, whether an origin has
 * given it or we ourselves, in order. Worker's loop only.
 */
#include "config/fleet.h"
#include "core/loop/loop.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/filter/compress.h"
#include "edge/node/view.h"
#include "edge/route/route.h"
#include "edge/rules/response_rules.h"

static bool compress(struct edge_exchange *x)
{
	const struct edge_compress_setup setup = {
	    .worker = x->worker,
	    .cfg = &x->route->cfg->compression,
	    .limit = x->view->fleet->http.limit.compression / x->worker->common->group->n_workers,
	    .request = &x->received,
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

bool exchange_finish(struct edge_exchange *x)
{
	x->facts.response = &x->answer;
	/* Here, in this order, each by a call of its own: hints are learned; rules for fields; an
	 * error page in place of the response; Proxy-Status and Server-Timing; RateLimit fields; a
	 * filter is put in the way of the content. */
	if (!x->route)
		return true;
	return response_rules_apply(x->route->cfg, &x->answer) && compress(x);
}
