/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes to the client: the response of the origin, or one of our own, through the same finish
 * and past the same filter. Worker's loop only; owns nothing.
 *
 * A response of our own that is no longer than EDGE_OWN_CONTENT_MAX is pushed at once; a longer one
 * as its sink grants.
 */
#define LOG_MODULE LOG_EXCHANGE
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/exchange/respond.h"
#include "edge/filter/compress.h"
#include "edge/limit/buckets.h"
#include "edge/node/view.h"
#include "edge/route/route.h"
#include "edge/terms/grpc.h"
#include "origin-link/olink.h"

/* The final head goes out, and what was granted so far is passed on. */
static void begin_response(struct edge_exchange *x, enum response_side side)
{
	size_t credit = x->early_credit;

	/* Whatever that has to add: the response may be a tunnel, and stay for days. */
	exchange_close_auth(x);
	x->status = x->answer.status;
	x->first_byte = mono_since(loop_now(x->worker->loop), x->began);
	exchange_set_response(x, side);
	log_debug("%s: status %d", net_addr_shown(&x->client->addr), x->status);
	x->early_credit = 0;
	x->out->ops->head(x->out, &x->answer, side == RESPONSE_ENDED);
	if (side != RESPONSE_ENDED && credit > 0)
		x->granted->ops->grant(x->granted, credit);
}

static bool push_grpc_trailers(struct edge_exchange *x, enum reason reason)
{
	struct http_fields *trailers;

	x->arena.cap += EXCHANGE_OWN_HEAD_MAX;
	trailers = arena_alloc(&x->arena, sizeof(*trailers));
	if (!trailers)
		return false;
	*trailers = (struct http_fields){0};
	if (!edge_grpc_trailers(trailers, &x->arena, edge_respond_status(reason), reason))
		return false;
	x->out->ops->trailers(x->out, trailers);
	return true;
}

/* gRPC's trailers say that something is missing, where they can follow: not by HTTP/1.1, which has
 * them in chunks only and none that reads them, nor where a length was promised. */
static bool can_tell_grpc(const struct edge_exchange *x)
{
	return x->is_grpc && x->response_side == RESPONSE_CONTENT &&
	       x->answer.framing != HTTP_FRAMING_LENGTH && edge_client_speaks_http2(x->client);
}

/* The client must see that something is missing. */
static void break_off(struct edge_exchange *x, enum reason reason)
{
	bool can_tell = can_tell_grpc(x);

	x->end = reason;
	exchange_stop_both(x, reason);
	exchange_set_response(x, RESPONSE_ENDED);
	if (!can_tell || !push_grpc_trailers(x, reason))
		x->out->ops->reset(x->out, reason);
}

/* Our own answers */

static void push_some(struct edge_exchange *x, size_t n)
{
	struct span piece = {x->own_content.p, n};

	x->own_content.p += n;
	x->own_content.n -= n;
	x->bytes_out += n;
	if (x->own_content.n == 0)
		exchange_set_response(x, RESPONSE_ENDED);
	x->out->ops->body(x->out, (struct slice){.p = piece.p, .n = n}, x->own_content.n == 0);
}

void exchange_push_own(struct loop_task *task)
{
	struct edge_exchange *x = EXCHANGE_OF(task, own_task);

	/* A push may bring more credit. */
	while (x->response_side == RESPONSE_CONTENT && x->own_credit > 0) {
		size_t n = MIN(x->own_credit, x->own_content.n);

		x->own_credit -= n;
		push_some(x, n);
	}
}

/* The head is finished; nothing of the origin's goes out any more. */
static void send_own(struct edge_exchange *x, struct span content)
{
	bool bodiless = x->received.method_id == HTTP_METHOD_HEAD || content.n == 0 ||
			http_status_has_no_content(x->answer.status);

	if (!bodiless)
		x->own_content = content;
	begin_response(x, bodiless ? RESPONSE_ENDED : RESPONSE_CONTENT);
	if (!bodiless && content.n <= EDGE_OWN_CONTENT_MAX && x->response_side == RESPONSE_CONTENT)
		push_some(x, content.n);
}

void exchange_answer(struct edge_exchange *x, struct span content, enum reason reason)
{
	CHECK(x->response_side == RESPONSE_AWAITED);
	x->end = reason;
	exchange_stop_both(x, reason);
	if (exchange_finish(x))
		send_own(x, content);
	else
		break_off(x, REASON_LIMIT);
}

