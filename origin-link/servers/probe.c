/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Active checks, on the control loop: connect, for HTTP and HTTPS ask and read a response head, and
 * tell the causes of failure apart. A probe owns its timers, its connection and a copy of what it
 * asks; the health it feeds, and what follows from it, are the caller's.
 *
 * Probes go the way that requests go, TLS and its verification included: what they find is what
 * requests will find; of an edge, what its clients will. Only where requests are plain, HTTPS has
 * TLS of its own, which does not verify the certificate: it is the address that is probed, and a
 * certificate may well name something else than the check's host.
 *
 * phase    | there is                      | ends with
 * ---------+-------------------------------+----------------------------------------------------
 * WAITING  | the timer, or a place at the  | the next probe
 *          | gate                          |
 * ASKING   | a connector, then a stream    | the verdict, or once more by GET
 * LEAVING  | a stream, and a verdict       | the end of the stream, enough content, the deadline
 *
 * LEAVING is there because closing a socket with unread input sends a RST, which a server takes for
 * a fault.
 */
#define LOG_MODULE LOG_PROBE
#include "origin-link/servers/probe.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/h1.h"
#include "core/loop/deadline.h"
#include "core/net/stream.h"
#include "origin-link/conns/connector.h"
#include "origin-link/conns/transport.h"
#include "origin-link/servers/probe_gate.h"

#define PROBE_MAGIC 0x9406e001u

/* A probe reads a head, not a document: enough for any real one. */
static const struct h1_limits limits = {
    .head_bytes = 16 * 1024,
    .fields = 200,
    .target_bytes = 8 * 1024,
};
#define HEAD_ARENA (64 * 1024)
/* As much of a page is read away for the sake of an orderly end, which is more than most have; who
 * has more is cut off. */
#define CONTENT_MAX (1024 * 1024)

/* What still comes for one that was abandoned is read away unless so much time passes without. */
#define ABANDONED_LINGER DUR_S(1)

/* Descriptors become free at any time; soon enough that a verdict does not grow old. */
#define PREVENTED_RETRY DUR_S(1)

/* Timers are late by some milliseconds at any time. */
#define HELD_UP DUR_MS(100)

enum probe_phase { PROBE_WAITING, PROBE_ASKING, PROBE_LEAVING };

struct probe {
	unsigned magic;
	struct stream_buffers *buffers;
	char *name;
	struct cfg_check check; /* without its strings: they are in `request` */
	struct net_addr addr;
	struct transport *transport;
	char *request;  /* after the method; NULL for TCP */
	bool wants_get; /* HEAD has got a status that GET has not */
	bool for_others;
	struct health *health;
	void (*on_result)(void *arg, enum probe_cause, bool changed);
	void *arg;

	enum probe_phase phase;
	struct probe_gate *gate; /* NULL: none */
	struct probe_pass pass;
	struct event *timer;      /* to the next one */
	struct deadline deadline; /* of this one */
	mono_time started;
	duration last_time;
	bool is_spread; /* the second one was not at the interval */
	/* ASKING */
	struct connector connector;
	int head_status; /* what HEAD has got; 0: it was not, or is being asked */
	/* ASKING, from connected on, and LEAVING */
	struct stream *stream;
	size_t n_content; /* read away */
	/* ASKING, from connected on */
	struct arena arena;
	struct h1_head_parser parser;
	struct http_head head;
	char *held; /* a line that is not whole yet */
	size_t n_held;
};

/* Checks */

void probe_check_init(struct cfg_check *copy, const struct cfg_check *check)
{
	*copy = *check;
	copy->host = xstrdup(check->host);
	copy->path = xstrdup(check->path);
}

void probe_check_fini(struct cfg_check *copy)
{
	free((char *)copy->host);
	free((char *)copy->path);
}

bool probe_check_asks_same(const struct cfg_check *a, const struct cfg_check *b)
{
	return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->path, b->path) == 0 && a->method == b->method &&
	       a->status.low == b->status.low && a->status.high == b->status.high;
}

bool probe_check_equal(const struct cfg_check *a, const struct cfg_check *b)
{
	return probe_check_asks_same(a, b) && a->interval.ns == b->interval.ns &&
	       a->timeout.ns == b->timeout.ns && a->rise == b->rise && a->fall == b->fall;
}

/* Ends */

static bool is_by_get(const struct probe *p)
{
	return p->check.method == CFG_CHECK_GET || p->wants_get || p->head_status != 0;
}

/* Nothing more of what was asked is looked at. */
static void stop_asking(struct probe *p)
{
	connector_cancel(&p->connector);
	if (p->phase == PROBE_ASKING && p->stream)
		arena_fini(&p->arena);
	free(p->held);
	p->held = NULL;
	p->n_held = 0;
}

