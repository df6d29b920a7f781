/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A loop's side of the connections, its tick, and the mail between sides. A side belongs to its
 * loop; the node belongs to control, but for what is atomic or does not change while loops run.
 *
 * Mail cannot be taken back, and may outlive whom it was sent to: what is in a mailbox when the
 * loops stop is run when they are destroyed, after the sides and their node are. So each letter
 * holds the node, and one that finds no side any more just ends.
 */
#include "origin-link/conns/conns.h"

#include <limits.h>
#include <stdlib.h>

#include "core/base/check.h"
#include "origin-link/conns/conns_internal.h"

#define CONNS_MAGIC 0xc0225000u

/* How often idle connections are looked through for those that have expired: idle timeouts are
 * counted in seconds. */
static const struct timeval tick_interval = {.tv_sec = 1};

/* The node */

struct conns_node *conns_node_create(struct loop_group *group, struct metrics *metrics)
{
	struct conns_node *node = xcalloc(1, sizeof(*node));

	LOOP_ASSERT_OWNER(group->control);
	atomic_init(&node->refs, 1);
	node->group = group;
	node->metrics = metrics;
	node->n_loops = group->n_workers + 1;
	atomic_init(&node->idle_limit, UINT_MAX);
	node->sides = xcalloc(node->n_loops, sizeof(struct conns *));
	LIST_INIT(&node->endpoints);
	LIST_INIT(&node->given_up);
	TAILQ_INIT(&node->warm_waiting);
	return node;
}

void conns_node_set_idle_limit(struct conns_node *node, unsigned limit)
{
	LOOP_ASSERT_OWNER(node->group->control);
	/* By shares, so that no loop has to look at others for each connection that becomes idle.
	 * Control's own side has none. */
	atomic_store(&node->idle_limit, limit / MAX(node->n_loops - 1, 1));
}

void conns_node_ref(struct conns_node *node)
{
	atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
}

void conns_node_unref(struct conns_node *node)
{
	struct endpoint *e;

	if (atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) > 1)
		return;
	while ((e = LIST_FIRST(&node->endpoints)))
		endpoint_free(e);
	quotas_free(node);
	free(node->sides);
	free(node);
}

void conns_node_destroy(struct conns_node **nodep)
{
	struct conns_node *node = TAKE(nodep);
	struct endpoint *e;

	if (!node)
		return;
	LOOP_ASSERT_OWNER(node->group->control);
	node->is_over = true;
	for (unsigned i = 0; i < node->n_loops; i++)
		CHECK(!node->sides[i]);
	LIST_FOREACH (e, &node->endpoints, link)
		CHECK(e->refs == 0);
	conns_node_unref(node);
}

/* Mail */

static void drop(struct conns_mail *mail)
{
	if (mail->conn)
		origin_conn_drop(mail->conn);
	conns_mail_end(mail);
}

static void arrived(void *arg)
{
	struct conns_mail *mail = arg;
	struct conns *c = mail->node->sides[mail->to];

	if (mail->told) {
		mail->told(mail);
		return;
	}
	if (!c) {
		drop(mail);
		return;
	}
	MAGIC_CHECK(c, CONNS_MAGIC);
	mail->deliver(c, mail);
}

struct conns_mail *conns_mail_create(struct endpoint *e, unsigned from,
				     void (*deliver)(struct conns *c, struct conns_mail *mail))
{
	struct conns_mail *mail = xcalloc(1, sizeof(*mail));

	mail->node = e->node;
	mail->endpoint = e;
	mail->from = from;
	mail->deliver = deliver;
	conns_node_ref(e->node);
	atomic_fetch_add(&e->mails, 1);
	return mail;
}

void conns_mail_post(struct conns_mail *mail, unsigned to)
{
	struct loop_group *group = mail->node->group;

	mail->to = to;
	loop_post_mt(to == 0 ? group->control : group->workers[to - 1], arrived, mail);
}