/* gRPC has no use for one. False: no room. */
static bool take_page(struct edge_exchange *x, bool own)
{
	if (x->site && !x->is_grpc)
		x->page = edge_route_error_page(x->site, x->route, x->answer.status, own);
	return !x->page || edge_respond_page(&x->answer, x->page);
}

/* What some statuses say beside their line. False: no room. */
static bool complete(struct edge_exchange *x)
{
	if (x->answer.status == EDGE_REDIRECT_STATUS)
		return edge_respond_location(&x->answer, &x->received);
	if (x->answer.status == 405 && x->route)
		return edge_respond_only_read(&x->answer);
	return true;
}

void exchange_respond_with(struct edge_exchange *x, int status, enum reason reason,
			   struct span name, struct span value)
{
	struct span date = edge_date_text(&x->worker->date, clock_wall());
	struct span content;

	x->arena.cap += EXCHANGE_OWN_HEAD_MAX;
	if (x->is_grpc && edge_grpc_respond(&x->answer, &x->arena, status, reason))
		exchange_answer(x, SPAN(""), reason);
	else if (edge_respond(&x->answer, &x->arena, status, date, &content) && complete(x) &&
		 (name.n == 0 || http_fields_add(&x->answer.fields, &x->arena, name, value)) &&
		 take_page(x, true)) {
		/* An edge has words of its own for clients, and keeps the connection for the next
		 * request. */
		if (x->client->is_edge) {
			x->answer.content_length = 0;
			content.n = 0;
		}
		exchange_answer(x, x->page ? x->page->bytes : content, reason);
	} else
		break_off(x, REASON_LIMIT);
}

void exchange_respond(struct edge_exchange *x, int status, enum reason reason)
{
	exchange_respond_with(x, status, reason, SPAN(""), SPAN(""));
}

/* A queue moves on within that, and what is longer is known where it is refused without asking. */
#define SOON DUR_S(1)

/* What there was no room for at the origin, and may have in a moment. */
static bool is_soon_over(enum reason reason)
{
	return reason == REASON_ORIGIN_QUEUE_FULL || reason == REASON_ORIGIN_QUEUE_TIMEOUT ||
	       reason == REASON_ORIGIN_BREAKER_OPEN;
}

void exchange_fail(struct edge_exchange *x, enum reason reason)
{
	if (x->response_side == RESPONSE_ENDED)
		return;
	if (x->response_side == RESPONSE_AWAITED) {
		if (is_soon_over(reason) && x->retry_after.n == 0)
			x->retry_after = edge_limit_retry_after(SOON, &x->arena);
		exchange_respond(x, edge_respond_status(reason), reason);
	} else {
		break_off(x, reason);
	}
}

/* From the origin */

static bool copy_name(struct edge_exchange *x, struct span *name)
{
	if (name->n > 0)
		name->p = arena_copy(&x->arena, name->p, name->n);
	return name->n == 0 || name->p;
}

/* Names and values that rules have set are the configuration's, and the log may ask for them at the
 * end. False: no room. */
static bool copy_response_fields(struct edge_exchange *x)
{
	struct http_fields *fields = &x->answer.fields;
	size_t size = 1;
	char *p;

	for (unsigned i = 0; i < fields->n; i++)
		size += fields->v[i].name.n + fields->v[i].value.n;
	/* Beyond what a head may have, which they have had already. */
	x->arena.cap += size + EXCHANGE_OWN_HEAD_MAX;
	p = arena_alloc(&x->arena, size);
	for (unsigned i = 0; p != NULL && i < fields->n; i++) {
		struct http_field *f = &fields->v[i];

		f->name.p = memcpy(p, f->name.p, f->name.n);
		p += f->name.n;
		if (f->value.n > 0)
			f->value.p = memcpy(p, f->value.p, f->value.n);
		p += f->value.n;
	}
	return p != NULL;
}

/* The protocol that was asked for begins. What it needs of the configuration is copied, and the
 * view let go soon: a tunnel may stay for days. */
static bool begin_tunnel(struct edge_exchange *x)
{
	struct edge_facts *f = &x->facts;

	if (!copy_name(x, &f->node) || !copy_name(x, &f->site) || !copy_name(x, &f->route) ||
	    !copy_name(x, &f->origin) || !copy_response_fields(x))
		return false;
	x->site = NULL;
	x->route = NULL;
	x->to = NULL;
	x->rules = NULL;
	if (x->request_side == REQUEST_ASKED)
		exchange_set_request(x, REQUEST_TUNNEL);
	return true;
}

