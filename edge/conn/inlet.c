/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The inlet of a connection lasts from accept until a protocol takes over. It reads the stream as
 * plain bytes until it is clear what they are; then the stream starts TLS with all that was read,
 * or the protocol gets it.
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
#include "edge/conn/inlet.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "core/net/proxy_header.h"
#include "core/net/sock.h"
#include "edge/conn/admission.h"
#include "edge/conn/conn.h"
#include "edge/conn/conns.h"
#include "edge/conn/early.h"
#include "edge/conn/greeting.h"
#include "edge/conn/hello.h"
#include "edge/conn/reason.h"
#include "edge/facts/forwarded.h"
#include "edge/node/view.h"
#include "edge/tls/certs.h"
#include "edge/tls/handshake.h"

#define INLETS_MAGIC 0x496e4c73u
#define INLET_MAGIC 0x496e4c74u

/* So much is read at once: the longest record, and more than all that clients say first. */
#define READ_MAX (16 * 1024)
/* What is kept goes before what is read: a whole hello may come with one read more than it needs,
 * and while it waits another one is read. */
_Static_assert(PROXY_HEADER_MAX + EDGE_HELLO_MAX + 2 * READ_MAX <= STREAM_READ_MAX, "room to read");
/* Of all inlets of a worker. Mostly nothing is kept; when handshakes have to wait, it is a
 * ClientHello of two kilobytes or less for each of, by default, 15,000 connections. */
#define KEPT_TOTAL_MAX (32 * 1024 * 1024)
/* How often the WAITING look for a place that another worker has given back. A handshake takes
 * longer than that itself: it has a round trip. */
#define LOOK_INTERVAL DUR_MS(10)
/* What those may still take, when the program was told to stop, that had connected, unseen, or were
 * in their handshake. */
#define LAST_CHANCE DUR_S(1)

enum inlet_state { INLET_PROXY_HEADER, INLET_FIRST_BYTES, INLET_TLS };

struct edge_inlets {
	unsigned magic;
	struct edge_worker *worker;
	struct loop_task look;
	struct event *timer; /* pending while any are WAITING */
	size_t kept;         /* bytes that all inlets keep */
};

struct edge_inlet {
	unsigned magic;
	enum inlet_state state;
	enum edge_listener_kind kind;
	bool shares_group; /* of the ClientHello: see greeting.h */
	/* TLS: of a handshake that is about to end for it; NONE: for the connection's reason. */
	enum edge_failure failure;
	struct edge_conn *conn;
	struct edge_inlets *all;
	struct deadline deadline;
	char *kept; /* bytes read too early to be dealt with; NULL: none */
	size_t kept_len;
	struct edge_handshake
	    *handshake; /* HANDSHAKING, until on_established() or on_failed() end */
};

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

static void set_state(struct edge_inlet *in, enum inlet_state state)
{
	if (in->state != state)
		log_debug("%s: %s awaited, now %s", net_addr_shown(&in->conn->client.addr),
			  state_text(in->state), state_text(state));
	in->state = state;
}

static const struct cfg_http *http_of(const struct edge_inlet *in)
{
	return &edge_view_current(&in->conn->worker->common->views)->fleet->http;
}

/* The end of an inlet */

static void count_failure(const struct edge_inlet *in, enum reason reason)
{
	enum edge_failure failure = in->failure;

	if (failure == EDGE_FAILURE_NONE)
		failure = edge_failure_of_reason(reason);
	edge_count(in->all->worker, EDGE_HANDSHAKE_FAILURES, 1);
	edge_count(in->all->worker, EDGE_HANDSHAKE_FAILURE + failure - 1, 1);
}

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
		count_failure(in, reason);
	else if (in->state == INLET_PROXY_HEADER && lacks_header(in, reason))
		edge_count(w, EDGE_PROXY_HEADER_FAILURES, 1);
	inlet_free(in);
}

