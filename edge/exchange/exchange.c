/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The exchange stands between the client's protocol and the link to the origin, with a sink turned
 * to each and a source for the client. It lives in the arena of its request. Owns the request to
 * the origin; leaves the view's pin and the arena to the client's protocol.
 */
#include "edge/exchange/exchange.h"

#include <string.h>

#include "core/base/check.h"
#include "core/process/log_file.h"
#include "edge/exchange/access_log.h"
#include "edge/exchange/forward.h"
#include "edge/exchange/respond.h"

#define EXCHANGE_MAGIC 0x45584348u

/* Kept back from the arena for an answer of our own, whatever an origin has filled it with: fields,
 * date and serialized head take less than 2 KiB. */
#define OWN_RESPONSE_MAX 4096

struct edge_exchange {
	unsigned magic;
	struct edge_worker *worker;
	struct edge_view *view;
	const struct edge_client *client;
	struct http_head *request;
	struct http_source *client_body;
	struct http_sink *client_response;

	struct http_sink from_client; /* the request's content */
	struct http_sink from_origin; /* the response */
	struct http_source for_client;
	struct olink_request *origin; /* NULL: the edge answers itself */
	struct edge_forward forward;
	struct http_head own; /* our own response */

	bool request_ended;  /* nothing more comes from the client */
	bool responded;      /* a final head was pushed to the client */
	bool response_ended; /* nothing more goes to the client */
	bool origin_ended;   /* nothing more comes from the origin */
	int status;
	uint64_t bytes_in, bytes_out;
	mono_time began;
	duration first_byte;
	enum reason end;

	/* for the log */
	const struct cfg_site *site;
	const struct cfg_origin *origin_cfg;
	struct span method, target;
};

static struct edge_exchange *of_sink(struct http_sink *sink, size_t offset)
{
	struct edge_exchange *x = (struct edge_exchange *)((char *)sink - offset);

	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	return x;
}
#define FROM_CLIENT(sink) of_sink(sink, offsetof(struct edge_exchange, from_client))
#define FROM_ORIGIN(sink) of_sink(sink, offsetof(struct edge_exchange, from_origin))

/* Neither side is to push anything more. */
static void stop_both(struct edge_exchange *x, enum reason reason)
{
	if (x->origin != NULL && !x->origin_ended) {
		struct http_source *source = olink_request_source(x->origin);

		x->origin_ended = true;
		source->ops->stop(source, reason);
	}
	if (!x->request_ended) {
		x->request_ended = true;
		x->client_body->ops->stop(x->client_body, reason);
	}
}

static void responded(struct edge_exchange *x, int status)
{
	x->responded = true;
	x->status = status;
	x->first_byte = mono_since(clock_mono(), x->began);
}

/* Answers in the origin's place. */
static void respond(struct edge_exchange *x, int status, enum reason reason)
{
	struct http_sink *out = x->client_response;
	struct span date = edge_date_text(&x->worker->date, clock_wall());
	struct span body;
	bool bodiless = x->request->method_id == HTTP_METHOD_HEAD;

	CHECK(!x->responded);
	x->end = reason;
	stop_both(x, reason);
	x->response_ended = true;
	x->request->arena->cap += OWN_RESPONSE_MAX;
	if (!edge_respond(&x->own, x->request->arena, status, date, &body)) {
		out->ops->reset(out, REASON_LIMIT);
		return;
	}
	responded(x, status);
	if (!bodiless)
		x->bytes_out = body.n;
	out->ops->head(out, &x->own, bodiless);
	if (!bodiless)
		out->ops->body(out, body.p, body.n, true);
}

/* The status that tells a client what went wrong behind us, or in what it sent. */
static int status_for(enum reason reason)
{
	switch (reason) {
	case REASON_ORIGIN_ALL_DOWN:
	case REASON_ORIGIN_QUEUE_FULL:
	case REASON_ORIGIN_QUEUE_TIMEOUT:
	case REASON_LIMIT:
	case REASON_SHUTDOWN:
		return 503;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
	case REASON_ORIGIN_HEAD_TIMEOUT:
	case REASON_ORIGIN_BODY_TIMEOUT:
	case REASON_ORIGIN_WRITE_TIMEOUT:
		return 504;
	case REASON_CLIENT_BODY_TIMEOUT:
		return 408;
	case REASON_CLIENT_MALFORMED:
		return 400;
	default:
		return 502;
	}
}

/* It cannot be completed: said with a status if nothing was said yet, else by breaking off. */
static void fail(struct edge_exchange *x, enum reason reason)
{
	if (x->response_ended)
		return;
	if (!x->responded) {
		respond(x, status_for(reason), reason);
		return;
	}
	x->end = reason;
	stop_both(x, reason);
	x->response_ended = true;
	x->client_response->ops->reset(x->client_response, reason);
}

