/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The exchange stands between the client's protocol and the link to the origin:
 *
 *   request    client ──> from_client ──────────────> origin
 *   response   origin ──> from_origin ──> [rules] ──> client
 *   grants     client ──> for_client ──> [rules] ──> for_rules ──> origin
 *
 * What is set in which state:
 *
 * request_side  |                                           | view    | origin
 * --------------+-------------------------------------------+---------+---------------
 * AWAITED       | its head is being parsed into `received`  | pinned  | NULL
 * CONTENT       | content comes, and goes on to the origin  | pinned  | open
 * ASKED         | it asked for a tunnel                     | pinned  | open
 * TUNNEL        | it got one                                | let go  | open
 * ENDED         | it has come whole                         | either  | either
 * UNWANTED      | nobody wants the rest of it               | either  | either
 *
 * response_side |                                           | status
 * --------------+-------------------------------------------+--------
 * AWAITED       | no final head was pushed to the client    | 0
 * CONTENT       | one was                                   | its own
 * TUNNEL        | 101 was                                   | 101
 * ENDED         | nothing more goes to the client           | 0 or its own
 *
 * Objects are kept as spares for the next requests, with a block of their arena.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "edge/exchange/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/process/log_file.h"
#include "edge/conn/conn.h"
#include "edge/exchange/dispatch.h"
#include "edge/exchange/forward.h"
#include "edge/exchange/respond.h"
#include "edge/log/access_log.h"
#include "edge/node/view.h"
#include "edge/node/worker.h"
#include "edge/route/route.h"
#include "edge/rules/response_rules.h"
#include "origin-link/olink.h"

#define EXCHANGE_MAGIC 0x45584348u

/* Kept back from the arena for an answer of our own, whatever the request has filled it with. */
#define OWN_RESPONSE_MAX 4096
/* Spares a worker keeps: the requests that it has under way at one time, mostly. */
#define SPARES_MAX 256

enum request_side {
	REQUEST_AWAITED,
	REQUEST_CONTENT,
	REQUEST_ASKED,
	REQUEST_TUNNEL,
	REQUEST_ENDED,
	REQUEST_UNWANTED,
};

enum response_side { RESPONSE_AWAITED, RESPONSE_CONTENT, RESPONSE_TUNNEL, RESPONSE_ENDED };

struct edge_exchange {
	unsigned magic;
	struct edge_worker *worker;
	struct edge_exchange *next_spare;
	struct edge_view *view; /* NULL: a tunnel has let it go */
	const struct edge_client *client;
	struct flow_ends ends; /* the client's */

	struct arena arena;
	struct http_head received, forwarded;
	struct http_head answer; /* the response as it goes to the client */

	struct flow_sink from_client;
	struct flow_source for_client;
	struct flow_source for_origin; /* of the request */
	struct flow_sink from_origin;
	struct flow_source for_rules; /* of the response, as the rules see it */
	struct response_rules rules;
	struct flow_sink *out;       /* where the response goes: the rules, or the client */
	struct flow_source *granted; /* whom the client's grants go to: the rules, or for_rules */

	struct olink_request *origin; /* NULL: the edge answers itself */
	struct flow_leg leg;          /* to it */
	struct edge_forward forward;
	size_t early_credit; /* granted before there was an origin */

	enum request_side request_side;
	enum response_side response_side;
	bool origin_ended; /* nothing more comes from the origin */
	enum reason end;

	/* for the log */
	int status;
	uint64_t bytes_in, bytes_out;
	mono_time began;
	duration first_byte; /* < 0: there was none */
	const struct edge_route *route;
	const char *site, *origin_name; /* NULL: none */
};

#define OF(pointer, member) exchange_of(CONTAINER_OF(pointer, struct edge_exchange, member))

static struct edge_exchange *exchange_of(struct edge_exchange *x)
{
	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	return x;
}

/* States */