void conns_mail_end(struct conns_mail *mail)
{
	struct conns_node *node = mail->node;

	atomic_fetch_sub(&mail->endpoint->mails, 1);
	free(mail);
	conns_node_unref(node);
}

/* A side */

static void unlist(struct conns *c, struct endpoint_slot *slot)
{
	struct endpoint *e = slot->endpoint;

	LIST_REMOVE(slot, link);
	slot->listed = false;
	endpoint_unpin(&e, c->loop);
}

void conns_list_slot(struct conns *c, struct endpoint_slot *slot)
{
	endpoint_pin(slot->endpoint, c->loop);
	slot->listed = true;
	LIST_INSERT_HEAD(&c->slots, slot, link);
}

bool conns_is_full(const struct conns *c)
{
	unsigned limit = atomic_load_explicit(&c->node->idle_limit, memory_order_relaxed);

	return atomic_load_explicit(&c->n_idle, memory_order_relaxed) +
		   atomic_load_explicit(&c->n_warm_dials, memory_order_relaxed) >=
	       limit;
}

static bool is_empty(const struct endpoint_slot *slot)
{
	return atomic_load_explicit(&slot->n_idle, memory_order_relaxed) == 0 &&
	       TAILQ_EMPTY(&slot->shared);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conns *c = arg;
	struct endpoint_slot *slot, *next;

	MAGIC_CHECK(c, CONNS_MAGIC);
	shared_end_pauses(c);
	for (slot = LIST_FIRST(&c->slots); slot; slot = next) {
		next = LIST_NEXT(slot, link);
		origin_conn_close_expired_idle(c, slot);
		shared_close_expired(c, slot);
		if (is_empty(slot))
			unlist(c, slot);
	}
}

void conns_close_retired(struct conns *c, struct conns_mail *mail)
{
	struct endpoint_slot *slot = endpoint_slot(mail->endpoint, c);

	/* Somebody may have come to need it again since the letter was sent. */
	if (atomic_load(&mail->endpoint->retired)) {
		origin_conn_close_idle(c, slot, OLINK_DISCARDED_RETIRED,
				       "no origin has this server any more");
		shared_retire_all(c, slot, OLINK_DISCARDED_RETIRED,
				  "no origin has this server any more");
		if (slot->listed)
			unlist(c, slot);
	}
	conns_mail_end(mail);
}

struct conns *conns_create(struct conns_node *node, struct stream_buffers *buffers)
{
	struct conns *c = xcalloc(1, sizeof(*c));

	LOOP_ASSERT_OWNER(buffers->loop);
	c->magic = CONNS_MAGIC;
	c->node = node;
	c->buffers = buffers;
	c->loop = buffers->loop;
	c->index = loop_index(c->loop);
	LIST_INIT(&c->slots);
	TAILQ_INIT(&c->idle);
	TAILQ_INIT(&c->sessions);
	TAILQ_INIT(&c->lacking);
	LIST_INIT(&c->warm_dials);
	c->tick = event_new(loop_base(c->loop), -1, EV_PERSIST, tick_cb, c);
	CHECK(c->tick && event_add(c->tick, &tick_interval) == 0);
	CHECK(!node->sides[c->index]);
	node->sides[c->index] = c;
	return c;
}

void conns_destroy(struct conns **conns)
{
	struct conns *c = TAKE(conns);
	struct endpoint_slot *slot;

	if (!c)
		return;
	MAGIC_CHECK(c, CONNS_MAGIC);
	LOOP_ASSERT_OWNER(c->loop);
	c->node->sides[c->index] = NULL;
	warm_cancel(c);
	shared_close_all(c);
	while ((slot = LIST_FIRST(&c->slots))) {
		CHECK(TAILQ_EMPTY(&slot->waiters));
		origin_conn_close_idle(c, slot, OLINK_EXPIRED, "the program ends");
		unlist(c, slot);
	}
	event_free(c->tick);
	c->magic = MAGIC_DEAD;
	free(c);
}