/* The request's content, from the client. */

static void client_head(struct http_sink *sink, struct http_head *head, bool end)
{
	CHECK(!"the request's head comes with edge_exchange_create()");
}

static bool client_body(struct http_sink *sink, const void *data, size_t len, bool end)
{
	struct edge_exchange *x = FROM_CLIENT(sink);
	struct http_sink *next;

	if (x->request_ended)
		return true;
	x->bytes_in += len;
	x->request_ended = end;
	CHECK(x->origin != NULL);
	next = olink_request_sink(x->origin);
	return next->ops->body(next, data, len, end);
}

static void client_trailers(struct http_sink *sink, const struct http_fields *trailers)
{
	struct edge_exchange *x = FROM_CLIENT(sink);
	struct http_sink *next;

	if (x->request_ended)
		return;
	x->request_ended = true;
	CHECK(x->origin != NULL);
	next = olink_request_sink(x->origin);
	next->ops->trailers(next, trailers);
}

static void client_reset(struct http_sink *sink, enum reason reason)
{
	struct edge_exchange *x = FROM_CLIENT(sink);

	if (x->request_ended)
		return;
	x->request_ended = true;
	fail(x, reason);
}

static const struct http_sink_ops client_ops = {
    .head = client_head,
    .body = client_body,
    .trailers = client_trailers,
    .reset = client_reset,
};

/* The response, from the origin. */

static void origin_head(struct http_sink *sink, struct http_head *head, bool end)
{
	struct edge_exchange *x = FROM_ORIGIN(sink);
	struct http_sink *out = x->client_response;

	if (x->response_ended)
		return;
	if (head->status == 101) {
		/* No upgrade was asked for: the field is never forwarded. */
		fail(x, REASON_ORIGIN_MALFORMED);
		return;
	}
	if (head->status < 200) {
		http_fields_remove_hop_by_hop(&head->fields);
		edge_count(x->worker, EDGE_RESPONSES_1XX, 1);
		out->ops->head(out, head, false);
		return;
	}
	if (!edge_forward_response(head, &x->forward,
				   edge_date_text(&x->worker->date, clock_wall()))) {
		fail(x, REASON_LIMIT);
		return;
	}
	responded(x, head->status);
	x->response_ended = x->origin_ended = end;
	out->ops->head(out, head, end);
}

static bool origin_body(struct http_sink *sink, const void *data, size_t len, bool end)
{
	struct edge_exchange *x = FROM_ORIGIN(sink);

	if (x->response_ended)
		return true;
	x->bytes_out += len;
	x->response_ended = x->origin_ended = end;
	return x->client_response->ops->body(x->client_response, data, len, end);
}

static void origin_trailers(struct http_sink *sink, const struct http_fields *trailers)
{
	struct edge_exchange *x = FROM_ORIGIN(sink);

	if (x->response_ended)
		return;
	x->response_ended = x->origin_ended = true;
	x->client_response->ops->trailers(x->client_response, trailers);
}

static void origin_reset(struct http_sink *sink, enum reason reason)
{
	struct edge_exchange *x = FROM_ORIGIN(sink);

	x->origin_ended = true;
	fail(x, reason);
}

static const struct http_sink_ops origin_ops = {
    .head = origin_head,
    .body = origin_body,
    .trailers = origin_trailers,
    .reset = origin_reset,
};

/* Flow of the response, from the client. */

static void client_resume(struct http_source *source)
{
	struct edge_exchange *x = CONTAINER_OF(source, struct edge_exchange, for_client);
	struct http_source *next;

	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	if (x->origin == NULL || x->origin_ended)
		return;
	next = olink_request_source(x->origin);
	next->ops->resume(next);
}

static void client_stop(struct http_source *source, enum reason reason)
{
	struct edge_exchange *x = CONTAINER_OF(source, struct edge_exchange, for_client);

	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	if (x->response_ended)
		return;
	if (x->end == REASON_NONE)
		x->end = reason;
	stop_both(x, reason);
	x->response_ended = true;
}

static const struct http_source_ops source_ops = {
    .resume = client_resume,
    .stop = client_stop,
};

struct edge_exchange *edge_exchange_create(struct edge_worker *worker, struct edge_view *view,
					   const struct edge_client *client,
					   struct http_head *request, struct http_source *body,
					   struct http_sink *response, mono_time began)
{
	struct edge_exchange *x = arena_alloc(request->arena, sizeof(*x));

