/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The response of one request: pushes what the wire of its attempt tells into the sink, and passes
 * on to the wire what the sink grants. Runs on the request's loop; owns nothing.
 */
#define LOG_MODULE LOG_ORIGIN
#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/request/request_internal.h"

/* The source of the response, as its sink sees it */

static void source_grant(struct flow_source *source, size_t n)
{
	struct olink_request *r = CONTAINER_OF(source, struct olink_request, source);

	r->wanted += n;
	if (r->current->state == ATTEMPT_OPEN)
		r->current->wire->grant(r->current);
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	request_abandon(CONTAINER_OF(source, struct olink_request, source));
}

const struct flow_source_ops request_source_ops = {
    .grant = source_grant,
    .stop = source_stop,
};

/* Its end */

static bool is_end_wanted(const struct olink_request *r)
{
	return r->response == RESPONSE_ENDED && !r->closed;
}

/* The end of the response is there; true when it is to be pushed. The connection may carry the next
 * request when nothing of this one is left on it, in either direction. */
static bool ended(struct olink_request *r, enum response_end end)
{
	bool keep = end == RESPONSE_ENDS_CLEANLY && r->side == REQUEST_ENDED;
	bool tunnel = r->response == RESPONSE_TUNNEL;

	request_set_response(r, RESPONSE_ENDED);
	if (tunnel) {
		request_tunnel_ended(r);
		return true;
	}
	request_over(r, keep ? ATTEMPT_KEEP : ATTEMPT_CLOSE, REASON_DONE);
	request_stop(r, REASON_DONE);
	return is_end_wanted(r);
}

/* Heads */

void attempt_informational(struct attempt *a, struct http_head *head)
{
	struct olink_request *r = a->request;

	REQUEST_TRACE(r, "informational status %d", head->status);
	a->leave_given |= head->status == 100;
	if (a == r->rival) {
		/* Those of one are enough. */
		watch_restart(a);
		return;
	}
	r->ends.response->ops->head(r->ends.response, head, false);
	/* The origin is alive: its time begins anew. */
	if (a->state == ATTEMPT_OPEN)
		watch_restart(a);
}

void attempt_final(struct attempt *a, struct http_head *head, enum response_end end)
{
	struct olink_request *r = a->request;
	struct flow_sink *sink = r->ends.response;

	if (relay_answered(a, head, end))
		return;
	REQUEST_TRACE(r, "status %d", head->status);
	attempt_answered(a, head->status);
	if (request_holds_back(r, a, head->status, end))
		return;
	request_won(r, a);
	send_forget(r);
	r->is_tunnel = head->framing == HTTP_FRAMING_TUNNEL;
	request_set_response(r, r->is_tunnel ? RESPONSE_TUNNEL : RESPONSE_BODY);
	if (r->is_tunnel)
		request_set_side(r, REQUEST_TUNNEL);
	else if (r->side == REQUEST_ASKED)
		request_set_side(r, REQUEST_ENDED);
	if (end != RESPONSE_GOES_ON) {
		if (ended(r, end))
			sink->ops->head(sink, head, true);
		return;
	}
	sink->ops->head(sink, head, false);
	if (r->side == REQUEST_TUNNEL)
		send_tunnel(r);
	watch_restart(a);
}

/* Content */

static void push_body(struct olink_request *r, struct slice slice, bool end)
{
	CHECK(slice.n <= r->wanted);
	r->wanted -= slice.n;
	r->ends.response->ops->body(r->ends.response, slice, end);
}

void attempt_content(struct attempt *a, struct slice slice)
{
	push_body(a->request, slice, false);
	watch_restart(a);
}

void attempt_complete(struct attempt *a, struct slice last, struct http_fields *trailers,
		      enum response_end end)
{
	struct olink_request *r = a->request;
	struct flow_sink *sink = r->ends.response;

	if (!ended(r, end))
		return;
	if (!trailers) {
		push_body(r, last, true);
		return;
	}
	if (last.n > 0)
		push_body(r, last, false);
	/* With what precedes them the sink may have lost interest. */
	if (is_end_wanted(r))
		sink->ops->trailers(sink, trailers);
}