/* `in` is gone after this. */
static void end(struct edge_inlet *in, enum reason reason, enum edge_close how)
{
	struct edge_conn *conn = in->conn;

	edge_conn_end(&conn, reason, how);
}

/* RFC 8446, 6.1: user_canceled, then close_notify. Of a handshake that the stream has begun, it
 * says so itself. */
static void cancel_handshake(struct edge_inlet *in)
{
	static const uint8_t records[] = {21, 3, 1, 0, 2, 1, 90, 21, 3, 1, 0, 2, 1, 0};
	const struct iovec iov = {(void *)records, sizeof(records)};

	if (in->state == INLET_TLS && in->conn->stage != EDGE_HANDSHAKING)
		stream_write(in->conn->stream, &iov, 1);
	end(in, REASON_CLIENT_HANDSHAKE_TIMEOUT, EDGE_CLOSE_ORDERLY);
}

static void on_deadline(struct deadline *deadline)
{
	struct edge_inlet *in = CONTAINER_OF(deadline, struct edge_inlet, deadline);

	MAGIC_CHECK(in, INLET_MAGIC);
	/* Without TLS it is only waited for a request, as it is between two of them. */
	if (in->kind == EDGE_LISTENER_PLAIN && in->state == INLET_FIRST_BYTES)
		end(in, REASON_CLIENT_IDLE_TIMEOUT, EDGE_CLOSE_ORDERLY);
	else
		cancel_handshake(in);
}

/* On to the protocol: `in` is gone after this. */
static void leave(struct edge_inlet *in, const struct edge_protocol *protocol, char *bytes,
		  size_t n)
{
	struct edge_conn *conn = in->conn;

	conn->inlet = NULL;
	inlet_free(in);
	edge_conn_ready(conn, protocol, bytes, n);
}

/* Bytes that are kept */

static void drop_kept(struct edge_inlet *in)
{
	in->all->kept -= in->kept_len;
	free(in->kept);
	in->kept = NULL;
	in->kept_len = 0;
}

