/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Endpoints. Control makes and retires them; every loop uses its slot of each.
 *
 * When a retired one may be freed: after a grace no loop finds it any more, so each loop's pins
 * only fall: leases take pins, and so do slots that become idle, but nothing becomes idle any more,
 * for every loop has seen `retired`. Once all pins are zero nobody who waits is left, so that no
 * mail begins; once no mail is left either, nobody opens connections, and `open` only falls. So the
 * three are looked at in that order, and what is zero stays zero.
 */
#define LOG_MODULE LOG_POOL
#include "origin-link/conns/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/transport.h"

#define ENDPOINT_MAGIC 0xe2d90127u

/* Until a health check has had its say: it asks every few seconds. Where there are none, each time
 * that it is over costs a request the time to find out: so it is twice as long each time that
 * nothing has come of it, up to 16 times. */
#define SUSPECT_TIME DUR_S(10)
#define SUSPECT_DOUBLED_MAX 4

/* Pins */

void endpoint_pin(struct endpoint *e, const struct loop *loop)
{
	_Atomic int64_t *pins = &e->slots[loop_index(loop)].pins;

	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	LOOP_ASSERT_OWNER(loop);
	atomic_store_explicit(pins, atomic_load_explicit(pins, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

void endpoint_unpin(struct endpoint **ep, const struct loop *loop)
{
	struct endpoint *e = TAKE(ep);
	_Atomic int64_t *pins = &e->slots[loop_index(loop)].pins;
	int64_t left = atomic_load_explicit(pins, memory_order_relaxed) - 1;

	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	LOOP_ASSERT_OWNER(loop);
	CHECK(left >= 0);
	/* Release: what this loop did with it comes before its memory goes. */
	atomic_store_explicit(pins, left, memory_order_release);
}

static bool is_pinned(const struct endpoint *e)
{
	for (unsigned i = 0; i < e->node->n_loops; i++) {
		if (atomic_load_explicit(&e->slots[i].pins, memory_order_acquire) != 0)
			return true;
	}
	return false;
}

/* What is known of it */

const struct net_addr *endpoint_addr(const struct endpoint *e)
{
	return &e->addr;
}

uint64_t endpoint_id(const struct endpoint *e)
{
	return e->id;
}

uint64_t endpoint_id_of(const struct net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	net_addr_format(addr, text);
	return XXH3_64bits(text, strlen(text));
}

struct transport *endpoint_transport(const struct endpoint *e)
{
	return e->transport;
}

void endpoint_suspect(struct endpoint *e, struct loop *loop)
{
	struct conns *c = e->node->sides[loop_index(loop)];
	/* Many requests may find it out at once. */
	bool again = !endpoint_is_suspect(e, loop_now(loop));
	unsigned n = atomic_load_explicit(&e->suspected, memory_order_relaxed);
	duration time =
	    DUR_NS(SUSPECT_TIME.ns << MIN(again ? n : MAX(n, 1) - 1, SUSPECT_DOUBLED_MAX));
	mono_time until = mono_add(loop_now(loop), time);

	log_debug("%s: suspected for %d s: it does not answer", net_addr_shown(&e->addr),
		  (int)(time.ns / 1000000000));
	if (again)
		atomic_store_explicit(&e->suspected, n + 1, memory_order_relaxed);
	atomic_store_explicit(&e->suspect_until, until.ns, memory_order_relaxed);
	if (!c)
		return;
	origin_conn_close_idle(c, endpoint_slot(e, c), OLINK_DISCARDED_DEAD,
			       "its server does not answer");
	shared_retire_all(c, endpoint_slot(e, c), OLINK_DISCARDED_DEAD,
			  "its server does not answer");
}

bool endpoint_is_suspect(const struct endpoint *e, mono_time now)
{
	return atomic_load_explicit(&e->suspect_until, memory_order_relaxed) > now.ns;
}

bool endpoint_keeps_warm(const struct endpoint *e)
{
	return atomic_load_explicit(&e->keeps_warm, memory_order_relaxed);
}

bool endpoint_is_cold(const struct endpoint *e)
{
	return endpoint_keeps_warm(e) && !atomic_load_explicit(&e->is_warm, memory_order_relaxed);
}

bool endpoint_is_avoided(const struct endpoint *e, const struct loop *loop)
{
	mono_time now = loop_now(loop);

	LOOP_ASSERT_OWNER(loop);
	return endpoint_is_cold(e) || endpoint_is_suspect(e, now) ||
	       e->slots[loop_index(loop)].lost_until.ns > now.ns;
}

unsigned endpoint_leaving(const struct endpoint *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->node->n_loops; i++)
		n += atomic_load_explicit(&e->slots[i].n_leaving, memory_order_relaxed);
	return n;
}

unsigned endpoint_idle(const struct endpoint *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->node->n_loops; i++)
		n += atomic_load_explicit(&e->slots[i].n_idle, memory_order_relaxed);
	return n;
}

static unsigned in_flight(const struct endpoint *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->node->n_loops; i++)
		n += atomic_load_explicit(&e->slots[i].load.in_flight, memory_order_relaxed);
	return n;
}

