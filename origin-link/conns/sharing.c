/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How loops share the connections of an endpoint: a loop that has none idle asks one that has, over
 * a long path also one that has a wide one when its own are narrow, and what becomes free goes to
 * those that wait. Runs on each loop for its own side; the loops talk by
 * mail, and know of each other what their slots' counts say.
 *
 * Nobody is forgotten: who begins to wait counts itself first and looks for what is free then; who
 * frees a connection or its room counts that first and looks for those that wait then; and these
 * counts are in one order for all (seq_cst). So one of the two sees the other.
 *
 * A session of HTTP/2 stays with its loop: what others can have of it is its place. Who begins to
 * wait asks all loops for that of one that nobody uses, and those that are used end in turns
 * (h2/shared.c).
 *
 * Who waits for a place of its origin's quota, because all are taken by connections to other
 * servers of the origin, is served by closing one of those that is idle, or becomes so.
 */
#define LOG_MODULE LOG_POOL
#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/conns_internal.h"

/* A loop's own waiters come first, as they cost no mail; but when others wait too, those get one
 * after so many, or a loop that is busy enough would keep the few connections for itself. */
#define OWN_FIRST_MAX 8

/* Questions */

/* Its loop's index, or -1. */
static int richest(const struct endpoint *e, unsigned except)
{
	unsigned most = 0;
	int found = -1;

	for (unsigned i = 0; i < e->node->n_loops; i++) {
		unsigned n = i == except ? 0 : atomic_load(&e->slots[i].n_idle);

		if (n > most) {
			most = n;
			found = i;
		}
	}
	return found;
}

/* A loop that has wide ones, or -1. */
static int wide(const struct endpoint *e, unsigned except)
{
	for (unsigned i = 0; i < e->node->n_loops; i++) {
		if (i != except &&
		    atomic_load_explicit(&e->slots[i].n_wide, memory_order_relaxed) > 0)
			return i;
	}
	return -1;
}

static void answer_arrived(struct conns *c, struct conns_mail *mail)
{
	struct origin_conn *conn = mail->conn;
	struct lease *l = mail->lease;

	if (conn)
		origin_conn_unpark(conn, c);
	if (l) {
		l->question = NULL;
		lease_answered(l, conn);
	} else if (conn) {
		sharing_conn_free(conn);
	}
	conns_mail_end(mail);
}

static void question_arrived(struct conns *c, struct conns_mail *mail)
{
	const struct endpoint_slot *slot = endpoint_slot(mail->endpoint, c);

	if (!mail->wide || atomic_load_explicit(&slot->n_wide, memory_order_relaxed) > 0)
		mail->conn = origin_conn_take_idle(c, mail->endpoint);
	if (mail->conn)
		origin_conn_park(mail->conn);
	mail->deliver = answer_arrived;
	conns_mail_post(mail, mail->from);
}

static void ask(struct lease *l, int other, bool for_wide)
{
	unsigned self = l->conns->index;

	CHECK(!l->question);
	l->question = conns_mail_create(l->endpoint, self, question_arrived);
	l->question->lease = l;
	l->question->wide = for_wide;
	log_debug("%s lease %llu: asks %s for a connection to %s", loop_name(l->conns->loop),
		  (unsigned long long)l->number, loop_name(l->conns->node->sides[other]->loop),
		  net_addr_shown(&l->endpoint->addr));
	conns_mail_post(l->question, other);
}

bool sharing_ask(struct lease *l)
{
	/* Whoever asks with many others for the few that are wide gets another the second time. */
	int other = l->n_asked == 0 ? wide(l->endpoint, l->conns->index) : -1;

	if (other < 0)
		other = richest(l->endpoint, l->conns->index);
	if (other >= 0)
		ask(l, other, false);
	return other >= 0;
}

