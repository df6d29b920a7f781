/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Streams: how TLS begins, as server or client. The steps of a handshake run in the loop's
 * background queue, for they are what costs most of all that a stream does. If there are threads
 * for it, a server's step is held when the ClientHello was dealt with, and what follows is lent to
 * them when that needs a slow signature. After a HelloRetryRequest, and where a certificate of the
 * client is verified, the whole step is. All but run_away() is called by the stream's loop. Time
 * limits are the user's.
 *
 * While a step is lent, the session is the thread's (struct stream_tls says with what), and the
 * loop reads nothing: what a client sends meanwhile, be it its FIN, stays in the socket. A stream
 * that ends leaves the session to the step, and it is freed when that is back.
 */
#define LOG_MODULE LOG_TLS
#include <errno.h>
#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/stream_internal.h"
#include "core/net/tls_internal.h"

/* Of a client's handshake: two ClientHellos of 64 KiB, early data that is skipped (stream_early.c),
 * and its certificates. The library keeps what has come of a message, and takes one of 16 MiB. */
#define CLIENT_BYTES_MAX (384 * 1024)
/* Of TLS 1.2, each passed over. After some dozens the library would say that the fault was
 * internal. */
#define WARNINGS_MAX 4

/* The steps */

static const char *role_text(const struct stream *s)
{
	return s->tls->client ? "client" : "server";
}

/* The user is told, and then the server is released, even if the stream is gone by then. */
static bool tell(struct stream *s, void (*fn)(void *arg), struct tls_use use)
{
	bool ours = stream_call(s, fn);

	tls_use_end(&use);
	return ours;
}

static void handshake_failed(struct stream *s, int ret)
{
	struct tls_use use;

	if (s->failed_told)
		return;
	stream_tls_failed(s, ret);
	log_debug("fd %d: handshake as %s failed: %s", s->fd, role_text(s), stream_fault_detail(s));
	stream_tls_flush(s);
	s->failed_told = true;
	use = s->tls->handshake->use;
	s->tls->handshake->use = (struct tls_use){0};
	tell(s, s->ops->failed, use);
}

static bool is_tls13(gnutls_session_t session)
{
	return gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;
}

static void trace_done(const struct stream *s)
{
	gnutls_session_t session = s->tls->session;
	gnutls_datum_t alpn = {0};

	if (!LOG_ENABLED(LOG_LEVEL_DEBUG))
		return;
	if (gnutls_alpn_get_selected_protocol(session, &alpn) != 0)
		alpn.size = 0;
	log_debug("fd %d: handshake as %s done in %lld us: %s%s%s%.*s", s->fd, role_text(s),
		  (long long)dur_to_us(s->tls->handshake_time),
		  gnutls_protocol_get_name(gnutls_protocol_get_version(session)),
		  gnutls_session_is_resumed(session) ? ", resumed" : "", alpn.size > 0 ? ", " : "",
		  (int)alpn.size, (const char *)alpn.data);
}

/* With TLS 1.3 the library calls for messages after the handshake, too: before it finds that a
 * ClientHello has no place there. */
static void forget_messages(struct stream_tls *tls)
{
	if (!tls->client)
		gnutls_handshake_set_hook_function(tls->session, GNUTLS_HANDSHAKE_ANY,
						   GNUTLS_HOOK_PRE, NULL);
}

static void handshake_done(struct stream *s)
{
	struct stream_tls *tls = s->tls;
	const struct tls_server *server = tls->handshake->use.server;
	bool early = s->phase == STREAM_EARLY;
	bool waited = tls->early.waiting.end > 0;

	stream_tls_flush(s);
	if (s->out == OUT_FAILED)
		return; /* failed() comes */
	tls->handshake_time = mono_since(clock_mono(), tls->handshake->started);
	gnutls_session_set_ptr(tls->session, NULL);
	forget_messages(tls);
	tls->pulled = 0;
	stream_set_phase(s, STREAM_OPEN);
	trace_done(s);
	/* With TLS 1.3 tickets follow. */
	if (tls->client && !is_tls13(tls->session))
		tls_client_remember(tls->client, tls->session, s->fd);
	/* With TLS 1.2 it is part of the handshake. */
	if (!tls->client && server->tickets && is_tls13(tls->session)) {
		stream_early_expect_tickets(tls);
		stream_tickets_owe(s, server->tickets->count);
	}
	if (early)
		stream_early_flush(s);
	if (!tell(s, early ? s->ops->handshaken : s->ops->established,
		  stream_tls_end_handshake(tls)))
		return;
	if (waited && s->out != OUT_FAILED && stream_is_drained(s) &&
	    !stream_call(s, s->ops->drained))
		return;
	if (!tls->client && tls->tickets_owed == 0)
		stream_forget_hello(s);
	/* The first request mostly comes in one packet with the end of the handshake. */
	stream_arm_read(s);
	stream_look_again(s);
}

