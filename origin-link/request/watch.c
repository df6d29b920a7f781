/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What takes too long in one request, once it has a connection (the time to get one is the
 * lease's): one deadline for what is waited for, and a look at TCP now and then. Runs on the
 * request's loop; owns nothing.
 *
 * TCP_USER_TIMEOUT would find a server that has vanished too, but the kernel also runs it while the
 * other side keeps its window shut (tcp(7)), and would break the connection to an origin that is
 * only slow. So we look ourselves: who acknowledges, or answers window probes, is there.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "origin-link/request/request_internal.h"

/* Below it a lost segment that is sent again (200 ms, Linux's TCP_RTO_MIN) or a delayed
 * acknowledgement would look like a server that has vanished. */
#define LOOK_MIN DUR_MS(250)

static struct tcp_sight look_at(const struct olink_request *r)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	/* Known in vain of a socket that has failed: its stream tells. */
	if (getsockopt(stream_fd(request_stream(r)), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return (struct tcp_sight){0};
	return (struct tcp_sight){
	    .acked = info.tcpi_bytes_acked,
	    .outstanding = info.tcpi_unacked > 0,
	    .retransmitted = info.tcpi_retransmits > 0,
	    .held_back = info.tcpi_notsent_bytes > 0,
	    .silence = DUR_MS(info.tcpi_last_ack_recv),
	};
}

/* The deadline */

static enum watch what_to_watch(const struct olink_request *r)
{
	const struct attempt *a = &r->attempt;
	bool pushed = r->side != REQUEST_BODY;
	/* The client waits for leave: nobody else can be waited for. */
	bool asks_leave = r->side == REQUEST_BODY && r->head->expect_continue &&
			  a->given == GIVEN_HEAD && !a->leave_given;

	if (r->phase != REQUEST_OPEN || a->given == GIVEN_NOTHING)
		return WATCH_NONE;
	/* A tunnel is watched by the client's side, until that has gone. */
	if (request_is_tunnel(r))
		return r->closed ? WATCH_WRITE : WATCH_NONE;
	/* While we do not read, it may be that it cannot write, and takes nothing for that. */
	if (!stream_is_drained(request_stream(r)))
		return a->paused ? WATCH_NONE : WATCH_WRITE;
	if (a->response == RESPONSE_HEAD_AWAITED)
		return pushed || asks_leave ? WATCH_HEAD : WATCH_NONE;
	/* Answered without leave, its sender just reads. */
	return (pushed || asks_leave) && !a->paused ? WATCH_BODY : WATCH_NONE;
}

static uint64_t progress(const struct olink_request *r)
{
	return look_at(r).acked + r->attempt.received;
}

static void set(struct olink_request *r)
{
	switch (r->attempt.watch) {
	case WATCH_NONE:
		deadline_clear(&r->watch);
		break;
	case WATCH_WRITE:
		r->attempt.progress = progress(r);
		deadline_set(&r->watch, r->settings.idle);
		break;
	case WATCH_HEAD:
		deadline_set(&r->watch, r->settings.response);
		break;
	case WATCH_BODY:
		deadline_set(&r->watch, r->settings.idle);
		break;
	}
}

void watch_update(struct olink_request *r)
{
	enum watch watch = what_to_watch(r);

	/* Each is one time, however many pieces come in it; progress of a write is seen when it
	 * fires. */
	if (watch == r->attempt.watch)
		return;
	r->attempt.watch = watch;
	set(r);
}

void watch_restart(struct olink_request *r)
{
	r->attempt.watch = what_to_watch(r);
	if (r->attempt.watch != WATCH_WRITE)
		set(r);
}

/* Looking */

/* Often enough that an origin which takes a request slowly is seen to do so before it is late. */
static duration look_interval(const struct olink_request *r)
{
	int64_t ns = MIN(r->settings.connect.ns, r->settings.response.ns / 3);

	return DUR_NS(MAX(ns, LOOK_MIN.ns));
}

/* Something was sent, and sent again, and neither it nor anything else was acknowledged for as long
 * as a server may take to accept a connection. */
static bool has_vanished(const struct olink_request *r, const struct tcp_sight *sight)
{
	int64_t patience = MAX(r->settings.connect.ns, LOOK_MIN.ns);
	duration stuck = mono_since(loop_now(request_loop(r)), r->attempt.moved);

	return sight->retransmitted && sight->silence.ns >= patience && stuck.ns >= patience;
}

void watch_look(struct olink_request *r)
{
	r->attempt.moved = loop_now(request_loop(r));
	deadline_set(&r->look, look_interval(r));
}

void watch_look_fire(struct deadline *deadline)
{
	struct olink_request *r = CONTAINER_OF(deadline, struct olink_request, look);
	struct attempt *a = &r->attempt;
	mono_time now = loop_now(request_loop(r));
	struct tcp_sight sight;
	bool moved;

	if (r->phase != REQUEST_OPEN || a->received > 0)
		return;
	sight = look_at(r);
	/* The first time it is the head that may not have arrived. */
	moved = a->looked ? sight.acked != a->seen.acked
			  : sight.silence.ns < mono_since(now, a->moved).ns;
	/* What the kernel holds back was not sent yet, though it is written: the time for the
	 * response has not begun. */
	if (a->looked && moved && (a->seen.outstanding || a->seen.held_back) &&
	    a->watch == WATCH_HEAD)
		set(r);
	if (moved || !sight.outstanding)
		a->moved = now;
	a->seen = sight;
	a->looked = true;
	if (has_vanished(r, &sight))
		request_vanished(r);
	else
		deadline_set(&r->look, look_interval(r));
}

/* The deadline fires */

void watch_fire(struct deadline *deadline)
{
	struct olink_request *r = CONTAINER_OF(deadline, struct olink_request, watch);
	struct attempt *a = &r->attempt;

	switch (a->watch) {
	case WATCH_NONE:
		break;
	case WATCH_WRITE:
		if (progress(r) != a->progress)
			set(r);
		else
			request_fail(r, REASON_ORIGIN_WRITE_TIMEOUT, NULL);
		break;
	case WATCH_HEAD:
		request_fail(r, REASON_ORIGIN_HEAD_TIMEOUT, NULL);
		break;
	case WATCH_BODY:
		request_fail(r, REASON_ORIGIN_BODY_TIMEOUT, NULL);
		break;
	}
}
