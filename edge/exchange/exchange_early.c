/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The step of requests that come as early data, to us or to somebody before us (RFC 8470). Where
 * the route allows it, one that is safe goes on at once. What it does not allow waits for the
 * handshake, whose end proves that it is no replay: 425 (Too Early) in its place would cost the
 * client another round trip, and there is nothing to wait for but the rest of its own packets. Only
 * of what came early to somebody else is there nothing to wait for: that is told 425. Worker's loop
 * only.
 */
#include "config/fleet.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/route/route.h"

/* RFC 9110 section 9.2.1; TRACE is not served. */
static bool is_safe(const struct http_head *head)
{
	return head->method_id == HTTP_METHOD_GET || head->method_id == HTTP_METHOD_HEAD ||
	       head->method_id == HTTP_METHOD_OPTIONS;
}

/* Only the origin of the route is known to understand Early-Data: others that are asked as well do
 * not see it. */
static bool is_allowed(const struct edge_exchange *x)
{
	const struct cfg_terms *terms = &x->route->cfg->terms;

	return terms->early_data && is_safe(&x->received) && terms->auth.n_forward == 0 &&
	       terms->n_mirrors == 0 && x->received.framing != HTTP_FRAMING_TUNNEL;
}

static void proceed(struct loop_task *task)
{
	exchange_step_done(EXCHANGE_OF(task, early_wait.task));
}

static void cancel(struct edge_exchange *x)
{
	edge_early_wait_cancel(x->client, &x->early_wait, x->worker->loop);
}

/* Before us, says who passed it on. */
static bool came_early(const struct edge_exchange *x)
{
	return http_fields_find(&x->received.fields, SPAN("Early-Data"), NULL) != NULL;
}

bool exchange_is_early(const struct edge_exchange *x)
{
	return x->client->early || came_early(x);
}

enum step_result exchange_step_early(struct edge_exchange *x)
{
	bool told = came_early(x);

	if (!x->client->early && !told)
		return STEP_GO_ON;
	if (is_allowed(x)) {
		x->facts.early = x->client->early;
		if (x->client->early)
			edge_count(x->worker, EDGE_REQUESTS_EARLY, 1);
		return STEP_GO_ON;
	}
	if (told) {
		edge_count(x->worker, EDGE_TOO_EARLY, 1);
		exchange_respond(x, 425, REASON_DONE);
		return STEP_ANSWERED;
	}
	x->early_wait.task.run = proceed;
	x->cancel_wait = cancel;
	edge_early_wait(x->client, &x->early_wait);
	return STEP_WAITS;
}
