/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections of HTTP/2: each carries as many requests of its loop at once as the origin lets it,
 * and never moves to another loop. Runs on the loop; a connection has its session from when it
 * turned out to be of HTTP/2 until it is closed.
 *
 * Those that take new requests are in their slot's list, the ones with room in front. One that
 * takes no more (the origin has said so, it has failed, it is worn) is in no list, and closed when
 * its last user has gone. What a session tells of itself comes at the end of its turn, and only
 * then is one that nobody uses counted as idle, or closed: whoever ends its last request may be
 * called by it.
 */
#define LOG_MODULE LOG_POOL
#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/h2/widening.h"
#include "origin-link/conns/transport.h"
#include "origin-link/h2/h2.h"

/* Of a server that has not said yet how many streams may be open, and never has before (RFC 9113
 * section 6.5.2 recommends no less). */
#define STREAMS_ASSUMED 100
/* When so many eighths of them are in use another connection is opened, so that nobody has to wait
 * for it; where that would be the last ones of a few it makes no difference. */
#define EIGHTHS_AHEAD 7
/* For how long a loop has what another one waits for, at least, at first. */
#define TURN DUR_S(1)
/* Half of the time that those who wait have, but no more, it waits for its last user to end. */
#define PAUSE_MOST DUR_S(5)

static struct endpoint_slot *slot_of(const struct origin_conn *conn)
{
	return endpoint_slot(conn->endpoint, conn->conns);
}

/* What a server speaks */

bool shared_is_h2(struct endpoint *e, const struct stream *stream, bool h1_only)
{
	bool is_h2 = !(h1_only && e->transport->protocol != CFG_ORIGIN_PROTOCOL_H2) &&
		     transport_is_h2(e->transport, stream_tls_session(stream));

	/* What it has said of itself stands, though this one was begun before. */
	if (!h1_only && transport_may_be_h2(e->transport) &&
	    atomic_load_explicit(&e->speaks, memory_order_relaxed) != SPEAKS_H1_ONLY)
		endpoint_speaks(e, is_h2 ? SPEAKS_H2 : SPEAKS_H1);
	return is_h2;
}

unsigned shared_room_expected(const struct endpoint *e)
{
	unsigned known = atomic_load_explicit(&e->h2_streams, memory_order_relaxed);

	return known > 0 ? known : STREAMS_ASSUMED;
}

bool endpoint_may_speak_h2(const struct endpoint *e)
{
	int speaks = atomic_load_explicit(&e->speaks, memory_order_relaxed);

	return transport_may_be_h2(e->transport) && speaks != SPEAKS_H1 && speaks != SPEAKS_H1_ONLY;
}

enum lease_protocol shared_protocol(const struct endpoint *e, enum lease_protocol wanted)
{
	switch (e->transport->protocol) {
	case CFG_ORIGIN_PROTOCOL_HTTP1:
		return LEASE_H1;
	case CFG_ORIGIN_PROTOCOL_H2:
		return LEASE_ANY;
	case CFG_ORIGIN_PROTOCOL_AUTO:
		break;
	}
	if (atomic_load_explicit(&e->speaks, memory_order_relaxed) == SPEAKS_H1_ONLY)
		return LEASE_H1;
	return wanted;
}

/* Who takes requests */

static unsigned limit_of(const struct origin_conn *conn)
{
	if (origin_h2_has_settings(conn->h2))
		return origin_h2_streams_max(conn->h2);
	return shared_room_expected(conn->endpoint);
}

static void join_list(struct origin_conn *conn)
{
	struct endpoint_slot *slot = slot_of(conn);

	if (!slot->listed)
		conns_list_slot(conn->conns, slot);
	TAILQ_INSERT_HEAD(&slot->shared, conn, link);
	slot->lost_until = (mono_time){0};
	conn->takes = true;
	/* In one order with the count of those that wait: see sharing.c. */
	atomic_fetch_add(&slot->n_shared, 1);
}

