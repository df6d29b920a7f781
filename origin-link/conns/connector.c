/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connecting, without blocking: one event that waits for the socket and carries the time limit,
 * then a stream and its handshake. Runs on the loop of who wants the connection; owns the socket
 * and the stream until they are handed over. Which address, and what to do after a failure, is the
 * caller's.
 */
#define LOG_MODULE LOG_POOL
#include "origin-link/conns/connector.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/proxy_header.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "origin-link/conns/transport.h"

/* Nobody tells when a Unix socket that has been as full as it may be takes connections again. */
#define UNIX_RETRY DUR_MS(5)

static const char *state_text(enum connector_state state)
{
	static const char *const texts[] = {
	    [CONNECTOR_IDLE] = "idle",
	    [CONNECTOR_FAILED] = "failed",
	    [CONNECTOR_WAITS] = "waits for room",
	    [CONNECTOR_DIALS] = "dials",
	    [CONNECTOR_SHAKES_HANDS] = "shakes hands",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void set_state(struct connector *c, enum connector_state state)
{
	log_debug("connector, fd %d: %s, now %s", c->stream ? stream_fd(c->stream) : c->fd,
		  state_text(c->state), state_text(state));
	c->state = state;
}

/* The ends */

static void finish(struct connector *c)
{
	event_del(&c->event);
	set_state(c, CONNECTOR_IDLE);
	c->fd = -1;
	c->stream = NULL;
}

static enum reason reason_of_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return REASON_ORIGIN_CONNECT_REFUSED;
	case ETIMEDOUT:
		return REASON_ORIGIN_CONNECT_TIMEOUT;
	case EMFILE:
	case ENFILE:
		return REASON_EDGE_NO_DESCRIPTORS;
	case EADDRNOTAVAIL:
		return REASON_EDGE_NO_PORTS;
	default:
		return sock_is_shortage(error) ? REASON_LIMIT : REASON_ORIGIN_CONNECT_FAILED;
	}
}

static void fail_errno(struct connector *c, int error)
{
	enum reason reason = c->no_route ? REASON_ORIGIN_CONNECT_FAILED : reason_of_errno(error);
	int fd = c->fd;

	finish(c);
	if (fd >= 0)
		close(fd);
	c->done(c, NULL, reason, strerrordesc_np(error));
}

/* `c` may be gone when it returns. */
static void fail_stream(struct connector *c, enum reason reason, const char *detail)
{
	struct stream *s = c->stream;

	finish(c);
	c->done(c, NULL, reason, detail);
	stream_destroy(&s); /* `detail` may have been its own */
}

static void succeed(struct connector *c)
{
	struct stream *s = c->stream;

	finish(c);
	c->done(c, s, REASON_NONE, NULL);
}

/* The stream */

static duration part_took(const struct connector *c)
{
	return mono_since(loop_now(c->buffers->loop), c->began);
}

static void established_cb(void *arg)
{
	struct connector *c = arg;

	c->times.tls = part_took(c);
	succeed(c);
}

/* With TCP Fast Open the handshake begins before there is a connection. */
static bool is_unanswered(const struct connector *c)
{
	return c->transport->dial.fast_open && c->addr.sa.sa_family != AF_UNIX &&
	       !sock_is_connected(stream_fd(c->stream));
}

bool connector_is_dialling(const struct connector *c)
{
	return c->state == CONNECTOR_SHAKES_HANDS ? is_unanswered(c) : c->state != CONNECTOR_IDLE;
}

static enum reason reason_of_timeout(const struct connector *c)
{
	return is_unanswered(c) ? REASON_ORIGIN_CONNECT_TIMEOUT : REASON_ORIGIN_HANDSHAKE_TIMEOUT;
}