static const char *request_text(enum request_side side)
{
	static const char *const texts[] = {
	    [REQUEST_AWAITED] = "awaited", [REQUEST_CONTENT] = "content",
	    [REQUEST_ASKED] = "asked",     [REQUEST_TUNNEL] = "tunnel",
	    [REQUEST_ENDED] = "ended",     [REQUEST_UNWANTED] = "unwanted",
	};

	CHECK((unsigned)side < ARRAY_SIZE(texts));
	return texts[side];
}

static const char *response_text(enum response_side side)
{
	static const char *const texts[] = {
	    [RESPONSE_AWAITED] = "awaited",
	    [RESPONSE_CONTENT] = "content",
	    [RESPONSE_TUNNEL] = "tunnel",
	    [RESPONSE_ENDED] = "ended",
	};

	CHECK((unsigned)side < ARRAY_SIZE(texts));
	return texts[side];
}

static void set_request_side(struct edge_exchange *x, enum request_side side)
{
	enum request_side from = x->request_side;

	x->request_side = side;
	log_debug("%s: request %s, now %s", net_addr_shown(&x->client->addr), request_text(from),
		  request_text(side));
}

static void set_response_side(struct edge_exchange *x, enum response_side side)
{
	enum response_side from = x->response_side;

	x->response_side = side;
	log_debug("%s: response %s, now %s", net_addr_shown(&x->client->addr), response_text(from),
		  response_text(side));
}

static bool request_goes_on(const struct edge_exchange *x)
{
	return x->request_side < REQUEST_ENDED;
}

/* Neither side is to push anything more. */
static void stop_both(struct edge_exchange *x, enum reason reason)
{
	if (x->origin && !x->origin_ended) {
		x->origin_ended = true;
		x->leg.response->ops->stop(x->leg.response, reason);
	}
	if (request_goes_on(x)) {
		set_request_side(x, REQUEST_UNWANTED);
		x->ends.request->ops->stop(x->ends.request, reason);
	}
}

static void responded(struct edge_exchange *x, int status)
{
	x->status = status;
	x->first_byte = mono_since(loop_now(x->worker->loop), x->began);
	log_debug("%s: status %d", net_addr_shown(&x->client->addr), status);
}

/* Our own answers */

/* Answers in the origin's place. */
static void respond(struct edge_exchange *x, int status, enum reason reason)
{
	struct span date = edge_date_text(&x->worker->date, clock_wall());
	bool bodiless = x->received.method_id == HTTP_METHOD_HEAD;
	struct span content;

	CHECK(x->response_side == RESPONSE_AWAITED);
	x->end = reason;
	stop_both(x, reason);
	set_response_side(x, RESPONSE_ENDED);
	x->arena.cap += OWN_RESPONSE_MAX;
	if (!edge_respond(&x->answer, &x->arena, status, date, &content) ||
	    (status == EDGE_REDIRECT_STATUS && !edge_respond_location(&x->answer, &x->received))) {
		x->end = REASON_LIMIT;
		x->out->ops->reset(x->out, REASON_LIMIT);
		return;
	}
	responded(x, status);
	if (!bodiless)
		x->bytes_out = content.n;
	x->out->ops->head(x->out, &x->answer, bodiless);
	if (!bodiless)
		x->out->ops->body(x->out, (struct slice){.p = content.p, .n = content.n}, true);
}

/* It cannot be completed: said with a status if nothing was said yet, else by breaking off. */
static void fail(struct edge_exchange *x, enum reason reason)
{
	if (x->response_side == RESPONSE_ENDED)
		return;
	if (x->response_side == RESPONSE_AWAITED) {
		respond(x, edge_respond_status(reason), reason);
		return;
	}
	x->end = reason;
	stop_both(x, reason);
	set_response_side(x, RESPONSE_ENDED);
	x->out->ops->reset(x->out, reason);
}

/* Who answers */

