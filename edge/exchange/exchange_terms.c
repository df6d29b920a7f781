/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long an exchange may take, and how much may come: the terms of its route, and what a client
 * of gRPC says of its patience. Worker's loop only; owns nothing.
 */
#include "config/fleet.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/route/route.h"
#include "edge/terms/grpc.h"

static void fire(struct deadline *deadline)
{
	exchange_fail(EXCHANGE_OF(deadline, deadline), REASON_EDGE_DEADLINE);
}

/* Zero: it may take any time. */
static duration time_of(const struct edge_exchange *x)
{
	duration total = x->route->cfg->terms.timeout.total, patience;

	if (x->is_grpc && edge_grpc_timeout(&x->received, &patience) &&
	    (total.ns == 0 || patience.ns < total.ns))
		return patience.ns > 0 ? patience : DUR_NS(1);
	return total;
}

enum step_result exchange_step_time(struct edge_exchange *x)
{
	duration time = time_of(x);

	if (time.ns > 0 && x->received.framing != HTTP_FRAMING_TUNNEL) {
		deadline_init(&x->deadline, x->worker->loop, fire);
		deadline_set(&x->deadline, time);
	}
	return STEP_GO_ON;
}

enum step_result exchange_step_content(struct edge_exchange *x)
{
	uint64_t max = x->route->cfg->terms.limit.body;

	if (max == 0)
		return STEP_GO_ON;
	if (x->received.framing == HTTP_FRAMING_LENGTH && x->received.content_length > max) {
		exchange_respond(x, 413, REASON_CLIENT_CONTENT_LIMIT);
		return STEP_ANSWERED;
	}
	if (x->received.framing != HTTP_FRAMING_TUNNEL)
		x->content_max = max;
	return STEP_GO_ON;
}
