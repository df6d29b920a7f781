/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The inlet of a connection lasts from accept until a protocol takes over. It reads the stream as
 * plain bytes until it is clear what they are; then the stream starts TLS with all that was read
 * (inlet_tls.c), or the protocol gets it.
 *
 * state          | what is awaited                       | stage
 * ---------------+---------------------------------------+----------------------------
 * PROXY_HEADER   | a load balancer's word of the client  | SILENT
 * FIRST_BYTES    | the client's own first bytes          | SILENT
 * TLS            | the rest of the ClientHello,          | SILENT,
 *                | a place, the end of the handshake     | WAITING, HANDSHAKING
 *
 * One time limit holds for all of it, http.timeout.handshake. What is incomplete is kept, up to a
 * bound for each connection and one for all of a worker; a ClientHello that is not kept (most come
 * whole) costs no copy but that of the stream.
 */
#define LOG_MODULE LOG_CLIENT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/proxy_header.h"
#include "core/net/sock.h"
#include "edge/conn/conns.h"
#include "edge/conn/hello.h"
#include "edge/conn/inlet_internal.h"
#include "edge/conn/reason.h"
#include "edge/facts/forwarded.h"
#include "edge/node/view.h"

/* So much is read at once: the longest record, and more than all that clients say first. */
#define READ_MAX (16 * 1024)
/* What is kept goes before what is read: a whole hello may come with one read more than it needs,
 * and while it waits another one is read. */
_Static_assert(PROXY_HEADER_MAX + EDGE_HELLO_MAX + 2 * READ_MAX <= STREAM_READ_MAX, "room to read");
/* Of all inlets of a worker. Mostly nothing is kept; when handshakes have to wait, it is a
 * ClientHello of two kilobytes or less for each of, by default, 15,000 connections. */
#define KEPT_TOTAL_MAX (32 * 1024 * 1024)
/* What those may still take, when the program was told to stop, that had connected, unseen, or were
 * in their handshake. */
#define LAST_CHANCE DUR_S(1)