static struct edge_dispatch dispatch(struct edge_exchange *x)
{
	struct edge_question question = {
	    .view = x->view,
	    .request = &x->received,
	    .client = x->client,
	    .stopping = x->worker->stopping,
	    .arena = &x->arena,
	};
	struct edge_dispatch found = edge_dispatch(&question);

	x->site = found.site ? found.site->cfg->name : NULL;
	x->route = found.route;
	x->origin_name = found.route ? found.route->cfg->origin->name : NULL;
	log_debug("%s: %.*s %.*s%.*s: site %s, origin %s", net_addr_shown(&x->client->addr),
		  (int)x->received.method.n, x->received.method.p, (int)x->received.authority.n,
		  x->received.authority.p, (int)x->received.target.n, x->received.target.p,
		  x->site ? x->site : "none", x->origin_name ? x->origin_name : "none");
	return found;
}

/* 0, or the status to answer with. */
static int rewrite_request(struct edge_exchange *x)
{
	const struct edge_client *client = x->client;

	x->forward = (struct edge_forward){
	    .client_ip = client->ip,
	    .client_is_ipv6 = strchr(client->ip, ':') != NULL,
	    .client_is_trusted =
		edge_forward_is_trusted(&x->view->fleet->http.trusted_proxies, &client->addr),
	    .trusted_fields = &x->view->fleet->http.trusted_fields,
	    .underscores = x->view->fleet->http.underscores,
	    .pseudonym = x->worker->common->pseudonym,
	};
	if (!http_head_copy(&x->forwarded, &x->received, &x->arena))
		return 431;
	return edge_forward_request(&x->forwarded, &x->forward);
}

/* The rules of the route stand last on the response's way: what they say goes, also of our own
 * answers. */
static void add_rules(struct edge_exchange *x)
{
	if (x->route->cfg->n_response_fields == 0)
		return;
	response_rules_init(&x->rules, x->route->cfg, &x->arena, &x->for_rules, x->ends.response);
	x->out = &x->rules.filter.sink;
	x->granted = &x->rules.filter.source;
}

static bool open_origin(struct edge_exchange *x)
{
	struct olink_open open = {
	    .origins = x->view->origins,
	    .origin = x->route->cfg->origin,
	    .client = {.source = x->client->addr, .destination = x->client->local},
	    .ends = {.request = &x->for_origin, .response = &x->from_origin},
	};

	x->origin = olink_request_open(x->worker->olink, &open, &x->leg);
	return x->origin != NULL;
}

/* The request, from the client */

/* It is a request from here on: a head that never came whole is none. */
static void count_in(struct edge_exchange *x)
{
	CHECK(x->request_side == REQUEST_AWAITED);
	edge_count(x->worker, EDGE_REQUESTS, 1);
	edge_count(x->worker, EDGE_REQUESTS_ACTIVE, 1);
}

static void client_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct edge_exchange *x = OF(sink, from_client);
	struct edge_dispatch found;

	CHECK(head == &x->received);
	count_in(x);
	set_request_side(x, end                                    ? REQUEST_ENDED
			    : head->framing == HTTP_FRAMING_TUNNEL ? REQUEST_ASKED
								   : REQUEST_CONTENT);
	found = dispatch(x);
	if (found.status == 0) {
		add_rules(x);
		found.status = rewrite_request(x);
	}
	if (found.status != 0) {
		respond(x, found.status, found.reason);
		return;
	}
	if (!open_origin(x)) {
		respond(x, 503, REASON_LIMIT);
		return;
	}
	log_debug("%s: goes to %s as %s request %llu", net_addr_shown(&x->client->addr),
		  x->origin_name, loop_name(x->worker->loop),
		  (unsigned long long)olink_request_facts(x->origin).number);
	x->leg.request->ops->head(x->leg.request, &x->forwarded, end);
	x->granted->ops->grant(x->granted, x->early_credit);
}

