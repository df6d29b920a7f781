/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of one request to an origin: how it is opened, goes from state to state and ends, and
 * spare objects; what is tried is trying.c's. Runs on one worker's loop. Owns the attempts and the
 * pins on the candidates; head and trailers of the request are the
 * caller's. The configuration is not looked at after olink_request_open().
 *
 * Objects are freed at the end of the turn in which they were closed.
 */
#define LOG_MODULE LOG_ORIGIN
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/transport.h"
#include "origin-link/request/request_internal.h"
#include "origin-link/servers/relays.h"

/* Spares of one worker: as many as requests often run at once. Each keeps about 6 KiB. */
#define SPARES_MAX 64

void request_count(const struct olink_request *r, enum olink_counter id)
{
	metrics_add(r->worker->olink->metrics, request_loop(r), id, 1);
}

/* States */

static const char *phase_text(enum request_phase phase)
{
	static const char *const texts[] = {
	    [REQUEST_OPENING] = "opening",
	    [REQUEST_TRYING] = "trying",
	    [REQUEST_OVER] = "over",
	};

	CHECK((unsigned)phase < ARRAY_SIZE(texts));
	return texts[phase];
}

static const char *side_text(enum request_side side)
{
	static const char *const texts[] = {
	    [REQUEST_HEAD_AWAITED] = "head awaited",
	    [REQUEST_BODY] = "body",
	    [REQUEST_ASKED] = "asked",
	    [REQUEST_TUNNEL] = "tunnel",
	    [REQUEST_ENDED] = "ended",
	    [REQUEST_UNWANTED] = "unwanted",
	};

	CHECK((unsigned)side < ARRAY_SIZE(texts));
	return texts[side];
}

static const char *response_text(enum response_side side)
{
	static const char *const texts[] = {
	    [RESPONSE_HEAD_AWAITED] = "head awaited",
	    [RESPONSE_BODY] = "body",
	    [RESPONSE_TUNNEL] = "tunnel",
	    [RESPONSE_ENDED] = "ended",
	    [RESPONSE_UNWANTED] = "unwanted",
	};

	CHECK((unsigned)side < ARRAY_SIZE(texts));
	return texts[side];
}

void request_set_phase(struct olink_request *r, enum request_phase phase)
{
	enum request_phase from = r->phase;

	r->phase = phase;
	if (from != phase)
		REQUEST_TRACE(r, "%s, now %s", phase_text(from), phase_text(phase));
}

void request_set_side(struct olink_request *r, enum request_side side)
{
	enum request_side from = r->side;

	r->side = side;
	if (from != side)
		REQUEST_TRACE(r, "request %s, now %s", side_text(from), side_text(side));
}

void request_set_response(struct olink_request *r, enum response_side side)
{
	enum response_side from = r->response;

	r->response = side;
	if (from != side)
		REQUEST_TRACE(r, "response %s, now %s", response_text(from), response_text(side));
}

/* Ending */

void request_over(struct olink_request *r, enum attempt_end how, enum reason reason)
{
	request_set_phase(r, REQUEST_OVER);
	deadline_clear(&r->total_at);
	request_end_tries(r, how, reason);
	while (r->n_candidates > 0)
		endpoint_unpin(&r->candidates[--r->n_candidates], request_loop(r));
	send_forget(r);
}

void request_abandon(struct olink_request *r)
{
	request_set_response(r, RESPONSE_UNWANTED);
	request_set_side(r, REQUEST_UNWANTED);
	if (r->phase != REQUEST_OVER)
		request_over(r, ATTEMPT_BREAK, REASON_NONE);
}

void request_stop(struct olink_request *r, enum reason reason)
{
	bool pushes =
	    r->side == REQUEST_BODY || r->side == REQUEST_ASKED || r->side == REQUEST_TUNNEL;

	if (!pushes)
		return;
	request_set_side(r, REQUEST_UNWANTED);
	r->ends.request->ops->stop(r->ends.request, reason);
}

/* One line a second for each origin. */
static void log_failure(const struct olink_request *r, enum reason reason, const char *detail)
{
	struct log_limit *limit =
	    &r->worker->log_limits[r->settings.origin_id % REQUEST_LOG_LIMITS];
	char addr[NET_ADDR_TEXT] = "no address";

	if (r->looked_at.sa.sa_family != AF_UNSPEC)
		net_addr_format(&r->looked_at, addr);
	LOG_LIMITED_BY(limit, LOG_LEVEL_WARN, "origin %s at %s: %s%s%s", r->settings.origin_name,
		       addr, reason_text(reason), detail ? ": " : "", detail ? detail : "");
}

