/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server table. Runs on the control loop. A server owns its watch, its addresses, their hold on
 * endpoints and their probes; a change of addresses publishes a new list, takes over those that
 * stay with their health, and retires the old list with those that went once every loop has ended
 * its turn.
 */
#include "origin-link/servers/server.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/transport.h"
#include "origin-link/servers/probe.h"
#include "origin-link/servers/seen.h"

#define SERVER_MAGIC 0x53727672u

/* After each thing that may have changed the state of an address. */
static void note(struct olink_address *a, const char *cause)
{
	history_add(&a->history, health_state_text(health_get(&a->health)), cause, clock_wall());
}

static void probed_cb(void *arg, enum probe_cause cause, bool changed)
{
	struct olink_address *a = arg;
	struct server_table *table = a->server->table;

	if (cause == PROBE_PREVENTED) {
		metrics_add(table->metrics, table->group->control, OLINK_PROBES_PREVENTED, 1);
		return;
	}
	metrics_add(table->metrics, table->group->control, OLINK_PROBES, 1);
	if (cause != PROBE_OK)
		metrics_add(table->metrics, table->group->control, OLINK_PROBE_FAILURES, 1);
	if (!changed)
		return;
	note(a, probe_cause_text(cause));
	table->on_change(table);
}

static struct olink_address *address_create(struct olink_server *server,
					    const struct net_addr *addr)
{
	struct olink_address *a = xcalloc(1, sizeof(*a));
	char text[NET_ADDR_TEXT];

	a->server = server;
	a->addr = *addr;
	a->endpoint = endpoint_take(server->table->conns, addr, server->transport);
	a->checked = server->checked;
	seen_begin(a);
	health_init(&a->health, server->check.rise, server->check.fall);
	if (a->checked) {
		char *name = xasprintf("server %s (%s)", server->host, net_addr_format(addr, text));
		struct probe_target target = {
		    .check = &server->check,
		    .addr = *addr,
		    .transport = server->transport,
		    .name = name,
		    .host = server->host,
		};

		a->probe = probe_create(server->table->buffers, &target, &a->health, probed_cb, a);
		free(name);
	}
	return a;
}

static struct olink_address *find(const struct olink_addresses *list, const struct net_addr *addr)
{
	for (unsigned i = 0; list && i < list->n; i++) {
		if (net_addr_equal(&list->v[i]->addr, addr))
			return list->v[i];
	}
	return NULL;
}

/* A list that nobody reads any more, and the addresses that went with it. */
struct retired {
	const struct olink_addresses *list;
	unsigned n;
	struct olink_address *v[RESOLVER_ADDRS_MAX];
};

static void retired_free(void *arg)
{
	struct retired *r = arg;

	for (unsigned i = 0; i < r->n; i++)
		free(r->v[i]);
	free((void *)r->list);
	free(r);
}

/* `new_list` NULL: all of them go. */
static struct retired *retire(const struct olink_addresses *old,
			      const struct olink_addresses *new_list)
{
	struct retired *r = xcalloc(1, sizeof(*r));

	r->list = old;
	for (unsigned i = 0; old && i < old->n; i++) {
		/* What a loop has found in this turn lives as long as the endpoint's own grace. */
		struct endpoint *endpoint = old->v[i]->endpoint;

		if (find(new_list, &old->v[i]->addr))
			continue;
		probe_destroy(&old->v[i]->probe);
		seen_end(old->v[i]->server, old->v[i]);
		endpoint_give(&endpoint);
		r->v[r->n++] = old->v[i];
	}
	return r;
}

static void resolved_cb(void *arg, const struct net_addr *addrs, unsigned n)
{
	struct olink_server *server = arg;
	const struct olink_addresses *old = server_addresses(server);
	struct olink_addresses *list;
	bool same = old && old->n == n;

	MAGIC_CHECK(server, SERVER_MAGIC);
	server->resolved = true;
	for (unsigned i = 0; same && i < n; i++)
		same = net_addr_equal(&old->v[i]->addr, &addrs[i]);
	if (n == 0 || same)
		return;

	list = xcalloc(1, sizeof(*list));
	for (unsigned i = 0; i < n; i++) {
		struct olink_address *kept = find(old, &addrs[i]);

		list->v[list->n++] = kept ? kept : address_create(server, &addrs[i]);
	}
	atomic_store_explicit(&server->addresses, list, memory_order_release);
	loop_group_after_grace(server->table->group, retired_free, retire(old, list));
	server->table->on_change(server->table);
}

