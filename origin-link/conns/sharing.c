/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How loops share the connections of an endpoint: a loop that has none idle asks one that has, and
 * what becomes free goes to those that wait. Runs on each loop for its own side; the loops talk by
 * mail, and know of each other what their slots' counts say.
 *
 * Nobody is forgotten: who begins to wait counts itself first and looks for what is free then; who
 * frees a connection or its room counts that first and looks for those that wait then; and these
 * counts are in one order for all (seq_cst). So one of the two sees the other.
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
	mail->conn = origin_conn_take_idle(c, mail->endpoint);
	if (mail->conn)
		origin_conn_park(mail->conn);
	mail->deliver = answer_arrived;
	conns_mail_post(mail, mail->from);
}

bool sharing_ask(struct lease *l)
{
	unsigned self = l->conns->index;
	int other = richest(l->endpoint, self);

	CHECK(!l->question);
	if (other < 0)
		return false;
	l->question = conns_mail_create(l->endpoint, self, question_arrived);
	l->question->lease = l;
	log_debug("%s lease %llu: asks %s for a connection to %s", loop_name(l->conns->loop),
		  (unsigned long long)l->number, loop_name(l->conns->node->sides[other]->loop),
		  net_addr_shown(&l->endpoint->addr));
	conns_mail_post(l->question, other);
	return true;
}

void sharing_forget_question(struct lease *l)
{
	/* The other loop may be reading the letter, but never looks at this. */
	if (l->question)
		l->question->lease = NULL;
	l->question = NULL;
}

/* What becomes free */

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
	} else if (other >= 0) {
		give(conn, other);
	} else if (first) {
		lease_promise(first, conn);
	} else if (is_one_too_many(conn)) {
		conns_count(c, OLINK_DISCARDED_FULL, 1);
		origin_conn_close(conn, "enough are idle");
	} else {
		origin_conn_idle(conn);
		while (c->n_idle > atomic_load_explicit(&c->node->idle_limit, memory_order_relaxed))
			origin_conn_close_oldest_idle(c);
		/* Somebody may have begun to wait since. */
		other = next_waiting(e, c->index);
		if (other >= 0 && (conn = origin_conn_take_idle(c, e)))
			give(conn, other);
	}
}

static void room_arrived(struct conns *c, struct conns_mail *mail)
{
	sharing_room(c, mail->endpoint);
	conns_mail_end(mail);
}

void sharing_room(struct conns *c, struct endpoint *e)
{
	struct endpoint_slot *slot = endpoint_slot(e, c);
	bool own = atomic_load_explicit(&slot->n_waiting, memory_order_relaxed) > 0;
	int other = others_turn(slot, c->index, own);

	if (other >= 0)
		conns_mail_post(conns_mail_create(e, c->index, room_arrived), other);
	else if (own)
		lease_serve_queue(slot);
}