static void leave_list(struct origin_conn *conn)
{
	struct endpoint_slot *slot = slot_of(conn);

	if (!conn->takes)
		return;
	origin_conn_set_leaving(conn, false);
	TAILQ_REMOVE(&slot->shared, conn, link);
	conn->takes = false;
	atomic_fetch_sub_explicit(&slot->n_shared, 1, memory_order_relaxed);
}

static bool has_room(const struct origin_conn *conn)
{
	return conn->n_users < limit_of(conn);
}

/* Its place in the list says whether it has room. */
static void sort(struct origin_conn *conn)
{
	struct endpoint_slot *slot = slot_of(conn);

	if (!conn->takes)
		return;
	TAILQ_REMOVE(&slot->shared, conn, link);
	if (has_room(conn))
		TAILQ_INSERT_HEAD(&slot->shared, conn, link);
	else
		TAILQ_INSERT_TAIL(&slot->shared, conn, link);
}

/* No more requests for it. It is closed when nobody uses it any more, at the end of the turn. */
static void stop_taking(struct origin_conn *conn, const char *why)
{
	log_debug("%s fd %d: takes no more requests: %s", net_addr_shown(&conn->endpoint->addr),
		  stream_fd(conn->stream), why);
	conn->is_done = true;
	leave_list(conn);
	origin_h2_leave(conn->h2);
}

/* The same, at once if nobody uses it and it is not what calls us. */
static void retire(struct origin_conn *conn, const char *why)
{
	if (conn->state == CONN_SHARED_IDLE)
		origin_conn_close(conn, why);
	else
		stop_taking(conn, why);
}

/* Giving way: as many are open as may be, and somebody waits who cannot use this one. */

static void give_way(struct origin_conn *conn)
{
	conns_count(conn->conns, OLINK_GAVE_WAY, 1);
	sharing_turn_is_over(slot_of(conn));
	origin_conn_close(conn, "another needs its place");
}

bool shared_give_way(struct endpoint_slot *slot)
{
	struct origin_conn *conn;

	if (atomic_load(&slot->endpoint->waiting) == 0)
		return false;
	TAILQ_FOREACH (conn, &slot->shared, link) {
		if (conn->state != CONN_SHARED_IDLE)
			continue;
		give_way(conn);
		return true;
	}
	return false;
}

/* One that is in use and has had its turn takes no more requests, so that it ends soon and the
 * loops take turns. Not for ever: what is under way may go on for hours, and nobody would be served
 * meanwhile. So before those who wait here give up it takes requests again, for a longer turn. */
static void pause_taking(struct origin_conn *conn, const struct lease_terms *terms)
{
	mono_time now = loop_now(conn->conns->loop);

	if (!conn->takes || mono_since(now, conn->turn_began).ns < conn->turn.ns ||
	    !sharing_others_wait(conn->endpoint, conn->conns->index))
		return;
	log_debug("%s fd %d: takes no requests for now: another worker needs its place",
		  net_addr_shown(&conn->endpoint->addr), stream_fd(conn->stream));
	conn->pauses_until = mono_add(now, DUR_NS(MIN(terms->queue_timeout.ns / 2, PAUSE_MOST.ns)));
	leave_list(conn);
}

static void take_again(struct origin_conn *conn)
{
	conn->pauses_until = (mono_time){0};
	conn->turn_began = loop_now(conn->conns->loop);
	conn->turn.ns *= 2;
	join_list(conn);
	sort(conn);
	lease_serve_shared(slot_of(conn));
}

void shared_end_pauses(struct conns *c)
{
	struct origin_conn *conn;

	TAILQ_FOREACH (conn, &c->sessions, session_link) {
		if (conn->pauses_until.ns != 0 && conn->n_users > 0 &&
		    !origin_h2_is_leaving(conn->h2) && !origin_h2_wants_h1(conn->h2) &&
		    mono_reached(conn->pauses_until, loop_now(c->loop)))
			take_again(conn);
	}
}

/* What the session tells */