static void failed_cb(void *arg)
{
	struct connector *c = arg;
	enum reason reason = REASON_ORIGIN_HANDSHAKE_FAILED;

	switch (stream_fault(c->stream)) {
	case STREAM_FAULT_CERTIFICATE:
		reason = REASON_ORIGIN_CERTIFICATE;
		break;
	case STREAM_FAULT_TIMED_OUT:
		reason = reason_of_timeout(c);
		break;
	case STREAM_FAULT_RESET:
		if (is_unanswered(c))
			reason = REASON_ORIGIN_CONNECT_REFUSED;
		break;
	case STREAM_FAULT_NO_MEMORY:
		reason = REASON_LIMIT;
		break;
	default:
		break;
	}
	fail_stream(c, reason, stream_fault_detail(c->stream));
}

/* What a plain connection has to say waits for its user. */
static void not_yet_cb(void *arg)
{
}

static const struct stream_ops stream_callbacks = {
    .established = established_cb,
    .readable = not_yet_cb,
    .drained = not_yet_cb,
    .failed = failed_cb,
};

/* Past the stream, which would hold it back until the end of the turn: it is to go out even if the
 * connection is closed at once, as a probe's is. The buffer of a new socket takes more than its
 * PROXY_HEADER_LONGEST bytes. 0, or a negative errno. */
static int send_proxy_header(const struct connector *c)
{
	unsigned version = c->transport->proxy == CFG_PROXY_PROTOCOL_V1 ? 1 : 2;
	char text[PROXY_HEADER_LONGEST];
	size_t len =
	    proxy_header_write(version, c->has_client ? &c->client.source : NULL,
			       c->has_client ? &c->client.destination : NULL, text, sizeof(text));
	ssize_t sent;

	CHECK(len > 0);
	if (c->transport->proxy == CFG_PROXY_PROTOCOL_V2_TLS && c->has_client)
		len = proxy_header_append(text, len, c->client.tlvs, c->client.n_tlvs);
	sent = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return -errno;
	return (size_t)sent == len ? 0 : -ENOBUFS;
}

static void timeout_cb(evutil_socket_t fd, short what, void *arg)
{
	struct connector *c = arg;

	fail_stream(c, reason_of_timeout(c), NULL);
}

static void start_handshake(struct connector *c)
{
	const struct transport *t = c->transport;
	struct tls_client *tls = c->h1_only && t->tls_h1 ? t->tls_h1 : t->tls;
	duration left = mono_since(c->by, loop_now(c->buffers->loop));
	struct timeval tv;

	if (c->tls_timeout.ns > 0)
		left.ns = MIN(left.ns, c->tls_timeout.ns);
	tv = dur_to_timeval(DUR_NS(MAX(left.ns, 0)));
	CHECK(evtimer_assign(&c->event, loop_base(c->buffers->loop), timeout_cb, c) == 0);
	CHECK(event_add(&c->event, &tv) == 0);
	set_state(c, CONNECTOR_SHAKES_HANDS);
	c->began = loop_now(c->buffers->loop);
	if (!stream_start_tls_client(c->stream, tls, NULL, 0))
		fail_stream(c, REASON_LIMIT, "out of memory");
}

static void connected(struct connector *c)
{
	int fd = c->fd, error = 0;

	c->times.connect = part_took(c);
	if (c->transport->proxy != CFG_PROXY_PROTOCOL_NONE)
		error = send_proxy_header(c);
	if (error < 0) {
		fail_errno(c, -error);
		return;
	}
	c->fd = -1;
	c->stream = stream_create(c->buffers, fd, &stream_callbacks, c);
	event_del(&c->event); /* see dial() */
	if (!c->stream)
		fail_errno(c, ENOMEM);
	else if (c->transport->tls)
		start_handshake(c);
	else
		succeed(c);
}

/* The socket */

/* A loop that was held up may find that the time has passed, and not be told that the server had
 * answered long before. */
static bool has_answered(const struct connector *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLOUT};

	return poll(&pfd, 1, 0) > 0;
}

static void dial(struct connector *c);

/* The listener of a Unix socket has been as full as it may be. */
static void again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct connector *c = arg;

	if (mono_reached(c->by, loop_now(c->buffers->loop)))
		fail_errno(c, ETIMEDOUT);
	else
		dial(c);
}