static const char *state_text(enum inlet_state state)
{
	static const char *const texts[] = {
	    [INLET_PROXY_HEADER] = "PROXY header",
	    [INLET_FIRST_BYTES] = "first bytes",
	    [INLET_TLS] = "TLS",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

void inlet_set_state(struct edge_inlet *in, enum inlet_state state)
{
	if (in->state != state)
		log_debug("%s: %s awaited, now %s", net_addr_shown(&in->conn->client.addr),
			  state_text(in->state), state_text(state));
	in->state = state;
}

const struct cfg_http *inlet_http(const struct edge_inlet *in)
{
	return &edge_view_current(&in->conn->worker->common->views)->fleet->http;
}

/* The end of an inlet */

static void inlet_free(struct edge_inlet *in)
{
	deadline_fini(&in->deadline);
	in->all->kept -= in->kept_len;
	free(in->kept);
	in->magic = MAGIC_DEAD;
	free(in);
}

/* A load balancer may look whether we accept, and close again without a word. */
static bool lacks_header(const struct edge_inlet *in, enum reason reason)
{
	return in->kept_len > 0 || reason == REASON_CLIENT_MALFORMED ||
	       reason == REASON_CLIENT_HANDSHAKE_TIMEOUT;
}

void edge_inlet_end(struct edge_inlet **inp, enum reason reason)
{
	struct edge_inlet *in = TAKE(inp);
	struct edge_worker *w = in->all->worker;

	MAGIC_CHECK(in, INLET_MAGIC);
	if (in->state == INLET_TLS)
		inlet_count_failure(in, reason);
	else if (in->state == INLET_PROXY_HEADER && lacks_header(in, reason))
		edge_count(w, EDGE_PROXY_HEADER_FAILURES, 1);
	inlet_free(in);
}

void inlet_end(struct edge_inlet *in, enum reason reason, enum edge_close how)
{
	struct edge_conn *conn = in->conn;

	edge_conn_end(&conn, reason, how);
}

static void on_deadline(struct deadline *deadline)
{
	struct edge_inlet *in = CONTAINER_OF(deadline, struct edge_inlet, deadline);

	MAGIC_CHECK(in, INLET_MAGIC);
	/* Without TLS it is only waited for a request, as it is between two of them. */
	if (in->kind == EDGE_LISTENER_PLAIN && in->state == INLET_FIRST_BYTES)
		inlet_end(in, REASON_CLIENT_IDLE_TIMEOUT, EDGE_CLOSE_ORDERLY);
	else
		inlet_cancel_handshake(in);
}

void inlet_leave(struct edge_inlet *in, const struct edge_protocol *protocol, char *bytes, size_t n)
{
	struct edge_conn *conn = in->conn;

	conn->inlet = NULL;
	inlet_free(in);
	edge_conn_ready(conn, protocol, bytes, n);
}

/* Bytes that are kept */

void inlet_drop_kept(struct edge_inlet *in)
{
	in->all->kept -= in->kept_len;
	free(in->kept);
	in->kept = NULL;
	in->kept_len = 0;
}

bool inlet_keep(struct edge_inlet *in, const char *buf, size_t n)
{
	struct edge_inlets *all = in->all;
	char *grown = NULL;

	if (n == 0) {
		inlet_drop_kept(in);
		return true;
	}
	if (all->kept - in->kept_len + n <= KEPT_TOTAL_MAX)
		grown = realloc(in->kept, n);
	if (grown == NULL) {
		LOG_LIMITED(LOG_LEVEL_WARN,
			    "too many beginnings of client connections: %s is "
			    "closed",
			    in->conn->client.ip);
		inlet_end(in, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return false;
	}
	memcpy(grown, buf, n);
	all->kept += n - in->kept_len;
	in->kept = grown;
	in->kept_len = n;
	return true;
}

/* The PROXY header */

static bool sends_header(struct edge_worker *w, const struct net_addr *remote)
{
	const struct edge_view *view = edge_view_current(&w->common->views);

	return edge_is_trusted(&view->fleet->http.proxy_protocol, remote);
}

static void refuse_header(struct edge_inlet *in)
{
	LOG_LIMITED(LOG_LEVEL_WARN, "no PROXY header from %s, which is in http.proxy_protocol",
		    in->conn->client.ip);
	inlet_end(in, REASON_CLIENT_MALFORMED, EDGE_CLOSE_BREAK);
}

/* False: the client is not let in, `in` is gone. */
static bool take_header(struct edge_inlet *in, const struct proxy_header *header)
{
	struct edge_client *client = &in->conn->client;
	enum reason reason;

	edge_count(in->all->worker, EDGE_PROXY_HEADERS, 1);
	inlet_set_state(in, INLET_FIRST_BYTES);
	if (header->local)
		return true;
	log_debug("%s: stands for %s, says its PROXY header", net_addr_shown(&client->addr),
		  net_addr_shown(&header->source));
	client->addr = header->source;
	client->local = header->destination;
	net_addr_format_ip(&client->addr, client->ip);
	reason = edge_conn_judge(in->conn);
	if (reason == REASON_NONE)
		return true;
	inlet_end(in, reason, EDGE_CLOSE_BREAK);
	return false;
}

/* Bytes */

/* All that has come and was not dealt with. As inlet_take_hello(). */
static bool take(struct edge_inlet *in, char *buf, size_t n)
{
	struct edge_worker *w = in->all->worker;
	struct proxy_header header;
	size_t used = 0;

	if (in->state == INLET_PROXY_HEADER) {
		switch (proxy_header_parse(buf, n, &header, &used)) {
		case PROXY_HEADER_MORE:
			return inlet_keep(in, buf, n);
		case PROXY_HEADER_BAD:
			refuse_header(in);
			return false;
		case PROXY_HEADER_OK:
			if (!take_header(in, &header))
				return false;
			break;
		}
	}
	buf += used;
	n -= used;
	if (n == 0)
		return inlet_keep(in, buf, 0);
	if (in->kind != EDGE_LISTENER_PLAIN)
		return inlet_take_hello(in, buf, n);
	edge_count(w, EDGE_BYTES_RECEIVED, (int64_t)n);
	inlet_leave(in, w->protocols[0], buf, n);
	return false;
}

static void read_ended(struct edge_inlet *in, ssize_t status)
{
	enum reason reason = REASON_CLIENT_CLOSED;

	if (status == STREAM_ERROR)
		reason = edge_client_reason(stream_fault(in->conn->stream));
	inlet_end(in, reason, EDGE_CLOSE_ORDERLY);
}

/* False when there is nothing more to read here, for now or because `in` is gone. */
static bool read_once(struct edge_inlet *in)
{
	char *buf = in->all->worker->buffers->plain;
	ssize_t n = stream_read(in->conn->stream, buf + in->kept_len, READ_MAX);

	if (n == STREAM_AGAIN)
		return false;
	if (n <= 0) {
		read_ended(in, n);
		return false;
	}
	if (in->kept_len > 0)
		memcpy(buf, in->kept, in->kept_len);
	n += in->kept_len;
	if (in->conn->stage == EDGE_WAITING)
		return inlet_take_while_waiting(in, buf, n);
	return take(in, buf, n);
}

/* From the stream */

static void on_readable(void *arg)
{
	struct edge_inlet *in = arg;

	MAGIC_CHECK(in, INLET_MAGIC);
	while (read_once(in))
		;
}

static void on_drained(void *arg)
{
	/* What was written is the TLS library's, or the last. */
}

static const struct stream_ops stream_ops = {
    .established = inlet_established,
    .readable = on_readable,
    .drained = on_drained,
    .failed = inlet_failed,
};

/* The beginning */

void edge_inlet_accept(struct edge_worker *w, int fd, const struct net_addr *remote,
		       enum edge_listener_kind kind)
{
	bool is_edge = kind == EDGE_LISTENER_RELAY;
	bool header = !is_edge && sends_header(w, remote);
	struct edge_conn *conn = edge_conn_create(w, remote, !header && !is_edge);
	struct edge_inlet *in;
	duration limit;

	if (conn == NULL) {
		close(fd);
		return;
	}
	in = xcalloc(1, sizeof(*in));
	in->magic = INLET_MAGIC;
	in->kind = kind;
	in->conn = conn;
	in->all = w->inlets;
	in->state = header ? INLET_PROXY_HEADER : INLET_FIRST_BYTES;
	log_debug("%s: accepted on fd %d by %s, %s awaited", net_addr_shown(remote), fd,
		  loop_name(w->loop), state_text(in->state));
	deadline_init(&in->deadline, w->loop, on_deadline);
	conn->inlet = in;
	conn->client.is_edge = is_edge;
	conn->client.scheme = kind == EDGE_LISTENER_PLAIN ? SPAN("http") : SPAN("https");
	sock_local_addr(fd, &conn->client.local);
	conn->stream = stream_create(w->buffers, fd, &stream_ops, in);
	if (conn->stream == NULL) {
		inlet_end(in, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return;
	}
	limit = inlet_http(in)->timeout.handshake;
	if (w->stopping)
		limit.ns = MIN(limit.ns, LAST_CHANCE.ns);
	deadline_set(&in->deadline, limit);
}

void edge_inlet_hurry(struct edge_inlet *in)
{
	mono_time last = mono_add(loop_now(in->all->worker->loop), LAST_CHANCE);

	MAGIC_CHECK(in, INLET_MAGIC);
	if (in->deadline.at.ns > last.ns)
		deadline_set(&in->deadline, LAST_CHANCE);
}

/* All of a worker's */

struct edge_inlets *edge_inlets_create(struct edge_worker *w)
{
	struct edge_inlets *all = xcalloc(1, sizeof(*all));

	all->magic = INLETS_MAGIC;
	all->worker = w;
	inlets_init_waiting(all);
	return all;
}

void edge_inlets_destroy(struct edge_inlets **inlets)
{
	struct edge_inlets *all = TAKE(inlets);

	if (all == NULL)
		return;
	MAGIC_CHECK(all, INLETS_MAGIC);
	CHECK(all->kept == 0);
	inlets_fini_waiting(all);
	all->magic = MAGIC_DEAD;
	free(all);
}