static void changed_cb(void *arg)
{
	struct origin_conn *conn = arg;
	struct endpoint_slot *slot = slot_of(conn);
	struct conns *c = conn->conns;

	/* Nobody else is to close it meanwhile. */
	if (conn->state == CONN_SHARED_IDLE)
		origin_conn_shared_busy(conn);
	if (origin_h2_is_leaving(conn->h2) || origin_h2_wants_h1(conn->h2))
		leave_list(conn);
	sort(conn);
	if (conn->n_users > 0) {
		lease_serve_shared(slot);
		return;
	}
	if (conn->pauses_until.ns != 0 && !origin_h2_is_leaving(conn->h2)) {
		give_way(conn);
		return;
	}
	if (!conn->takes) {
		/* The origin's doing. */
		if (!conn->is_done &&
		    (origin_h2_is_over(conn->h2) || origin_h2_is_leaving(conn->h2)))
			warm_ended(slot, c->loop,
				   mono_since(loop_now(c->loop), conn->expiry.requests == 0
								     ? conn->expiry.made
								     : conn->expiry.freed),
				   conn->expiry.requests == 0);
		conns_count(c, OLINK_CLOSED_IDLE, origin_h2_is_over(conn->h2));
		origin_conn_close(conn, "it takes no more requests");
		return;
	}
	lease_serve_shared(slot);
	if (conn->n_users > 0)
		return;
	if (atomic_load(&conn->endpoint->waiting) > 0) {
		give_way(conn);
		return;
	}
	if (atomic_load(&conn->endpoint->retired)) {
		conns_count(c, OLINK_DISCARDED_RETIRED, 1);
		origin_conn_close(conn, "no origin has this server any more");
		return;
	}
	origin_conn_shared_idle(conn);
	sharing_became_idle(c, conn->quota);
}

/* What it has refused is tried again before changed_cb() comes. */
static void said_cb(void *arg)
{
	struct origin_conn *conn = arg;
	unsigned streams = MAX(origin_h2_streams_max(conn->h2), 1u);

	if (origin_h2_wants_h1(conn->h2))
		endpoint_speaks(conn->endpoint, SPEAKS_H1_ONLY);
	if (origin_h2_has_settings(conn->h2))
		atomic_store_explicit(&conn->endpoint->h2_streams, streams, memory_order_relaxed);
}

static const struct origin_h2_ops session_ops = {
    .changed = changed_cb,
    .said = said_cb,
};

/* Life */

bool shared_begin(struct origin_conn *conn, const struct lease_terms *terms)
{
	bool tls = stream_tls_session(conn->stream) != NULL;

	conn->h2 =
	    origin_h2_create(conn->conns->buffers, conn->stream, tls ? SPAN("https") : SPAN("http"),
			     terms->connect_timeout, &session_ops, conn);
	if (!conn->h2) {
		conn->stream = NULL;
		origin_conn_close(conn, "no memory for its session");
		return false;
	}
	/* It may be the last that is left of its endpoint, and the endpoint is looked at after its
	 * room was given back. */
	endpoint_pin(conn->endpoint, conn->conns->loop);
	TAILQ_INSERT_TAIL(&conn->conns->sessions, conn, session_link);
	conn->turn_began = conn->expiry.made;
	conn->turn = TURN;
	origin_conn_shared(conn, terms);
	conns_count(conn->conns, OLINK_H2_SESSIONS, 1);
	join_list(conn);
	if (conn->endpoint->transport->relay)
		conn->widening = widening_begin(conn->h2, conn->conns);
	/* It is idle if nobody has begun to use it by then. */
	origin_h2_note(conn->h2);
	return true;
}

void shared_fini(struct origin_conn *conn)
{
	leave_list(conn);
	TAILQ_REMOVE(&conn->conns->sessions, conn, session_link);
	CHECK(conn->n_users == 0);
	widening_end(&conn->widening);
	origin_h2_destroy(&conn->h2);
	conn->stream = NULL;
}

/* Use */

/* Most are in use: the next one is to be there before these are not enough. */
static void open_ahead(struct origin_conn *conn, const struct lease_terms *terms)
{
	struct endpoint_slot *slot = slot_of(conn);
	unsigned limit = limit_of(conn);
	struct origin_conn *first = TAILQ_FIRST(&slot->shared);

	if (conn->n_users * 8 < limit * EIGHTHS_AHEAD || limit < 8 || slot->opening > 0 ||
	    first != conn || (TAILQ_NEXT(first, link) && has_room(TAILQ_NEXT(first, link))))
		return;
	warm_open(conn->conns, conn->endpoint, terms);
}