bool sharing_ask_for_wider(struct lease *l)
{
	const struct endpoint_slot *slot = endpoint_slot(l->endpoint, l->conns);
	int other = -1;

	if (atomic_load_explicit(&l->endpoint->is_far, memory_order_relaxed) &&
	    atomic_load_explicit(&slot->n_idle, memory_order_relaxed) > 0 &&
	    atomic_load_explicit(&slot->n_wide, memory_order_relaxed) == 0)
		other = wide(l->endpoint, l->conns->index);
	if (other >= 0)
		ask(l, other, true);
	return other >= 0;
}

void sharing_forget_question(struct lease *l)
{
	/* The other loop may be reading the letter, but never looks at this. */
	if (l->question)
		l->question->lease = NULL;
	l->question = NULL;
}

/* Places of sessions */

/* To the next loop that may have one; at last, and when one was closed, to who has asked. */
static void pass_on(struct conns_mail *mail)
{
	const struct endpoint *e = mail->endpoint;
	unsigned n = e->node->n_loops, to = mail->from;

	while (!mail->served && ++mail->n_hops < n) {
		to = (mail->from + mail->n_hops) % n;
		if (atomic_load(&e->slots[to].n_shared) > 0)
			break;
		to = mail->from;
	}
	conns_mail_post(mail, to);
}

static void place_asked_for(struct conns *c, struct conns_mail *mail)
{
	struct endpoint_slot *slot = endpoint_slot(mail->endpoint, c);
	bool again;

	if (c->index != mail->from) {
		mail->served = shared_give_way(slot);
		pass_on(mail);
		return;
	}
	again = mail->served || slot->asks_again;
	slot->asks_for_place = slot->asks_again = false;
	if (again)
		sharing_ask_for_place(c, slot);
	conns_mail_end(mail);
}

/* One letter of a slot at a time, for one session serves many; and none while one is being made. */
void sharing_ask_for_place(struct conns *c, struct endpoint_slot *slot)
{
	const struct endpoint *e = slot->endpoint;
	bool any = false;

	/* It may have been where one is idle when nobody waited any more. */
	slot->asks_again = slot->asks_for_place;
	if (slot->asks_for_place || slot->opening > 0 ||
	    atomic_load_explicit(&slot->n_waiting, memory_order_relaxed) == 0)
		return;
	for (unsigned i = 0; i < e->node->n_loops; i++)
		any |= i != c->index && atomic_load(&e->slots[i].n_shared) > 0;
	if (!any)
		return;
	slot->asks_for_place = true;
	pass_on(conns_mail_create(slot->endpoint, c->index, place_asked_for));
}

/* What becomes free */

void sharing_turn_is_over(struct endpoint_slot *slot)
{
	slot->favoured = OWN_FIRST_MAX - 1;
}

/* The next loop after `self` with somebody in its queue, or -1. */
static int next_waiting(const struct endpoint *e, unsigned self)
{
	unsigned n = e->node->n_loops;

	if (atomic_load(&e->waiting) == 0)
		return -1;
	for (unsigned i = 1; i < n; i++) {
		unsigned other = (self + i) % n;

		if (atomic_load(&e->slots[other].n_waiting) > 0)
			return other;
	}
	return -1;
}

bool sharing_others_wait(const struct endpoint *e, unsigned self)
{
	return next_waiting(e, self) >= 0;
}

/* Whom something free goes to, if not to one of the loop's own that waits (or none does): another
 * loop, or -1. */
static int others_turn(struct endpoint_slot *slot, unsigned self, bool own_waits)
{
	int other = next_waiting(slot->endpoint, self);

	if (other >= 0 && own_waits && ++slot->favoured < OWN_FIRST_MAX)
		return -1;
	slot->favoured = 0;
	return other;
}

static void gift_arrived(struct conns *c, struct conns_mail *mail)
{
	origin_conn_unpark(mail->conn, c);
	sharing_conn_free(mail->conn);
	conns_mail_end(mail);
}

