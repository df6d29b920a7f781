/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections ahead of need: control counts what is missing and tells the loops by mail, each loop
 * connects and keeps what comes of it. When to top up, and which endpoints, is the caller's.
 */
#define LOG_MODULE LOG_POOL
#include "origin-link/conns/warm.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/transport.h"

struct warm_dial {
	LIST_ENTRY(warm_dial) link;
	struct conns *conns;
	struct endpoint *endpoint; /* pinned; room for it is reserved */
	struct lease_terms terms;
	struct connector connector;
};

static void end(struct warm_dial *d)
{
	atomic_fetch_sub(&d->endpoint->warming, 1);
	endpoint_unpin(&d->endpoint, d->conns->loop);
	LIST_REMOVE(d, link);
	d->conns->n_warm_dials--;
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

	if (stream) {
		origin_conn_opened(d->conns, d->endpoint, stream);
		conn = origin_conn_create(d->conns, d->endpoint, d->terms.quota, stream);
		reason = conn ? REASON_NONE : REASON_LIMIT;
	} else {
		sharing_release(d->conns, d->endpoint, d->terms.quota);
	}
	report(d, reason);
	if (conn) {
		conns_count(d->conns, OLINK_WARM, 1);
		origin_conn_freed(conn, &d->terms);
		sharing_conn_free(conn);
	} else {
		failed(d, reason, detail);
	}
	end(d);
}

static bool start(struct conns *c, struct endpoint *e, const struct lease_terms *terms)
{
	struct warm_dial *d;

	/* One that takes the place of another would be opened again and again. */
	if (c->n_idle + c->n_warm_dials >=
	    atomic_load_explicit(&c->node->idle_limit, memory_order_relaxed))
		return false;
	if (endpoint_reserve(c, e, terms) != ROOM_TAKEN)
		return false;
	d = xcalloc(1, sizeof(*d));
	d->conns = c;
	d->endpoint = e;
	d->terms = *terms;
	endpoint_pin(e, c->loop);
	LIST_INSERT_HEAD(&c->warm_dials, d, link);
	c->n_warm_dials++;
	connector_init(&d->connector, c->buffers, connected_cb);
	connector_start(&d->connector, &e->addr, e->transport, NULL, terms->connect_timeout);
	return true;
}

static void order_arrived(struct conns *c, struct conns_mail *mail)
{
	if (!start(c, mail->endpoint, &mail->terms))
		atomic_fetch_sub(&mail->endpoint->warming, 1);
	conns_mail_end(mail);
}

/* The next loop that has a side; -1 when none has. */
static int next_side(struct conns_node *node)
{
	for (unsigned i = 0; i < node->n_loops; i++) {
		unsigned index = node->next_warm++ % node->n_loops;

		if (node->sides[index])
			return index;
	}
	return -1;
}

void warm_top_up(struct endpoint *e, const struct lease_terms *terms, unsigned want)
{
	struct conns_node *node = e->node;
	unsigned have = endpoint_idle(e) + atomic_load(&e->warming);

	LOOP_ASSERT_OWNER(node->group->control);
	if (e->transport->proxy != CFG_PROXY_PROTOCOL_NONE)
		return;
	for (want = MIN(want, terms->max_idle); have < want; have++) {
		struct conns_mail *mail;
		int side = next_side(node);

		if (side < 0)
			return;
		mail = conns_mail_create(e, 0, order_arrived);
		mail->terms = *terms;
		atomic_fetch_add(&e->warming, 1);
		conns_mail_post(mail, side);
	}
}

void warm_cancel(struct conns *c)
{
	struct warm_dial *d;

	while ((d = LIST_FIRST(&c->warm_dials))) {
		connector_cancel(&d->connector);
		endpoint_release(d->endpoint);
		quota_release(d->terms.quota);
		end(d);
	}
}
