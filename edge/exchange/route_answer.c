/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a route answers in the place of an origin: a redirect, or a text or file of the
 * configuration. Worker's loop only; owns nothing.
 */
#include "config/fleet.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/exchange/respond.h"
#include "edge/route/route.h"

/* A path that begins with two slashes, or what browsers take for them, is the name of a host (RFC
 * 3986 section 4.2): one of them stays. */
static struct span without_host(struct span location)
{
	while (location.n > 1 && location.p[0] == '/' &&
	       (location.p[1] == '/' || location.p[1] == '\\'))
		location.p++, location.n--;
	if (location.n > 0 && location.p[0] == '\\')
		return SPAN("/");
	return location;
}

static void redirect(struct edge_exchange *x, struct span date)
{
	int status = (int)x->route->cfg->redirect->status;
	struct span location, content;

	if (!edge_template_expand(x->route->redirect, &x->facts, &x->arena, &location))
		exchange_respond(x, 431, REASON_LIMIT);
	else if (edge_respond_redirect(&x->answer, &x->arena, status, date, without_host(location),
				       &content))
		exchange_answer(x, content, REASON_DONE);
	else
		exchange_respond(x, 503, REASON_LIMIT);
}

static void respond(struct edge_exchange *x, struct span date)
{
	const struct edge_content *content = &x->route->content;
	int status = (int)x->route->cfg->respond->status;

	/* Any other status is for whatever was asked for. */
	if (status == 200 && x->received.method_id != HTTP_METHOD_GET &&
	    x->received.method_id != HTTP_METHOD_HEAD) {
		exchange_respond(x, 405, REASON_DONE);
		return;
	}
	if (!edge_respond_content(&x->answer, &x->arena, status, date, content)) {
		exchange_respond(x, 503, REASON_LIMIT);
		return;
	}
	if (edge_respond_unchanged(&x->answer, &x->received))
		exchange_answer(x, (struct span){0}, REASON_DONE);
	else
		exchange_answer(x, content->bytes, REASON_DONE);
}

enum step_result exchange_answer_by_route(struct edge_exchange *x)
{
	struct span date;

	if (x->to)
		return STEP_GO_ON;
	date = edge_date_text(&x->worker->date, clock_wall());
	if (x->route->redirect)
		redirect(x, date);
	else
		respond(x, date);
	return STEP_ANSWERED;
}