static void give(struct origin_conn *conn, int to)
{
	struct conns_mail *mail =
	    conns_mail_create(conn->endpoint, conn->conns->index, gift_arrived);

	log_debug("%s fd %d: goes from %s to %s, where a lease waits",
		  net_addr_shown(&conn->endpoint->addr), stream_fd(conn->stream),
		  loop_name(conn->conns->loop), loop_name(conn->conns->node->sides[to]->loop));
	origin_conn_park(conn);
	mail->conn = conn;
	conns_mail_post(mail, to);
}

static bool is_one_too_many(const struct origin_conn *conn)
{
	const struct endpoint *e = conn->endpoint;

	/* The first look is enough mostly, and reads one line of memory only. */
	return atomic_load_explicit(&e->open, memory_order_relaxed) > conn->max_idle &&
	       endpoint_idle(e) >= conn->max_idle;
}

/* Whether those who wait for its place of the quota, at other endpoints, get it before those who
 * wait here for the connection. */
static bool is_others_place(const struct origin_conn *conn, bool is_wanted_here)
{
	struct quota *q = conn->quota;
	struct quota_slot *slot;
	unsigned waiting = q ? atomic_load(&q->waiting) : 0;

	if (waiting == 0)
		return false;
	if (!is_wanted_here)
		return true;
	slot = &q->slots[conn->conns->index];
	if (waiting <= atomic_load(&conn->endpoint->waiting) || ++slot->favoured < OWN_FIRST_MAX)
		return false;
	slot->favoured = 0;
	return true;
}

static void keep_to_limit(struct conns *c)
{
	while (c->n_idle > atomic_load_explicit(&c->node->idle_limit, memory_order_relaxed))
		origin_conn_close_oldest_idle(c);
}

void sharing_became_idle(struct conns *c, struct quota *q)
{
	keep_to_limit(c);
	if (q && atomic_load(&q->waiting) > 0)
		origin_conn_give_way(c, q);
}

static void become_idle(struct origin_conn *conn)
{
	struct endpoint *e = conn->endpoint;
	struct conns *c = conn->conns;
	struct quota *q = conn->quota;
	int other;

	origin_conn_idle(conn);
	keep_to_limit(c);
	/* Somebody may have begun to wait since. */
	other = next_waiting(e, c->index);
	if (other >= 0 && (conn = origin_conn_take_idle(c, e)))
		give(conn, other);
	else if (q && atomic_load(&q->waiting) > 0)
		origin_conn_give_way(c, q);
}

void sharing_conn_free(struct origin_conn *conn)
{
	struct endpoint *e = conn->endpoint;
	struct conns *c = conn->conns;
	struct endpoint_slot *slot = endpoint_slot(e, c);
	struct lease *first = TAILQ_FIRST(&slot->waiters);
	int other = others_turn(slot, c->index, first != NULL);

	if (atomic_load(&e->retired)) {
		conns_count(c, OLINK_DISCARDED_RETIRED, 1);
		origin_conn_close(conn, "no origin has this server any more");
	} else if (expiry_cause(&conn->expiry, loop_now(c->loop)) != EXPIRY_NONE) {
		origin_conn_close_expired(conn);
	} else if (is_others_place(conn, first || other >= 0)) {
		conns_count(c, OLINK_GAVE_WAY, 1);
		origin_conn_close(conn, "another server of its origin needs its place");
	} else if (other >= 0) {
		give(conn, other);
	} else if (first) {
		lease_promise(first, conn);
	} else if (is_one_too_many(conn)) {
		struct origin_conn *narrower = origin_conn_narrower(conn);

		conns_count(c, OLINK_DISCARDED_FULL, 1);
		origin_conn_close(narrower != NULL ? narrower : conn, "enough are idle");
		if (narrower != NULL)
			become_idle(conn);
	} else {
		become_idle(conn);
	}
}

/* What is given back */

static void tell_of_room(struct conns *c, struct endpoint *e, unsigned n_hops);

static void room_arrived(struct conns *c, struct conns_mail *mail)
{
	tell_of_room(c, mail->endpoint, mail->n_hops);
	conns_mail_end(mail);
}

