/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections ahead of need: control counts what is missing and tells the loops by mail; each loop
 * connects, keeps what comes of it, and tells control, which then looks again. Which endpoints, and
 * how many, is the caller's; when, and how many at once, warmth.c says.
 */
#define LOG_MODULE LOG_POOL
#include "origin-link/conns/warm.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/transport.h"

/* At one time on their way, of all endpoints, for each loop: after a start there may be thousands
 * to be opened, and each costs a loop half a millisecond. */
#define ORDERS_MAX 64
/* When a server ends, each loop sees its own connections end within a few turns. */
#define LOST_FOR DUR_MS(250)

struct warm_dial {
	LIST_ENTRY(warm_dial) link;
	struct conns *conns;
	struct endpoint *endpoint; /* pinned; room for it is reserved */
	struct lease_terms terms;
	struct connector connector;
	bool opens; /* leases may join it: counted in slot->opening */
	bool ahead; /* its loop wants it, and not control */
};

static void tell(struct endpoint *e, enum warm_news news);

static void end(struct warm_dial *d)
{
	endpoint_unpin(&d->endpoint, d->conns->loop);
	LIST_REMOVE(d, link);
	conns_add(&d->conns->n_warm_dials, -1);
	free(d);
}

static void report(const struct warm_dial *d, enum reason reason)
{
	struct connector_times times = connector_times(&d->connector);
	struct outcome o = outcome_init();

	o.ended = true;
	o.warm = true;
	o.stage = reason == REASON_NONE ? OUTCOME_FIRST_BYTE : OUTCOME_CONNECT;
	o.reason = reason == REASON_NONE ? REASON_DONE : reason;
	o.connect = times.connect;
	o.tls = times.tls;
	endpoint_report(d->endpoint, d->conns->loop, &o);
}

static void failed(struct warm_dial *d, enum reason reason, const char *detail)
{
	char addr[NET_ADDR_TEXT];

	origin_conn_failed(d->conns, d->endpoint, reason);
	LOG_LIMITED(LOG_LEVEL_WARN, "cannot open a connection ahead of need to %s: %s%s%s",
		    net_addr_format(&d->endpoint->addr, addr), reason_text(reason),
		    detail ? ": " : "", detail ? detail : "");
}

static void connected_cb(struct connector *connector, struct stream *stream, enum reason reason,
			 const char *detail)
{
	struct warm_dial *d = CONTAINER_OF(connector, struct warm_dial, connector);
	struct origin_conn *conn = NULL;
	struct endpoint *e = d->endpoint;
	struct conns *c = d->conns;
	bool is_h2 = false, opens = d->opens;

	if (stream) {
		origin_conn_opened(d->conns, d->endpoint, stream);
		is_h2 = shared_is_h2(d->endpoint, stream, connector->h1_only);
		conn = origin_conn_create(d->conns, d->endpoint, d->terms.quota, stream);
		if (conn && is_h2 && !shared_begin(conn, &d->terms))
			conn = NULL;
		reason = conn ? REASON_NONE : REASON_LIMIT;
	} else {
		sharing_release(d->conns, d->endpoint, d->terms.quota);
	}
	atomic_fetch_sub(&d->endpoint->dialling, 1);
	report(d, reason);
	if (conn) {
		conns_count(d->conns, OLINK_WARM, 1);
		if (!is_h2) {
			origin_conn_freed(conn, &d->terms);
			sharing_conn_free(conn);
		}
	} else {
		failed(d, reason, detail);
	}
	if (conn && !d->ahead)
		tell(d->endpoint, WARM_OPENED);
	else if (!d->ahead)
		tell(d->endpoint, reason_is_own_shortage(reason) ? WARM_PREVENTED : WARM_FAILED);
	if (opens)
		lease_opening_ended(c, e, reason, detail);
	end(d); /* the last: it has the pin */
}