/* The library keeps what these extensions said until the session's end: 0.8 KB of the 10.5 that one
 * takes. Tickets are made of it; then nobody looks at it any more. */
void stream_forget_hello(struct stream *s)
{
	static const unsigned extensions[] = {13 /* signature_algorithms */, 16 /* ALPN */};
	gnutls_session_t session = s->tls->session;
	gnutls_ext_priv_data_t data;

	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		/* To set another frees the one before. */
		if (gnutls_ext_get_data(session, extensions[i], &data) == 0)
			gnutls_ext_set_data(session, extensions[i], NULL);
	}
}

static void make_step(struct stream_tls *tls)
{
	const struct tls_server *server = tls->handshake->use.server;
	int *ret = &tls->handshake->ret;

	tls->pulled_empty = false;
	/* E_AGAIN also comes when a message was dealt with: only our own pull knows. */
	do {
		*ret = gnutls_handshake(tls->session);
		tls->handshake->warnings += *ret == GNUTLS_E_WARNING_ALERT_RECEIVED;
		/* What has failed has its own reason, and its alert. */
		if (*ret < 0 && gnutls_error_is_fatal(*ret))
			break;
		if (server && tls->pulled > CLIENT_BYTES_MAX)
			*ret = GNUTLS_E_HANDSHAKE_TOO_LARGE;
		else if (tls->handshake->warnings > WARNINGS_MAX)
			*ret = GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS;
	} while (*ret < 0 && !gnutls_error_is_fatal(*ret) && !tls->pulled_empty &&
		 *ret != GNUTLS_E_INTERRUPTED);
	if (*ret == 0 && server && server->finished)
		*ret = server->finished(tls->session);
}

static void step_made(struct stream *s)
{
	int ret = s->tls->handshake->ret;

	if (ret == 0) {
		handshake_done(s);
	} else if (gnutls_error_is_fatal(ret)) {
		handshake_failed(s, ret);
	} else {
		stream_tls_flush(s);
		if (s->out == OUT_FAILED)
			return; /* failed() comes */
		stream_arm_read(s);
		stream_early_step_made(s);
	}
}

/* On another thread. */
static void run_away(struct handshake_step *step)
{
	struct stream_tls *tls = CONTAINER_OF(step, struct stream_tls_handshake, away)->tls;

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	make_step(tls);
}

static void send_pushed(struct stream *s)
{
	struct stream_tls_pushed *p = &s->tls->handshake->pushed;
	struct iovec iov = {p->data, p->len};

	if (p->len > 0)
		stream_send(s, &iov, 1);
	free(p->data);
	*p = (struct stream_tls_pushed){0};
}

static void come_back(struct handshake_step *step)
{
	struct stream_tls *tls = CONTAINER_OF(step, struct stream_tls_handshake, away)->tls;

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	tls->lent = false;
	if (!tls->stream) {
		stream_tls_destroy(&tls);
		return;
	}
	send_pushed(tls->stream);
	step_made(tls->stream);
}

static void lend(struct stream *s)
{
	struct stream_tls *tls = s->tls;

	stream_tls_flush(s);
	tls->lent = true;
	tls->answered = gnutls_handshake_get_last_out(tls->session) == GNUTLS_HANDSHAKE_FINISHED;
	tls->handshake->away.run = run_away;
	tls->handshake->away.back = come_back;
	handshake_lend(s->b->lender, &tls->handshake->away);
}

/* Whether the server is going to sign, and that takes longer than the way to another thread and
 * back is worth. Measured where both share one processor: that way takes 60 to 120 us, mostly
 * because the loop, which does not compute then, sleeps and is woken once for each event. A
 * signature by RSA takes 300 to 2,500 us, ECDSA 20 to 60. The library has chosen by now. */