static void dialled_cb(evutil_socket_t fd, short what, void *arg)
{
	struct connector *c = arg;
	int error = -c->error;

	if (c->state == CONNECTOR_DIALS)
		error = what & EV_TIMEOUT && !has_answered(c) ? ETIMEDOUT : -sock_error(c->fd);
	if (error)
		fail_errno(c, error);
	else
		connected(c);
}

void connector_init(struct connector *c, struct stream_buffers *b,
		    void (*done)(struct connector *c, struct stream *stream, enum reason reason,
				 const char *detail))
{
	*c = (struct connector){.buffers = b, .done = done, .fd = -1};
}

/* A server's kernel may wait for an acknowledgement by itself (a SYN proxy does), which ours sends
 * after 0.2 s at the latest. */
#define UNHURRIED DUR_S(1)

static int dial_tcp(const struct connector *c)
{
	struct sock_dial how = c->transport->dial;
	duration left = mono_since(c->by, loop_now(c->buffers->loop));

	if (c->is_brief) {
		how.keep_alive.count = 0;
		how.speaks_first = left.ns >= UNHURRIED.ns;
	}
	return sock_dial_tcp(&c->addr, &how);
}

/* The event that dial() leaves set is all that goes on. */
static void dial(struct connector *c)
{
	struct loop *loop = c->buffers->loop;
	bool is_unix = c->addr.sa.sa_family == AF_UNIX;
	int fd = is_unix ? sock_dial_unix(c->addr.un.path) : dial_tcp(c);
	duration left = mono_since(c->by, loop_now(loop));
	struct timeval tv = dur_to_timeval(DUR_NS(MAX(left.ns, 0)));
	event_callback_fn cb = dialled_cb;

	c->no_route = fd < 0 && !is_unix && !sock_has_route(&c->addr);
	if (is_unix && fd == -EAGAIN) {
		set_state(c, CONNECTOR_WAITS);
		tv = dur_to_timeval(DUR_NS(MAX(MIN(left.ns, UNIX_RETRY.ns), 0)));
		cb = again_cb;
	} else if (fd < 0) {
		/* No route, no descriptors, refused at once: told from the loop like any other. */
		set_state(c, CONNECTOR_FAILED);
		c->error = fd;
		tv = (struct timeval){0};
	} else {
		c->fd = fd;
		set_state(c, CONNECTOR_DIALS);
	}
	/* EV_READ, and until the stream has its own event: so epoll is told once less. */
	CHECK(event_assign(&c->event, loop_base(loop), c->fd,
			   c->fd >= 0 ? EV_READ | EV_WRITE | EV_PERSIST : 0, cb, c) == 0);
	CHECK(event_add(&c->event, &tv) == 0);
}

void connector_start(struct connector *c, const struct net_addr *addr, struct transport *transport,
		     const struct proxy_parties *client, duration timeout)
{
	struct loop *loop = c->buffers->loop;

	LOOP_ASSERT_OWNER(loop);
	CHECK(c->state == CONNECTOR_IDLE);
	log_debug("connector: to %s, for %lld ms at most", net_addr_shown(addr),
		  (long long)dur_to_ms(timeout));
	c->addr = *addr;
	c->transport = transport;
	c->by = mono_add(loop_now(loop), timeout);
	c->began = loop_now(loop);
	c->times = (struct connector_times){DUR_NS(-1), DUR_NS(-1)};
	c->has_client = client != NULL;
	if (client)
		c->client = *client;
	dial(c);
}

struct connector_times connector_times(const struct connector *c)
{
	return c->times;
}

bool connector_had_no_route(const struct connector *c)
{
	return c->no_route;
}

void connector_cancel(struct connector *c)
{
	int fd = c->fd;
	struct stream *s = c->stream;

	if (c->state == CONNECTOR_IDLE)
		return;
	finish(c);
	if (fd >= 0)
		close(fd);
	stream_destroy(&s);
}