void request_fail(struct olink_request *r, enum reason reason, const char *detail)
{
	if (r->phase == REQUEST_OVER)
		return;
	REQUEST_TRACE(r, "fails: %s%s%s", reason_text(reason), detail ? ": " : "",
		      detail ? detail : "");
	log_failure(r, reason, detail);
	request_count(r, OLINK_FAILURES);
	request_over(r, ATTEMPT_BREAK, reason);
	if (r->closed) {
		loop_defer(request_loop(r), &r->turn_end);
		return;
	}
	request_stop(r, reason);
	if (r->response >= RESPONSE_ENDED || r->closed)
		return;
	request_set_response(r, RESPONSE_ENDED);
	r->ends.response->ops->reset(r->ends.response, reason);
}

static void total_fire(struct deadline *deadline)
{
	struct olink_request *r = CONTAINER_OF(deadline, struct olink_request, total_at);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	if (!r->is_tunnel)
		request_fail(r, REASON_ORIGIN_TOTAL_TIMEOUT, NULL);
}

void request_tunnel_ended(struct olink_request *r)
{
	struct attempt *a = r->current;

	if (a->state != ATTEMPT_OPEN || !r->is_tunnel)
		return;
	watch_update(a);
	if (r->side != REQUEST_ENDED || r->response < RESPONSE_ENDED || !a->wire->is_drained(a))
		return;
	request_over(r, ATTEMPT_CLOSE, REASON_DONE);
	if (r->closed)
		loop_defer(request_loop(r), &r->turn_end);
}

/* Objects */

/* The arena holds what the limits let in: the final head, as much again of informational ones, and
 * the trailer section; of each attempt that gets so far as to have a head. In bytes twice as much
 * as their text, because lines do not fill its blocks; of fields the vectors that were outgrown
 * too. */
static size_t arena_cap(const struct request_settings *settings)
{
	const struct h1_limits *limits = &settings->limits;
	size_t one = 2 * limits->head_bytes + 8 * limits->fields * sizeof(struct http_field);
	unsigned heads = 1 + settings->hedges;

	if (settings->retry.n_statuses > 0)
		heads += settings->retry.attempts;
	return 3 * one * heads + 16 * 1024;
}

static struct olink_request *object_take(struct olink_worker *w)
{
	struct olink_request *r = LIST_FIRST(&w->spares);

	if (r) {
		LIST_REMOVE(r, link);
		w->n_spares--;
		return r;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->worker = w;
	attempt_init(&r->attempt, r);
	deadline_init(&r->hedge_at, w->buffers->loop, request_hedge_fire);
	deadline_init(&r->total_at, w->buffers->loop, total_fire);
	return r;
}

static void object_free(struct olink_request *r)
{
	arena_fini(&r->arena);
	attempt_fini(&r->attempt);
	deadline_fini(&r->hedge_at);
	deadline_fini(&r->total_at);
	free(r);
}

static void object_give(struct olink_request *r)
{
	struct olink_worker *w = r->worker;

	CHECK(r->phase == REQUEST_OVER);
	recent_add_open(r->recent, w->buffers->loop, -1);
	LIST_REMOVE(r, link);
	r->magic = MAGIC_DEAD;
	if (r->second) {
		attempt_fini(r->second);
		free(r->second);
	}
	arena_reset(&r->arena, 0);
	if (w->n_spares == SPARES_MAX) {
		object_free(r);
		return;
	}
	LIST_INSERT_HEAD(&w->spares, r, link);
	w->n_spares++;
}

static void turn_end(struct loop_task *task)
{
	struct olink_request *r = CONTAINER_OF(task, struct olink_request, turn_end);

	MAGIC_CHECK(r, REQUEST_MAGIC);
	if (r->phase == REQUEST_OVER) {
		if (r->closed)
			object_give(r);
		return;
	}
	if (r->failed != REASON_NONE) {
		request_fail(r, r->failed, NULL);
		return;
	}
	if (r->again != REASON_NONE)
		request_try_again(r);
	if (r->current->given == GIVEN_NOTHING)
		send_begin(r);
	if (r->current->state == ATTEMPT_OPEN)
		r->current->wire->go_on(r->current);
}

static unsigned causes(const struct cfg_retries *retries)
{
	unsigned on = 0;

	for (unsigned i = 0; i < retries->n_after; i++)
		on |= 1U << retries->after[i];
	if (on == 0)
		on = 1U << CFG_RETRY_CONNECT | 1U << CFG_RETRY_IDLE |
		     (retries->attempts > 1) << CFG_RETRY_RESET;
	return on;
}

static void copy_retries(struct request_settings *to, const struct cfg_origin *origin,
			 const struct olink_terms *terms)
{
	const struct cfg_retries *retries =
	    terms && terms->retries ? terms->retries : &origin->retries;

	to->retry.attempts = retries->attempts;
	to->retry.on = causes(retries);
	to->retry.n_statuses = MIN(retries->n_statuses, RETRY_STATUSES_MAX);
	for (unsigned i = 0; i < to->retry.n_statuses; i++)
		to->retry.statuses[i] = retries->statuses[i];
	to->kept_max = retries->body;
	to->per_try = retries->per_try_timeout;
	to->hedges = retries->hedge.enabled;
	to->hedge_after = retries->hedge.after;
	to->hedge_percentile = retries->hedge.percentile;
	to->budget =
	    (struct budget_terms){origin->retries.budget.share, origin->retries.budget.min};
}

static void copy_settings(struct request_settings *to, const struct olink_origins *origins,
			  const struct cfg_origin *origin, const struct olink_terms *terms)
{
	*to = (struct request_settings){
	    .origin_id = origin->id,
	    .tells_client = origin->proxy_protocol != CFG_PROXY_PROTOCOL_NONE,
	    .connect = origin->timeout.connect,
	    .total = origin->timeout.total,
	    .response = terms && terms->response.ns ? terms->response : origin->timeout.response,
	    .idle = terms && terms->idle.ns ? terms->idle : origin->timeout.idle,
	    .terms = origins_terms(origins, origin),
	    .limits = {.head_bytes = origin->limit.head_bytes, .fields = origin->limit.fields},
	};
	copy_retries(to, origin, terms);
	/* The last byte stays zero. For every request: snprintf() would cost more than all else. */
	strncpy(to->origin_name, origin->name, sizeof(to->origin_name) - 1);
}

struct olink_request *olink_request_open(struct olink_worker *w, const struct olink_open *open,
					 struct flow_leg *leg)
{
	struct olink_request *r = object_take(w);
	struct loop *loop = w->buffers->loop;