static bool signs_slowly(const struct stream_tls *tls)
{
	int algorithm = gnutls_sign_algorithm_get(tls->session);

	if (gnutls_session_is_resumed(tls->session))
		return false;
	switch (gnutls_sign_get_pk_algorithm(algorithm)) {
	case GNUTLS_PK_ECDSA:
	case GNUTLS_PK_EDDSA_ED25519:
		return tls->handshake->use.server->slow_keys;
	default:
		return true;
	}
}

/* GnuTLS 3.7 forgets its ServerHello if it is held behind the second ClientHello. And a client's
 * certificate, which takes some signatures to verify, may come with anything after the first. */
static bool is_lent_whole(const struct stream_tls *tls)
{
	return !tls->client && tls->stream->b->lender &&
	       (tls->handshake->use.verifies || gnutls_handshake_get_last_out(tls->session) ==
						    GNUTLS_HANDSHAKE_HELLO_RETRY_REQUEST);
}

static void run_step(struct loop_task *task)
{
	struct stream_tls *tls = CONTAINER_OF(task, struct stream_tls_handshake, step)->tls;

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	if (is_lent_whole(tls)) {
		lend(tls->stream);
		return;
	}
	make_step(tls);
	/* hello_came() said so. */
	while (tls->handshake->ret == GNUTLS_E_INTERRUPTED) {
		if (signs_slowly(tls)) {
			lend(tls->stream);
			return;
		}
		make_step(tls);
	}
	step_made(tls->stream);
}

/* Servers' handshakes are strangers', and wait for their turn in the background. Our own are as
 * many as we begin, somebody's request waits for each, and behind a crowd of strangers they would
 * look like a server that does not answer; but for those of checks, of which thousands may come at
 * once. */
static void queue_step(struct stream *s)
{
	struct stream_tls *tls = s->tls;

	if (tls->client && !tls_client_in_background(tls->client))
		loop_defer(s->b->loop, &tls->handshake->step);
	else
		loop_queue_background(s->b->loop, &tls->handshake->step);
}

/* Takes what has come out of the socket, so that it is quiet until the turn of the next step. */
static void receive(struct stream *s)
{
	size_t room = stream_tls_put_aside_max(s->tls);
	ssize_t n = -EAGAIN;

	if (room > 0 && !s->tls->socket_ended)
		n = stream_recv(s, s->b->plain, room);
	else
		stream_disarm_read(s); /* until something of it has been used */
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		stream_tls_socket_ended(s->tls, -n);
		stream_disarm_read(s);
	} else if (!stream_tls_put_aside(s->tls, s->b->plain, n)) {
		stream_set_fault(s, STREAM_FAULT_NO_MEMORY, "out of memory");
		stream_fail_writing(s);
		return;
	}
	queue_step(s);
}

void stream_handshake_readable(struct stream *s)
{
	/* While the step is away, it comes again when that is back. */
	if (s->out == OUT_FAILED || s->tls->lent)
		stream_disarm_read(s);
	else
		receive(s);
}

/* The start */

static void hello_comes(struct stream_tls *tls, const gnutls_datum_t *message)
{
	const struct tls_tickets *tickets = tls->handshake->use.server->tickets;

	if (tickets && tickets->choose)
		tickets->choose(tickets, tls->session, message);
	stream_early_look(tls, message);
}

/* RFC 8879 section 4: a client's compressed certificates begin with a method and how long they are
 * without it. The library takes memory for that, be it 16 MiB, and fills it with what may be a few
 * kilobytes here; it takes no more than 128 KiB that are not compressed. */
static bool is_bomb(const gnutls_datum_t *message)
{
	const unsigned char *p = message->data;

	return message->size < 5 || p[2] > 1;
}

/* Called by GnuTLS with each message of the handshake, before it looks at it. */
static int message_comes(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			 const gnutls_datum_t *message)
{
	struct stream_tls *tls = gnutls_transport_get_ptr(session);
	const struct tls_server *server = tls->handshake->use.server;

	if (incoming && type == GNUTLS_HANDSHAKE_CLIENT_HELLO)
		hello_comes(tls, message);
	else if (incoming && type == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY &&
		 server->certificate_verify)
		return server->certificate_verify(session);
	else if (incoming && type == GNUTLS_HANDSHAKE_COMPRESSED_CERTIFICATE_PKT &&
		 is_bomb(message))
		return GNUTLS_E_HANDSHAKE_TOO_LARGE;
	return 0;
}

/* Called by GnuTLS when it has read a ClientHello. Told so, it deals with the hello, chooses what
 * it will sign with, and stops before it answers. */