	if (x == NULL)
		return NULL;
	*x = (struct edge_exchange){
	    .magic = EXCHANGE_MAGIC,
	    .worker = worker,
	    .view = view,
	    .client = client,
	    .request = request,
	    .client_body = body,
	    .client_response = response,
	    .from_client.ops = &client_ops,
	    .from_origin.ops = &origin_ops,
	    .for_client.ops = &source_ops,
	    .began = began,
	    .first_byte = DUR_NS(-1),
	    .method = request->method,
	    .target = request->target,
	};
	edge_count(worker, EDGE_REQUESTS, 1);
	edge_count(worker, EDGE_REQUESTS_ACTIVE, 1);
	return x;
}

static bool asks_for_health(const struct http_head *request)
{
	const char *query = memchr(request->target.p, '?', request->target.n);
	struct span path = request->target;

	if (query != NULL)
		path.n = (size_t)(query - path.p);
	return span_equal(path, SPAN(EDGE_HEALTH_PATH));
}

static int health_status(const struct edge_exchange *x)
{
	return x->worker->stopping || x->view->self->admin != CFG_ADMIN_ACTIVE ? 503 : 200;
}

/* 0: x->origin_cfg is to be asked. Otherwise the status to answer with. */
static int route(struct edge_exchange *x)
{
	const struct cfg_route *found;

	if (x->request->method_id == HTTP_METHOD_TRACE)
		return 405;
	if (x->request->method_id == HTTP_METHOD_CONNECT)
		return 501;
	if (asks_for_health(x->request))
		return health_status(x);
	x->site = edge_route_site(x->view->routes, x->request->authority);
	if (x->site == NULL)
		return 404;
	found = edge_route_path(x->site, x->request->target);
	if (found == NULL)
		return 404;
	x->forward = (struct edge_forward){
	    .client_ip = x->client->ip,
	    .client_is_ipv6 = strchr(x->client->ip, ':') != NULL,
	    .client_is_trusted =
		edge_forward_is_trusted(&x->view->fleet->http.trusted_proxies, &x->client->addr),
	    .pseudonym = x->worker->common->pseudonym,
	};
	x->origin_cfg = found->origin;
	return edge_forward_request(x->request, &x->forward);
}

void edge_exchange_start(struct edge_exchange *x, bool end)
{
	int status;

	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	x->request_ended = end;
	status = route(x);
	if (status != 0) {
		respond(x, status, REASON_DONE);
		return;
	}
	x->origin =
	    olink_request_start(x->worker->olink, x->view->origins, x->origin_cfg, x->request, end,
				end ? NULL : x->client_body, &x->from_origin, x->request->arena);
}

void edge_exchange_refuse(struct edge_exchange *x, int status, enum reason reason)
{
	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	x->request_ended = true;
	respond(x, status, reason);
}

struct http_sink *edge_exchange_sink(struct edge_exchange *x)
{
	return &x->from_client;
}

struct http_source *edge_exchange_source(struct edge_exchange *x)
{
	return &x->for_client;
}

static void write_log(const struct edge_exchange *x)
{
	duration total = mono_since(clock_mono(), x->began);
	struct edge_log_entry entry = {
	    .time = {clock_wall().ns - total.ns},
	    .client = x->client->ip,
	    .protocol = x->client->protocol,
	    .tls = x->client->tls,
	    .method = x->method,
	    .host = x->request->authority,
	    .target = x->target,
	    .status = x->status,
	    .bytes_in = x->bytes_in,
	    .bytes_out = x->bytes_out,
	    .site = x->site != NULL ? x->site->name : "",
	    .origin = x->origin_cfg != NULL ? x->origin_cfg->name : "",
	    .total = total,
	    .first_byte = x->first_byte,
	    .end = x->end,
	};
	char line[EDGE_LOG_LINE_MAX];

	if (x->worker->common->access_log == NULL)
		return;
	if (x->origin != NULL) {
		struct olink_facts facts = olink_request_facts(x->origin);

		entry.server = facts.addr;
		entry.reused = facts.reused;
	}
	log_file_append(x->worker->common->access_log, x->worker->loop, line,
			edge_access_log_format(&entry, line));
}

void edge_exchange_finish(struct edge_exchange **xp, enum reason reason)
{
	struct edge_exchange *x = *xp;

	*xp = NULL;
	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	if (x->end == REASON_NONE || (x->end == REASON_DONE && reason != REASON_DONE))
		x->end = reason;
	write_log(x);
	if (x->origin != NULL)
		olink_request_finish(&x->origin);
	edge_count(x->worker, EDGE_END + x->end, 1);
	if (x->status >= 200 && x->status <= 599)
		edge_count(x->worker, EDGE_RESPONSES_1XX + x->status / 100 - 1, 1);
	/* Last: who reads that none is active finds all of them counted. */
	edge_count(x->worker, EDGE_REQUESTS_ACTIVE, -1);
	x->magic = MAGIC_DEAD;
}