/* `buf` in the place of what was kept. False: there is no room, `in` is gone. */
static bool keep(struct edge_inlet *in, const char *buf, size_t n)
{
	struct edge_inlets *all = in->all;
	char *grown = NULL;

	if (n == 0) {
		drop_kept(in);
		return true;
	}
	if (all->kept - in->kept_len + n <= KEPT_TOTAL_MAX)
		grown = realloc(in->kept, n);
	if (grown == NULL) {
		LOG_LIMITED(LOG_LEVEL_WARN,
			    "too many beginnings of client connections: %s is "
			    "closed",
			    in->conn->client.ip);
		end(in, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return false;
	}
	memcpy(grown, buf, n);
	all->kept += n - in->kept_len;
	in->kept = grown;
	in->kept_len = n;
	return true;
}

/* TLS */

static struct edge_handshake *handshake_create(struct edge_worker *w)
{
	struct edge_handshake *handshake = xcalloc(1, sizeof(*handshake));

	handshake->loop = w->loop;
	handshake->since = loop_now(w->loop);
	handshake->view = edge_view_pin(&w->common->views, w->loop);
	handshake->certs = handshake->view->certs;
	return handshake;
}

/* The inlet may be gone. */
static void release_handshake(void *arg)
{
	struct edge_handshake *handshake = arg;

	edge_client_cert_destroy(&handshake->client.cert);
	edge_view_unpin(&handshake->view, handshake->loop);
	free(handshake);
}

static void start_tls(struct edge_inlet *in, const char *hello, size_t n)
{
	struct edge_worker *w = in->all->worker;
	struct edge_handshake *handshake = handshake_create(w);

	in->handshake = handshake;
	if (stream_start_tls_server(in->conn->stream, edge_certs_tls(handshake->certs),
				    release_handshake, handshake, hello, n))
		drop_kept(in);
	else
		end(in, REASON_LIMIT, EDGE_CLOSE_BREAK);
}

/* As long as places last. */
static void begin_waiting(struct edge_inlets *all, bool beyond_share)
{
	struct edge_worker *w = all->worker;
	struct edge_conn *conn;

	while ((conn = edge_conn_next_handshake(w, beyond_share)) != NULL)
		start_tls(conn->inlet, conn->inlet->kept, conn->inlet->kept_len);
}

static void set_timer(struct edge_inlets *all)
{
	struct timeval tv = dur_to_timeval(LOOK_INTERVAL);

	if (!event_pending(all->timer, EV_TIMEOUT, NULL))
		CHECK(event_add(all->timer, &tv) == 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct edge_inlets *all = arg;

	MAGIC_CHECK(all, INLETS_MAGIC);
	begin_waiting(all, true);
	if (edge_admission_oldest(all->worker->admission, EDGE_WAITING) != NULL)
		set_timer(all);
}

static void run_look(struct loop_task *task)
{
	struct edge_inlets *all = CONTAINER_OF(task, struct edge_inlets, look);

	MAGIC_CHECK(all, INLETS_MAGIC);
	begin_waiting(all, false);
}

void edge_inlets_look(struct edge_inlets *all)
{
	loop_defer(all->worker->loop, &all->look);
}

/* For a connection to which nothing was written yet: `in` is gone after this. */
static void refuse(struct edge_inlet *in, enum edge_failure failure, const char *why,
		   const void *answer, size_t n)
{
	const struct iovec iov = {(void *)answer, n};

	log_debug("%s: no handshake: %s", net_addr_shown(&in->conn->client.addr), why);
	stream_write(in->conn->stream, &iov, 1);
	in->failure = failure;
	end(in, REASON_CLIENT_HANDSHAKE_FAILED, EDGE_CLOSE_ORDERLY);
}

static void refuse_http(struct edge_inlet *in)
{
	static const char text[] = "This port speaks TLS: use https.\n";
	const struct edge_worker *w = in->all->worker;
	bool tells = http_of(in)->proxy_status != CFG_PROXY_STATUS_OFF;
	char *status = xasprintf("Proxy-Status: " SPAN_FMT "; error=http_request_error\r\n",
				 SPAN_ARG(w->common->pseudonym));
	char *answer = xasprintf("HTTP/1.1 400 Bad Request\r\n"
				 "Date: %s\r\n"
				 "%s"
				 "Content-Type: text/plain\r\n"
				 "Content-Length: %zu\r\n"
				 "Connection: close\r\n"
				 "\r\n"
				 "%s",
				 edge_date_text(&in->all->worker->date, clock_wall()).p,
				 tells ? status : "", sizeof(text) - 1, text);

	refuse(in, EDGE_FAILURE_HTTP, "an HTTP request without TLS", answer, strlen(answer));
	free(answer);
	free(status);
}

static void refuse_hello(struct edge_inlet *in, enum edge_failure failure, uint8_t alert)
{
	/* A record of type 21, for clients of any version; level 2: fatal (RFC 8446, 6). */
	const uint8_t record[] = {21, 3, 1, 0, 2, 2, alert};

	refuse(in, failure, gnutls_alert_get_name((gnutls_alert_description_t)alert), record,
	       sizeof(record));
}

/* Of what is no ClientHello, by what hello.c says to it. */
static enum edge_failure failure_of_alert(uint8_t alert)
{
	switch (alert) {
	case GNUTLS_A_UNEXPECTED_MESSAGE:
		return EDGE_FAILURE_NO_TLS;
	case GNUTLS_A_PROTOCOL_VERSION:
		return EDGE_FAILURE_VERSION;
	default:
		return EDGE_FAILURE_OVERSIZED;
	}
}

/* `buf` begins with a whole one. As take_hello(). */
static bool take_whole_hello(struct edge_inlet *in, const char *buf, size_t n)
{
	struct edge_greeting greeting = edge_conn_greet(in->conn, (struct span){buf, n});

	if (greeting.failure != EDGE_FAILURE_NONE) {
		refuse_hello(in, greeting.failure, greeting.alert);
		return false;
	}
	in->shares_group = greeting.shares_group;
	if (edge_conn_take_handshake(in->conn)) {
		start_tls(in, buf, n);
		return false;
	}
	set_timer(in->all);
	return keep(in, buf, n);
}

/* False when there is nothing more to read here, for now or because `in` is gone. */
static bool take_hello(struct edge_inlet *in, const char *buf, size_t n)
{
	uint8_t alert;

	set_state(in, INLET_TLS);
	switch (edge_hello_look(buf, n, &alert)) {
	case EDGE_HELLO_MORE:
		return keep(in, buf, n);
	case EDGE_HELLO_HTTP:
		refuse_http(in);
		return false;
	case EDGE_HELLO_BAD:
		refuse_hello(in, failure_of_alert(alert), alert);
		return false;
	case EDGE_HELLO_WHOLE:
		break;
	}
	return take_whole_hello(in, buf, n);
}

/* WAITING: a client has nothing more to say, but its end is to be noticed. */
static bool take_while_waiting(struct edge_inlet *in, const char *buf, size_t n)
{
	if (!keep(in, buf, n))
		return false;
	if (n < EDGE_HELLO_MAX)
		return true;
	stream_pause(in->conn->stream);
	return false;
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
	end(in, REASON_CLIENT_MALFORMED, EDGE_CLOSE_BREAK);
}

/* False: the client is not let in, `in` is gone. */
static bool take_header(struct edge_inlet *in, const struct proxy_header *header)
{
	struct edge_client *client = &in->conn->client;
	enum reason reason;

	edge_count(in->all->worker, EDGE_PROXY_HEADERS, 1);
	set_state(in, INLET_FIRST_BYTES);
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
	end(in, reason, EDGE_CLOSE_BREAK);
	return false;
}

/* Bytes */

/* All that has come and was not dealt with. As take_hello(). */
static bool take(struct edge_inlet *in, char *buf, size_t n)
{
	struct edge_worker *w = in->all->worker;
	struct proxy_header header;
	size_t used = 0;

	if (in->state == INLET_PROXY_HEADER) {
		switch (proxy_header_parse(buf, n, &header, &used)) {
		case PROXY_HEADER_MORE:
			return keep(in, buf, n);
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
		return keep(in, buf, 0);
	if (in->kind == EDGE_LISTENER_TLS)
		return take_hello(in, buf, n);
	edge_count(w, EDGE_BYTES_RECEIVED, (int64_t)n);
	leave(in, w->protocols[0], buf, n);
	return false;
}

static void read_ended(struct edge_inlet *in, ssize_t status)
{
	enum reason reason = REASON_CLIENT_CLOSED;

	if (status == STREAM_ERROR)
		reason = edge_client_reason(stream_fault(in->conn->stream));
	end(in, reason, EDGE_CLOSE_ORDERLY);
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
		return take_while_waiting(in, buf, n);
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

static const struct edge_protocol *protocol_of(const struct edge_worker *w,
					       gnutls_session_t session)
{
	const struct edge_protocol *const *p = w->protocols;
	gnutls_datum_t alpn;

	if (gnutls_alpn_get_selected_protocol(session, &alpn) != 0)
		return *p;
	/* Only what we have can have been selected. */
	while (strlen((*p)->alpn) != alpn.size || memcmp((*p)->alpn, alpn.data, alpn.size) != 0) {
		p++;
		CHECK(*p != NULL);
	}
	return *p;
}

static void take_sni(struct edge_conn *conn, gnutls_session_t session)
{
	char name[256];
	size_t len = sizeof(name) - 1;
	unsigned type;

	if (gnutls_server_name_get(session, name, &len, &type, 0) != 0 || type != GNUTLS_NAME_DNS)
		return;
	name[len] = '\0';
	conn->client.sni = conn->sni = xstrdup(name);
}

_Static_assert(EDGE_CLIENT_CERT_INVALID - EDGE_CLIENT_CERT_NONE ==
		   EDGE_CLIENT_INVALID - EDGE_CLIENT_NONE,
	       "count_verdict() finds the counter of a verdict by its number");

static void count_verdict(struct edge_worker *w, const struct edge_handshake *handshake)
{
	edge_count(w, EDGE_CLIENT_CERT_NONE + handshake->client.verdict, 1);
}

static void on_established(void *arg)
{
	struct edge_inlet *in = arg;
	struct edge_worker *w;
	gnutls_session_t session;

	MAGIC_CHECK(in, INLET_MAGIC);
	w = in->all->worker;
	session = stream_tls_session(in->conn->stream);
	in->conn->client.tls = gnutls_protocol_get_name(gnutls_protocol_get_version(session));
	take_sni(in->conn, session);
	in->conn->client.tls_suite = gnutls_ciphersuite_get(session);
	in->conn->client.tls_group = gnutls_group_get_name(gnutls_group_get(session));
	in->conn->client.tls_resumed = gnutls_session_is_resumed(session) != 0;
	if (in->handshake->client.auth != NULL)
		count_verdict(w, in->handshake);
	in->conn->client.cert = TAKE(&in->handshake->client.cert);
	if (stream_is_early(in->conn->stream))
		edge_conn_begin_early(in->conn, in->handshake->since, in->deadline.at);
	else
		edge_conn_count_handshake(in->conn, in->handshake->since);
	leave(in, protocol_of(w, session), NULL, 0);
}

static void on_drained(void *arg)
{
	/* What was written is the TLS library's, or the last. */
}

static void on_failed(void *arg)
{
	struct edge_inlet *in = arg;
	struct stream *s;

	MAGIC_CHECK(in, INLET_MAGIC);
	s = in->conn->stream;
	log_debug("%s: handshake failed: %s", net_addr_shown(&in->conn->client.addr),
		  stream_fault_detail(s));
	if (stream_fault(s) == STREAM_FAULT_CERTIFICATE) {
		log_debug("%s: certificate of the client: %s",
			  net_addr_shown(&in->conn->client.addr),
			  edge_client_verdict_text(in->handshake->client.verdict));
		count_verdict(in->all->worker, in->handshake);
	}
	if (stream_tls_error(s) != 0)
		in->failure = edge_failure_of(stream_tls_error(s));
	if (in->failure == EDGE_FAILURE_SUITE && !in->shares_group)
		in->failure = EDGE_FAILURE_GROUP;
	/* An alert may be on its way. */
	end(in, edge_client_reason(stream_fault(s)), EDGE_CLOSE_ORDERLY);
}

static const struct stream_ops stream_ops = {
    .established = on_established,
    .readable = on_readable,
    .drained = on_drained,
    .failed = on_failed,
};

/* The beginning */

void edge_inlet_accept(struct edge_worker *w, int fd, const struct net_addr *remote,
		       enum edge_listener_kind kind)
{
	bool header = sends_header(w, remote);
	struct edge_conn *conn = edge_conn_create(w, remote, !header);
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
	conn->client.scheme = kind == EDGE_LISTENER_TLS ? SPAN("https") : SPAN("http");
	sock_local_addr(fd, &conn->client.local);
	conn->stream = stream_create(w->buffers, fd, &stream_ops, in);
	if (conn->stream == NULL) {
		end(in, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return;
	}
	limit = http_of(in)->timeout.handshake;
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
	all->look.run = run_look;
	all->timer = evtimer_new(loop_base(w->loop), timer_cb, all);
	CHECK(all->timer != NULL);
	return all;
}

void edge_inlets_destroy(struct edge_inlets **inlets)
{
	struct edge_inlets *all = TAKE(inlets);

	if (all == NULL)
		return;
	MAGIC_CHECK(all, INLETS_MAGIC);
	CHECK(all->kept == 0);
	loop_task_cancel(all->worker->loop, &all->look);
	event_free(all->timer);
	all->magic = MAGIC_DEAD;
	free(all);
}
