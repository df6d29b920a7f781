/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is done with every final response head before it goes to the client, whether an origin has
 * given it or we ourselves, in order. Worker's loop only.
 */
#include "edge/exchange/exchange_internal.h"
#include "edge/route/route.h"
#include "edge/rules/response_rules.h"

bool exchange_finish(struct edge_exchange *x)
{
	x->facts.response = &x->answer;
	/* Here, in this order, each by a call of its own: hints are learned; rules for fields;
	 * Proxy-Status and Server-Timing; RateLimit fields; a filter is put in the way of the
	 * content. An error page has taken the place of the content before. */
	return !x->route || response_rules_apply(x->route->cfg, &x->answer);
}
