/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Active checks, on the control loop: when a probe begins, its connection, its time, and what
 * follows from how it ended. A probe owns its timer, its connection and its question; how that is
 * asked is a talk's business (probe_talk.h), the health that is fed, and what follows from it, are
 * the caller's.
 *
 * Probes go the way that their transport says, its verification included; where that is the way
 * requests go, what they find is what requests will find.
 *
 * phase    | there is, beside the timer    | ends with
 * ---------+-------------------------------+----------------------------------------------------
 * WAITING  | nothing; or instead of it a   | the next probe
 *          | place at the gate             |
 * ASKING   | a connector, then a stream    | the verdict, or once more by GET
 *          | and, but for TCP and TLS, its |
 *          | talk                          |
 * LEAVING  | a stream, and a verdict       | the end of the stream, enough content, the time
 *
 * LEAVING is there because closing a socket with unread input sends a RST, which a server takes for
 * a fault.
 */
#define LOG_MODULE LOG_PROBE
#include "origin-link/health/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/stream.h"
#include "origin-link/conns/connector.h"
#include "origin-link/conns/transport.h"
#include "origin-link/health/probe_gate.h"
#include "origin-link/health/probe_talk.h"

#define PROBE_MAGIC 0x9406e001u

/* As much of a page is read away for the sake of an orderly end, which is more than most have; who
 * has more is cut off. */
#define CONTENT_MAX (1024 * 1024)

/* What still comes for one that was abandoned is read away unless so much time passes without. */
#define ABANDONED_LINGER DUR_S(1)

/* Descriptors become free at any time; soon enough that a verdict does not grow old. */
#define PREVENTED_RETRY DUR_S(1)

/* Timers are late by some milliseconds at any time, and early by a tick of the kernel's, 4 ms. */
#define HELD_UP DUR_MS(100)
#define EARLY DUR_MS(5)

enum probe_phase { PROBE_WAITING, PROBE_ASKING, PROBE_LEAVING };

struct probe {
	unsigned magic;
	struct stream_buffers *buffers;
	char *name;
	struct probe_question *question;
	struct net_addr addr;
	struct transport *transport;
	bool wants_get; /* HEAD has got a status that GET has not */
	bool for_others;
	struct health *health;
	void (*on_result)(void *arg, enum probe_cause, bool changed);
	void *arg;

	enum probe_phase phase;
	struct probe_gate *gate; /* NULL: none */
	struct probe_pass pass;
	struct event *timer; /* WAITING: to the next one; else to the end of this one's time */
	mono_time started;
	duration last_time;
	bool is_spread; /* the second one was not at the interval */
	/* ASKING */
	struct connector connector;
	int head_status; /* what HEAD has got; 0: it was not, or is being asked */
	/* ASKING, from connected on, and LEAVING */
	struct stream *stream;
	size_t n_content; /* read away */
	/* ASKING, from connected on, but for TCP and TLS */
	void *talk;
};

static const struct cfg_check *check_of(const struct probe *p)
{
	return &p->question->check;
}

static const struct probe_talk_ops *talk_ops(const struct probe *p)
{
	switch (check_of(p)->kind) {
	case CFG_CHECK_HTTP:
	case CFG_CHECK_HTTPS:
		return &probe_http1;
	case CFG_CHECK_H2:
	case CFG_CHECK_GRPC:
		return &probe_http2;
	case CFG_CHECK_TCP:
	case CFG_CHECK_TLS:
		break;
	}
	return NULL;
}

/* Ends */

static const char *method_of(const struct probe *p)
{
	return p->wants_get || p->head_status != 0 ? "GET" : probe_question_method(p->question);
}

static bool is_by_head(const struct probe *p)
{
	return strcmp(method_of(p), "HEAD") == 0;
}

/* Nothing more of what was asked is looked at. */
static void stop_asking(struct probe *p)
{
	connector_cancel(&p->connector);
	if (p->talk != NULL)
		talk_ops(p)->end(p->talk);
	p->talk = NULL;
}

static void set_timer(struct probe *p, duration after)
{
	struct timeval tv = dur_to_timeval(DUR_NS(MAX(after.ns, 0)));

	CHECK(event_add(p->timer, &tv) == 0);
}

