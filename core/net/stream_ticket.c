/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tickets that a TLS 1.3 server owes its client after the handshake. They go with the first
 * response, which costs neither a packet nor a system call; a client that asks nothing gets them by
 * the loop's timer. Runs on the streams' loop.
 */
#include <stdlib.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"

/* A client that asks at all has mostly asked within a round trip. */
#define PATIENCE DUR_MS(100)
/* Then the loop's others have their turn: a ticket takes 7 us and a packet. */
#define PER_TURN 16

struct stream_tickets {
	struct loop *loop;
	TAILQ_HEAD(, stream) owed; /* oldest first */
	struct event timer;        /* pending while there are any */
};

static void set_timer(struct stream_tickets *t)
{
	struct stream *first = TAILQ_FIRST(&t->owed);
	struct timeval tv = {0};
	int64_t left;

	if (!first) {
		event_del(&t->timer);
		return;
	}
	left = mono_since(first->tls->tickets_by, loop_now(t->loop)).ns;
	if (left > 0)
		tv = dur_to_timeval(DUR_NS(left));
	CHECK(event_add(&t->timer, &tv) == 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream_tickets *t = arg;
	mono_time now = loop_now(t->loop);
	struct stream *s;

	for (int n = 0; n < PER_TURN && (s = TAILQ_FIRST(&t->owed)); n++) {
		if (!mono_reached(s->tls->tickets_by, now))
			break;
		stream_tickets_send(s);
		stream_tls_flush(s);
	}
	set_timer(t);
}

void stream_tickets_owe(struct stream *s, unsigned n)
{
	struct stream_tickets *t = s->b->tickets;
	bool none = TAILQ_EMPTY(&t->owed);

	s->tls->tickets_owed = n;
	s->tls->tickets_by = mono_add(loop_now(t->loop), PATIENCE);
	TAILQ_INSERT_TAIL(&t->owed, s, ticket_link);
	if (none)
		set_timer(t);
}

void stream_tickets_forget(struct stream *s)
{
	if (!s->tls || s->tls->tickets_owed == 0)
		return;
	s->tls->tickets_owed = 0;
	/* The timer, if this was the first, comes too early for the next: that costs less than to
	 * move it each time. */
	TAILQ_REMOVE(&s->b->tickets->owed, s, ticket_link);
}

void stream_tickets_send(struct stream *s)
{
	unsigned n = s->tls->tickets_owed;

	if (n == 0)
		return;
	stream_tickets_forget(s);
	/* Without them all goes on; what matters shows up at the next call. */
	gnutls_session_ticket_send(s->tls->session, n, 0);
	stream_forget_hello(s);
}

struct stream_tickets *stream_tickets_create(struct loop *loop)
{
	struct stream_tickets *t = xmalloc(sizeof(*t));

	t->loop = loop;
	TAILQ_INIT(&t->owed);
	CHECK(event_assign(&t->timer, loop_base(loop), -1, 0, timer_cb, t) == 0);
	return t;
}

void stream_tickets_destroy(struct stream_tickets **tickets)
{
	struct stream_tickets *t = TAKE(tickets);

	if (!t)
		return;
	CHECK(TAILQ_EMPTY(&t->owed));
	event_del(&t->timer);
	free(t);
}