	LOOP_ASSERT_OWNER(loop);
	if (!r)
		return NULL;
	*r = (struct olink_request){
	    .magic = REQUEST_MAGIC,
	    .arena = r->arena,
	    .attempt = {.request = r,
			.watch_at = r->attempt.watch_at,
			.look_at = r->attempt.look_at},
	    .current = &r->attempt,
	    .hedge_at = r->hedge_at,
	    .total_at = r->total_at,
	    .recent = open->origins->recents[open->origin->id],
	    .turn_end = {.run = turn_end},
	    .worker = w,
	    .facts = {.number = ++w->n_opened, .response = DUR_NS(-1)},
	    .sink = {.ops = &request_sink_ops},
	    .source = {.ops = &request_source_ops},
	    .ends = open->ends,
	    .client = open->client,
	    .affinity = open->affinity,
	    .began = loop_now(loop),
	    .connect_left = open->origin->timeout.connect,
	};
	r->last_try = &r->facts.tries;
	LIST_INSERT_HEAD(&w->requests, r, link);
	recent_add_open(r->recent, loop, 1);
	copy_settings(&r->settings, open->origins, open->origin, open->terms);
	arena_reset(&r->arena, arena_cap(&r->settings));
	request_count(r, OLINK_REQUESTS);
	r->failed = relays_candidates(open->origins, open->origin, loop, open->is_relayed,
				      &open->affinity, r->candidates, &r->n_candidates);
	if (r->failed != REASON_NONE)
		r->n_candidates = 0;
	REQUEST_TRACE(r, "opened, %u candidates%s%s", r->n_candidates,
		      r->failed != REASON_NONE ? ": " : "",
		      r->failed != REASON_NONE ? reason_text(r->failed) : "");
	for (unsigned i = 0; i < r->n_candidates; i++)
		endpoint_pin(r->candidates[i], loop);
	*leg = (struct flow_leg){&r->sink, &r->source};
	return r;
}

struct olink_facts olink_request_facts(const struct olink_request *r)
{
	struct olink_facts facts = r->facts;

	if (lease_is_connecting(&r->current->lease))
		facts.addr = r->looked_at;
	return facts;
}

void olink_request_close(struct olink_request **requestp)
{
	struct olink_request *r = TAKE(requestp);

	if (!r)
		return;
	MAGIC_CHECK(r, REQUEST_MAGIC);
	LOOP_ASSERT_OWNER(request_loop(r));
	r->closed = true;
	/* Both ends of a tunnel have gone in peace, and the last bytes are still on their way. */
	if (r->current->state == ATTEMPT_OPEN && r->is_tunnel && r->side == REQUEST_ENDED &&
	    r->response == RESPONSE_ENDED) {
		watch_update(r->current);
		return;
	}
	request_abandon(r);
	loop_defer(request_loop(r), &r->turn_end);
}

void olink_requests_sweep(struct olink_worker *w)
{
	struct olink_request *r;

	while ((r = LIST_FIRST(&w->requests))) {
		CHECK(r->closed);
		request_abandon(r);
		loop_task_cancel(w->buffers->loop, &r->turn_end);
		object_give(r);
	}
	while ((r = LIST_FIRST(&w->spares))) {
		LIST_REMOVE(r, link);
		object_free(r);
	}
	w->n_spares = 0;
}
