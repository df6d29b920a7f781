/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of an exchange: opened, counted, logged, closed; and its states. Objects are kept as
 * spares for the next requests, with a block of their arena. Worker's loop only.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "edge/exchange/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/filter/compress.h"
#include "edge/log/access_log.h"
#include "edge/node/view.h"
#include "origin-link/olink.h"

/* Spares a worker keeps: the requests that it has under way at one time, mostly. */
#define SPARES_MAX 256

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

void exchange_set_request(struct edge_exchange *x, enum request_side side)
{
	enum request_side from = x->request_side;

	x->request_side = side;
	log_debug("%s: request %s, now %s", net_addr_shown(&x->client->addr), request_text(from),
		  request_text(side));
}

void exchange_set_response(struct edge_exchange *x, enum response_side side)
{
	enum response_side from = x->response_side;

	x->response_side = side;
	log_debug("%s: response %s, now %s", net_addr_shown(&x->client->addr), response_text(from),
		  response_text(side));
}

void exchange_stop_both(struct edge_exchange *x, enum reason reason)
{
	void (*cancel)(struct edge_exchange * x) = x->cancel_wait;

	x->cancel_wait = NULL;
	if (cancel)
		cancel(x);
	if (x->origin && !x->origin_ended) {
		x->origin_ended = true;
		x->leg.response->ops->stop(x->leg.response, reason);
	}
	if (exchange_request_goes_on(x)) {
		exchange_set_request(x, REQUEST_UNWANTED);
		x->ends.request->ops->stop(x->ends.request, reason);
	}
}

void exchange_count_in(struct edge_exchange *x)
{
	CHECK(x->request_side == REQUEST_AWAITED);
	edge_count(x->worker, EDGE_REQUESTS, 1);
	edge_count(x->worker, EDGE_REQUESTS_ACTIVE, 1);
}

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

struct edge_exchange *edge_exchange_open(struct edge_worker *worker, struct edge_client *client,
					 struct flow_ends ends, struct flow_leg *leg)
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
	    .from_client.ops = &exchange_from_client_ops,
	    .for_client.ops = &exchange_for_client_ops,
	    .for_origin.ops = &exchange_for_origin_ops,
	    .from_origin.ops = &exchange_from_origin_ops,
	    .for_filter.ops = &exchange_for_filter_ops,
	    .out = ends.response,
	    .granted = &x->for_filter,
	    .own_task.run = exchange_push_own,
	    .facts = {.client = client, .request = &x->received},
	    .content_max = UINT64_MAX,
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
	exchange_count_in(x);
	exchange_set_request(x, REQUEST_ENDED);
	exchange_respond(x, status, reason);
}

static void write_log(struct edge_exchange *x)
{
	struct edge_access_log *log = x->worker->common->access_log;
	duration total = mono_since(loop_now(x->worker->loop), x->began);
	struct edge_log_entry entry = {
	    .facts = &x->facts,
	    .time = {clock_wall().ns - total.ns},
	    .status = x->status,
	    .bytes_in = x->bytes_in,
	    .bytes_out = x->bytes_out,
	    .total = total,
	    .first_byte = x->first_byte,
	    .end = x->end,
	};

	if (x->origin) {
		struct olink_facts facts = olink_request_facts(x->origin);

		entry.asked = true;
		entry.server = facts.addr;
		entry.reused = facts.reused;
		entry.retries = facts.retries;
		entry.tries = facts.tries;
		entry.queue = facts.queue;
		entry.connect = facts.connect;
		entry.response = facts.response;
	}
	/* One that no connection was tried to is not to blame. */
	if (entry.server.sa.sa_family == AF_UNSPEC)
		x->facts.origin = SPAN("");
	/* A tunnel goes by what holds now. */
	if (!edge_access_log_write(log, x->worker->loop, edge_exchange_view(x)->log_rules, &entry))
		edge_count(x->worker, EDGE_ACCESS_LOG_UNSAMPLED, 1);
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
	if (x->compress) {
		edge_compress_quit(x->compress);
		x->bytes_out = edge_compress_pushed(x->compress);
	}
	/* First: what is not known any more is not logged. */
	if (x->cancel_wait)
		x->cancel_wait(x);
	if (counted && x->worker->common->access_log)
		write_log(x);
	exchange_guard_end(x);
	exchange_close_auth(x);
	exchange_drop_mirrors(x);
	if (x->origin)
		olink_request_close(&x->origin);
	loop_task_cancel(x->worker->loop, &x->own_task);
	deadline_fini(&x->deadline);
	edge_view_unpin(&x->view, x->worker->loop);
	exchange_wipe_credentials(x);
	if (counted)
		count_out(x);
	give_spare(x->worker, x);
}