static bool start(struct conns *c, struct endpoint *e, const struct lease_terms *terms, bool ahead)
{
	struct warm_dial *d;

	/* One that takes the place of another would be opened again and again. */
	if (conns_is_full(c))
		return false;
	/* Requests that wait for room come first. */
	if (atomic_load(&e->waiting) > 0 ||
	    (terms->quota && atomic_load(&terms->quota->waiting) > 0) ||
	    endpoint_reserve(c, e, terms) != ROOM_TAKEN)
		return false;
	d = xcalloc(1, sizeof(*d));
	d->conns = c;
	d->endpoint = e;
	d->terms = *terms;
	d->ahead = ahead;
	endpoint_pin(e, c->loop);
	LIST_INSERT_HEAD(&c->warm_dials, d, link);
	conns_add(&c->n_warm_dials, 1);
	atomic_fetch_add(&e->dialling, 1);
	d->opens = endpoint_may_speak_h2(e);
	endpoint_slot(e, c)->opening += d->opens;
	connector_init(&d->connector, c->buffers, connected_cb);
	/* A server that wants HTTP/1.1, though it takes HTTP/2 when it is offered, is not to be
	 * tempted again. */
	d->connector.h1_only = shared_protocol(e, LEASE_ANY) != LEASE_ANY;
	d->connector.tls_timeout = terms->tls_timeout;
	connector_start(&d->connector, &e->addr, e->transport, NULL, terms->connect_timeout);
	return true;
}

static void order_arrived(struct conns *c, struct conns_mail *mail)
{
	struct endpoint *e = mail->endpoint;
	bool started = start(c, e, &mail->terms, false);

	/* After it was counted as open: it is seen twice for a moment, but never not at all. */
	atomic_fetch_sub(&e->ordered, 1);
	if (!started)
		tell(e, WARM_PREVENTED);
	conns_mail_end(mail);
}

void warm_open(struct conns *c, struct endpoint *e, const struct lease_terms *terms)
{
	start(c, e, terms, true);
}

/* Control */

static bool speaks_h2(const struct endpoint *e)
{
	return atomic_load_explicit(&e->speaks, memory_order_relaxed) == SPEAKS_H2;
}

static bool has_session(const struct endpoint *e, unsigned index)
{
	const struct endpoint_slot *slot = &e->slots[index];

	/* Those that end soon are replaced before. */
	return atomic_load_explicit(&slot->n_shared, memory_order_relaxed) >
	       atomic_load_explicit(&slot->n_leaving, memory_order_relaxed);
}

enum ordered {
	ORDER_MADE,
	ORDER_WAITS,     /* as many are under way as may be */
	ORDER_PREVENTED, /* every loop that could has as many idle connections as it may */
	ORDER_USELESS,   /* no loop could */
};

/* The next loop that has a side and room there, and of HTTP/2 no session yet, which loops do not
 * share. */
static enum ordered next_side(const struct endpoint *e, unsigned *index)
{
	struct conns_node *node = e->node;
	enum ordered result = ORDER_USELESS;

	for (unsigned i = 0; i < node->n_loops; i++) {
		*index = node->next_warm++ % node->n_loops;
		if (!node->sides[*index] || (speaks_h2(e) && has_session(e, *index)))
			continue;
		if (!conns_is_full(node->sides[*index]))
			return ORDER_MADE;
		result = ORDER_PREVENTED;
	}
	return result;
}

static void wait_to_order(struct endpoint *e)
{
	if (e->waits_to_order)
		return;
	e->waits_to_order = true;
	TAILQ_INSERT_TAIL(&e->node->warm_waiting, e, warm_link);
}

void warm_forget(struct endpoint *e)
{
	if (e->waits_to_order)
		TAILQ_REMOVE(&e->node->warm_waiting, e, warm_link);
	e->waits_to_order = false;
}

static bool may_order(const struct conns_node *node)
{
	return node->n_warm_orders < ORDERS_MAX * node->n_loops;
}

static enum ordered order(struct endpoint *e)
{
	struct conns_node *node = e->node;
	struct conns_mail *mail;
	enum ordered result;
	unsigned side;

	if (!may_order(node))
		return ORDER_WAITS;
	result = next_side(e, &side);
	if (result != ORDER_MADE)
		return result;
	node->n_warm_orders++;
	mail = conns_mail_create(e, 0, order_arrived);
	mail->terms = e->warm_terms;
	atomic_fetch_add(&e->ordered, 1);
	atomic_fetch_add(&e->warming, 1);
	conns_mail_post(mail, side);
	return ORDER_MADE;
}

