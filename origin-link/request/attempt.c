/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One try of a request: takes a lease, picks the wire for the connection that comes, and ends both.
 * Passes on to the request what the wire tells of the connection; what it tells of the response is
 * response.c's. Runs on the request's loop; owns the lease.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/request/attempt.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/endpoint.h"
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

/* There is a connection; nothing is sent yet. */
static void open_on(struct attempt *a, const struct wire_ops *wire)
{
	set_state(a, ATTEMPT_OPEN);
	a->wire = wire;
	a->opened = loop_now(request_loop(a->request));
}

static void leased(struct lease *lease, enum reason reason, const char *detail)
{
	struct attempt *a = CONTAINER_OF(lease, struct attempt, lease);
	struct olink_request *r = a->request;

	CHECK(r->magic == REQUEST_MAGIC && a->state == ATTEMPT_LEASES);
	if (reason == REASON_NONE) {
		open_on(a, &h1_wire_ops);
		request_opened(r);
		return;
	}
	attempt_end(a, ATTEMPT_CLOSE);
	request_unleased(r, reason, detail);
}

enum lease_result attempt_begin(struct attempt *a, const struct lease_order *order,
				enum reason *reason)
{
	struct olink_request *r = a->request;
	enum lease_result result;

	CHECK(a->state == ATTEMPT_NONE);
	*a = (struct attempt){
	    .request = r,
	    .watch_at = a->watch_at,
	    .look_at = a->look_at,
	    .endpoint = order->endpoint,
	    .began = loop_now(request_loop(r)),
	    .time = order->time,
	};
	lease_init(&a->lease, r->worker->conns, &h1_wire_stream_ops, a, leased);
	result = lease_take(&a->lease, order, reason);
	if (result == LEASE_READY)
		open_on(a, &h1_wire_ops);
	else if (result == LEASE_WAITS)
		set_state(a, ATTEMPT_LEASES);
	return result;
}

void attempt_end(struct attempt *a, enum attempt_end how)
{
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

	if (a->received == 0)
		r->facts.response = mono_since(loop_now(request_loop(r)), a->opened);
	a->received += n;
}

void attempt_drained(struct attempt *a)
{
	watch_update(a);
	send_drained(a->request);
}

void attempt_died(struct attempt *a, const struct attempt_death *death)
{
	request_died(a->request, death);
}

void attempt_unsendable(struct attempt *a, enum reason reason)
{
	request_stop(a->request, reason);
	watch_update(a);
}

void attempt_spoilt(struct attempt *a, enum reason reason, const char *detail)
{
	request_fail(a->request, reason, detail);
}
