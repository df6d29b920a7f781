/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS in the inlet: the ClientHello is judged, waits for a place among the handshakes if all are
 * taken, and then the stream has it; what comes of the handshake is the connection's. Worker's loop
 * only.
 */
#define LOG_MODULE LOG_CLIENT
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/clients/client_cert.h"
#include "edge/conn/admission.h"
#include "edge/conn/conns.h"
#include "edge/conn/early.h"
#include "edge/conn/greeting.h"
#include "edge/conn/hello.h"
#include "edge/conn/inlet_internal.h"
#include "edge/conn/reason.h"
#include "edge/node/view.h"
#include "edge/relay/edges.h"
#include "edge/tls/certs.h"
#include "edge/tls/handshake.h"

/* How often the WAITING look for a place that another worker has given back. A handshake takes
 * longer than that itself: it has a round trip. */
#define LOOK_INTERVAL DUR_MS(10)

/* The end of it */

void inlet_count_failure(const struct edge_inlet *in, enum reason reason)
{
	enum edge_failure failure = in->failure;

	if (failure == EDGE_FAILURE_NONE)
		failure = edge_failure_of_reason(reason);
	edge_count(in->all->worker, EDGE_HANDSHAKE_FAILURES, 1);
	edge_count(in->all->worker, EDGE_HANDSHAKE_FAILURE + failure - 1, 1);
}

/* RFC 8446, 6.1: user_canceled, then close_notify. Of a handshake that the stream has begun, it
 * says so itself. */
void inlet_cancel_handshake(struct edge_inlet *in)
{
	static const uint8_t records[] = {21, 3, 1, 0, 2, 1, 90, 21, 3, 1, 0, 2, 1, 0};
	const struct iovec iov = {(void *)records, sizeof(records)};

	if (in->state == INLET_TLS && in->conn->stage != EDGE_HANDSHAKING)
		stream_write(in->conn->stream, &iov, 1);
	inlet_end(in, REASON_CLIENT_HANDSHAKE_TIMEOUT, EDGE_CLOSE_ORDERLY);
}

/* The beginning */

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

/* NULL: edges are not let in, or clients are not. */
static const struct tls_server *server_of(const struct edge_inlet *in, const struct edge_view *view)
{
	if (in->kind != EDGE_LISTENER_RELAY)
		return edge_certs_count(view->certs) > 0 ? edge_certs_tls(view->certs) : NULL;
	return view->edges != NULL ? edge_tls_edges_server(view->edges) : NULL;
}

static void start_tls(struct edge_inlet *in, const char *hello, size_t n)
{
	struct edge_worker *w = in->all->worker;
	struct edge_handshake *handshake = handshake_create(w);
	const struct tls_server *server = server_of(in, handshake->view);

	/* A reload may have made it no relay any more, or nothing but a relay. */
	if (server == NULL) {
		release_handshake(handshake);
		inlet_end(in, REASON_CLIENT_DENIED, EDGE_CLOSE_BREAK);
		return;
	}
	in->handshake = handshake;
	if (stream_start_tls_server(in->conn->stream, server, release_handshake, handshake, hello,
				    n))
		inlet_drop_kept(in);
	else
		inlet_end(in, REASON_LIMIT, EDGE_CLOSE_BREAK);
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

void inlets_init_waiting(struct edge_inlets *all)
{
	all->look.run = run_look;
	all->timer = evtimer_new(loop_base(all->worker->loop), timer_cb, all);
	CHECK(all->timer != NULL);
}

void inlets_fini_waiting(struct edge_inlets *all)
{
	loop_task_cancel(all->worker->loop, &all->look);
	event_free(all->timer);
}

/* For a connection to which nothing was written yet: `in` is gone after this. */
static void refuse(struct edge_inlet *in, enum edge_failure failure, const char *why,
		   const void *answer, size_t n)
{
	const struct iovec iov = {(void *)answer, n};

	log_debug("%s: no handshake: %s", net_addr_shown(&in->conn->client.addr), why);
	stream_write(in->conn->stream, &iov, 1);
	in->failure = failure;
	inlet_end(in, REASON_CLIENT_HANDSHAKE_FAILED, EDGE_CLOSE_ORDERLY);
}

static void refuse_http(struct edge_inlet *in)
{
	static const char text[] = "This port speaks TLS: use https.\n";
	const struct edge_worker *w = in->all->worker;
	bool tells = inlet_http(in)->proxy_status != CFG_PROXY_STATUS_OFF;
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

/* `buf` begins with a whole one. As inlet_take_hello(). */
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
	return inlet_keep(in, buf, n);
}

bool inlet_take_hello(struct edge_inlet *in, const char *buf, size_t n)
{
	uint8_t alert;

	inlet_set_state(in, INLET_TLS);
	switch (edge_hello_look(buf, n, &alert)) {
	case EDGE_HELLO_MORE:
		return inlet_keep(in, buf, n);
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

bool inlet_take_while_waiting(struct edge_inlet *in, const char *buf, size_t n)
{
	if (!inlet_keep(in, buf, n))
		return false;
	if (n < EDGE_HELLO_MAX)
		return true;
	stream_pause(in->conn->stream);
	return false;
}

/* From the stream */

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

void inlet_established(void *arg)
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
	if (in->kind == EDGE_LISTENER_RELAY) {
		CHECK(in->handshake->edge != NULL);
		in->conn->edge = xstrdup(in->handshake->edge);
		in->conn->client.edge = span_of(in->conn->edge);
		in->conn->client.authorities = in->handshake->authorities;
		edge_conn_excuse_handshake(in->conn);
	}
	in->conn->client.cert = TAKE(&in->handshake->client.cert);
	if (stream_is_early(in->conn->stream))
		edge_conn_begin_early(in->conn, in->handshake->since, in->deadline.at);
	else
		edge_conn_count_handshake(in->conn, in->handshake->since);
	inlet_leave(in, protocol_of(w, session), NULL, 0);
}

void inlet_failed(void *arg)
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
	inlet_end(in, edge_client_reason(stream_fault(s)), EDGE_CLOSE_ORDERLY);
}