static void wait_for_next(struct probe *p, duration interval)
{
	/* +-10%, so that the probes of many nodes and addresses do not march in step. */
	int64_t tenth = interval.ns / 10;
	int64_t jitter = (int64_t)arc4random_uniform(2001) * tenth / 1000 - tenth;
	duration taken = mono_since(clock_mono(), p->started);
	int64_t spread =
	    p->is_spread ? jitter : -(int64_t)arc4random_uniform(1001) * 5 * tenth / 1000;

	p->is_spread = true;
	p->phase = PROBE_WAITING;
	set_timer(p, DUR_NS(interval.ns + spread - taken.ns));
}

static void let_go(struct probe *p)
{
	stop_asking(p);
	stream_destroy(&p->stream);
}

/* The connection goes, and with it what the other side has still to send. */
static void hang_up(struct probe *p)
{
	const struct cfg_check *check = check_of(p);
	bool hurry = health_is_contradicted(p->health) && check->fast_interval.ns > 0 &&
		     check->fast_interval.ns < check->interval.ns;

	let_go(p);
	/* The first ones spread, which those in a hurry do by themselves. */
	p->is_spread |= hurry;
	wait_for_next(p, hurry ? check->fast_interval : check->interval);
}

static bool record(struct probe *p, enum probe_cause cause, const char *detail)
{
	bool changed = health_record(p->health, cause);

	if (changed)
		log_info("%s is %s (%s%s%s)", p->name, health_state_text(health_get(p->health)),
			 probe_cause_text(cause), detail ? ": " : "", detail ? detail : "");
	p->last_time = mono_since(clock_mono(), p->started);
	return changed;
}

static void tell(struct probe *p, enum probe_cause cause, bool changed)
{
	if (p->on_result)
		p->on_result(p->arg, cause, changed);
}

/* The end of a probe that has found something out, but got no answer. `detail` may be NULL, or the
 * stream's own. `p` may be gone when it returns, as after the next one. */
static void probe_failed(struct probe *p, enum probe_cause cause, const char *detail)
{
	bool changed = record(p, cause, detail);

	hang_up(p);
	tell(p, cause, changed);
}

static void leave(struct probe *p);

static void probe_answered(struct probe *p, enum probe_cause cause, const char *detail)
{
	bool changed = record(p, cause, detail);

	leave(p);
	tell(p, cause, changed);
}

/* It could not be made, and not for the server's fault: what is known stays known. */
static void probe_prevented(struct probe *p, const char *detail)
{
	LOG_LIMITED(LOG_LEVEL_WARN, "%s cannot be probed: %s", p->name,
		    detail ? detail : "out of resources");
	let_go(p);
	p->last_time = DUR_NS(0);
	wait_for_next(p, DUR_NS(MIN(check_of(p)->interval.ns, PREVENTED_RETRY.ns)));
	tell(p, PROBE_PREVENTED, false);
}

/* Nor can others, maybe, but that is not for this machine to say. */
static void probe_has_no_route(struct probe *p, const char *detail)
{
	bool changed = health_forget(p->health, PROBE_NO_ROUTE);

	if (changed)
		log_info("%s cannot be probed from here: %s", p->name, detail);
	p->last_time = DUR_NS(0);
	hang_up(p);
	tell(p, PROBE_NO_ROUTE, changed);
}

/* Leaving: what is still to come is read away */

static void leaving_readable_cb(void *arg)
{
	struct probe *p = arg;
	ssize_t n;

	MAGIC_CHECK(p, PROBE_MAGIC);
	while ((n = stream_read(p->stream, p->buffers->plain, STREAM_READ_MAX)) > 0) {
		p->n_content += n;
		if (p->n_content >= CONTENT_MAX)
			break;
	}
	if (n == STREAM_AGAIN)
		return;
	if (n == STREAM_EOF)
		stream_close(&p->stream, DUR_NS(0)); /* our half */
	hang_up(p);
}

static void leaving_failed_cb(void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	hang_up(p);
}

static void drained_cb(void *arg)
{
}

static const struct stream_ops leaving_callbacks = {
    .readable = leaving_readable_cb,
    .drained = drained_cb,
    .failed = leaving_failed_cb,
};