/* However it is checked. */
static bool is_there(const struct olink_server *s, const struct server_identity *id)
{
	return s->port == id->port && strcmp(s->host, id->host) == 0 &&
	       s->transport == id->transport;
}

static bool is_that(const struct olink_server *s, const struct server_identity *id)
{
	return is_there(s, id) && s->checked == (id->check != NULL) &&
	       (!id->check || probe_check_equal(&s->check, id->check));
}

static unsigned bucket(const struct server_identity *id)
{
	return (unsigned)(XXH3_64bits_withSeed(id->host, strlen(id->host), id->port) %
			  SERVER_BUCKETS);
}

/* The one whose verdicts hold for a new server too: of those that are checked in another way, one
 * that asks the same, for another origin may ask the same server for something else; else the
 * newest. NULL: none. */
static const struct olink_server *find_before(const struct server_table *table,
					      const struct server_identity *id)
{
	const struct olink_server *s, *newest = NULL;

	LIST_FOREACH (s, &table->servers[bucket(id)], link) {
		if (!is_there(s, id) || !s->checked)
			continue;
		if (probe_check_asks_same(&s->check, id->check))
			return s;
		if (!newest)
			newest = s;
	}
	return newest;
}

/* Its addresses are there at once, with what is known of them: by the time that its own name is
 * resolved, the other may be gone. */
static void take_over(struct olink_server *server, const struct olink_server *before)
{
	const struct olink_addresses *known = server_addresses(before);
	struct olink_addresses *list;

	if (!known)
		return;
	list = xcalloc(1, sizeof(*list));
	for (unsigned i = 0; i < known->n; i++) {
		struct olink_address *a = address_create(server, &known->v[i]->addr);

		health_take_over(&a->health, &known->v[i]->health);
		a->history = known->v[i]->history;
		list->v[list->n++] = a;
	}
	atomic_store_explicit(&server->addresses, list, memory_order_release);
}

struct olink_server *server_take(struct server_table *table, const struct server_identity *id)
{
	const struct olink_server *before;
	unsigned at = bucket(id);
	struct olink_server *s;

	LOOP_ASSERT_OWNER(table->group->control);
	LIST_FOREACH (s, &table->servers[at], link) {
		if (is_that(s, id)) {
			s->refs++;
			return s;
		}
	}
	s = xcalloc(1, sizeof(*s));
	s->magic = SERVER_MAGIC;
	s->table = table;
	s->refs = 1;
	s->host = xstrdup(id->host);
	s->port = id->port;
	s->transport = transport_ref(id->transport);
	atomic_init(&s->addresses, NULL);
	if (id->check) {
		s->checked = true;
		probe_check_init(&s->check, id->check);
		before = find_before(table, id);
		if (before)
			take_over(s, before);
	}
	LIST_INSERT_HEAD(&table->servers[at], s, link);
	table->n_servers++;
	s->watch = resolver_watch_create(table->resolver, s->host, s->port, resolved_cb, s);
	return s;
}

void server_give(struct olink_server **serverp)
{
	struct olink_server *s = TAKE(serverp);

	MAGIC_CHECK(s, SERVER_MAGIC);
	LOOP_ASSERT_OWNER(s->table->group->control);
	if (--s->refs > 0)
		return;
	LIST_REMOVE(s, link);
	s->table->n_servers--;
	resolver_watch_destroy(&s->watch);
	retired_free(retire(server_addresses(s), NULL));
	transport_unref(&s->transport);
	free(s->host);
	if (s->checked)
		probe_check_fini(&s->check);
	s->magic = MAGIC_DEAD;
	free(s);
}

bool server_is_settled(const struct olink_server *s)
{
	const struct olink_addresses *list = server_addresses(s);

	for (unsigned i = 0; list && i < list->n; i++) {
		if (list->v[i]->checked && health_get(&list->v[i]->health) == HEALTH_UNKNOWN)
			return false;
	}
	return s->resolved;
}

bool address_is_proven(const struct olink_address *a)
{
	return !a->checked || health_get(&a->health) == HEALTH_UP;
}

const struct olink_addresses *server_addresses(const struct olink_server *s)
{
	return atomic_load_explicit(&s->addresses, memory_order_acquire);
}
