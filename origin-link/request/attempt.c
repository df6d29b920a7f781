/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One try of a request: takes a lease, picks the wire for the connection that comes, and ends both.
 * Passes on to the request what the wire tells of the connection; what it tells of the response is
 * response.c's. Tells the endpoint what has become of it. Runs on the request's loop; owns the
 * lease.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/request/attempt.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/outcome.h"
#include "origin-link/request/request_internal.h"

static const char *state_text(enum attempt_state state)
{
	static const char *const texts[] = {
	    [ATTEMPT_NONE] = "none",
	    [ATTEMPT_LEASES] = "leases",
	    [ATTEMPT_OPEN] = "open",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void set_state(struct attempt *a, enum attempt_state state)
{
	enum attempt_state from = a->state;

	a->state = state;
	if (from != state)
		REQUEST_TRACE(a->request, "attempt %s, now %s", state_text(from),
			      state_text(state));
}

void attempt_init(struct attempt *a, struct olink_request *r)
{
	a->request = r;
	deadline_init(&a->watch_at, request_loop(r), watch_fire);
	deadline_init(&a->look_at, request_loop(r), watch_look_fire);
}

void attempt_fini(struct attempt *a)
{
	deadline_fini(&a->watch_at);
	deadline_fini(&a->look_at);
}

/* What is seen of it */

static enum outcome_stage stage_of(const struct attempt *a, enum reason reason)
{
	if (a->received > 0)
		return reason == REASON_DONE ? OUTCOME_WHOLE : OUTCOME_CONTENT;
	if (a->state == ATTEMPT_OPEN)
		return OUTCOME_FIRST_BYTE;
	return lease_is_waiting(&a->lease) || reason == REASON_ORIGIN_QUEUE_FULL ||
		       reason == REASON_ORIGIN_QUEUE_TIMEOUT
		   ? OUTCOME_QUEUE
		   : OUTCOME_CONNECT;
}

/* From when there was a connection, and nothing more to be given to it. */
static duration first_byte_time(const struct attempt *a)
{
	if (a->sent.ns > a->opened.ns && a->sent.ns <= a->first.ns)
		return mono_since(a->first, a->sent);
	return mono_since(a->first, a->opened);
}

/* Where all of the time has gone is not known when it is over, only what was waited for then: a
 * server that has not begun to answer is to blame; a client is not the server's fault, nor is a
 * long response. */
static enum reason blame(const struct attempt *a, enum reason reason)
{
	bool waits_for_server = a->state == ATTEMPT_OPEN
				    ? a->received == 0 && a->watch != WATCH_NONE
				    : lease_is_connecting(&a->lease);

	return reason == REASON_ORIGIN_TOTAL_TIMEOUT && !waits_for_server ? REASON_NONE : reason;
}

/* While it has its lease, or has failed to get it. */
static void report(const struct attempt *a, bool ended, enum reason reason)
{
	struct loop *loop = request_loop(a->request);
	struct lease_times times = lease_times(&a->lease);
	struct outcome o = outcome_init();

	o.ended = ended;
	o.stage = stage_of(a, reason);
	o.reason = reason;
	o.reused = lease_is_reused(&a->lease);
	o.again = a->request->facts.retries > 0 || a->request->candidate > 0;
	o.queue = times.queue;
	o.connect = times.connect;
	o.tls = times.tls;
	if (a->state == ATTEMPT_OPEN) {
		o.status = a->status;
		o.first_byte = a->received > 0 ? first_byte_time(a) : DUR_NS(-1);
		if (ended)
			o.whole = mono_since(loop_now(loop), a->opened);
	}
	endpoint_report(a->endpoint, loop, &o);
}

/* Its life */

/* There is a connection; nothing is sent yet. */
static void open_on(struct attempt *a, const struct wire_ops *wire)
{
	set_state(a, ATTEMPT_OPEN);
	a->wire = wire;
	a->opened = loop_now(request_loop(a->request));
}

static const struct wire_ops *wire_of(const struct attempt *a)
{
	return lease_h2(&a->lease) ? &h2_wire_ops : &h1_wire_ops;
}

static void leased(struct lease *lease, enum reason reason, const char *detail)
{
	struct attempt *a = CONTAINER_OF(lease, struct attempt, lease);
	struct olink_request *r = a->request;

	CHECK(r->magic == REQUEST_MAGIC && a->state == ATTEMPT_LEASES);
	if (reason == REASON_NONE) {
		open_on(a, wire_of(a));
		request_opened(r, a);
		return;
	}
	attempt_end(a, ATTEMPT_CLOSE, reason);
	request_unleased(r, a, reason, detail);
}

enum lease_result attempt_begin(struct attempt *a, const struct lease_order *order,
				enum reason *reason)
{
	struct olink_request *r = a->request;
	enum lease_result result;

	CHECK(a->state == ATTEMPT_NONE);
	/* The first one is as the request was opened with it. */
	if (a->endpoint)
		*a = (struct attempt){.request = r, .watch_at = a->watch_at, .look_at = a->look_at};
	a->endpoint = order->endpoint;
	a->began = loop_now(request_loop(r));
	a->time = order->time;
	lease_init(&a->lease, r->worker->conns, &h1_wire_stream_ops, a, leased);
	result = lease_take(&a->lease, order, reason);
	if (result == LEASE_READY)
		open_on(a, wire_of(a));
	else if (result == LEASE_WAITS)
		set_state(a, ATTEMPT_LEASES);
	else
		report(a, true, *reason);
	return result;
}

void attempt_end(struct attempt *a, enum attempt_end how, enum reason reason)
{
	if (a->state != ATTEMPT_NONE)
		report(a, true, blame(a, reason));
	deadline_clear(&a->watch_at);
	deadline_clear(&a->look_at);
	if (a->state == ATTEMPT_OPEN)
		a->wire->end(a, how);
	lease_end(&a->lease, how == ATTEMPT_KEEP);
	set_state(a, ATTEMPT_NONE);
}

/* From the wire */

bool attempt_is_read(const struct attempt *a)
{
	return a->state == ATTEMPT_OPEN && a->request->response <= RESPONSE_TUNNEL;
}

void attempt_received(struct attempt *a, size_t n)
{
	struct olink_request *r = a->request;

	if (a->received == 0) {
		a->first = loop_now(request_loop(r));
		if (a == r->current)
			r->facts.response = mono_since(a->first, a->opened);
		if (r->settings.hedges)
			latency_add(&recent_slot(r->recent, request_loop(r))->latency,
				    first_byte_time(a));
	}
	a->received += n;
}

void attempt_answered(struct attempt *a, int status)
{
	a->status = status;
	report(a, false, REASON_NONE);
}

void attempt_drained(struct attempt *a)
{
	watch_update(a);
	send_drained(a->request);
}

void attempt_died(struct attempt *a, const struct attempt_death *death)
{
	request_died(a->request, a, death);
}

void attempt_unsendable(struct attempt *a, enum reason reason)
{
	request_stop(a->request, reason);
	watch_update(a);
}

void attempt_spoilt(struct attempt *a, enum reason reason, const char *detail)
{
	request_spoilt(a->request, a, reason, detail);
}