static void client_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct edge_exchange *x = OF(sink, from_client);

	if (!request_goes_on(x))
		return;
	CHECK(x->origin && x->request_side != REQUEST_ASKED);
	x->bytes_in += slice.n;
	if (end)
		set_request_side(x, REQUEST_ENDED);
	x->leg.request->ops->body(x->leg.request, slice, end);
}

static void client_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_exchange *x = OF(sink, from_client);

	if (!request_goes_on(x))
		return;
	CHECK(x->origin);
	set_request_side(x, REQUEST_ENDED);
	edge_forward_trailers(trailers, &x->forward);
	x->leg.request->ops->trailers(x->leg.request, trailers);
}

static void client_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_exchange *x = OF(sink, from_client);

	if (!request_goes_on(x))
		return;
	set_request_side(x, REQUEST_ENDED);
	fail(x, reason);
}

static const struct flow_sink_ops from_client_ops = {
    .head = client_head,
    .body = client_body,
    .trailers = client_trailers,
    .reset = client_reset,
};

static void origin_grants(struct flow_source *source, size_t n)
{
	struct edge_exchange *x = OF(source, for_origin);

	if (request_goes_on(x))
		x->ends.request->ops->grant(x->ends.request, n);
}

static void origin_stops(struct flow_source *source, enum reason reason)
{
	struct edge_exchange *x = OF(source, for_origin);

	if (!request_goes_on(x))
		return;
	set_request_side(x, REQUEST_UNWANTED);
	x->ends.request->ops->stop(x->ends.request, reason);
}

static const struct flow_source_ops for_origin_ops = {.grant = origin_grants, .stop = origin_stops};

/* The response, from the origin */

/* The protocol that was asked for begins. What it needs of the configuration is copied, and the
 * view let go: a tunnel may stay for days. */
static bool begin_tunnel(struct edge_exchange *x)
{
	char *site = arena_copy(&x->arena, x->site, strlen(x->site));
	char *name = arena_copy(&x->arena, x->origin_name, strlen(x->origin_name));

	if (!site || !name)
		return false;
	x->site = site;
	x->origin_name = name;
	x->route = NULL;
	set_response_side(x, RESPONSE_TUNNEL);
	if (x->request_side == REQUEST_ASKED)
		set_request_side(x, REQUEST_TUNNEL);
	return true;
}

static void pass_information(struct edge_exchange *x, struct http_head *head)
{
	http_fields_remove_hop_by_hop(&head->fields);
	edge_count(x->worker, EDGE_RESPONSES_1XX, 1);
	x->out->ops->head(x->out, head, false);
}

static void origin_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct edge_exchange *x = OF(sink, from_origin);
	bool tunnel = head->framing == HTTP_FRAMING_TUNNEL;

	if (x->response_side != RESPONSE_AWAITED)
		return;
	if (head->status < 200 && !tunnel) {
		pass_information(x, head);
		return;
	}
	x->origin_ended = end;
	if (!http_head_copy(&x->answer, head, &x->arena) ||
	    !edge_forward_response(&x->answer, &x->forward,
				   edge_date_text(&x->worker->date, clock_wall())) ||
	    (tunnel && !begin_tunnel(x))) {
		fail(x, REASON_LIMIT);
		return;
	}
	responded(x, head->status);
	if (!tunnel) {
		set_response_side(x, end ? RESPONSE_ENDED : RESPONSE_CONTENT);
		/* It has ended with its head, then. */
		if (x->request_side == REQUEST_ASKED)
			set_request_side(x, REQUEST_ENDED);
	}
	x->out->ops->head(x->out, &x->answer, end);
	if (tunnel)
		edge_view_unpin(&x->view, x->worker->loop);
}

static void origin_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct edge_exchange *x = OF(sink, from_origin);

	x->origin_ended |= end;
	if (x->response_side == RESPONSE_ENDED)
		return;
	x->bytes_out += slice.n;
	if (end)
		set_response_side(x, RESPONSE_ENDED);
	x->out->ops->body(x->out, slice, end);
}

