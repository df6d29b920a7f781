/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What becomes of a request whose origin cannot be asked now, because none of its servers is up,
 * its breaker is open or too much is under way there: as the origin's all_down says. Here, before
 * anything is made for the origin, so that a fallback's settings come along. Worker's loop only;
 * owns nothing.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "config/fleet.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/exchange/respond.h"
#include "edge/limit/buckets.h"
#include "edge/node/view.h"
#include "edge/route/route.h"
#include "origin-link/olink.h"

static void answer_by_page(struct edge_exchange *x, enum reason reason)
{
	const struct edge_content *page = edge_routes_page(x->view->routes, x->to);
	struct span date = edge_date_text(&x->worker->date, clock_wall());

	if (edge_respond_content(&x->answer, &x->arena, (int)x->to->page->status, date, page))
		exchange_answer(x, page->bytes, reason);
	else
		exchange_respond(x, 503, REASON_LIMIT);
}

static enum step_result refuse(struct edge_exchange *x, enum reason reason, duration wait)
{
	x->retry_after = edge_limit_retry_after(wait, &x->arena);
	if (x->to->all_down == CFG_ALL_DOWN_PAGE)
		answer_by_page(x, reason);
	else
		exchange_respond(x, 503, reason);
	return STEP_ANSWERED;
}

enum step_result exchange_step_all_down(struct edge_exchange *x)
{
	for (;;) {
		enum reason reason;
		duration wait;

		if (!x->to)
			return STEP_GO_ON;
		reason = olink_origins_admit(x->view->origins, x->to, x->worker->loop, &wait);
		if (reason == REASON_NONE)
			return STEP_GO_ON;
		switch (x->to->all_down) {
		case CFG_ALL_DOWN_FALLBACK:
			/* The configuration has made sure that this ends. */
			x->to = x->to->fallback;
			x->facts.origin = span_of(x->to->name);
			log_debug("%s: %s: goes to " SPAN_FMT, net_addr_shown(&x->client->addr),
				  reason_text(reason), SPAN_ARG(x->facts.origin));
			continue;
		case CFG_ALL_DOWN_PAGE:
			return refuse(x, reason, wait);
		case CFG_ALL_DOWN_REFUSE:
			/* Where there is no address, that is what goes wrong. */
			if (reason != REASON_ORIGIN_RESOLVE_FAILED)
				return refuse(x, reason, wait);
			return STEP_GO_ON;
		case CFG_ALL_DOWN_TRY:
			/* What is asked last has not been asked where the servers are down. */
			if (reason != REASON_ORIGIN_BREAKER_OPEN &&
			    reason != REASON_ORIGIN_QUEUE_FULL)
				reason = olink_origins_let_pass(x->view->origins, x->to,
								x->worker->loop, &wait);
			return reason == REASON_NONE ? STEP_GO_ON : refuse(x, reason, wait);
		}
	}
}