static void leave(struct probe *p)
{
	/* Who is to send content may take our end for a loss of interest. */
	bool content_comes = talk_ops(p) == &probe_http1 && !is_by_head(p);

	stop_asking(p);
	p->phase = PROBE_LEAVING;
	p->n_content = 0;
	if (!content_comes)
		stream_end_writing(p->stream);
	stream_hand_over(p->stream, &leaving_callbacks, p);
}

/* Asking */

static void ask(struct probe *p);

/* An application may know GET only, and say so with 405, 501 or what else it has for what it does
 * not know. */
static void ask_by_get(struct probe *p, int status)
{
	stop_asking(p);
	stream_close(&p->stream, ABANDONED_LINGER);
	p->head_status = status;
	ask(p);
}

static void answered(struct probe *p, enum probe_cause cause, int status, const char *detail)
{
	char words[16];

	if (cause == PROBE_WRONG_STATUS && is_by_head(p)) {
		ask_by_get(p, status);
		return;
	}
	if (cause == PROBE_OK && p->head_status != 0) {
		p->wants_get = true;
		log_info("%s answers HEAD with %d and GET with %d: it is asked by GET from now on",
			 p->name, p->head_status, status);
	}
	snprintf(words, sizeof(words), "%d", status);
	probe_answered(p, cause, cause == PROBE_WRONG_STATUS && !detail ? words : detail);
}

static void said_cb(void *arg, enum probe_cause cause, int status, const char *detail)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	if (cause == PROBE_PREVENTED)
		probe_prevented(p, detail);
	else if (status == 0)
		probe_failed(p, cause, detail);
	else
		answered(p, cause, status, detail);
}

/* When its time was over long before the loop came to look, nobody can say what it got of it. */
static void timed_out(struct probe *p)
{
	duration late = mono_since(clock_mono(), mono_add(p->started, check_of(p)->timeout));

	if (late.ns > HELD_UP.ns)
		probe_prevented(p, "this process was held up");
	else
		probe_failed(p, PROBE_TIMED_OUT, NULL);
}

static void not_connected(struct probe *p, enum reason reason, const char *detail)
{
	if (reason_is_own_shortage(reason)) {
		probe_prevented(p, detail);
		return;
	}
	switch (reason) {
	case REASON_ORIGIN_CONNECT_REFUSED:
		probe_failed(p, PROBE_REFUSED, NULL);
		break;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
	case REASON_ORIGIN_HANDSHAKE_TIMEOUT:
		timed_out(p);
		break;
	case REASON_ORIGIN_CERTIFICATE:
		probe_failed(p, PROBE_CERTIFICATE, detail);
		break;
	case REASON_ORIGIN_HANDSHAKE_FAILED:
		probe_failed(p, PROBE_TLS_FAILED, detail);
		break;
	default:
		if (p->for_others && connector_had_no_route(&p->connector))
			probe_has_no_route(p, detail);
		else
			probe_failed(p, PROBE_UNREACHABLE, detail);
		break;
	}
}

/* Without TLS there is nobody to ask. */
static bool has_agreed_on_h2(struct stream *stream)
{
	gnutls_session_t session = stream_tls_session(stream);
	gnutls_datum_t name;

	return session == NULL || (gnutls_alpn_get_selected_protocol(session, &name) == 0 &&
				   name.size == 2 && memcmp(name.data, "h2", 2) == 0);
}

static void start_talk(struct probe *p)
{
	struct probe_talk_order order = {
	    .buffers = p->buffers,
	    .stream = p->stream,
	    .question = p->question,
	    .method = method_of(p),
	    .said = said_cb,
	    .arg = p,
	};

	p->talk = talk_ops(p)->begin(&order);
}

static void connected_cb(struct connector *connector, struct stream *stream, enum reason reason,
			 const char *detail)
{
	struct probe *p = CONTAINER_OF(connector, struct probe, connector);

	MAGIC_CHECK(p, PROBE_MAGIC);
	if (!stream) {
		not_connected(p, reason, detail);
		return;
	}
	p->stream = stream;
	if (talk_ops(p) == NULL)
		probe_answered(p, PROBE_OK, NULL);
	else if (talk_ops(p) == &probe_http2 && !has_agreed_on_h2(stream))
		probe_failed(p, PROBE_BAD_RESPONSE, "it does not speak HTTP/2");
	else
		start_talk(p);
}