static bool suits(const struct origin_conn *conn, const struct lease *l)
{
	if (!has_room(conn) || origin_h2_is_leaving(conn->h2))
		return false;
	if (l->protocol == LEASE_WEBSOCKET && !origin_h2_takes_connect(conn->h2))
		return false;
	/* Its end may have come already, and be seen later in this turn. */
	if (l->careful && conn->state == CONN_SHARED_IDLE && !origin_conn_is_quiet(conn))
		return false;
	/* One of those that were there when another has just failed may be no better. */
	return !l->fresh || conn->expiry.made.ns >= l->newer_than.ns;
}

void shared_enter(struct origin_conn *conn)
{
	if (conn->state == CONN_SHARED_IDLE)
		origin_conn_shared_busy(conn);
	expiry_use(&conn->expiry);
	conn->n_users++;
	if (!has_room(conn))
		sort(conn);
}

struct origin_conn *shared_take(struct lease *l)
{
	struct endpoint_slot *slot = endpoint_slot(l->endpoint, l->conns);
	mono_time now = loop_now(l->conns->loop);
	struct origin_conn *conn, *next;

	if (l->protocol == LEASE_H1)
		return NULL;
	for (conn = TAILQ_FIRST(&slot->shared); conn && has_room(conn); conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (expiry_cause(&conn->expiry, now) == EXPIRY_WORN) {
			conns_count(l->conns, OLINK_WORN, 1);
			stop_taking(conn, "it was used for long enough");
			continue;
		}
		if (!suits(conn, l))
			continue;
		shared_enter(conn);
		open_ahead(conn, &l->terms);
		return conn;
	}
	return NULL;
}

void shared_give(struct origin_conn *conn, const struct lease_terms *terms)
{
	bool was_full = !has_room(conn);

	CHECK(conn->state == CONN_SHARED && conn->n_users > 0);
	conn->n_users--;
	origin_conn_set_terms(conn, terms);
	if (was_full)
		sort(conn);
	if (conn->n_users > 0)
		pause_taking(conn, terms);
	if (conn->n_users == 0)
		origin_h2_note(conn->h2);
	else if (was_full || !TAILQ_EMPTY(&slot_of(conn)->waiters))
		lease_serve_shared(slot_of(conn));
}

/* Many at once */

void shared_close_expired(struct conns *c, struct endpoint_slot *slot)
{
	mono_time now = loop_now(c->loop);
	struct origin_conn *conn, *next;

	for (conn = TAILQ_FIRST(&slot->shared); conn; conn = next) {
		enum expiry_cause cause = expiry_cause(&conn->expiry, now);
		bool idle = conn->state == CONN_SHARED_IDLE;

		next = TAILQ_NEXT(conn, link);
		if (cause == EXPIRY_NONE || (cause == EXPIRY_IDLE && !idle)) {
			origin_conn_set_leaving(conn,
						idle ? expiry_is_near(&conn->expiry, now)
						     : expiry_is_nearly_worn(&conn->expiry, now));
			continue;
		}
		conns_count(c, cause == EXPIRY_WORN ? OLINK_WORN : OLINK_EXPIRED, 1);
		retire(conn,
		       cause == EXPIRY_WORN ? "it was used for long enough" : "it has expired");
	}
}

void shared_retire_all(struct conns *c, struct endpoint_slot *slot, enum olink_counter counter,
		       const char *why)
{
	struct origin_conn *conn;

	while ((conn = TAILQ_FIRST(&slot->shared))) {
		conns_count(c, counter, 1);
		retire(conn, why);
	}
	TAILQ_FOREACH (conn, &c->sessions, session_link) {
		if (conn->endpoint == slot->endpoint && conn->pauses_until.ns != 0)
			stop_taking(conn, why);
	}
}

void shared_close_all(struct conns *c)
{
	struct origin_conn *conn;

	while ((conn = TAILQ_FIRST(&c->sessions)))
		origin_conn_close(conn, "the program ends");
}