static void tell_other_of_room(struct conns *c, struct endpoint *e, int other, unsigned n_hops)
{
	struct conns_mail *mail = conns_mail_create(e, c->index, room_arrived);

	mail->n_hops = n_hops;
	conns_mail_post(mail, other);
}

/* There is room for another connection: somebody who waits may make it. Those who wait here may be
 * of an origin with a lower limit for the server than those who wait elsewhere. */
static void tell_of_room(struct conns *c, struct endpoint *e, unsigned n_hops)
{
	struct endpoint_slot *slot = endpoint_slot(e, c);
	bool own = atomic_load_explicit(&slot->n_waiting, memory_order_relaxed) > 0;
	bool goes_on = n_hops < 2 * c->node->n_loops;
	int other = goes_on ? others_turn(slot, c->index, own) : -1;

	if (other < 0 && own && !lease_serve_queue(slot))
		other = next_waiting(e, c->index);
	if (other >= 0 && goes_on)
		tell_other_of_room(c, e, other, n_hops + 1);
}

/* The next loop from `self` on, and at last `self`, with somebody who waits for a place; or -1. */
static int next_lacking(const struct quota *q, const struct conns_node *node, unsigned self)
{
	if (!q || atomic_load(&q->waiting) == 0)
		return -1;
	for (unsigned i = 1; i <= node->n_loops; i++) {
		unsigned other = (self + i) % node->n_loops;

		if (atomic_load(&q->slots[other].n_waiting) > 0)
			return other;
	}
	return -1;
}

static void place_arrived(struct conns *c, struct conns_mail *mail)
{
	int other;

	if (lease_serve_lacking(c, mail->quota) || ++mail->n_hops >= c->node->n_loops) {
		conns_mail_end(mail);
		return;
	}
	/* Those who waited here have gone; others may wait still. */
	other = next_lacking(mail->quota, c->node, c->index);
	if (other < 0)
		conns_mail_end(mail);
	else
		conns_mail_post(mail, other);
}

void sharing_quota_room(struct conns *c, struct endpoint *e, struct quota *q)
{
	int to = next_lacking(q, c->node, c->index);
	struct conns_mail *mail;

	if (to < 0)
		return;
	mail = conns_mail_create(e, c->index, place_arrived);
	mail->quota = q;
	conns_mail_post(mail, to);
}

void sharing_release(struct conns *c, struct endpoint *e, struct quota *q)
{
	endpoint_release(e);
	quota_release(q);
	if (!q || atomic_load(&q->waiting) == 0) {
		tell_of_room(c, e, 0);
		return;
	}
	/* Who has waited for longest for such a place comes first, whichever server it is for;
	 * after that those who wait for room at this one. */
	sharing_quota_room(c, e, q);
	conns_mail_post(conns_mail_create(e, c->index, room_arrived), c->index);
}

/* The loop with the most idle connections under it, or -1. */
static int most_idle(const struct quota *q, const struct conns_node *node)
{
	unsigned most = 0;
	int found = -1;

	for (unsigned i = 0; i < node->n_loops; i++) {
		unsigned n = atomic_load(&q->slots[i].n_idle);

		if (n > most) {
			most = n;
			found = i;
		}
	}
	return found;
}

static void way_asked_for(struct conns *c, struct conns_mail *mail)
{
	int next = -1;

	/* What was idle here may be in use again, or have gone for another who asked. */
	if (atomic_load(&mail->quota->waiting) > 0 && !origin_conn_give_way(c, mail->quota) &&
	    ++mail->n_hops < c->node->n_loops)
		next = most_idle(mail->quota, c->node);
	if (next < 0)
		conns_mail_end(mail);
	else
		conns_mail_post(mail, next);
}

void sharing_ask_to_give_way(const struct lease *l)
{
	struct quota *q = l->terms.quota;
	int to = most_idle(q, l->conns->node);
	struct conns_mail *mail;

	if (to < 0)
		return;
	mail = conns_mail_create(l->endpoint, l->conns->index, way_asked_for);
	mail->quota = q;
	conns_mail_post(mail, to);
}