struct endpoint_facts endpoint_facts(const struct endpoint *e)
{
	return (struct endpoint_facts){
	    .open = atomic_load_explicit(&e->open, memory_order_relaxed),
	    .idle = endpoint_idle(e),
	    .in_flight = in_flight(e),
	    .waiting = atomic_load_explicit(&e->waiting, memory_order_relaxed),
	    .last_failure =
		(enum reason)atomic_load_explicit(&e->last_failure, memory_order_relaxed),
	};
}

/* What becomes of attempts */

struct outcome_counts *endpoint_counts(struct endpoint_slot *slot)
{
	struct outcome_counts *counts = atomic_load_explicit(&slot->counts, memory_order_relaxed);

	if (!counts) {
		counts = outcome_counts_create();
		/* Release: whoever reads them sees them zeroed. */
		atomic_store_explicit(&slot->counts, counts, memory_order_release);
	}
	return counts;
}

void endpoint_report(struct endpoint *e, const struct loop *loop, const struct outcome *outcome)
{
	struct endpoint_slot *slot = &e->slots[loop_index(loop)];

	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	LOOP_ASSERT_OWNER(loop);
	outcome_count(endpoint_counts(slot), outcome);
	load_learn(&slot->load, outcome, loop_now(loop));
}

/* Load */

static void look_at_others(struct endpoint *e, struct load *own, mono_time now)
{
	load_look_begin(own);
	for (unsigned i = 0; i < e->node->n_loops; i++) {
		if (&e->slots[i].load != own)
			load_look_at(own, &e->slots[i].load, now);
	}
	load_look_end(own, now);
}

unsigned endpoint_in_flight(struct endpoint *e, const struct loop *loop, bool closely)
{
	struct load *own = &e->slots[loop_index(loop)].load;
	mono_time now = loop_now(loop);

	LOOP_ASSERT_OWNER(loop);
	if (closely && load_is_stale(own, now))
		look_at_others(e, own, now);
	return load_in_flight(own);
}

duration endpoint_latency(const struct endpoint *e, const struct loop *loop)
{
	return load_latency(&e->slots[loop_index(loop)].load, loop_now(loop));
}

void endpoint_sums(const struct endpoint *e, struct outcome_sums *sums)
{
	*sums = (struct outcome_sums){0};
	for (unsigned i = 0; i < e->node->n_loops; i++) {
		const struct outcome_counts *counts =
		    atomic_load_explicit(&e->slots[i].counts, memory_order_acquire);

		if (counts)
			outcome_counts_sum(counts, sums);
	}
}

/* Room */

enum room endpoint_reserve(struct conns *c, struct endpoint *e, const struct lease_terms *terms)
{
	unsigned open = atomic_load(&e->open);

	if (open >= terms->max_connections)
		return ROOM_NONE_HERE;
	if (!quota_reserve(terms->quota, terms->max_in_all))
		return ROOM_NONE_IN_ALL;
	while (open < terms->max_connections) {
		if (atomic_compare_exchange_weak(&e->open, &open, open + 1))
			return ROOM_TAKEN;
	}
	/* Whoever saw the place taken meanwhile is told that it was not. */
	if (terms->quota) {
		quota_release(terms->quota);
		sharing_quota_room(c, e, terms->quota);
	}
	return ROOM_NONE_HERE;
}

void endpoint_release(struct endpoint *e)
{
	CHECK(atomic_fetch_sub(&e->open, 1) > 0);
}

/* Life */

static struct endpoint *find(struct conns_node *node, const struct net_addr *addr,
			     const struct transport *transport)
{
	struct endpoint *e;

	LIST_FOREACH (e, &node->endpoints_by_id[endpoint_id_of(addr) % ENDPOINT_BUCKETS],
		      link_by_id) {
		if (e->transport == transport && net_addr_equal(&e->addr, addr))
			return e;
	}
	return NULL;
}