static void origin_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_exchange *x = OF(sink, from_origin);

	x->origin_ended = true;
	if (x->response_side == RESPONSE_ENDED)
		return;
	set_response_side(x, RESPONSE_ENDED);
	x->out->ops->trailers(x->out, trailers);
}

static void origin_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_exchange *x = OF(sink, from_origin);

	x->origin_ended = true;
	fail(x, reason);
}

static const struct flow_sink_ops from_origin_ops = {
    .head = origin_head,
    .body = origin_body,
    .trailers = origin_trailers,
    .reset = origin_reset,
};

/* What the client's side, or the rules in front of it, want of the response */

static void client_grants(struct flow_source *source, size_t n)
{
	struct edge_exchange *x = OF(source, for_client);

	if (!x->origin)
		x->early_credit += n;
	else
		x->granted->ops->grant(x->granted, n);
}

static void client_stops(struct flow_source *source, enum reason reason)
{
	struct edge_exchange *x = OF(source, for_client);

	if (x->response_side == RESPONSE_ENDED)
		return;
	if (x->end == REASON_NONE)
		x->end = reason;
	stop_both(x, reason);
	set_response_side(x, RESPONSE_ENDED);
}

static const struct flow_source_ops for_client_ops = {.grant = client_grants, .stop = client_stops};

static void rules_grant(struct flow_source *source, size_t n)
{
	struct edge_exchange *x = OF(source, for_rules);

	if (!x->origin_ended)
		x->leg.response->ops->grant(x->leg.response, n);
}

/* The rules could not be kept to: the response is not to go out without them. */
static void rules_stop(struct flow_source *source, enum reason reason)
{
	struct edge_exchange *x = OF(source, for_rules);

	if (x->end == REASON_NONE || x->end == REASON_DONE)
		x->end = reason;
	/* They fail with its head only, of which the client has seen nothing then. */
	x->status = 0;
	x->bytes_out = 0;
	x->first_byte = DUR_NS(-1);
	stop_both(x, reason);
	set_response_side(x, RESPONSE_ENDED);
}

static const struct flow_source_ops for_rules_ops = {.grant = rules_grant, .stop = rules_stop};

/* Life */

static struct edge_exchange *take_spare(struct edge_worker *w)
{
	struct edge_exchange *x = w->spare_exchanges;

	if (!x)
		return calloc(1, sizeof(*x));
	w->spare_exchanges = x->next_spare;
	w->n_spare_exchanges--;
	return x;
}

static void give_spare(struct edge_worker *w, struct edge_exchange *x)
{
	x->magic = MAGIC_DEAD;
	if (w->n_spare_exchanges >= SPARES_MAX) {
		arena_fini(&x->arena);
		free(x);
		return;
	}
	arena_reset(&x->arena, 0);
	x->next_spare = w->spare_exchanges;
	w->spare_exchanges = x;
	w->n_spare_exchanges++;
}

void edge_exchange_free_spares(struct edge_worker *w)
{
	struct edge_exchange *x;

	while ((x = w->spare_exchanges)) {
		w->spare_exchanges = x->next_spare;
		arena_fini(&x->arena);
		free(x);
	}
	w->n_spare_exchanges = 0;
}

struct edge_exchange *edge_exchange_open(struct edge_worker *worker,
					 const struct edge_client *client, struct flow_ends ends,
					 struct flow_leg *leg)
{
	struct edge_exchange *x = take_spare(worker);
	struct arena arena;