static void wait_for_next(struct probe *p, duration interval)
{
	/* +-10%, so that the probes of many nodes and addresses do not march in step. */
	int64_t tenth = interval.ns / 10;
	int64_t jitter = (int64_t)arc4random_uniform(2001) * tenth / 1000 - tenth;
	duration taken = mono_since(clock_mono(), p->started);
	int64_t spread =
	    p->is_spread ? jitter : -(int64_t)arc4random_uniform(1001) * 5 * tenth / 1000;
	int64_t wait = interval.ns + spread - taken.ns;
	struct timeval tv = dur_to_timeval(DUR_NS(MAX(wait, 0)));

	p->is_spread = true;
	p->phase = PROBE_WAITING;
	deadline_clear(&p->deadline);
	event_add(p->timer, &tv);
}

static void let_go(struct probe *p)
{
	stop_asking(p);
	stream_destroy(&p->stream);
}

/* The connection goes, and with it what the other side has still to send. */
static void hang_up(struct probe *p)
{
	let_go(p);
	wait_for_next(p, p->check.interval);
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

static void probe_answered(struct probe *p, enum probe_cause cause)
{
	bool changed = record(p, cause, NULL);

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
	wait_for_next(p, DUR_NS(MIN(p->check.interval.ns, PREVENTED_RETRY.ns)));
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
	bool content_comes = p->request && is_by_get(p);

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
static void ask_by_get(struct probe *p)
{
	int status = p->head.status;

	stop_asking(p);
	stream_close(&p->stream, ABANDONED_LINGER);
	p->head_status = status;
	ask(p);
}

static void judge_head(struct probe *p)
{
	int status = p->head.status;
	bool good = status >= p->check.status.low && status <= p->check.status.high;

	if (!good && !is_by_get(p)) {
		ask_by_get(p);
		return;
	}
	if (good && p->head_status != 0) {
		p->wants_get = true;
		log_info("%s answers HEAD with %d and GET with %d: it is asked by GET from now on",
			 p->name, p->head_status, status);
	}
	probe_answered(p, good ? PROBE_OK : PROBE_WRONG_STATUS);
}

static void begin_head(struct probe *p)
{
	http_head_init(&p->head, &p->arena);
	h1_response_parser_init(&p->parser, &limits, !is_by_get(p));
}

/* True when it is not to go on with this connection. */
static bool parse(struct probe *p, const char *buf, size_t len)
{
	size_t used = 0;

	while (used < len) {
		size_t n;
		enum h1_result result =
		    h1_head_parse(&p->parser, &p->head, buf + used, len - used, &n);

		used += n;
		if (result == H1_MORE)
			break;
		if (result == H1_BAD) {
			probe_failed(p, PROBE_BAD_RESPONSE, NULL);
			return true;
		}
		if (p->head.status >= 200) {
			judge_head(p);
			return true;
		}
		begin_head(p);
	}
	free(p->held);
	p->held = NULL;
	p->n_held = len - used;
	if (p->n_held) {
		p->held = xmalloc(p->n_held);
		memcpy(p->held, buf + used, p->n_held);
	}
	return false;
}

/* The connection has ended before a status line. */
static void broken(struct probe *p)
{
	if (stream_fault(p->stream) == STREAM_FAULT_NO_MEMORY) {
		probe_prevented(p, stream_fault_detail(p->stream));
		return;
	}
	/* Of TLS 1.3, that is how a server says that it wants another certificate of us. */
	bool tls = stream_fault(p->stream) == STREAM_FAULT_MALFORMED;

	probe_failed(p, tls ? PROBE_TLS_FAILED : PROBE_RESET,
		     tls ? stream_fault_detail(p->stream) : NULL);
}

static void readable_cb(void *arg)
{
	struct probe *p = arg;
	char *buf = p->buffers->plain;

	MAGIC_CHECK(p, PROBE_MAGIC);
	for (;;) {
		/* A line never grows past limits.head_bytes: the parser refuses it before. */
		CHECK(p->n_held < STREAM_READ_MAX);
		memcpy(buf, p->held ? p->held : "", p->n_held);

		ssize_t n = stream_read(p->stream, buf + p->n_held, STREAM_READ_MAX - p->n_held);

		if (n > 0) {
			if (parse(p, buf, p->n_held + n))
				return;
			continue;
		}
		if (n == STREAM_AGAIN)
			return;
		broken(p);
		return;
	}
}

static void failed_cb(void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	broken(p);
}

static const struct stream_ops asking_callbacks = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void send_request(struct probe *p)
{
	static char get[] = "GET", head[] = "HEAD";
	char *method = is_by_get(p) ? get : head;
	struct iovec iov[] = {{method, strlen(method)}, {p->request, strlen(p->request)}};

	begin_head(p);
	stream_write(p->stream, iov, ARRAY_SIZE(iov));
}

/* When its time was over long before the loop came to look, nobody can say what it got of it. */
static void timed_out(struct probe *p)
{
	duration late = mono_since(clock_mono(), mono_add(p->started, p->check.timeout));

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

static void connected_cb(struct connector *connector, struct stream *stream, enum reason reason,
			 const char *detail)
{
	struct probe *p = CONTAINER_OF(connector, struct probe, connector);

	MAGIC_CHECK(p, PROBE_MAGIC);
	if (!stream) {
		not_connected(p, reason, detail);
		return;
	}
	stream_hand_over(stream, &asking_callbacks, p);
	p->stream = stream;
	arena_init(&p->arena, HEAD_ARENA);
	if (p->check.kind == CFG_CHECK_TCP)
		probe_answered(p, PROBE_OK);
	else
		send_request(p);
}

static void deadline_cb(struct deadline *deadline)
{
	struct probe *p = CONTAINER_OF(deadline, struct probe, deadline);
	bool has_verdict = p->phase == PROBE_LEAVING;

	MAGIC_CHECK(p, PROBE_MAGIC);
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

/* What is left of its time; the deadline tells when there is none. */
static void ask(struct probe *p)
{
	duration taken = mono_since(clock_mono(), p->started);

	connector_start(&p->connector, &p->addr, p->transport, NULL,
			DUR_NS(MAX(p->check.timeout.ns - taken.ns, 0)));
}

static void begin(struct probe_pass *pass)
{
	struct probe *p = CONTAINER_OF(pass, struct probe, pass);

	MAGIC_CHECK(p, PROBE_MAGIC);
	p->phase = PROBE_ASKING;
	p->started = clock_mono();
	p->head_status = 0;
	deadline_set(&p->deadline, p->check.timeout);
	ask(p);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	if (p->gate != NULL)
		probe_gate_enter(p->gate, &p->pass);
	else
		begin(&p->pass);
}

static void write_request(struct probe *p, const char *given_host, const char *default_host)
{
	uint16_t port = net_addr_port(&p->addr);
	bool usual = port == (p->transport->tls ? 443 : 80);
	const char *host = *given_host ? given_host : default_host;
	char *field;

	if (*given_host || usual)
		field = xstrdup(host);
	else if (strchr(host, ':'))
		field = xasprintf("[%s]:%u", host, port);
	else
		field = xasprintf("%s:%u", host, port);
	p->request = xasprintf(" %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: perigee-probe\r\n"
			       "Accept: */*\r\nConnection: close\r\n\r\n",
			       p->check.path, field);
	free(field);
}

static struct transport *transport_of(const struct probe_target *target)
{
	const struct cfg_check *check = target->check;
	struct transport *requests = target->transport;

	if (check->kind == CFG_CHECK_HTTPS && !(requests && requests->tls))
		return transport_unverified(*check->host ? check->host : target->host,
					    requests ? requests->proxy : CFG_PROXY_PROTOCOL_NONE);
	return requests ? transport_ref(requests) : transport_plain();
}

struct probe *probe_create(struct stream_buffers *buffers, const struct probe_target *target,
			   struct health *health,
			   void (*on_result)(void *arg, enum probe_cause, bool changed), void *arg)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	LOOP_ASSERT_OWNER(buffers->loop);
	p->magic = PROBE_MAGIC;
	p->buffers = buffers;
	p->name = xstrdup(target->name);
	p->check = *target->check;
	p->addr = target->addr;
	if (p->check.port)
		net_addr_set_port(&p->addr, p->check.port);
	p->transport = transport_of(target);
	if (p->check.kind != CFG_CHECK_TCP)
		write_request(p, p->check.host, target->host);
	p->check.host = p->check.path = NULL; /* the caller's; not ours to keep */
	p->health = health;
	p->on_result = on_result;
	p->arg = arg;
	p->gate = target->gate;
	p->for_others = target->for_others;
	p->pass.go = begin;
	deadline_init(&p->deadline, buffers->loop, deadline_cb);
	connector_init(&p->connector, buffers, connected_cb);
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
	deadline_fini(&p->deadline);
	transport_unref(&p->transport);
	free(p->request);
	free(p->name);
	free(p);
}

duration probe_last_time(const struct probe *p)
{
	return p->last_time;
}