static void pass_information(struct edge_exchange *x, struct http_head *head)
{
	http_fields_remove_hop_by_hop(&head->fields);
	edge_count(x->worker, EDGE_RESPONSES_1XX, 1);
	x->out->ops->head(x->out, head, false);
}

static bool take_answer(struct edge_exchange *x, const struct http_head *head)
{
	struct span date = edge_date_text(&x->worker->date, clock_wall());

	return http_head_copy(&x->answer, head, &x->arena) &&
	       edge_forward_response(&x->answer, &x->forward, date) && take_page(x, false) &&
	       exchange_finish(x);
}

static void origin_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_origin);
	bool tunnel = head->framing == HTTP_FRAMING_TUNNEL;

	if (x->response_side != RESPONSE_AWAITED)
		return;
	if (head->status < 200 && !tunnel) {
		pass_information(x, head);
		return;
	}
	x->origin_ended = end;
	x->received_status = head->status;
	if (!take_answer(x, head) || (tunnel && !begin_tunnel(x))) {
		exchange_fail(x, REASON_LIMIT);
		return;
	}
	/* It has ended with its head, then. */
	if (!tunnel && x->request_side == REQUEST_ASKED)
		exchange_set_request(x, REQUEST_ENDED);
	if (x->page) {
		exchange_stop_both(x, REASON_DONE);
		send_own(x, x->page->bytes);
		return;
	}
	begin_response(x, tunnel ? RESPONSE_TUNNEL : end ? RESPONSE_ENDED : RESPONSE_CONTENT);
	if (tunnel)
		edge_view_unpin(&x->view, x->worker->loop);
}

static void origin_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_origin);

	x->origin_ended |= end;
	if (x->response_side == RESPONSE_ENDED)
		return;
	x->bytes_out += slice.n;
	if (end)
		exchange_set_response(x, RESPONSE_ENDED);
	x->out->ops->body(x->out, slice, end);
}

static void origin_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_origin);

	x->origin_ended = true;
	if (x->response_side == RESPONSE_ENDED)
		return;
	exchange_set_response(x, RESPONSE_ENDED);
	x->out->ops->trailers(x->out, trailers);
}

static void origin_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_exchange *x = EXCHANGE_OF(sink, from_origin);

	x->origin_ended = true;
	exchange_fail(x, reason);
}

const struct flow_sink_ops exchange_from_origin_ops = {
    .head = origin_head,
    .body = origin_body,
    .trailers = origin_trailers,
    .reset = origin_reset,
};

/* What the client's side wants of it, and a filter in front of that */

static void client_grants(struct flow_source *source, size_t n)
{
	struct edge_exchange *x = EXCHANGE_OF(source, for_client);

	if (x->response_side == RESPONSE_AWAITED)
		x->early_credit += n;
	else
		x->granted->ops->grant(x->granted, n);
}

static void stopped(struct edge_exchange *x, enum reason reason)
{
	exchange_stop_both(x, reason);
	exchange_set_response(x, RESPONSE_ENDED);
}

static void client_stops(struct flow_source *source, enum reason reason)
{
	struct edge_exchange *x = EXCHANGE_OF(source, for_client);

	if (x->compress)
		edge_compress_quit(x->compress);
	if (x->response_side == RESPONSE_ENDED)
		return;
	if (x->end == REASON_NONE)
		x->end = reason;
	stopped(x, reason);
}

const struct flow_source_ops exchange_for_client_ops = {
    .grant = client_grants,
    .stop = client_stops,
};

static void filter_grants(struct flow_source *source, size_t n)
{
	struct edge_exchange *x = EXCHANGE_OF(source, for_filter);

	if (x->own_content.n > 0) {
		x->own_credit += n;
		loop_defer(x->worker->loop, &x->own_task);
	} else if (x->origin && !x->origin_ended) {
		x->leg.response->ops->grant(x->leg.response, n);
	}
}

/* It could not do its work, and has reset what is behind it. */
static void filter_stops(struct flow_source *source, enum reason reason)
{
	struct edge_exchange *x = EXCHANGE_OF(source, for_filter);

	if (x->end == REASON_NONE || x->end == REASON_DONE)
		x->end = reason;
	stopped(x, reason);
}

const struct flow_source_ops exchange_for_filter_ops = {
    .grant = filter_grants,
    .stop = filter_stops,
};

void exchange_put_filter(struct edge_exchange *x, struct flow_filter *filter)
{
	CHECK(x->response_side == RESPONSE_AWAITED && x->granted == &x->for_filter);
	filter->before = &x->for_filter;
	filter->after = x->ends.response;
	x->out = &filter->sink;
	x->granted = &filter->source;
}
