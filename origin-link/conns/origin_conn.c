/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One connection to an origin, from the end of its making to its own end: who has it, and whose
 * callbacks its stream calls. Belongs to a loop, but while it is in the mail. This is the only
 * place that moves the gauges of connections, active and idle, and each by a change of state. One
 * of HTTP/2 is active once however many requests it carries, so that leases reused + leases fresh =
 * active + leases ended holds for HTTP/1.1 only; and the slots count idle ones of HTTP/1.1 only,
 * the sides of the loops all of them.
 */
#define LOG_MODULE LOG_POOL
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/relay_field.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/transport.h"

#define CONN_MAGIC 0xc0221801u

/* What a new connection may send at once: 10 packets of 1,500 bytes with timestamps. */
#define FIRST_FLIGHT (10 * 1448)

static struct endpoint_slot *slot_of(const struct origin_conn *conn)
{
	return endpoint_slot(conn->endpoint, conn->conns);
}

static const char *state_text(enum conn_state state)
{
	static const char *const texts[] = {
	    [CONN_FREE] = "free",
	    [CONN_IDLE] = "idle",
	    [CONN_PROMISED] = "promised",
	    [CONN_HELD] = "held",
	    [CONN_MAILED] = "mailed",
	    [CONN_SHARED] = "shared",
	    [CONN_SHARED_IDLE] = "shared, idle",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void count_idle_of_quota(const struct origin_conn *conn, int n)
{
	_Atomic unsigned *n_idle = &conn->quota->slots[conn->conns->index].n_idle;

	/* In one order with the count of those that wait: see sharing.c. */
	atomic_store(n_idle, atomic_load_explicit(n_idle, memory_order_relaxed) + n);
}

static bool is_idle(enum conn_state state)
{
	return state == CONN_IDLE || state == CONN_SHARED_IDLE;
}

static bool is_active(enum conn_state state)
{
	return state == CONN_HELD || state == CONN_SHARED;
}

static void set_state(struct origin_conn *conn, enum conn_state state)
{
	const struct conns *c = conn->conns;
	enum conn_state from = conn->state;

	conn->state = state;
	if (is_idle(from) != is_idle(state)) {
		conns_count(c, OLINK_IDLE, is_idle(state) ? 1 : -1);
		if (conn->quota)
			count_idle_of_quota(conn, is_idle(state) ? 1 : -1);
	}
	if (is_active(from) != is_active(state))
		conns_count(c, OLINK_ACTIVE, is_active(state) ? 1 : -1);
	if (from != state)
		log_debug("%s fd %d: %s, now %s on %s", net_addr_shown(&conn->endpoint->addr),
			  stream_fd(conn->stream), state_text(from), state_text(state),
			  loop_name(c->loop));
}

/* Our own callbacks: nobody uses it, so all that it can do is take tickets, or end */

static void ended(struct origin_conn *conn)
{
	conns_count(conn->conns, OLINK_CLOSED_IDLE, 1);
	if (conn->state == CONN_IDLE)
		warm_ended(slot_of(conn), conn->conns->loop,
			   mono_since(loop_now(conn->conns->loop), conn->expiry.freed),
			   conn->expiry.requests == 0);
	if (conn->state == CONN_PROMISED) {
		struct lease *l = conn->lease;

		lease_promise_broken(l,
				     origin_conn_close_keep_room(conn, "the origin has ended it"));
	} else {
		origin_conn_close(conn, "the origin has ended it");
	}
}

static void readable_cb(void *arg)
{
	struct origin_conn *conn = arg;
	struct stream_buffers *b = conn->conns->buffers;

	MAGIC_CHECK(conn, CONN_MAGIC);
	if (stream_read(conn->stream, b->plain, STREAM_READ_MAX) != STREAM_AGAIN)
		ended(conn);
}

static void failed_cb(void *arg)
{
	struct origin_conn *conn = arg;

	MAGIC_CHECK(conn, CONN_MAGIC);
	ended(conn);
}

static void drained_cb(void *arg)
{
}

static const struct stream_ops own_ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

/* Life */

struct origin_conn *origin_conn_create(struct conns *c, struct endpoint *e, struct quota *quota,
				       struct stream *stream)
{
	struct origin_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		stream_destroy(&stream);
		sharing_release(c, e, quota);
		return NULL;
	}
	conn->magic = CONN_MAGIC;
	conn->state = CONN_FREE;
	conn->endpoint = e;
	conn->conns = c;
	conn->stream = stream;
	conn->quota = quota;
	expiry_begin(&conn->expiry, loop_now(c->loop), arc4random());
	stream_hand_over(stream, &own_ops, conn);
	log_debug("%s fd %d: new on %s", net_addr_shown(&e->addr), stream_fd(stream),
		  loop_name(c->loop));
	return conn;
}

static void leave_side(struct origin_conn *conn)
{
	TAILQ_REMOVE(&conn->conns->idle, conn, side_link);
	conns_add(&conn->conns->n_idle, -1);
}

void origin_conn_set_leaving(struct origin_conn *conn, bool leaving)
{
	if (conn->leaving == leaving)
		return;
	conn->leaving = leaving;
	conns_add(&slot_of(conn)->n_leaving, leaving ? 1 : -1);
}

static void leave_idle(struct origin_conn *conn)
{
	struct endpoint_slot *slot = slot_of(conn);

	CHECK(conn->state == CONN_IDLE);
	TAILQ_REMOVE(&slot->idle[conn->width], conn, link);
	leave_side(conn);
	if (conn->width > 0)
		conns_add(&slot->n_wide, -1);
	origin_conn_set_leaving(conn, false);
	atomic_store_explicit(&slot->n_idle,
			      atomic_load_explicit(&slot->n_idle, memory_order_relaxed) - 1,
			      memory_order_relaxed);
	set_state(conn, CONN_FREE);
}

struct quota *origin_conn_close_keep_room(struct origin_conn *conn, const char *why)
{
	struct quota *quota = conn->quota;

	MAGIC_CHECK(conn, CONN_MAGIC);
	CHECK(conn->state != CONN_MAILED);
	log_debug("%s fd %d: closed: %s", net_addr_shown(&conn->endpoint->addr),
		  conn->stream ? stream_fd(conn->stream) : -1, why);
	if (conn->state == CONN_IDLE)
		leave_idle(conn);
	else if (conn->state == CONN_SHARED_IDLE)
		leave_side(conn);
	set_state(conn, CONN_FREE);
	if (conn->h2)
		shared_fini(conn);
	stream_destroy(&conn->stream);
	conn->magic = MAGIC_DEAD;
	free(conn);
	return quota;
}

void origin_conn_close(struct origin_conn *conn, const char *why)
{
	struct endpoint *e = conn->endpoint;
	struct conns *c = conn->conns;
	bool has_pin = conn->h2 != NULL;

	sharing_release(c, e, origin_conn_close_keep_room(conn, why));
	warm_check(e);
	if (has_pin)
		endpoint_unpin(&e, c->loop);
}

void origin_conn_drop(struct origin_conn *conn)
{
	MAGIC_CHECK(conn, CONN_MAGIC);
	CHECK(conn->state == CONN_MAILED);
	log_debug("%s fd %d: closed in the mail", net_addr_shown(&conn->endpoint->addr),
		  stream_fd(conn->stream));
	stream_parked_destroy(&conn->stream);
	endpoint_release(conn->endpoint);
	quota_release(conn->quota);
	conn->magic = MAGIC_DEAD;
	free(conn);
}

/* States */

static duration idle_timeout(const struct endpoint *e, const struct lease_terms *terms)
{
	int64_t most = atomic_load_explicit(&e->idle_most, memory_order_relaxed);

	/* It would not be as wide again at once. */
	if (e->transport->relay)
		return RELAY_IDLE;
	return DUR_NS(most > 0 ? MIN(most, terms->idle_timeout.ns) : terms->idle_timeout.ns);
}

void origin_conn_set_terms(struct origin_conn *conn, const struct lease_terms *terms)
{
	const struct expiry_rules rules = {
	    .idle_timeout = idle_timeout(conn->endpoint, terms),
	    .max_age = terms->max_age,
	    .max_requests = terms->max_requests,
	};

	conn->max_idle = terms->max_idle;
	expiry_free(&conn->expiry, &rules, loop_now(conn->conns->loop));
}

void origin_conn_shared(struct origin_conn *conn, const struct lease_terms *terms)
{
	CHECK(conn->state == CONN_FREE && conn->h2);
	origin_conn_set_terms(conn, terms);
	set_state(conn, CONN_SHARED);
}

void origin_conn_shared_idle(struct origin_conn *conn)
{
	CHECK(conn->n_users == 0);
	if (conn->state == CONN_SHARED_IDLE)
		return;
	set_state(conn, CONN_SHARED_IDLE);
	TAILQ_INSERT_HEAD(&conn->conns->idle, conn, side_link);
	conns_add(&conn->conns->n_idle, 1);
}

void origin_conn_shared_busy(struct origin_conn *conn)
{
	CHECK(conn->state == CONN_SHARED_IDLE);
	leave_side(conn);
	set_state(conn, CONN_SHARED);
}

/* By the response that its user has had. */
static void note_width(struct origin_conn *conn)
{
	unsigned width = 0;
	uint64_t received;

	if (!atomic_load_explicit(&conn->endpoint->is_far, memory_order_relaxed))
		return;
	received = stream_received(conn->stream) - conn->received_before;
	for (uint64_t n = FIRST_FLIGHT; n < received && width < CONN_WIDTHS - 1; width++)
		n = 2 * n + FIRST_FLIGHT;
	conn->width = MAX(conn->width, width);
}

void origin_conn_freed(struct origin_conn *conn, const struct lease_terms *terms)
{
	MAGIC_CHECK(conn, CONN_MAGIC);
	CHECK(conn->state <= CONN_HELD && conn->state != CONN_IDLE);
	if (terms)
		origin_conn_set_terms(conn, terms);
	if (conn->state == CONN_HELD) {
		note_width(conn);
		stream_hand_over(conn->stream, &own_ops, conn);
		stream_resume(conn->stream); /* its user may have held it back */
	}
	conn->lease = NULL;
	set_state(conn, CONN_FREE);
}

void origin_conn_idle(struct origin_conn *conn)
{
	struct endpoint_slot *slot = slot_of(conn);

	CHECK(conn->state == CONN_FREE);
	if (!slot->listed)
		conns_list_slot(conn->conns, slot);
	set_state(conn, CONN_IDLE);
	TAILQ_INSERT_HEAD(&slot->idle[conn->width], conn, link);
	TAILQ_INSERT_HEAD(&conn->conns->idle, conn, side_link);
	conns_add(&conn->conns->n_idle, 1);
	if (conn->width > 0)
		conns_add(&slot->n_wide, 1);
	slot->lost_until = (mono_time){0};
	/* In one order with the count of those that wait: see sharing.c. */
	atomic_store(&slot->n_idle, atomic_load_explicit(&slot->n_idle, memory_order_relaxed) + 1);
}

/* One of those that are to be there all the time (warm.h) is used before it expires, so that no
 * other has to be made in its place. Those that are too many expire, and count no more. */
static bool is_kept_by_use(const struct origin_conn *conn)
{
	const struct endpoint *e = conn->endpoint;
	unsigned target = atomic_load_explicit(&e->target, memory_order_relaxed);
	unsigned open = atomic_load_explicit(&e->open, memory_order_relaxed);

	return target > 0 && expiry_can_be_put_off(&conn->expiry, loop_now(conn->conns->loop)) &&
	       open < target + endpoint_leaving(e) + !conn->leaving;
}

static struct origin_conn_list *widest_idle(struct endpoint_slot *slot)
{
	bool any = atomic_load_explicit(&slot->n_wide, memory_order_relaxed) > 0;
	unsigned width = any ? CONN_WIDTHS - 1 : 0;

	while (width > 0 && TAILQ_EMPTY(&slot->idle[width]))
		width--;
	return &slot->idle[width];
}

struct origin_conn *origin_conn_narrower(const struct origin_conn *conn)
{
	struct endpoint_slot *slot = slot_of(conn);

	for (unsigned width = 0; width < conn->width; width++) {
		if (!TAILQ_EMPTY(&slot->idle[width]))
			return TAILQ_LAST(&slot->idle[width], origin_conn_list);
	}
	return NULL;
}

struct origin_conn *origin_conn_take_idle(struct conns *c, struct endpoint *e)
{
	struct endpoint_slot *slot = endpoint_slot(e, c);
	struct origin_conn *conn;

	/* One that is narrower is not kept: the request would have to wait for its window. */
	conn = TAILQ_LAST(widest_idle(slot), origin_conn_list);
	if (conn && is_kept_by_use(conn)) {
		leave_idle(conn);
		return conn;
	}
	while ((conn = TAILQ_FIRST(widest_idle(slot)))) {
		if (expiry_cause(&conn->expiry, loop_now(c->loop)) == EXPIRY_NONE) {
			leave_idle(conn);
			return conn;
		}
		origin_conn_close_expired(conn);
	}
	return NULL;
}

void origin_conn_promise(struct origin_conn *conn, struct lease *l)
{
	CHECK(conn->state == CONN_FREE);
	conn->lease = l;
	set_state(conn, CONN_PROMISED);
}

void origin_conn_hold(struct origin_conn *conn, const struct stream_ops *ops, void *arg)
{
	CHECK(conn->state == CONN_FREE || conn->state == CONN_PROMISED);
	if (conn->moved)
		conns_count(conn->conns, OLINK_LEASES_MOVED, 1);
	expiry_use(&conn->expiry);
	conn->moved = false;
	conn->lease = NULL;
	set_state(conn, CONN_HELD);
	conn->received_before = stream_received(conn->stream);
	stream_hand_over(conn->stream, ops, arg);
}

void origin_conn_park(struct origin_conn *conn)
{
	CHECK(conn->state == CONN_FREE);
	set_state(conn, CONN_MAILED);
	conn->conns = NULL;
	conn->moved = true;
	stream_park(conn->stream);
}

void origin_conn_unpark(struct origin_conn *conn, struct conns *c)
{
	MAGIC_CHECK(conn, CONN_MAGIC);
	CHECK(conn->state == CONN_MAILED);
	conn->conns = c;
	set_state(conn, CONN_FREE);
	stream_unpark(conn->stream, c->buffers, &own_ops, conn);
}

/* Looking */

enum look { LOOK_NOTHING, LOOK_BYTES, LOOK_END };

static enum look look(const struct origin_conn *conn)
{
	char byte;
	ssize_t n = recv(stream_fd(conn->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return LOOK_BYTES;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? LOOK_NOTHING : LOOK_END;
}

bool origin_conn_is_quiet(const struct origin_conn *conn)
{
	return look(conn) == LOOK_NOTHING;
}

bool origin_conn_is_alive(struct origin_conn *conn)
{
	enum look found = look(conn);

	if (found != LOOK_END && stream_tls_session(conn->stream)) {
		char byte;

		/* Tickets are taken by a read, and leave nothing. What was received with the answer
		 * before and nobody has read is not in the socket any more. Not into the loop's
		 * buffer: the request that looks for a connection may be in there. */
		if (stream_read(conn->stream, &byte, 1) != STREAM_AGAIN)
			return false;
		found = look(conn);
	}
	return found == LOOK_NOTHING;
}

void origin_conn_close_expired(struct origin_conn *conn)
{
	bool worn = expiry_cause(&conn->expiry, loop_now(conn->conns->loop)) == EXPIRY_WORN;

	conns_count(conn->conns, worn ? OLINK_WORN : OLINK_EXPIRED, 1);
	origin_conn_close(conn, worn ? "it was used for long enough" : "it has expired");
}

static void close_expired(struct conns *c, struct origin_conn_list *idle)
{
	struct origin_conn *conn, *next;

	/* All of them: origins with different idle timeouts may share an endpoint, so the order is
	 * not that of expiry. */
	for (conn = TAILQ_FIRST(idle); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (expiry_cause(&conn->expiry, loop_now(c->loop)) != EXPIRY_NONE) {
			origin_conn_close_expired(conn);
		} else if (expiry_is_near(&conn->expiry, loop_now(c->loop))) {
			origin_conn_set_leaving(conn, true);
		}
	}
}

void origin_conn_close_expired_idle(struct conns *c, struct endpoint_slot *slot)
{
	for (unsigned width = 0; width < CONN_WIDTHS; width++)
		close_expired(c, &slot->idle[width]);
}

void origin_conn_close_idle(struct conns *c, struct endpoint_slot *slot, enum olink_counter counter,
			    const char *why)
{
	struct origin_conn *conn;

	while ((conn = TAILQ_FIRST(widest_idle(slot)))) {
		conns_count(c, counter, 1);
		origin_conn_close(conn, why);
	}
}

bool origin_conn_close_oldest_idle(struct conns *c)
{
	struct origin_conn *oldest = TAILQ_LAST(&c->idle, origin_conn_list);

	if (!oldest)
		return false;
	conns_count(c, OLINK_DISCARDED_DESCRIPTORS, 1);
	origin_conn_close(oldest, "its descriptor is needed");
	return true;
}

bool origin_conn_give_way(struct conns *c, const struct quota *q)
{
	struct origin_conn *conn;

	if (atomic_load_explicit(&q->slots[c->index].n_idle, memory_order_relaxed) == 0)
		return false;
	TAILQ_FOREACH_REVERSE(conn, &c->idle, origin_conn_list, side_link)
	{
		if (conn->quota != q)
			continue;
		conns_count(c, OLINK_GAVE_WAY, 1);
		origin_conn_close(conn, "another server of its origin needs its place");
		return true;
	}
	return false;
}

/* Attempts */

void origin_conn_opened(struct conns *c, struct endpoint *e, const struct stream *stream)
{
	gnutls_session_t session = stream_tls_session(stream);
	bool is_far = sock_rtt(stream_fd(stream)).ns >= CONN_FAR.ns;

	if (atomic_load_explicit(&e->is_far, memory_order_relaxed) != is_far)
		atomic_store_explicit(&e->is_far, is_far, memory_order_relaxed);
	log_debug("%s fd %d: connected%s%s%s", net_addr_shown(&e->addr), stream_fd(stream),
		  session ? " with " : "",
		  session ? gnutls_protocol_get_name(gnutls_protocol_get_version(session)) : "",
		  session && gnutls_session_is_resumed(session) ? ", resumed" : "");
	outcome_count_opened(endpoint_counts(endpoint_slot(e, c)));
	if (session) {
		conns_count(c, OLINK_HANDSHAKES, 1);
		if (gnutls_session_is_resumed(session))
			conns_count(c, OLINK_HANDSHAKES_RESUMED, 1);
	}
	if (atomic_load_explicit(&e->suspect_until, memory_order_relaxed) != 0) {
		atomic_store_explicit(&e->suspect_until, 0, memory_order_relaxed);
		atomic_store_explicit(&e->suspected, 0, memory_order_relaxed);
	}
}

void origin_conn_failed(struct conns *c, struct endpoint *e, enum reason reason)
{
	log_debug("%s: not connected: %s", net_addr_shown(&e->addr), reason_text(reason));
	if (reason == REASON_ORIGIN_CERTIFICATE)
		conns_count(c, OLINK_CERTIFICATE_FAILURES, 1);
	else if (reason == REASON_ORIGIN_HANDSHAKE_FAILED)
		conns_count(c, OLINK_HANDSHAKE_FAILURES, 1);
	/* Our own shortage says nothing about the server. */
	if (!reason_is_own_shortage(reason))
		atomic_store_explicit(&e->last_failure, reason, memory_order_relaxed);
}