	if (!x)
		return NULL;
	arena = x->arena;
	*x = (struct edge_exchange){
	    .magic = EXCHANGE_MAGIC,
	    .worker = worker,
	    .view = edge_view_pin(&worker->common->views, worker->loop),
	    .client = client,
	    .ends = ends,
	    .arena = arena,
	    .from_client.ops = &from_client_ops,
	    .for_client.ops = &for_client_ops,
	    .for_origin.ops = &for_origin_ops,
	    .from_origin.ops = &from_origin_ops,
	    .for_rules.ops = &for_rules_ops,
	    .out = ends.response,
	    .granted = &x->for_rules,
	    .began = loop_now(worker->loop),
	    .first_byte = DUR_NS(-1),
	};
	arena_reset(&x->arena, x->view->arena_max);
	http_head_init(&x->received, &x->arena);
	*leg = (struct flow_leg){.request = &x->from_client, .response = &x->for_client};
	return x;
}

struct http_head *edge_exchange_head(struct edge_exchange *x)
{
	return &x->received;
}

const struct edge_view *edge_exchange_view(const struct edge_exchange *x)
{
	return x->view ? x->view : edge_view_current(&x->worker->common->views);
}

void edge_exchange_refuse(struct edge_exchange *x, int status, enum reason reason)
{
	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	count_in(x);
	set_request_side(x, REQUEST_ENDED);
	respond(x, status, reason);
}

static void write_log(const struct edge_exchange *x)
{
	duration total = mono_since(loop_now(x->worker->loop), x->began);
	struct edge_log_entry entry = {
	    .time = {clock_wall().ns - total.ns},
	    .client = x->client->ip,
	    .protocol = x->client->protocol,
	    .tls = x->client->tls,
	    .method = x->received.method,
	    .host = x->received.authority,
	    .target = x->received.target,
	    .status = x->status,
	    .bytes_in = x->bytes_in,
	    .bytes_out = x->bytes_out,
	    .site = x->site ? x->site : "",
	    .origin = "",
	    .total = total,
	    .first_byte = x->first_byte,
	    .end = x->end,
	};
	char line[EDGE_LOG_LINE_MAX];

	if (x->origin) {
		struct olink_facts facts = olink_request_facts(x->origin);

		if (facts.addr.sa.sa_family != AF_UNSPEC)
			entry.origin = x->origin_name;
		entry.server = facts.addr;
		entry.reused = facts.reused;
	}
	log_file_append(x->worker->common->access_log, x->worker->loop, line,
			edge_access_log_format(&entry, line));
}

_Static_assert(EDGE_RESPONSES_2XX == EDGE_RESPONSES_1XX + 1 &&
		   EDGE_RESPONSES_3XX == EDGE_RESPONSES_1XX + 2 &&
		   EDGE_RESPONSES_4XX == EDGE_RESPONSES_1XX + 3 &&
		   EDGE_RESPONSES_5XX == EDGE_RESPONSES_1XX + 4,
	       "count_out() finds the counter of a class by its number");

static void count_out(const struct edge_exchange *x)
{
	edge_count(x->worker, EDGE_END + x->end, 1);
	if (x->status >= 100 && x->status <= 599)
		edge_count(x->worker, EDGE_RESPONSES_1XX + x->status / 100 - 1, 1);
	/* Last: who reads that none is active finds all of them counted. */
	edge_count(x->worker, EDGE_REQUESTS_ACTIVE, -1);
}

void edge_exchange_close(struct edge_exchange **xp, enum reason reason)
{
	struct edge_exchange *x = TAKE(xp);
	bool counted;

	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	counted = x->request_side != REQUEST_AWAITED;
	if (x->end == REASON_NONE || (x->end == REASON_DONE && reason != REASON_DONE))
		x->end = reason;
	if (counted)
		log_debug("%s: exchange ends: %s", net_addr_shown(&x->client->addr),
			  reason_text(x->end));
	if (counted && x->worker->common->access_log)
		write_log(x);
	if (x->origin)
		olink_request_close(&x->origin);
	edge_view_unpin(&x->view, x->worker->loop);
	if (counted)
		count_out(x);
	give_spare(x->worker, x);
}
