/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The step that asks another origin whether a request is let in. With 2xx it is, and what that
 * origin has said in some fields goes on to the route's origin; any other answer is the client's,
 * as if the route's origin had given it; none at all is a failure: nobody is let in by mistake.
 * Worker's loop only.
 *
 * What it answers beside the head is of no interest; as much of it as is cheap is read, so that the
 * connection can be used again.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/facts/parties.h"
#include "edge/limit/buckets.h"
#include "edge/node/view.h"
#include "edge/route/affinity.h"
#include "edge/route/route.h"
#include "origin-link/olink.h"

#define ANSWER_READ (64 * 1024)

/* In the arena of its exchange. */
struct exchange_auth {
	struct edge_exchange *x;
	struct flow_source source; /* of a request that is all head */
	struct flow_sink sink;
	struct olink_request *request; /* NULL: closed, or its response has become the client's */
	struct flow_leg leg;
	struct http_head head;
	enum { AUTH_AWAITED, AUTH_LET_IN, AUTH_REFUSED } state;
	struct http_fields fields; /* for the route's origin */
};

static const struct cfg_auth_forward *forward_of(const struct edge_exchange *x)
{
	return x->route->cfg->terms.auth.forward;
}

static struct exchange_auth *of_sink(struct flow_sink *sink)
{
	struct exchange_auth *auth = CONTAINER_OF(sink, struct exchange_auth, sink);

	exchange_checked(auth->x);
	return auth;
}

/* The question */

/* All fields of that name. False: no room. */
static bool copy_fields(struct http_fields *to, const struct http_fields *from, struct span name,
			struct arena *arena)
{
	const struct http_field *field;
	unsigned next = 0;

	while ((field = http_fields_find(from, name, &next))) {
		if (!http_fields_add(to, arena, field->name, field->value))
			return false;
	}
	return true;
}

/* Via and CDN-Loop tell when an origin is asked in a circle. */
static bool copy_chosen(struct edge_exchange *x, struct http_head *head)
{
	const struct cfg_strings *chosen = &forward_of(x)->request_fields;
	struct http_fields *to = &head->fields;

	for (unsigned i = 0; i < chosen->n; i++) {
		if (!copy_fields(to, &x->received.fields, span_of(chosen->v[i]), &x->arena))
			return false;
	}
	if (exchange_hides_credentials(x))
		http_fields_remove(to, SPAN("Authorization"));
	http_fields_remove(to, SPAN("Via"));
	http_fields_remove(to, SPAN("CDN-Loop"));
	return copy_fields(to, &x->received.fields, SPAN("Via"), &x->arena) &&
	       copy_fields(to, &x->received.fields, SPAN("CDN-Loop"), &x->arena);
}

/* 0, or the status to answer with. */
static int make_question(struct edge_exchange *x, struct http_head *head)
{
	const struct http_head *received = &x->received;
	int status;

	http_head_init(head, &x->arena);
	head->method_id = HTTP_METHOD_GET;
	head->method = SPAN("GET");
	head->scheme = received->scheme;
	head->authority = received->authority;
	head->target = span_of(forward_of(x)->path);
	if (!copy_chosen(x, head))
		return 431;
	status = edge_forward_request(head, &x->forward);
	if (status != 0)
		return status;
	return http_fields_set(&head->fields, head->arena, SPAN("X-Forwarded-Method"),
			       received->method) &&
		       http_fields_set(&head->fields, head->arena, SPAN("X-Forwarded-Uri"),
				       received->target)
		   ? 0
		   : 431;
}

/* The answer */

/* They are copied: what the link has given lives as long as its request only. */
static bool keep_fields(struct exchange_auth *auth, const struct http_head *head)
{
	const struct cfg_strings *names = &forward_of(auth->x)->response_fields;
	struct arena *arena = &auth->x->arena;

	for (unsigned i = 0; i < names->n; i++) {
		const struct http_field *field;
		unsigned next = 0;

		while ((field = http_fields_find(&head->fields, span_of(names->v[i]), &next))) {
			char *value = arena_copy(arena, field->value.p, field->value.n);

			if (!value || !http_fields_add(&auth->fields, arena, span_of(names->v[i]),
						       (struct span){value, field->value.n}))
				return false;
		}
	}
	return true;
}

static void let_in(struct exchange_auth *auth, const struct http_head *head, bool end)
{
	struct edge_exchange *x = auth->x;

	auth->state = AUTH_LET_IN;
	if (!keep_fields(auth, head)) {
		exchange_fail(x, REASON_LIMIT);
		return;
	}
	if (!end)
		auth->leg.response->ops->grant(auth->leg.response, ANSWER_READ);
	exchange_step_done(x);
}