static int hello_came(gnutls_session_t session)
{
	struct stream_tls *tls = gnutls_transport_get_ptr(session);
	const struct tls_server *server = tls->handshake->use.server;
	int ret = server->client_hello ? server->client_hello(session) : 0;

	stream_early_decide(tls);
	return ret < 0 || tls->lent || !tls->stream->b->lender ? ret : GNUTLS_E_INTERRUPTED;
}

static int set_up_server(gnutls_session_t session, const struct tls_server *server)
{
	int ret = gnutls_priority_set(session, server->priority);

	if (ret == 0)
		ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, server->credentials);
	if (ret == 0 && server->tickets)
		ret = server->tickets->start(server->tickets, session);
	if (ret == 0 && server->n_alpn > 0)
		/* Mandatory: a client that names only others is refused with
		 * no_application_protocol (RFC 7301, 3.2); one that names none is served. */
		ret = gnutls_alpn_set_protocols(session, server->alpn, server->n_alpn,
						GNUTLS_ALPN_MANDATORY |
						    GNUTLS_ALPN_SERVER_PRECEDENCE);
	if (ret == 0 && server->n_compressions > 0)
		ret = gnutls_compress_certificate_set_methods(session, server->compressions,
							      server->n_compressions);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
					   message_comes);
	gnutls_handshake_set_post_client_hello_function(session, hello_came);
	return ret;
}

/* What servers and clients have in common; NULL when memory is gone. */
static struct stream_tls *start(struct stream *s, unsigned flags, const void *prefix, size_t n)
{
	struct stream_tls *tls;

	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(s->phase == STREAM_OPEN && s->out != OUT_ENDING && s->out != OUT_ENDED && !s->tls);
	stream_flush(s);
	tls = stream_tls_create(s, flags);
	if (!tls)
		return NULL;
	stream_set_phase(s, STREAM_HANDSHAKE);
	if (!stream_tls_put_aside(tls, prefix, n))
		return NULL;
	tls->handshake->step.run = run_step;
	tls->handshake->started = clock_mono();
	s->paused = false;
	/* An end that was read is found again by the handshake, which fails of it. */
	s->end = STREAM_AGAIN;
	s->end_told = false;
	return tls;
}

bool stream_start_tls_server(struct stream *s, const struct tls_server *tls,
			     void (*release)(void *arg), void *arg, const void *prefix, size_t n)
{
	const unsigned flags = GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET;
	struct stream_tls *mine =
	    start(s, tls->early ? flags | GNUTLS_ENABLE_EARLY_DATA : flags, prefix, n);
	struct tls_use use = {.server = tls, .release = release, .arg = arg};

	if (!mine || set_up_server(mine->session, tls) < 0) {
		tls_use_end(&use);
		return false;
	}
	mine->handshake->use = use;
	stream_early_set_up(mine, tls);
	gnutls_session_set_ptr(mine->session, &mine->handshake->use);
	stream_arm_read(s);
	if (n > 0)
		queue_step(s);
	return true;
}

/* Servers send one or two. Each costs 10 us or more, and a few bytes to send. */
#define TICKETS_MAX 8

/* Called by GnuTLS within a read, also one of a stream that is parked. */
static int ticket_came(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		       const gnutls_datum_t *message)
{
	struct stream_tls *tls = gnutls_transport_get_ptr(session);

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	/* With TLS 1.2 it comes before the handshake is done. Unless the library has the ticket it
	 * would wait for one. */
	if (incoming && is_tls13(session) &&
	    gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET &&
	    tls->n_tickets < TICKETS_MAX) {
		tls->n_tickets++;
		tls_client_remember(tls->client, session, tls->stream->fd);
	}
	return 0;
}

bool stream_start_tls_client(struct stream *s, struct tls_client *tls, const void *prefix, size_t n)
{
	struct stream_tls *mine = start(s, GNUTLS_CLIENT, prefix, n);

	if (!mine)
		return false;
	mine->client = tls_client_ref(tls);
	if (tls_client_set_up(tls, mine->session) < 0)
		return false;
	tls_client_resume(tls, mine->session, s->fd);
	gnutls_handshake_set_hook_function(mine->session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
					   GNUTLS_HOOK_POST, ticket_came);
	stream_arm_read(s);
	/* The first flight is the client's. */
	queue_step(s);
	return true;
}

duration stream_handshake_time(const struct stream *s)
{
	return s->tls ? s->tls->handshake_time : DUR_NS(0);
}