static struct endpoint *create(struct conns_node *node, const struct net_addr *addr,
			       struct transport *transport)
{
	size_t size = sizeof(struct endpoint) + node->n_loops * sizeof(struct endpoint_slot);
	struct endpoint *e = aligned_alloc(CACHE_LINE, size);

	CHECK(e);
	memset(e, 0, size);
	e->magic = ENDPOINT_MAGIC;
	e->node = node;
	e->addr = *addr;
	e->id = endpoint_id_of(addr);
	e->transport = transport_ref(transport);
	/* Until control has said whether it does: in this turn. */
	atomic_init(&e->keeps_warm, transport->proxy == CFG_PROXY_PROTOCOL_NONE);
	for (unsigned i = 0; i < node->n_loops; i++) {
		e->slots[i].endpoint = e;
		for (unsigned width = 0; width < CONN_WIDTHS; width++)
			TAILQ_INIT(&e->slots[i].idle[width]);
		TAILQ_INIT(&e->slots[i].shared);
		TAILQ_INIT(&e->slots[i].waiters);
	}
	LIST_INSERT_HEAD(&node->endpoints, e, link);
	LIST_INSERT_HEAD(&node->endpoints_by_id[e->id % ENDPOINT_BUCKETS], e, link_by_id);
	return e;
}

void endpoint_free(struct endpoint *e)
{
	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	CHECK(e->refs == 0);
	warm_forget(e);
	LIST_REMOVE(e, link);
	LIST_REMOVE(e, link_by_id);
	LIST_REMOVE(e, given_up_link);
	transport_unref(&e->transport);
	for (unsigned i = 0; i < e->node->n_loops; i++) {
		struct outcome_counts *counts = atomic_load(&e->slots[i].counts);

		outcome_counts_destroy(&counts);
	}
	e->magic = MAGIC_DEAD;
	free(e);
}

struct endpoint *endpoint_take(struct conns_node *node, const struct net_addr *addr,
			       struct transport *transport)
{
	struct endpoint *e = find(node, addr, transport);

	LOOP_ASSERT_OWNER(node->group->control);
	if (!e)
		e = create(node, addr, transport);
	else if (e->refs == 0)
		LIST_REMOVE(e, given_up_link);
	atomic_store(&e->retired, false);
	e->refs++;
	return e;
}

static void grace_over(void *arg)
{
	struct endpoint *e = arg;
	struct conns_node *node = e->node;

	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	e->graces--;
	conns_node_unref(node);
}

void endpoint_give(struct endpoint **ep)
{
	struct endpoint *e = TAKE(ep);
	struct conns_node *node = e->node;

	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	LOOP_ASSERT_OWNER(node->group->control);
	if (--e->refs > 0)
		return;
	LIST_INSERT_HEAD(&node->given_up, e, given_up_link);
	atomic_store(&e->retired, true);
	e->graces++;
	conns_node_ref(node);
	loop_group_after_grace(node->group, grace_over, e);
	for (unsigned i = 0; i < node->n_loops; i++) {
		if (node->sides[i])
			conns_mail_post(conns_mail_create(e, 0, conns_close_retired), i);
	}
}

void endpoint_remember(struct endpoint *e)
{
	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	LOOP_ASSERT_OWNER(e->node->group->control);
	CHECK(e->refs > 0);
	e->memories++;
}

void endpoint_forget(struct endpoint **ep)
{
	struct endpoint *e = TAKE(ep);

	MAGIC_CHECK(e, ENDPOINT_MAGIC);
	LOOP_ASSERT_OWNER(e->node->group->control);
	CHECK(e->memories > 0);
	e->memories--;
}

static bool is_gone(const struct endpoint *e)
{
	return e->memories == 0 && e->graces == 0 && !is_pinned(e) && atomic_load(&e->mails) == 0 &&
	       atomic_load(&e->open) == 0;
}

void endpoints_sweep(struct conns_node *node)
{
	struct endpoint *e, *next;

	LOOP_ASSERT_OWNER(node->group->control);
	for (e = LIST_FIRST(&node->given_up); e; e = next) {
		next = LIST_NEXT(e, given_up_link);
		if (is_gone(e))
			endpoint_free(e);
	}
}
