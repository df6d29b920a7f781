/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Streams: early data of clients of TLS 1.3. When it is accepted the user is told at once, and
 * reads it, while the handshake goes on: STREAM_EARLY. Nothing can be sent before the client's last
 * message has come, so what is written until then waits, in the clear, and counts as if it were
 * queued.
 *
 * Called by the stream's loop, but for what GnuTLS calls in the step with the ClientHello: that may
 * run on another thread.
 */
#define LOG_MODULE LOG_TLS
#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/stream_internal.h"
#include "core/tls/early_hello.h"

/* What is refused has to be skipped, so a client may send as much as any configuration has allowed
 * it: the library counts it with what its encryption adds. */
#define SKIPPED_MAX (2 * TLS_EARLY_MAX)

/* The handshake: whichever thread */

void stream_early_set_up(struct stream_tls *tls, const struct tls_server *server)
{
	tls->early.tickets = server->early;
	tls->early.max = server->early_max;
	gnutls_record_set_max_early_data_size(tls->session, SKIPPED_MAX);
}

void stream_early_look(struct stream_tls *tls, const gnutls_datum_t *message)
{
	struct early_hello hello;

	if (!tls->early.tickets)
		return;
	early_hello_read(&hello, message);
	tls->early.offered |= hello.offered;
	tls->early.has_ticket =
	    hello.offered && hello.ticket &&
	    early_hello_goes_through(&hello, tls->handshake->use.server->priority);
	if (tls->early.has_ticket)
		tls->handshake->ticket =
		    (gnutls_datum_t){(unsigned char *)hello.ticket, hello.ticket_len};
}

static const gnutls_datum_t *alpn_of(gnutls_session_t session, gnutls_datum_t *alpn)
{
	return gnutls_alpn_get_selected_protocol(session, alpn) == 0 ? alpn : NULL;
}

void stream_early_decide(struct stream_tls *tls)
{
	struct stream_tls_early *e = &tls->early;
	const gnutls_datum_t *ticket = &tls->handshake->ticket;
	gnutls_datum_t alpn;

	/* Nobody is served before his certificate is verified. */
	if (!e->has_ticket || tls->handshake->use.verifies)
		return;
	e->has_ticket = false;
	if (!tls_early_take(e->tickets, tls_early_key(e->tickets, ticket->data, ticket->size,
						      alpn_of(tls->session, &alpn))))
		return;
	/* Else the library refuses it. Whether the client has the ticket's key (its binder) is
	 * found out later: who has seen a ticket on its way, in the ClientHello that takes it, may
	 * be the first to take it with a wrong one, and all that this does is that the other's
	 * early data is refused, as he could do by a lost packet. */
	gnutls_anti_replay_enable(tls->session, tls_early_anti_replay(e->tickets));
	gnutls_record_set_max_early_data_size(tls->session, e->max);
}

/* Tickets */

/* RFC 8446 section 4.6.1: lifetime and age_add, nonce<0..255>, ticket<1..2^16-1>. It is called for
 * what a client sends as well, before the library refuses that: who could name tickets to us this
 * way could make used ones good again. */
static int ticket_goes(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		       const gnutls_datum_t *message)
{
	struct stream_tls *tls = gnutls_transport_get_ptr(session);
	size_t at = message->size > 8 ? 9U + message->data[8] : message->size;
	gnutls_datum_t alpn;
	size_t len;

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	if (incoming || at + 2 > message->size)
		return 0;
	len = (size_t)message->data[at] << 8 | message->data[at + 1];
	at += 2;
	if (len <= message->size - at)
		tls_early_put(tls->early.tickets,
			      tls_early_key(tls->early.tickets, message->data + at, len,
					    alpn_of(session, &alpn)));
	return 0;
}

void stream_early_expect_tickets(struct stream_tls *tls)
{
	if (!tls->early.tickets)
		return;
	/* They say how much a client may send. */
	gnutls_record_set_max_early_data_size(tls->session, tls->early.max);
	/* The library cannot say that it is nothing; what comes all the same is refused. */
	if (tls->handshake->use.verifies)
		return;
	gnutls_handshake_set_hook_function(tls->session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
					   GNUTLS_HOOK_PRE, ticket_goes);
}

/* The stream */

static bool is_accepted(const struct stream_tls *tls)
{
	return tls->early.offered &&
	       (gnutls_session_get_flags(tls->session) & GNUTLS_SFLAGS_EARLY_DATA) != 0;
}

enum stream_early stream_early(const struct stream *s)
{
	if (!s->tls || !s->tls->early.offered)
		return STREAM_EARLY_NONE;
	return s->tls->early.accepted ? STREAM_EARLY_ACCEPTED : STREAM_EARLY_REFUSED;
}

bool stream_is_early(const struct stream *s)
{
	return s->phase == STREAM_EARLY;
}

void stream_early_step_made(struct stream *s)
{
	struct stream_tls *tls = s->tls;

	if (tls->client || !is_accepted(tls))
		return;
	tls->early.accepted = true;
	tls->early.unread = true;
	if (s->phase == STREAM_HANDSHAKE) {
		log_debug("fd %d: early data is accepted", s->fd);
		stream_set_phase(s, STREAM_EARLY);
		if (!stream_call(s, s->ops->established))
			return;
	}
	stream_look_again(s);
}

size_t stream_early_read(struct stream *s, void *buf, size_t len)
{
	ssize_t n = gnutls_record_recv_early_data(s->tls->session, buf, len);

	if (n > 0)
		return (size_t)n;
	s->tls->early.unread = false;
	return 0;
}

void stream_early_forget(struct stream *s)
{
	if (!s->tls)
		return;
	free(s->tls->early.waiting.data);
	s->tls->early.waiting = (struct stream_queue){0};
}

void stream_early_flush(struct stream *s)
{
	struct stream_queue waiting = s->tls->early.waiting;
	struct iovec iov = {waiting.data, waiting.end};

	s->tls->early.waiting = (struct stream_queue){0};
	if (waiting.end > 0) {
		stream_tls_encrypt(s, &iov, 1);
		stream_tls_flush(s);
	}
	free(waiting.data);
	stream_count_held(s);
}