static duration time_left(const struct probe *p)
{
	duration taken = mono_since(clock_mono(), p->started);

	return DUR_NS(MAX(check_of(p)->timeout.ns - taken.ns, 0));
}

static void time_is_over(struct probe *p)
{
	bool has_verdict = p->phase == PROBE_LEAVING;

	/* All that has come was read: this is no RST. */
	if (p->stream) {
		stop_asking(p);
		stream_close(&p->stream, DUR_NS(0));
	}
	if (has_verdict)
		hang_up(p);
	else
		timed_out(p);
}

static void ask(struct probe *p)
{
	connector_start(&p->connector, &p->addr, p->transport, NULL, time_left(p));
}

static void begin(struct probe_pass *pass)
{
	struct probe *p = CONTAINER_OF(pass, struct probe, pass);

	MAGIC_CHECK(p, PROBE_MAGIC);
	p->phase = PROBE_ASKING;
	p->started = clock_mono();
	p->head_status = 0;
	set_timer(p, DUR_NS(check_of(p)->timeout.ns + EARLY.ns));
	ask(p);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	if (p->phase == PROBE_WAITING && p->gate != NULL)
		probe_gate_enter(p->gate, &p->pass);
	else if (p->phase == PROBE_WAITING)
		begin(&p->pass);
	else if (time_left(p).ns > 0)
		/* The loop had not looked at its clock for a while when it was set. */
		set_timer(p, DUR_NS(time_left(p).ns + EARLY.ns));
	else
		time_is_over(p);
}

/* malloc'd. */
static char *authority_of(const struct probe_target *target, uint16_t port)
{
	bool usual = port == 0 || port == (target->transport && target->transport->tls ? 443 : 80);
	const char *host = *target->check->host ? target->check->host : target->host;

	if (*target->check->host || usual)
		return xstrdup(host);
	return strchr(host, ':') ? xasprintf("[%s]:%u", host, port)
				 : xasprintf("%s:%u", host, port);
}

struct probe *probe_create(struct stream_buffers *buffers, const struct probe_target *target,
			   struct health *health,
			   void (*on_result)(void *arg, enum probe_cause, bool changed), void *arg)
{
	struct probe *p = xcalloc(1, sizeof(*p));
	char *authority;

	LOOP_ASSERT_OWNER(buffers->loop);
	p->magic = PROBE_MAGIC;
	p->buffers = buffers;
	p->name = xstrdup(target->name);
	p->addr = target->addr;
	if (target->check->port)
		net_addr_set_port(&p->addr, target->check->port);
	p->transport = target->transport ? transport_ref(target->transport) : transport_plain();
	authority = authority_of(target, net_addr_port(&p->addr));
	p->question = probe_question_create(target->check, authority);
	free(authority);
	p->health = health;
	p->on_result = on_result;
	p->arg = arg;
	p->gate = target->gate;
	p->for_others = target->for_others;
	p->pass.go = begin;
	connector_init(&p->connector, buffers, connected_cb);
	p->connector.is_brief = true;
	p->timer = evtimer_new(loop_base(buffers->loop), timer_cb, p);
	CHECK(p->timer && event_add(p->timer, &(struct timeval){0}) == 0);
	return p;
}

void probe_destroy(struct probe **probep)
{
	struct probe *p = TAKE(probep);

	if (!p)
		return;
	MAGIC_CHECK(p, PROBE_MAGIC);
	LOOP_ASSERT_OWNER(p->buffers->loop);
	p->magic = MAGIC_DEAD;
	event_free(p->timer);
	if (p->gate != NULL)
		probe_gate_cancel(p->gate, &p->pass);
	stop_asking(p);
	stream_close(&p->stream, ABANDONED_LINGER);
	transport_unref(&p->transport);
	probe_question_destroy(&p->question);
	free(p->name);
	free(p);
}

duration probe_last_time(const struct probe *p)
{
	return p->last_time;
}
