/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Active checks, on the control loop: connect, for HTTP and HTTPS ask and read a response head, and
 * tell the causes of failure apart. A probe owns its timers, its connection and a copy of what it
 * asks; the health it feeds, and what follows from it, are the caller's.
 *
 * HTTP and TCP probes go the way that requests go, TLS and its verification included: what they
 * find is what requests will find. HTTPS probes do not verify the certificate: it is the address
 * that is probed, and a certificate may well name something else than the check's host.
 */
#include "origin-link/servers/probe.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/h1.h"
#include "core/loop/deadline.h"
#include "origin-link/conns/connector.h"

#define PROBE_MAGIC 0x9406e001u

/* A probe reads a head, not a document: enough for any real one. */
static const struct h1_limits limits = {
    .head_bytes = 16 * 1024,
    .fields = 200,
    .target_bytes = 8 * 1024,
};
#define HEAD_ARENA (64 * 1024)
/* Descriptors become free at any time; soon enough that a verdict does not grow old. */
#define PREVENTED_RETRY DUR_S(1)

struct probe {
	unsigned magic;
	struct stream_buffers *buffers;
	char *name;
	struct cfg_check check; /* without its strings: they are in `request` */
	struct net_addr addr;
	struct transport *transport;
	char *request; /* NULL for TCP */
	size_t request_len;
	struct health *health;
	void (*on_result)(void *arg, enum probe_cause, bool changed);
	void *arg;

	struct event *timer;      /* to the next one */
	struct deadline deadline; /* of this one */
	mono_time started;
	duration last_time;
	struct connector connector;
	struct stream *stream; /* NULL: not connected */
	struct arena arena;    /* from connected to the end */
	struct h1_head_parser parser;
	struct http_head head;
	char *held; /* a line that is not whole yet */
	size_t n_held;
};

/* Of one that ran. */
static void stop(struct probe *p)
{
	connector_cancel(&p->connector);
	deadline_clear(&p->deadline);
	if (p->stream) {
		stream_destroy(&p->stream);
		arena_fini(&p->arena);
	}
	free(p->held);
	p->held = NULL;
	p->n_held = 0;
}

static void wait_for_next(struct probe *p, duration interval)
{
	/* +-10%, so that the probes of many nodes and addresses do not march in step. */
	int64_t tenth = interval.ns / 10;
	int64_t jitter = (int64_t)arc4random_uniform(2001) * tenth / 1000 - tenth;
	int64_t wait = interval.ns + jitter - p->last_time.ns;
	struct timeval tv = dur_to_timeval(DUR_NS(MAX(wait, 0)));

	event_add(p->timer, &tv);
}

/* The end of a probe that has found something out. `detail` may be NULL, or the stream's own. */
static void probe_end(struct probe *p, enum probe_cause cause, const char *detail)
{
	bool changed = health_record(p->health, cause);

	if (changed)
		log_info("%s is %s (%s%s%s)", p->name, health_state_text(health_get(p->health)),
			 probe_cause_text(cause), detail ? ": " : "", detail ? detail : "");
	stop(p);
	p->last_time = mono_since(clock_mono(), p->started);
	wait_for_next(p, p->check.interval);
	if (p->on_result)
		p->on_result(p->arg, cause, changed);
}

/* It could not be made, and not for the server's fault: what is known stays known. */
static void probe_prevented(struct probe *p, const char *detail)
{
	LOG_LIMITED(LOG_LEVEL_WARN, "%s cannot be probed: %s", p->name,
		    detail ? detail : "out of resources");
	stop(p);
	p->last_time = DUR_NS(0);
	wait_for_next(p, DUR_NS(MIN(p->check.interval.ns, PREVENTED_RETRY.ns)));
	if (p->on_result)
		p->on_result(p->arg, PROBE_PREVENTED, false);
}

static void judge_head(struct probe *p)
{
	int status = p->head.status;

	if (status >= p->check.status.low && status <= p->check.status.high)
		probe_end(p, PROBE_OK, NULL);
	else
		probe_end(p, PROBE_WRONG_STATUS, NULL);
}

static void begin_head(struct probe *p)
{
	http_head_init(&p->head, &p->arena);
	h1_response_parser_init(&p->parser, &limits, false);
}

/* True when the probe has ended. */
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
			probe_end(p, PROBE_BAD_RESPONSE, NULL);
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

	probe_end(p, tls ? PROBE_TLS_FAILED : PROBE_RESET,
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

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	broken(p);
}

static const struct stream_ops stream_callbacks = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void send_request(struct probe *p)
{
	struct iovec iov = {.iov_base = p->request, .iov_len = p->request_len};

	begin_head(p);
	stream_write(p->stream, &iov, 1);
}

static void not_connected(struct probe *p, enum reason reason, const char *detail)
{
	if (reason_is_own_shortage(reason)) {
		probe_prevented(p, detail);
		return;
	}
	switch (reason) {
	case REASON_ORIGIN_CONNECT_REFUSED:
		probe_end(p, PROBE_REFUSED, NULL);
		break;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
		probe_end(p, PROBE_TIMED_OUT, NULL);
		break;
	case REASON_ORIGIN_CERTIFICATE:
		probe_end(p, PROBE_CERTIFICATE, detail);
		break;
	case REASON_ORIGIN_HANDSHAKE_FAILED:
		probe_end(p, PROBE_TLS_FAILED, detail);
		break;
	default:
		probe_end(p, PROBE_UNREACHABLE, detail);
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
	stream_hand_over(stream, &stream_callbacks, p);
	p->stream = stream;
	arena_init(&p->arena, HEAD_ARENA);
	if (p->check.kind == CFG_CHECK_TCP)
		probe_end(p, PROBE_OK, NULL);
	else
		send_request(p);
}

static void deadline_cb(struct deadline *deadline)
{
	struct probe *p = CONTAINER_OF(deadline, struct probe, deadline);

	MAGIC_CHECK(p, PROBE_MAGIC);
	probe_end(p, PROBE_TIMED_OUT, NULL);
}

static void start_cb(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	p->started = clock_mono();
	deadline_set(&p->deadline, p->check.timeout);
	connector_start(&p->connector, &p->addr, p->transport, NULL, p->check.timeout);
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
	p->request = xasprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: perigee-probe\r\n"
			       "Accept: */*\r\nConnection: close\r\n\r\n",
			       p->check.path, field);
	p->request_len = strlen(p->request);
	free(field);
}

static struct transport *transport_of(const struct probe_target *target)
{
	const struct cfg_check *check = target->check;

	if (check->kind == CFG_CHECK_HTTPS)
		return transport_unverified(*check->host ? check->host : target->host,
					    target->transport ? target->transport->proxy
							      : CFG_PROXY_PROTOCOL_NONE);
	return target->transport ? transport_ref(target->transport) : transport_plain();
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
	deadline_init(&p->deadline, buffers->loop, deadline_cb);
	connector_init(&p->connector, buffers, connected_cb);
	p->timer = evtimer_new(loop_base(buffers->loop), start_cb, p);
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
	stop(p);
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
