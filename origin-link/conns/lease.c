/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leases: the order in which a connection is looked for, and the waiting. Runs on the loop of the
 * lease, which owns its timer and its attempt to connect, and holds a pin on the endpoint from
 * lease_take() to its end or failure. The counters of those that wait move here, and only here;
 * the gauges of connections move in origin_conn.c.
 */
#define LOG_MODULE LOG_POOL
#include "origin-link/conns/lease.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/transport.h"

/* How many loops are asked, one after the other, before a new connection is made: between question
 * and answer somebody else may have taken what there was. */
#define ASKED_MAX 2
/* An answer takes a turn of each loop, well under a millisecond. A loop that is held up for so long
 * is not waited for: a new connection takes no longer. */
#define ASK_PATIENCE DUR_MS(100)
/* The same of who has one already: no longer than a round trip of the shortest path that counts. */
#define WIDER_PATIENCE CONN_FAR

static struct endpoint_slot *slot_of(const struct lease *l)
{
	return endpoint_slot(l->endpoint, l->conns);
}

static const char *state_text(enum lease_state state)
{
	static const char *const texts[] = {
	    [LEASE_NONE] = "none",         [LEASE_ASKS] = "asks",         [LEASE_QUEUED] = "queued",
	    [LEASE_CONNECTS] = "connects", [LEASE_PROMISED] = "promised", [LEASE_HELD] = "held",
	    [LEASE_JOINS] = "joins",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void set_state(struct lease *l, enum lease_state state)
{
	enum lease_state from = l->state;

	l->state = state;
	log_debug("%s lease %llu: %s, now %s, of %s", loop_name(l->conns->loop),
		  (unsigned long long)l->number, state_text(from), state_text(state),
		  net_addr_shown(&l->endpoint->addr));
}

/* Its part of the endpoint, from when it is taken until it has ended. */

/* The most at a time in a period are remembered: see warm.c. */
static void enter(struct lease *l)
{
	struct endpoint_slot *slot = slot_of(l);
	unsigned period = atomic_load_explicit(&l->conns->node->use_period, memory_order_relaxed);
	unsigned n;

	endpoint_pin(l->endpoint, l->conns->loop);
	load_add_in_flight(&slot->load, 1);
	n = atomic_load_explicit(&slot->load.in_flight, memory_order_relaxed);
	l->is_most = atomic_load_explicit(&slot->use_period, memory_order_relaxed) != period ||
		     n > atomic_load_explicit(&slot->most_in_use, memory_order_relaxed);
	if (!l->is_most)
		return;
	atomic_store_explicit(&slot->most_in_use, n, memory_order_relaxed);
	atomic_store_explicit(&slot->use_period, period, memory_order_relaxed);
}

static void leave(struct lease *l)
{
	load_add_in_flight(&slot_of(l)->load, -1);
	endpoint_unpin(&l->endpoint, l->conns->loop);
}

/* Waiting */

static void timer_cb(evutil_socket_t fd, short what, void *arg);

static void wait_here(struct lease *l, enum lease_state state, duration at_most)
{
	struct timeval tv = dur_to_timeval(at_most);
	struct loop *loop = l->conns->loop;

	set_state(l, state);
	l->waits_since = loop_now(loop);
	TAILQ_INSERT_TAIL(&slot_of(l)->waiters, l, link);
	CHECK(evtimer_assign(&l->timer, loop_base(loop), timer_cb, l) == 0);
	CHECK(event_add(&l->timer, &tv) == 0);
}

static void add_lacking(struct lease *l, int n)
{
	struct quota *q = l->terms.quota;
	_Atomic unsigned *n_waiting = &q->slots[l->conns->index].n_waiting;

	atomic_store(n_waiting, atomic_load_explicit(n_waiting, memory_order_relaxed) + n);
	atomic_fetch_add(&q->waiting, n);
	l->lacks = n > 0;
	if (l->lacks)
		TAILQ_INSERT_TAIL(&l->conns->lacking, l, lacking_link);
	else
		TAILQ_REMOVE(&l->conns->lacking, l, lacking_link);
}

static void add_waiting(struct lease *l, int n)
{
	_Atomic unsigned *n_waiting = &slot_of(l)->n_waiting;

	conns_count(l->conns, OLINK_WAITING, n);
	atomic_store(n_waiting, atomic_load_explicit(n_waiting, memory_order_relaxed) + n);
	if (n < 0)
		atomic_fetch_sub(&l->endpoint->waiting, 1);
}

/* The only way out of ASKS, JOINS and QUEUED. */
static void stop_waiting(struct lease *l)
{
	CHECK(lease_is_waiting(l));
	TAILQ_REMOVE(&slot_of(l)->waiters, l, link);
	event_del(&l->timer);
	sharing_forget_question(l);
	if (l->lacks)
		add_lacking(l, -1);
	if (l->state == LEASE_QUEUED)
		add_waiting(l, -1);
	if (l->state == LEASE_JOINS)
		slot_of(l)->joining--;
	l->times.queue = DUR_NS(MAX(l->times.queue.ns, 0) +
				mono_since(loop_now(l->conns->loop), l->waits_since).ns);
	set_state(l, LEASE_NONE);
}

/* A place in the queue, if there is one. */
static bool reserve_place(struct endpoint *e, unsigned max)
{
	unsigned waiting = atomic_load(&e->waiting);

	while (waiting < max) {
		if (atomic_compare_exchange_weak(&e->waiting, &waiting, waiting + 1))
			return true;
	}
	return false;
}

/* Ends */

static void fail(struct lease *l, enum reason reason, const char *detail)
{
	CHECK(l->state == LEASE_NONE);
	log_debug("%s lease %llu: fails: %s%s%s", loop_name(l->conns->loop),
		  (unsigned long long)l->number, reason_text(reason), detail ? ": " : "",
		  detail ? detail : "");
	leave(l);
	l->done(l, reason, detail);
}

static void hold(struct lease *l, struct origin_conn *conn, bool reused)
{
	conns_count(l->conns, reused ? OLINK_LEASES_REUSED : OLINK_LEASES_FRESH, 1);
	outcome_count_held(endpoint_counts(slot_of(l)), reused);
	set_state(l, LEASE_HELD);
	log_debug("%s lease %llu: has fd %d, %s%s", loop_name(l->conns->loop),
		  (unsigned long long)l->number, stream_fd(conn->stream), reused ? "reused" : "new",
		  conn->moved ? ", from another worker" : "");
	l->conn = conn;
	l->reused = reused;
	l->connect_time = reused ? DUR_NS(0) : mono_since(loop_now(l->conns->loop), l->dialled);
	if (!conn->h2)
		origin_conn_hold(conn, l->ops, l->arg);
}

/* Connecting */

static void dial(struct lease *l)
{
	duration time = DUR_NS(MIN(l->time.ns, l->terms.connect_timeout.ns));

	l->dialled = loop_now(l->conns->loop);
	l->connector.h1_only = l->protocol != LEASE_ANY;
	l->connector.tls_timeout = l->terms.tls_timeout;
	connector_start(&l->connector, &l->endpoint->addr, l->endpoint->transport,
			l->has_client ? &l->client : NULL, time);
}

/* No descriptor was left, though there may be an idle connection that has one: it makes room for
 * another attempt. Not for a third: where that did not help, others would be closed in vain. */
static bool dials_again(struct lease *l, enum reason reason)
{
	if (reason != REASON_EDGE_NO_DESCRIPTORS || l->made_room ||
	    !origin_conn_close_oldest_idle(l->conns))
		return false;
	l->made_room = true;
	dial(l);
	return true;
}

/* Ready to be held; NULL when memory is gone. */
static struct origin_conn *new_conn(struct lease *l, struct stream *stream)
{
	struct endpoint *e = l->endpoint;
	bool is_h2 = shared_is_h2(e, stream, l->connector.h1_only);
	struct origin_conn *conn = origin_conn_create(l->conns, e, l->place, stream);

	if (!conn || !is_h2)
		return conn;
	if (!shared_begin(conn, &l->terms))
		return NULL;
	shared_enter(conn);
	return conn;
}

static void connected_cb(struct connector *connector, struct stream *stream, enum reason reason,
			 const char *detail)
{
	struct lease *l = CONTAINER_OF(connector, struct lease, connector);
	struct conns *c = l->conns;
	struct endpoint *e = l->endpoint;
	struct origin_conn *conn = NULL;
	bool opens = l->opens;

	CHECK(l->state == LEASE_CONNECTS);
	if (!stream && dials_again(l, reason))
		return;
	atomic_fetch_sub(&l->endpoint->dialling, 1);
	l->times.connect = connector_times(connector).connect;
	l->times.tls = connector_times(connector).tls;
	if (stream) {
		origin_conn_opened(c, l->endpoint, stream);
		conn = new_conn(l, stream);
		reason = conn ? REASON_NONE : REASON_LIMIT;
	} else {
		sharing_release(c, l->endpoint, l->place);
	}
	if (conn) {
		hold(l, conn, false);
		l->done(l, REASON_NONE, NULL);
	} else {
		conns_count(c, OLINK_CONNECT_FAILURES, 1);
		if (reason_is_own_shortage(reason))
			conns_count(c, OLINK_SHORTAGES, 1);
		origin_conn_failed(c, e, reason);
		set_state(l, LEASE_NONE);
		fail(l, reason, detail);
	}
	/* What was told may have ended any other lease, and this one. */
	if (opens)
		lease_opening_ended(c, e, reason, detail);
}

/* Whether what it connects to may be of HTTP/2, as far as is known. */
static bool may_share(const struct lease *l)
{
	return l->protocol == LEASE_ANY && endpoint_may_speak_h2(l->endpoint);
}

/* Room for it is reserved, with a place of that quota. */
static void connect_now(struct lease *l, struct quota *place)
{
	CHECK(l->state == LEASE_NONE);
	set_state(l, LEASE_CONNECTS);
	atomic_fetch_add(&l->endpoint->dialling, 1);
	l->place = place;
	l->made_room = false;
	l->opens = may_share(l);
	slot_of(l)->opening += l->opens;
	conns_count(l->conns, OLINK_CONNECTS, 1);
	connector_init(&l->connector, l->conns->buffers, connected_cb);
	dial(l);
}

/* The order of looking */

/* QUEUED: connects, if there is room. If what it lacks is a place of its quota, those who free one
 * see it wait from now on, and one that is idle elsewhere is asked for. */
static enum room connect_from_queue(struct lease *l)
{
	enum room room = endpoint_reserve(l->conns, l->endpoint, &l->terms);

	if (room == ROOM_NONE_IN_ALL && !l->lacks) {
		add_lacking(l, 1);
		/* What became free before; by mail, for it may be of the queue that we walk. */
		sharing_ask_to_give_way(l);
		room = endpoint_reserve(l->conns, l->endpoint, &l->terms);
	}
	if (room == ROOM_NONE_HERE && l->lacks)
		add_lacking(l, -1);
	if (room == ROOM_TAKEN) {
		stop_waiting(l);
		connect_now(l, l->terms.quota);
	}
	return room;
}

/* The first that is QUEUED, from `l` on. */
static struct lease *queued_from(struct lease *l)
{
	while (l && l->state != LEASE_QUEUED)
		l = TAILQ_NEXT(l, link);
	return l;
}

bool lease_serve_queue(struct endpoint_slot *slot)
{
	unsigned too_few = 0; /* with such a limit there is no room */
	struct lease *l, *next;
	bool any = false;

	/* While it is a place of the quota that is lacking, all have to be known to lack it: the
	 * first one may give up. And who comes behind may be of another origin, with a higher limit
	 * for the same server. */
	for (l = queued_from(TAILQ_FIRST(&slot->waiters)); l; l = next) {
		unsigned max = l->terms.max_connections;
		enum room room;

		next = queued_from(TAILQ_NEXT(l, link));
		if (max <= too_few)
			continue;
		room = connect_from_queue(l);
		any |= room == ROOM_TAKEN;
		if (room == ROOM_NONE_HERE)
			too_few = max;
	}
	return any;
}

bool lease_serve_lacking(struct conns *c, const struct quota *q)
{
	struct lease *l, *next;
	bool any = false;

	for (l = TAILQ_FIRST(&c->lacking); l; l = next) {
		next = TAILQ_NEXT(l, lacking_link);
		if (l->terms.quota != q)
			continue;
		switch (connect_from_queue(l)) {
		case ROOM_TAKEN:
			any = true;
			break;
		case ROOM_NONE_IN_ALL:
			return true; /* the place is taken already */
		case ROOM_NONE_HERE:
			break;
		}
	}
	return any;
}

/* What became free before it was seen to wait. */
static void look_while_queued(struct lease *l)
{
	struct endpoint_slot *slot = slot_of(l);

	lease_serve_queue(slot);
	/* What it cannot use itself of its own loop's. */
	if (l->state == LEASE_QUEUED && !l->lacks)
		shared_give_way(slot);
	if (l->state == LEASE_QUEUED)
		sharing_ask(l);
	if (l->state == LEASE_QUEUED && !l->lacks)
		sharing_ask_for_place(l->conns, slot);
}

/* Into the queue. Who counts as waiting is seen by whoever frees something from now on; what was
 * freed before is looked for now. */
static enum lease_result queue_up(struct lease *l, enum reason *reason)
{
	if (!reserve_place(l->endpoint, l->terms.max_waiting)) {
		log_debug("%s lease %llu: refused: the queue for %s is full",
			  loop_name(l->conns->loop), (unsigned long long)l->number,
			  net_addr_shown(&l->endpoint->addr));
		conns_count(l->conns, OLINK_QUEUE_FULL, 1);
		*reason = REASON_ORIGIN_QUEUE_FULL;
		return LEASE_REFUSED;
	}
	wait_here(l, LEASE_QUEUED, l->terms.queue_timeout);
	add_waiting(l, 1);
	look_while_queued(l);
	return LEASE_WAITS;
}

/* Whether what is being made is likely to have room for it too. */
static bool joins(const struct lease *l)
{
	const struct endpoint_slot *slot = slot_of(l);

	return may_share(l) &&
	       slot->joining + slot->opening < slot->opening * shared_room_expected(l->endpoint);
}

/* Nothing that it may use of its own loop's is idle. */
static enum lease_result look_further(struct lease *l, enum reason *reason)
{
	struct origin_conn *conn;
	enum room room;

	if (joins(l)) {
		slot_of(l)->joining++;
		wait_here(l, LEASE_JOINS, DUR_NS(MIN(l->time.ns, l->terms.connect_timeout.ns)));
		return LEASE_WAITS;
	}
	if (!l->fresh && l->n_asked < ASKED_MAX && sharing_ask(l)) {
		l->n_asked++;
		wait_here(l, LEASE_ASKS, ASK_PATIENCE);
		return LEASE_WAITS;
	}
	room = endpoint_reserve(l->conns, l->endpoint, &l->terms);
	if (room == ROOM_NONE_IN_ALL && origin_conn_give_way(l->conns, l->terms.quota))
		room = endpoint_reserve(l->conns, l->endpoint, &l->terms);
	if (room == ROOM_TAKEN) {
		connect_now(l, l->terms.quota);
		return LEASE_WAITS;
	}
	if (l->fresh && (conn = origin_conn_take_idle(l->conns, l->endpoint))) {
		connect_now(l, origin_conn_close_keep_room(conn, "a new one takes its place"));
		return LEASE_WAITS;
	}
	return queue_up(l, reason);
}

static bool take_own(struct lease *l)
{
	struct origin_conn *conn;

	while (!l->fresh && (conn = origin_conn_take_idle(l->conns, l->endpoint))) {
		if (!l->careful || origin_conn_is_alive(conn)) {
			hold(l, conn, true);
			return true;
		}
		conns_count(l->conns, OLINK_DISCARDED_DEAD, 1);
		origin_conn_close(conn, "it is dead, or has something unread");
	}
	return false;
}

static void go_on(struct lease *l)
{
	enum reason reason;

	/* It may have asked for a wider one than it has. */
	if (take_own(l))
		l->done(l, REASON_NONE, NULL);
	else if (look_further(l, &reason) == LEASE_REFUSED)
		fail(l, reason, NULL);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lease *l = arg;
	enum lease_state state = l->state;

	stop_waiting(l);
	if (state == LEASE_QUEUED) {
		conns_count(l->conns, OLINK_QUEUE_TIMEOUTS, 1);
		fail(l, REASON_ORIGIN_QUEUE_TIMEOUT, NULL);
	} else if (state == LEASE_JOINS) {
		fail(l, REASON_ORIGIN_CONNECT_TIMEOUT, "a connection that is being made for all");
	} else {
		l->n_asked = ASKED_MAX;
		go_on(l);
	}
}

/* A narrow one would cost it a round trip of a long path, or several. One lease at a time: the
 * others would get none. Not one that is careful: what comes may be dead, and what it has would not
 * have been. */
static bool asks_for_wider(struct lease *l)
{
	if (l->fresh || l->careful || !TAILQ_EMPTY(&slot_of(l)->waiters) ||
	    !sharing_ask_for_wider(l))
		return false;
	wait_here(l, LEASE_ASKS, WIDER_PATIENCE);
	return true;
}

/* What others bring */

static void told(struct loop_task *task)
{
	struct lease *l = CONTAINER_OF(task, struct lease, told);
	struct origin_conn *conn = l->conn;

	CHECK(l->state == LEASE_PROMISED);
	if (!conn->h2 && l->careful && !origin_conn_is_alive(conn)) {
		conns_count(l->conns, OLINK_DISCARDED_DEAD, 1);
		lease_promise_broken(
		    l, origin_conn_close_keep_room(conn, "it is dead, or has something unread"));
		return;
	}
	hold(l, conn, true);
	l->done(l, REASON_NONE, NULL);
}

void lease_promise(struct lease *l, struct origin_conn *conn)
{
	stop_waiting(l);
	if (l->fresh) {
		/* What it needs is the room. */
		connect_now(l, origin_conn_close_keep_room(conn, "a new one takes its place"));
		return;
	}
	set_state(l, LEASE_PROMISED);
	l->conn = conn;
	origin_conn_promise(conn, l);
	loop_defer(l->conns->loop, &l->told);
}

static void promise_shared(struct lease *l, struct origin_conn *conn)
{
	stop_waiting(l);
	set_state(l, LEASE_PROMISED);
	l->conn = conn;
	loop_defer(l->conns->loop, &l->told);
}

void lease_serve_shared(struct endpoint_slot *slot)
{
	struct lease *l, *next;

	for (l = TAILQ_FIRST(&slot->waiters); l; l = next) {
		struct origin_conn *conn = shared_take(l);

		next = TAILQ_NEXT(l, link);
		if (conn)
			promise_shared(l, conn);
	}
}

static struct lease *first_joining(const struct endpoint_slot *slot)
{
	struct lease *l = TAILQ_FIRST(&slot->waiters);

	while (l && l->state != LEASE_JOINS)
		l = TAILQ_NEXT(l, link);
	return l;
}

void lease_opening_ended(struct conns *c, struct endpoint *e, enum reason reason,
			 const char *detail)
{
	struct endpoint_slot *slot = endpoint_slot(e, c);
	struct lease *l;

	CHECK(slot->opening > 0);
	slot->opening--;
	lease_serve_shared(slot);
	sharing_ask_for_place(c, slot);
	if (reason != REASON_NONE && slot->opening > 0)
		return;
	/* Those that begin to look again may join another that is being made. */
	for (unsigned n = slot->joining; n > 0 && (l = first_joining(slot)); n--) {
		stop_waiting(l);
		if (reason == REASON_NONE)
			go_on(l);
		else
			fail(l, reason, detail);
	}
}

void lease_promise_broken(struct lease *l, struct quota *place)
{
	CHECK(l->state == LEASE_PROMISED);
	loop_task_cancel(l->conns->loop, &l->told);
	l->conn = NULL;
	set_state(l, LEASE_NONE);
	connect_now(l, place);
}

void lease_answered(struct lease *l, struct origin_conn *conn)
{
	if (conn) {
		lease_promise(l, conn);
	} else if (l->state == LEASE_ASKS) {
		stop_waiting(l);
		go_on(l);
	} else {
		/* Who had one idle has used it since, and will see us when it is free again; a
		 * third loop may have one. */
		look_while_queued(l);
	}
}

/* The user's side */

void lease_init(struct lease *l, struct conns *conns, const struct stream_ops *ops, void *arg,
		void (*done)(struct lease *l, enum reason reason, const char *detail))
{
	l->conns = conns;
	l->ops = ops;
	l->arg = arg;
	l->done = done;
	l->state = LEASE_NONE;
	l->lacks = false;
	l->question = NULL;
	l->conn = NULL;
	l->told = (struct loop_task){.run = told};
}

enum lease_result lease_take(struct lease *l, const struct lease_order *order, enum reason *reason)
{
	struct origin_conn *conn;
	enum lease_result result;

	LOOP_ASSERT_OWNER(l->conns->loop);
	CHECK(l->state == LEASE_NONE);
	l->endpoint = order->endpoint;
	l->terms = order->terms;
	l->has_client = order->client != NULL;
	if (order->client)
		l->client = *order->client;
	l->fresh = order->fresh || l->endpoint->transport->proxy != CFG_PROXY_PROTOCOL_NONE;
	l->careful = order->careful;
	l->newer_than = order->newer_than;
	l->protocol = shared_protocol(l->endpoint, order->protocol);
	l->time = order->time;
	l->n_asked = 0;
	l->times = (struct lease_times){DUR_NS(-1), DUR_NS(-1), DUR_NS(-1)};
	l->number = ++l->conns->n_leases;
	enter(l);
	if ((conn = shared_take(l))) {
		hold(l, conn, true);
		return LEASE_READY;
	}
	if (asks_for_wider(l)) {
		warm_check(l->endpoint);
		return LEASE_WAITS;
	}
	if (take_own(l)) {
		if (l->is_most)
			warm_check(l->endpoint);
		return LEASE_READY;
	}
	warm_check(l->endpoint);
	/* Those that came before it come first. */
	if (atomic_load_explicit(&slot_of(l)->n_waiting, memory_order_relaxed) > 0)
		result = queue_up(l, reason);
	else
		result = look_further(l, reason);
	if (result == LEASE_REFUSED)
		leave(l);
	return result;
}

struct origin_h2 *lease_h2(const struct lease *l)
{
	CHECK(l->state == LEASE_HELD);
	return l->conn->h2;
}

struct stream *lease_stream(const struct lease *l)
{
	CHECK(l->state == LEASE_HELD && !l->conn->h2);
	return l->conn->stream;
}

bool lease_is_reused(const struct lease *l)
{
	return l->state == LEASE_HELD && l->reused;
}

struct endpoint *lease_endpoint(const struct lease *l)
{
	return l->state == LEASE_NONE ? NULL : l->endpoint;
}

bool lease_is_waiting(const struct lease *l)
{
	return l->state == LEASE_ASKS || l->state == LEASE_JOINS || l->state == LEASE_QUEUED;
}

bool lease_is_dialling(const struct lease *l)
{
	return l->state == LEASE_CONNECTS && connector_is_dialling(&l->connector);
}

bool lease_is_connecting(const struct lease *l)
{
	return l->state == LEASE_CONNECTS;
}

duration lease_connect_time(const struct lease *l)
{
	return l->state == LEASE_HELD ? l->connect_time : DUR_NS(0);
}

struct lease_times lease_times(const struct lease *l)
{
	return l->times;
}

static void end_held(struct lease *l, bool keep)
{
	struct origin_conn *conn = l->conn;

	if (conn->h2) {
		shared_give(conn, &l->terms);
	} else if (keep && l->endpoint->transport->proxy == CFG_PROXY_PROTOCOL_NONE) {
		origin_conn_freed(conn, &l->terms);
		sharing_conn_free(conn);
	} else {
		origin_conn_close(conn, keep ? "it is one client's" : "its user has done with it");
	}
}

static void end_promised(struct origin_conn *conn, const struct lease_terms *terms)
{
	if (conn->h2) {
		shared_give(conn, terms);
		return;
	}
	origin_conn_freed(conn, NULL);
	sharing_conn_free(conn);
}

/* Who has joined it makes a connection in its place. */
static void hand_over_opening(struct lease *l)
{
	struct endpoint_slot *slot = slot_of(l);
	struct lease *heir = l->opens ? first_joining(slot) : NULL;

	slot->opening -= l->opens;
	if (heir && slot->opening == 0) {
		stop_waiting(heir);
		connect_now(heir, l->place);
	} else {
		sharing_release(l->conns, l->endpoint, l->place);
		sharing_ask_for_place(l->conns, slot);
	}
}

void lease_end(struct lease *l, bool keep)
{
	enum lease_state state = l->state;

	if (state == LEASE_NONE)
		return;
	LOOP_ASSERT_OWNER(l->conns->loop);
	switch (state) {
	case LEASE_NONE:
		break;
	case LEASE_ASKS:
	case LEASE_JOINS:
	case LEASE_QUEUED:
		stop_waiting(l);
		break;
	case LEASE_CONNECTS:
		connector_cancel(&l->connector);
		atomic_fetch_sub(&l->endpoint->dialling, 1);
		hand_over_opening(l);
		break;
	case LEASE_PROMISED:
		loop_task_cancel(l->conns->loop, &l->told);
		end_promised(l->conn, &l->terms);
		break;
	case LEASE_HELD:
		end_held(l, keep);
		break;
	}
	set_state(l, LEASE_NONE);
	l->conn = NULL;
	leave(l);
}