static void order_all(struct endpoint *e, unsigned n, mono_time now)
{
	enum ordered result = ORDER_MADE;
	unsigned made = 0;

	while (made < n && (result = order(e)) == ORDER_MADE)
		made++;
	if (result == ORDER_WAITS)
		wait_to_order(e);
	/* Else what becomes of these says more. */
	else if (result == ORDER_PREVENTED && made == 0)
		warmth_prevented(&e->warmth, now);
}

/* Of HTTP/2 each loop is to have a session: its requests need no more connections than that. */
static struct warmth_sight see_sessions(const struct endpoint *e, bool is_wanted)
{
	const struct conns_node *node = e->node;
	struct warmth_sight sight = {
	    .ordered = atomic_load(&e->ordered),
	    .dialling = atomic_load(&e->dialling),
	    .opening = atomic_load(&e->warming),
	};

	sight.open = sight.dialling;
	for (unsigned i = 0; i < node->n_loops; i++) {
		sight.spare += is_wanted && e->warm_spare > 0 && node->sides[i];
		sight.open += has_session(e, i);
	}
	sight.idle_max = sight.spare;
	return sight;
}

static struct warmth_sight see(const struct endpoint *e)
{
	unsigned period = atomic_load_explicit(&e->node->use_period, memory_order_relaxed);
	bool is_wanted = e->warm_pass == e->node->warm_pass && !atomic_load(&e->retired);
	struct warmth_sight sight = {
	    .spare = is_wanted ? e->warm_spare : 0,
	    .idle_max = e->warm_terms.max_idle,
	    /* In this order: what is ordered becomes open. */
	    .ordered = atomic_load(&e->ordered),
	    .open = atomic_load(&e->open),
	    .dialling = atomic_load(&e->dialling),
	    .opening = atomic_load(&e->warming),
	};

	if (speaks_h2(e))
		return see_sessions(e, is_wanted);
	sight.leaving = endpoint_leaving(e);
	for (unsigned i = 0; i < e->node->n_loops; i++) {
		const struct endpoint_slot *slot = &e->slots[i];
		bool is_current =
		    atomic_load_explicit(&slot->use_period, memory_order_relaxed) == period;

		sight.in_use += atomic_load_explicit(
		    is_current ? &slot->most_in_use : &slot->load.in_flight, memory_order_relaxed);
	}
	return sight;
}

static void look(struct endpoint *e)
{
	struct warmth_sight sight = see(e);
	mono_time now = loop_now(e->node->group->control);
	enum warmth_state before = e->warmth.state;
	unsigned n = warmth_look(&e->warmth, &sight, now);

	order_all(e, n, now);
	atomic_store_explicit(&e->spare, sight.spare, memory_order_relaxed);
	atomic_store_explicit(&e->target, warmth_target(&e->warmth, &sight), memory_order_relaxed);
	atomic_store_explicit(&e->is_warm, e->warmth.state == WARMTH_READY, memory_order_relaxed);
	atomic_store_explicit(&e->idle_most, patience_most(&e->patience, now).ns,
			      memory_order_relaxed);
	if (n > 0 || e->warmth.state != before)
		log_debug("%s: %u open, %u being opened, at most %u in use: %s, %u more",
			  net_addr_shown(&e->addr), sight.open, sight.opening,
			  warmth_most(&e->warmth), warmth_state_text(e->warmth.state), n);
}

static void look_at_all(struct conns_node *node)
{
	struct endpoint *e;

	LIST_FOREACH (e, &node->endpoints, link) {
		bool wanted = e->warm_pass == node->warm_pass;

		atomic_store_explicit(&e->keeps_warm, wanted, memory_order_relaxed);
		if (wanted || e->warmth.state != WARMTH_UNWANTED)
			look(e);
	}
}

/* Fewer are under way than were. */
static void look_at_waiting(struct conns_node *node)
{
	struct endpoint *e;

	while (may_order(node) && (e = TAILQ_FIRST(&node->warm_waiting)) != NULL) {
		warm_forget(e);
		look(e);
	}
}