/* Its origin stands in the place of the route's. */
static void hand_on(struct exchange_auth *auth, struct http_head *head, bool end)
{
	struct edge_exchange *x = auth->x;

	auth->state = AUTH_REFUSED;
	edge_count(x->worker, EDGE_AUTH_REFUSED, 1);
	x->cancel_wait = NULL;
	if (exchange_request_goes_on(x)) {
		exchange_set_request(x, REQUEST_UNWANTED);
		x->ends.request->ops->stop(x->ends.request, REASON_DONE);
	}
	x->facts.origin = span_of(forward_of(x)->origin->name);
	x->origin = TAKE(&auth->request);
	x->leg = auth->leg;
	/* The question was no HEAD. */
	if (x->received.method_id == HTTP_METHOD_HEAD && !end) {
		head->length_declared = head->framing == HTTP_FRAMING_LENGTH;
		head->framing = HTTP_FRAMING_NONE;
		end = true;
	}
	x->from_origin.ops->head(&x->from_origin, head, end);
}

static void auth_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct exchange_auth *auth = of_sink(sink);

	if (auth->state != AUTH_AWAITED || head->status < 200)
		return;
	log_debug("%s: is judged with status %d", net_addr_shown(&auth->x->client->addr),
		  head->status);
	if (head->status < 300)
		let_in(auth, head, end);
	else
		hand_on(auth, head, end);
}

static void auth_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct exchange_auth *auth = of_sink(sink);

	if (auth->state == AUTH_REFUSED)
		auth->x->from_origin.ops->body(&auth->x->from_origin, slice, end);
}

static void auth_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct exchange_auth *auth = of_sink(sink);

	if (auth->state == AUTH_REFUSED)
		auth->x->from_origin.ops->trailers(&auth->x->from_origin, trailers);
}

static void auth_reset(struct flow_sink *sink, enum reason reason)
{
	struct exchange_auth *auth = of_sink(sink);

	if (auth->state == AUTH_REFUSED)
		auth->x->from_origin.ops->reset(&auth->x->from_origin, reason);
	else if (auth->state == AUTH_AWAITED)
		exchange_fail(auth->x, reason);
}

static const struct flow_sink_ops sink_ops = {auth_head, auth_body, auth_trailers, auth_reset};

/* There is no content to grant or to stop. */
static void nothing_granted(struct flow_source *source, size_t n)
{
}

static void nothing_stopped(struct flow_source *source, enum reason reason)
{
}

static const struct flow_source_ops source_ops = {nothing_granted, nothing_stopped};

/* The step */

static bool open_question(struct exchange_auth *auth)
{
	struct edge_exchange *x = auth->x;
	struct olink_open open = {
	    .origins = x->view->origins,
	    .origin = forward_of(x)->origin,
	    .affinity = edge_affinity_of(x->view->affinities, forward_of(x)->origin, &x->facts,
					 &x->arena, clock_wall(), NULL),
	    .ends = {.request = &auth->source, .response = &auth->sink},
	};

	if (!edge_proxy_parties(&open.client, x->client, &x->facts, open.origin, &x->arena))
		return false;
	auth->request = olink_request_open(x->worker->olink, &open, &auth->leg);
	return auth->request != NULL;
}

enum step_result exchange_step_forward_auth(struct edge_exchange *x)
{
	struct exchange_auth *auth;
	enum reason reason;
	duration wait;
	int status;

	if (x->route->cfg->terms.auth.n_forward == 0)
		return STEP_GO_ON;
	auth = arena_alloc(&x->arena, sizeof(*auth));
	if (!auth) {
		exchange_respond(x, 431, REASON_DONE);
		return STEP_ANSWERED;
	}
	*auth = (struct exchange_auth){
	    .x = x,
	    .source.ops = &source_ops,
	    .sink.ops = &sink_ops,
	};
	status = make_question(x, &auth->head);
	if (status != 0) {
		exchange_respond(x, status, REASON_DONE);
		return STEP_ANSWERED;
	}
	reason =
	    olink_origins_let_pass(x->view->origins, forward_of(x)->origin, x->worker->loop, &wait);
	if (reason != REASON_NONE) {
		x->retry_after = edge_limit_retry_after(wait, &x->arena);
		exchange_respond(x, 503, reason);
		return STEP_ANSWERED;
	}
	if (!open_question(auth)) {
		exchange_respond(x, 503, REASON_LIMIT);
		return STEP_ANSWERED;
	}
	x->auth = auth;
	x->cancel_wait = exchange_close_auth;
	auth->leg.request->ops->head(auth->leg.request, &auth->head, true);
	return STEP_WAITS;
}

void exchange_close_auth(struct edge_exchange *x)
{
	if (x->auth && x->auth->request)
		olink_request_close(&x->auth->request);
}

bool exchange_apply_auth(struct edge_exchange *x)
{
	const struct exchange_auth *auth = x->auth;

	if (!auth)
		return true;
	edge_forward_strip(&x->forwarded.fields, &forward_of(x)->response_fields);
	for (unsigned i = 0; i < auth->fields.n; i++) {
		if (!http_fields_add(&x->forwarded.fields, &x->arena, auth->fields.v[i].name,
				     auth->fields.v[i].value))
			return false;
	}
	return true;
}

void exchange_clean_trailers(struct edge_exchange *x, struct http_fields *trailers)
{
	edge_forward_trailers(trailers, &x->forward);
	if (x->auth && x->route)
		edge_forward_strip(trailers, &forward_of(x)->response_fields);
}
