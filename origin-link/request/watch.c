/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What takes too long in one attempt, once it has a connection (the time to get one is the
 * lease's): one deadline for what is waited for, and a look at TCP now and then, if the connection
 * is the attempt's alone. Runs on the request's loop; owns nothing.
 *
 * TCP_USER_TIMEOUT would find a server that has vanished too, but the kernel also runs it while the
 * other side keeps its window shut (tcp(7)), and would break the connection to an origin that is
 * only slow. So we look ourselves: who acknowledges, or answers window probes, is there.
 */
#define LOG_MODULE LOG_ORIGIN
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/request/request_internal.h"

/* Below it a lost segment that is sent again (200 ms, Linux's TCP_RTO_MIN) or a delayed
 * acknowledgement would look like a server that has vanished. */
#define LOOK_MIN DUR_MS(250)

/* Known in vain of a socket that has failed: its stream tells. */
static struct tcp_sight look_at(int socket)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
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

static const char *watch_text(enum watch watch)
{
	static const char *const texts[] = {
	    [WATCH_NONE] = "nothing of the origin",
	    [WATCH_WRITE] = "what was written to be taken",
	    [WATCH_HEAD] = "the response",
	    [WATCH_BODY] = "more of the response",
	};

	CHECK((unsigned)watch < ARRAY_SIZE(texts));
	return texts[watch];
}

static enum watch what_to_watch(const struct attempt *a)
{
	const struct olink_request *r = a->request;
	bool pushed = r->side != REQUEST_BODY;
	/* The client waits for leave: nobody else can be waited for. */
	bool asks_leave = r->side == REQUEST_BODY && r->head->expect_continue &&
			  a->given == GIVEN_HEAD && !a->leave_given;

	if (a->state != ATTEMPT_OPEN || a->given == GIVEN_NOTHING)
		return WATCH_NONE;
	/* A tunnel is watched by the client's side, until that has gone. */
	if (r->is_tunnel)
		return r->closed ? WATCH_WRITE : WATCH_NONE;
	/* While we do not read, it may be that it cannot write, and takes nothing for that. */
	if (!a->wire->is_drained(a))
		return a->paused ? WATCH_NONE : WATCH_WRITE;
	if (r->response == RESPONSE_HEAD_AWAITED)
		return pushed || asks_leave ? WATCH_HEAD : WATCH_NONE;
	/* Answered without leave, its sender just reads. */
	return (pushed || asks_leave) && !a->paused ? WATCH_BODY : WATCH_NONE;
}

static uint64_t progress(const struct attempt *a)
{
	return a->wire->progress(a) + a->received;
}

static bool has_own_time(const struct request_settings *settings)
{
	return settings->per_try.ns > 0 && settings->per_try.ns < settings->response.ns;
}

static duration time_for_head(const struct attempt *a)
{
	const struct request_settings *settings = &a->request->settings;

	if (!has_own_time(settings))
		return settings->response;
	return a->took_long ? DUR_NS(settings->response.ns - settings->per_try.ns)
			    : settings->per_try;
}

static void set(struct attempt *a)
{
	const struct request_settings *settings = &a->request->settings;

	switch (a->watch) {
	case WATCH_NONE:
		deadline_clear(&a->watch_at);
		break;
	case WATCH_WRITE:
		a->progress = progress(a);
		deadline_set(&a->watch_at, settings->idle);
		break;
	case WATCH_HEAD:
		deadline_set(&a->watch_at, time_for_head(a));
		break;
	case WATCH_BODY:
		deadline_set(&a->watch_at, settings->idle);
		break;
	}
}

void watch_update(struct attempt *a)
{
	enum watch watch = what_to_watch(a);

	/* Each is one time, however many pieces come in it; progress of a write is seen when it
	 * fires. */
	if (watch == a->watch)
		return;
	REQUEST_TRACE(a->request, "waits for %s", watch_text(watch));
	a->watch = watch;
	set(a);
}

void watch_restart(struct attempt *a)
{
	a->watch = what_to_watch(a);
	if (a->watch != WATCH_WRITE)
		set(a);
}

/* Looking */

/* Often enough that an origin which takes a request slowly is seen to do so before it is late. */
static duration look_interval(const struct request_settings *settings)
{
	int64_t ns = MIN(settings->connect.ns, settings->response.ns / 3);

	return DUR_NS(MAX(ns, LOOK_MIN.ns));
}

/* Something was sent, and sent again, and neither it nor anything else was acknowledged for as long
 * as a server may take to accept a connection. */
static bool has_vanished(const struct attempt *a, const struct tcp_sight *sight)
{
	int64_t patience = MAX(a->request->settings.connect.ns, LOOK_MIN.ns);
	duration stuck = mono_since(loop_now(request_loop(a->request)), a->moved);

	return sight->retransmitted && sight->silence.ns >= patience && stuck.ns >= patience;
}

void watch_look(struct attempt *a)
{
	if (a->wire->socket(a) < 0)
		return;
	a->moved = loop_now(request_loop(a->request));
	deadline_set(&a->look_at, look_interval(&a->request->settings));
}

void watch_look_fire(struct deadline *deadline)
{
	struct attempt *a = CONTAINER_OF(deadline, struct attempt, look_at);
	mono_time now = loop_now(request_loop(a->request));
	struct tcp_sight sight;
	bool moved;

	if (a->state != ATTEMPT_OPEN || a->received > 0)
		return;
	sight = look_at(a->wire->socket(a));
	/* The first time it is the head that may not have arrived. */
	moved = a->looked ? sight.acked != a->seen.acked
			  : sight.silence.ns < mono_since(now, a->moved).ns;
	/* What the kernel holds back was not sent yet, though it is written: the time for the
	 * response has not begun. */
	if (a->looked && moved && (a->seen.outstanding || a->seen.held_back) &&
	    a->watch == WATCH_HEAD)
		set(a);
	if (moved || !sight.outstanding)
		a->moved = now;
	a->seen = sight;
	a->looked = true;
	if (has_vanished(a, &sight))
		request_vanished(a->request, a, a->given == GIVEN_NOTHING);
	else
		deadline_set(&a->look_at, look_interval(&a->request->settings));
}

/* The deadline fires */

static void head_is_late(struct attempt *a)
{
	if (a->took_long || !has_own_time(&a->request->settings)) {
		attempt_spoilt(a, REASON_ORIGIN_HEAD_TIMEOUT, NULL);
		return;
	}
	a->took_long = true;
	if (!request_took_long(a->request, a))
		set(a);
}

void watch_fire(struct deadline *deadline)
{
	struct attempt *a = CONTAINER_OF(deadline, struct attempt, watch_at);

	switch (a->watch) {
	case WATCH_NONE:
		break;
	case WATCH_WRITE:
		if (progress(a) != a->progress)
			set(a);
		else
			attempt_spoilt(a, REASON_ORIGIN_WRITE_TIMEOUT, NULL);
		break;
	case WATCH_HEAD:
		head_is_late(a);
		break;
	case WATCH_BODY:
		attempt_spoilt(a, REASON_ORIGIN_BODY_TIMEOUT, NULL);
		break;
	}
}