static void told(struct conns_mail *mail)
{
	struct endpoint *e = mail->endpoint;
	struct conns_node *node = e->node;
	mono_time now;

	if (node->is_over) {
		conns_mail_end(mail);
		return;
	}
	now = loop_now(node->group->control);
	if (mail->news == WARM_OPENED || mail->news == WARM_FAILED ||
	    mail->news == WARM_PREVENTED) {
		atomic_fetch_sub(&e->warming, 1);
		node->n_warm_orders--;
	}
	switch (mail->news) {
	case WARM_SHORT:
		atomic_store(&e->is_short, false);
		break;
	case WARM_OPENED:
		warmth_opened(&e->warmth, now);
		break;
	case WARM_FAILED:
		warmth_failed(&e->warmth, now, arc4random());
		break;
	case WARM_PREVENTED:
		warmth_prevented(&e->warmth, now);
		break;
	case WARM_BROKEN:
		warmth_broken(&e->warmth, now, arc4random());
		break;
	case WARM_ENDED:
		patience_ended(&e->patience, mail->idle, now);
		if (!speaks_h2(e) && endpoint_idle(e) == 0)
			warmth_lost(&e->warmth);
		break;
	}
	look_at_waiting(node);
	look(e);
	conns_mail_end(mail);
}

static void tell(struct endpoint *e, enum warm_news news)
{
	struct conns_mail *mail = conns_mail_create(e, 0, NULL);

	mail->told = told;
	mail->news = news;
	conns_mail_post(mail, 0);
}

void warm_ended(struct endpoint_slot *slot, const struct loop *loop, duration idle, bool unused)
{
	struct endpoint *e = slot->endpoint;
	struct conns_mail *mail;

	if (atomic_load_explicit(&e->spare, memory_order_relaxed) == 0)
		return;
	/* At once: the next request is not to wait for control to see it, or for other loops to see
	 * theirs end. */
	if (atomic_load_explicit(&slot->n_idle, memory_order_relaxed) <= 1 &&
	    atomic_load_explicit(&slot->n_shared, memory_order_relaxed) == 0)
		slot->lost_until = mono_add(loop_now(loop), LOST_FOR);
	if (endpoint_idle(e) <= 1)
		atomic_store_explicit(&e->is_warm, false, memory_order_relaxed);
	mail = conns_mail_create(e, 0, NULL);
	mail->told = told;
	mail->news = unused && idle.ns < WARMTH_BROKEN.ns ? WARM_BROKEN : WARM_ENDED;
	mail->idle = idle;
	conns_mail_post(mail, 0);
}

void warm_check(struct endpoint *e)
{
	unsigned spare = atomic_load_explicit(&e->spare, memory_order_relaxed);

	if (spare == 0 || endpoint_idle(e) >= spare || atomic_load(&e->retired))
		return;
	if (!atomic_exchange(&e->is_short, true))
		tell(e, WARM_SHORT);
}

void warm_begin(struct conns_node *node)
{
	LOOP_ASSERT_OWNER(node->group->control);
	node->warm_pass++;
}

void warm_want(struct endpoint *e, const struct lease_terms *terms, unsigned spare)
{
	bool is_first = e->warm_pass != e->node->warm_pass;

	LOOP_ASSERT_OWNER(e->node->group->control);
	if (e->transport->proxy != CFG_PROXY_PROTOCOL_NONE)
		return;
	if (!is_first && spare <= e->warm_spare)
		return;
	e->warm_pass = e->node->warm_pass;
	e->warm_spare = spare;
	e->warm_terms = *terms;
}

void warm_end(struct conns_node *node)
{
	look_at_all(node);
	/* From now on the most in use is counted anew. */
	atomic_fetch_add_explicit(&node->use_period, 1, memory_order_relaxed);
}

unsigned warm_most_in_use(const struct endpoint *e)
{
	return warmth_most(&e->warmth);
}

bool warm_is_settled(const struct endpoint *e)
{
	return !endpoint_is_cold(e) || e->warmth.n_failed > 0;
}

void warm_cancel(struct conns *c)
{
	struct warm_dial *d;

	while ((d = LIST_FIRST(&c->warm_dials))) {
		connector_cancel(&d->connector);
		endpoint_slot(d->endpoint, c)->opening -= d->opens;
		atomic_fetch_sub(&d->endpoint->dialling, 1);
		if (!d->ahead)
			atomic_fetch_sub(&d->endpoint->warming, 1);
		endpoint_release(d->endpoint);
		quota_release(d->terms.quota);
		end(d);
	}
}
