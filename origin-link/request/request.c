/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of one request to an origin: tries its candidates until one gives a connection, repeats
 * the request where that may be, tells how it ends, and keeps spare objects. Runs on one worker's
 * loop. Owns the attempt and the pins on the candidates; head and trailers of the request are the
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

/* At most so many candidates share what is left of the time to connect: a distant one needs some of
 * it, and would count as a suspect if it were given up too early. */
#define SHARING_MAX 3
/* While there are more than that none gets less, if there is as much: three round trips, for TCP
 * and TLS, of 130 ms. Those at the end may not be tried at all, for which the next requests make
 * up: who has taken too long comes last then. */
#define TRY_MIN DUR_MS(400)

static void count(const struct olink_request *r, enum olink_counter id)
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

static void end_attempt(struct olink_request *r, enum attempt_end how, enum reason reason)
{
	if (lease_is_connecting(&r->attempt.lease))
		r->facts.addr = r->looked_at;
	attempt_end(&r->attempt, how, reason);
}

void request_over(struct olink_request *r, enum attempt_end how, enum reason reason)
{
	request_set_phase(r, REQUEST_OVER);
	end_attempt(r, how, reason);
	while (r->n_candidates > 0)
		endpoint_unpin(&r->candidates[--r->n_candidates], request_loop(r));
	free(r->early);
	r->early = NULL;
	r->n_early = 0;
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
	count(r, OLINK_FAILURES);
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

void request_tunnel_ended(struct olink_request *r)
{
	if (r->attempt.state != ATTEMPT_OPEN || !r->is_tunnel)
		return;
	watch_update(&r->attempt);
	if (r->side != REQUEST_ENDED || r->response < RESPONSE_ENDED ||
	    !r->attempt.wire->is_drained(&r->attempt))
		return;
	request_over(r, ATTEMPT_CLOSE, REASON_DONE);
	if (r->closed)
		loop_defer(request_loop(r), &r->turn_end);
}

/* Connecting */

static void note_connection(struct olink_request *r)
{
	const struct attempt *a = &r->attempt;

	r->facts.addr = r->looked_at;
	r->facts.by_relay = endpoint_transport(a->endpoint)->relay;
	r->facts.reused = lease_is_reused(&a->lease);
	r->facts.connect = lease_connect_time(&a->lease);
	r->facts.queue = mono_since(a->opened, r->began);
	r->facts.queue.ns = MAX(r->facts.queue.ns - r->facts.connect.ns, 0);
	r->facts.response = DUR_NS(-1);
}

duration request_share_of_time(duration left, unsigned n)
{
	int64_t share = left.ns / MIN(n, SHARING_MAX);

	if (n > SHARING_MAX)
		share = MAX(share, MIN(left.ns, TRY_MIN.ns));
	return DUR_NS(share);
}

/* An attempt came to nothing: what it has taken of the time. A wait in the queue is not more than
 * its share. */
static void spend_time(struct olink_request *r)
{
	duration spent = mono_since(loop_now(request_loop(r)), r->attempt.began);

	r->connect_left.ns -= MIN(spent.ns, r->attempt.time.ns);
}

static enum lease_result try_candidate(struct olink_request *r, enum reason *reason)
{
	struct lease_order order = {
	    .endpoint = r->candidates[r->candidate],
	    .terms = r->settings.terms,
	    .client = r->settings.tells_client ? &r->client : NULL,
	    .fresh = r->facts.retries > 0,
	    .careful = r->side == REQUEST_BODY || !http_method_is_idempotent(r->head->method_id),
	    .time = request_share_of_time(r->connect_left, r->n_candidates - r->candidate),
	};
	enum lease_result result;

	r->looked_at = *endpoint_addr(order.endpoint);
	result = attempt_begin(&r->attempt, &order, reason);
	REQUEST_TRACE(r, "candidate %u of %u, %s, by lease %llu for %lld ms at most%s%s",
		      r->candidate + 1, r->n_candidates, net_addr_shown(&r->looked_at),
		      (unsigned long long)r->attempt.lease.number, (long long)dur_to_ms(order.time),
		      order.fresh ? ", a new connection only" : "",
		      order.careful ? ", only once" : "");
	return result;
}

/* From the current candidate on, the first one that has a connection or lets us wait for one.
 * False: there is none, and `*reason` is the last one's. */
static bool try_any(struct olink_request *r, enum reason *reason)
{
	for (; r->candidate < r->n_candidates; r->candidate++) {
		switch (try_candidate(r, reason)) {
		case LEASE_READY:
			note_connection(r);
			loop_defer(request_loop(r), &r->turn_end);
			return true;
		case LEASE_WAITS:
			return true;
		case LEASE_REFUSED:
			break;
		}
	}
	return false;
}

/* Whether another candidate may do better. Who has waited in one queue has waited long enough; and
 * what we are short of here we lack for all of them, but for ports, which are free or not for each
 * address. */
static bool is_tried_elsewhere(const struct olink_request *r, enum reason reason)
{
	if (r->connect_left.ns <= 0)
		return false;
	if (reason == REASON_EDGE_NO_PORTS)
		return true;
	return reason != REASON_ORIGIN_QUEUE_TIMEOUT && !reason_is_own_shortage(reason);
}

void request_opened(struct olink_request *r)
{
	note_connection(r);
	send_begin(r);
}

/* There is another way, and no need to try this one for each request until a check has. */
static bool is_relay_lost(const struct olink_request *r, enum reason reason)
{
	return endpoint_transport(r->candidates[r->candidate])->relay &&
	       (reason == REASON_ORIGIN_CONNECT_REFUSED || reason == REASON_ORIGIN_CONNECT_FAILED ||
		reason == REASON_ORIGIN_HANDSHAKE_FAILED || reason == REASON_ORIGIN_CERTIFICATE);
}

void request_unleased(struct olink_request *r, enum reason reason, const char *detail)
{
	/* What a queue or a shortage of ours has prevented was not tried. */
	if (reason != REASON_ORIGIN_QUEUE_FULL && reason != REASON_ORIGIN_QUEUE_TIMEOUT &&
	    !reason_is_own_shortage(reason))
		r->facts.addr = r->looked_at;
	if (reason == REASON_ORIGIN_CONNECT_TIMEOUT || is_relay_lost(r, reason))
		endpoint_suspect(r->candidates[r->candidate], request_loop(r));
	/* Nothing was sent, so another one may be asked. */
	REQUEST_TRACE(r, "%s gives no connection: %s%s%s",
		      net_addr_shown(endpoint_addr(r->candidates[r->candidate])),
		      reason_text(reason), detail ? ": " : "", detail ? detail : "");
	spend_time(r);
	r->candidate++;
	if (is_tried_elsewhere(r, reason) && try_any(r, &reason))
		return;
	request_fail(r, reason, detail);
}

void request_try(struct olink_request *r)
{
	enum reason reason = REASON_NONE;

	if (r->failed == REASON_NONE) {
		request_set_phase(r, REQUEST_TRYING);
		if (!try_any(r, &reason))
			r->failed = reason;
	}
	/* To tell that, or to grant for the first time, and to send. */
	loop_defer(request_loop(r), &r->turn_end);
}

/* Repeating */

/* The one rule: whether what was sent may be sent again. What the connection has not been given
 * may; else the origin may have acted upon it, so that only what it does twice as well as once may,
 * and only what we still have. */
static bool may_repeat(const struct olink_request *r, bool unacted)
{
	const struct attempt *a = &r->attempt;

	if (unacted)
		return true;
	return r->settings.retries > 0 && a->received == 0 && a->given == GIVEN_HEAD &&
	       http_method_is_idempotent(r->head->method_id);
}

/* From the current candidate on, on fresh connections: so this ends. */
static void repeat(struct olink_request *r, enum reason reason)
{
	end_attempt(r, ATTEMPT_CLOSE, reason);
	REQUEST_TRACE(r, "repeated after: %s", reason_text(reason));
	r->facts.retries++;
	r->connect_left = r->settings.connect;
	count(r, OLINK_RETRIES);
	if (!try_any(r, &reason))
		request_fail(r, reason, NULL);
}

/* The current candidate behind all others, or (`for_good`) away. */
static void put_back(struct olink_request *r, bool for_good)
{
	struct endpoint *endpoint = r->candidates[r->candidate];

	r->n_candidates--;
	for (unsigned i = r->candidate; i < r->n_candidates; i++)
		r->candidates[i] = r->candidates[i + 1];
	if (for_good)
		endpoint_unpin(&endpoint, request_loop(r));
	else
		r->candidates[r->n_candidates++] = endpoint;
}

/* A connection that was open before may just have been closed by its server, which is as good as
 * any other for a new one; who breaks a new one is asked last. */
static bool repeat_after_break(struct olink_request *r, const struct attempt_death *death)
{
	/* Of what was never sent the first one is no repetition. */
	unsigned most = MAX(r->settings.retries, death->unacted);
	bool is_relay = endpoint_transport(r->candidates[r->candidate])->relay;

	if (death->reason == REASON_LIMIT || death->reason == REASON_ORIGIN_STALLED ||
	    !may_repeat(r, death->unacted) || r->n_retries >= most)
		return false;
	/* One that is no relay stands behind it, perhaps, and a relay that ends takes all of its
	 * connections along. */
	if (!r->facts.reused || is_relay) {
		if (r->settings.retries < 2 && !is_relay)
			return false;
		put_back(r, false);
	}
	r->n_retries++;
	repeat(r, death->reason);
	return true;
}

void request_leave_candidate(struct olink_request *r, enum reason reason, bool elsewhere)
{
	put_back(r, true);
	r->connect_left = r->settings.connect;
	if (elsewhere && r->candidate < r->n_candidates) {
		count(r, OLINK_RETRIES);
		if (try_any(r, &reason))
			return;
	}
	request_fail(r, reason, "says the relay");
}

void request_died(struct olink_request *r, const struct attempt_death *death)
{
	if (!repeat_after_break(r, death))
		request_fail(r, death->reason, death->detail);
}

void request_vanished(struct olink_request *r)
{
	static const char detail[] = "it does not acknowledge what was sent";

	REQUEST_TRACE(r, "%s: %s", net_addr_shown(endpoint_addr(r->candidates[r->candidate])),
		      detail);
	endpoint_suspect(r->candidates[r->candidate], request_loop(r));
	if (!may_repeat(r, r->attempt.given == GIVEN_NOTHING)) {
		request_fail(r, REASON_ORIGIN_CONNECT_TIMEOUT, detail);
		return;
	}
	/* A connection that was idle may be all that has vanished: something on the way has
	 * forgotten it. */
	put_back(r, !r->facts.reused);
	if (r->candidate < r->n_candidates)
		repeat(r, REASON_ORIGIN_CONNECT_TIMEOUT);
	else
		request_fail(r, REASON_ORIGIN_CONNECT_TIMEOUT, detail);
}

/* Objects */

/* The arena holds what the limits let in: the final head, as much again of informational ones, and
 * the trailer section. In bytes twice as much as their text, because lines do not fill its blocks;
 * of fields the vectors that were outgrown too. */
static size_t arena_cap(const struct h1_limits *limits)
{
	size_t one = 2 * limits->head_bytes + 8 * limits->fields * sizeof(struct http_field);

	return 3 * one + 16 * 1024;
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
	return r;
}

static void object_free(struct olink_request *r)
{
	arena_fini(&r->arena);
	attempt_fini(&r->attempt);
	free(r);
}

static void object_give(struct olink_request *r)
{
	struct olink_worker *w = r->worker;

	CHECK(r->phase == REQUEST_OVER);
	LIST_REMOVE(r, link);
	r->magic = MAGIC_DEAD;
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
	if (r->is_refused_by_relay) {
		relay_go_on(r);
		return;
	}
	if (r->attempt.given == GIVEN_NOTHING)
		send_begin(r);
	if (r->attempt.state == ATTEMPT_OPEN)
		r->attempt.wire->go_on(&r->attempt);
}

static void copy_settings(struct request_settings *to, const struct olink_origins *origins,
			  const struct cfg_origin *origin, const struct olink_terms *terms)
{
	*to = (struct request_settings){
	    .origin_id = origin->id,
	    .tells_client = origin->proxy_protocol != CFG_PROXY_PROTOCOL_NONE,
	    .connect = origin->timeout.connect,
	    .response = terms && terms->response.ns ? terms->response : origin->timeout.response,
	    .idle = terms && terms->idle.ns ? terms->idle : origin->timeout.idle,
	    .retries = terms ? terms->retries : 1,
	    .terms = origins_terms(origins, origin),
	    .limits = {.head_bytes = origin->limit.head_bytes, .fields = origin->limit.fields},
	};
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
	LIST_INSERT_HEAD(&w->requests, r, link);
	copy_settings(&r->settings, open->origins, open->origin, open->terms);
	arena_reset(&r->arena, arena_cap(&r->settings.limits));
	count(r, OLINK_REQUESTS);
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

	if (lease_is_connecting(&r->attempt.lease))
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
	if (r->attempt.state == ATTEMPT_OPEN && r->is_tunnel && r->side == REQUEST_ENDED &&
	    r->response == RESPONSE_ENDED) {
		watch_update(&r->attempt);
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
