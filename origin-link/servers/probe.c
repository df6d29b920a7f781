/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Active checks, on the control loop: connect, for HTTP and HTTPS ask and read a response head, and
 * tell the causes of failure apart. A probe owns its timers, its connection and a copy of what it
 * asks; the health it feeds, and what follows from it, are the caller's.
 *
 * HTTPS probes do not verify the certificate: it is the address that is probed, and a certificate
 * may well name something else than the check's host. Verification belongs to the requests.
 */
#include "origin-link/servers/probe.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/h1.h"
#include "core/loop/deadline.h"
#include "core/net/tls.h"
#include "origin-link/conns/dial.h"

#define PROBE_MAGIC 0x9406e001u

/* A probe reads a head, not a document: enough for any real one. */
static const struct h1_limits limits = {
    .head_bytes = 16 * 1024,
    .fields = 200,
    .target_bytes = 8 * 1024,
};
#define HEAD_ARENA (64 * 1024)

struct probe {
	unsigned magic;
	struct stream_buffers *buffers;
	char *name;
	struct cfg_check check; /* strings not used: see `sni` and `request` */
	struct net_addr addr;
	char *sni;
	char *request; /* NULL for TCP */
	size_t request_len;
	struct tls_client *tls; /* HTTPS only */
	struct health *health;
	void (*on_result)(void *arg, enum probe_cause, bool changed);
	void *arg;

	struct event *timer;      /* to the next one */
	struct deadline deadline; /* of this one */
	mono_time started;
	duration last_time;
	struct dial dial;
	struct stream *stream; /* NULL: not connected */
	bool established;
	struct arena arena; /* from connected to the end */
	struct h1_head_parser parser;
	struct http_head head;
	char *held; /* a line that is not whole yet */
	size_t n_held;
};

/* The only end of a probe that ran. */
static void probe_end(struct probe *p, enum probe_cause cause)
{
	dial_cancel(&p->dial);
	deadline_clear(&p->deadline);
	if (p->stream) {
		stream_destroy(&p->stream);
		arena_fini(&p->arena);
	}
	free(p->held);
	p->held = NULL;
	p->n_held = 0;
	p->last_time = mono_since(clock_mono(), p->started);

	/* +-10%, so that the probes of many nodes and addresses do not march in step. */
	int64_t tenth = p->check.interval.ns / 10;
	int64_t jitter = (int64_t)arc4random_uniform(2001) * tenth / 1000 - tenth;
	int64_t wait = p->check.interval.ns + jitter - p->last_time.ns;
	struct timeval tv = dur_to_timeval(DUR_NS(MAX(wait, 0)));

	event_add(p->timer, &tv);

	bool changed = health_record(p->health, cause);

	if (changed)
		log_info("%s is %s (%s)", p->name, health_state_text(health_get(p->health)),
			 probe_cause_text(cause));
	if (p->on_result)
		p->on_result(p->arg, cause, changed);
}

static void judge_head(struct probe *p)
{
	int status = p->head.status;

	if (status >= p->check.status.low && status <= p->check.status.high)
		probe_end(p, PROBE_OK);
	else
		probe_end(p, PROBE_WRONG_STATUS);
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
			probe_end(p, PROBE_BAD_RESPONSE);
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
		probe_end(p, PROBE_RESET);
		return;
	}
}

static void send_request(struct probe *p)
{
	struct iovec iov = {.iov_base = p->request, .iov_len = p->request_len};

	p->established = true;
	begin_head(p);
	stream_write(p->stream, &iov, 1);
}

static void established_cb(void *arg)
{
	send_request(arg);
}

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	probe_end(p, p->established ? PROBE_RESET : PROBE_TLS_FAILED);
}

static const struct stream_ops stream_callbacks = {
    .established = established_cb,
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void connected(struct dial *dial, int fd, enum reason reason)
{
	struct probe *p = CONTAINER_OF(dial, struct probe, dial);

	MAGIC_CHECK(p, PROBE_MAGIC);
	switch (reason) {
	case REASON_NONE:
		break;
	case REASON_ORIGIN_CONNECT_REFUSED:
		probe_end(p, PROBE_REFUSED);
		return;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
		probe_end(p, PROBE_TIMED_OUT);
		return;
	default:
		probe_end(p, PROBE_UNREACHABLE);
		return;
	}

	p->stream = stream_create(p->buffers, fd, &stream_callbacks, p);
	CHECK(p->stream);
	if (p->check.kind == CFG_CHECK_HTTPS)
		CHECK(stream_start_tls_client(p->stream, p->tls, NULL, 0));
	arena_init(&p->arena, HEAD_ARENA);
	p->established = false;
	if (p->check.kind == CFG_CHECK_TCP)
		probe_end(p, PROBE_OK);
	else if (p->check.kind == CFG_CHECK_HTTP)
		send_request(p);
}

static void deadline_cb(struct deadline *deadline)
{
	struct probe *p = CONTAINER_OF(deadline, struct probe, deadline);

	MAGIC_CHECK(p, PROBE_MAGIC);
	probe_end(p, PROBE_TIMED_OUT);
}

static void start_cb(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	p->started = clock_mono();
	deadline_set(&p->deadline, p->check.timeout);
	dial_start(&p->dial, &p->addr, p->check.timeout);
}

static void write_request(struct probe *p, const char *given_host, const char *default_host)
{
	uint16_t port = net_addr_port(&p->addr);
	bool usual = port == (p->check.kind == CFG_CHECK_HTTPS ? 443 : 80);
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
	p->sni = xstrdup(host);
	free(field);
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
	if (p->check.kind != CFG_CHECK_TCP)
		write_request(p, p->check.host, target->host);
	p->check.host = p->check.path = NULL; /* the caller's; not ours to keep */
	if (p->check.kind == CFG_CHECK_HTTPS) {
		struct tls_client_config config = {.host = p->sni};
		char *error;

		/* No files are read for it, and names that TLS cannot send were refused before. */
		p->tls = tls_client_create(&config, &error);
		CHECK(p->tls);
	}
	p->health = health;
	p->on_result = on_result;
	p->arg = arg;
	deadline_init(&p->deadline, buffers->loop, deadline_cb);
	dial_init(&p->dial, buffers->loop, connected);
	p->timer = evtimer_new(loop_base(buffers->loop), start_cb, p);
	CHECK(p->timer && event_add(p->timer, &(struct timeval){0}) == 0);
	return p;
}

void probe_destroy(struct probe **probep)
{
	struct probe *p = *probep;

	*probep = NULL;
	if (!p)
		return;
	MAGIC_CHECK(p, PROBE_MAGIC);
	LOOP_ASSERT_OWNER(p->buffers->loop);
	p->magic = MAGIC_DEAD;
	event_free(p->timer);
	dial_cancel(&p->dial);
	deadline_fini(&p->deadline);
	if (p->stream) {
		stream_destroy(&p->stream);
		arena_fini(&p->arena);
	}
	free(p->held);
	tls_client_unref(&p->tls);
	free(p->sni);
	free(p->request);
	free(p->name);
	free(p);
}

duration probe_last_time(const struct probe *p)
{
	return p->last_time;
}
