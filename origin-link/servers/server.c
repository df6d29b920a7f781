/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server table. Runs on the control loop. A server owns its watch, its addresses, their hold on
 * endpoints and their probes; a change of addresses publishes a new list, takes over those that
 * stay with their health, and retires the old list once every loop has ended its turn. Those that
 * went are remembered for a while: a name may turn to another place and back.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/servers/server.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/transport.h"
#include "origin-link/health/check.h"
#include "origin-link/health/probe.h"
#include "origin-link/servers/seen.h"

#define SERVER_MAGIC 0x53727672u

/* Longer than a name is kept by resolvers that have their own idea of its time to live, so that one
 * which alternates finds its addresses again; and no longer than what was found out about a machine
 * is likely to be true of it. */
#define PAST_TIME DUR_S(600)

/* After each thing that may have changed the state of an address. */
static void note(struct olink_address *a, const char *cause)
{
	history_add(&a->history, address_state_text(a), cause, clock_wall());
}

/* Not whoever accepts connections only: it may still not answer. */
static bool is_convincing(const struct cfg_check *check)
{
	return check->kind != CFG_CHECK_TCP && check->kind != CFG_CHECK_TLS;
}

static void take_back_if_checked(struct olink_address *a)
{
	mono_time began = mono_add(clock_mono(), DUR_NS(-probe_last_time(a->probe).ns));

	if (is_convincing(&a->server->check) && mono_reached(a->outlier.since, began) &&
	    outlier_checked(&a->outlier, clock_mono()))
		address_outlier_changed(a);
}

void address_outlier_changed(struct olink_address *a)
{
	const char *cause = outlier_cause_text(a->outlier.cause), *host = a->server->host;
	struct server_table *table = a->server->table;
	bool out = a->outlier.cause != OUTLIER_NONE;

	LOOP_ASSERT_OWNER(table->group->control);
	atomic_store_explicit(&a->is_left_out, out, memory_order_relaxed);
	if (out) {
		metrics_add(table->metrics, table->group->control, OLINK_EJECTIONS, 1);
		log_info("server %s (%s) is ejected for %lld s (%s)", host,
			 net_addr_shown(&a->addr), (long long)(dur_to_ms(a->outlier.time) / 1000),
			 cause);
	} else {
		log_info("server %s (%s) is taken back", host, net_addr_shown(&a->addr));
	}
	note(a, out ? cause : "ejection-over");
	if (!out)
		a->up_since = loop_now(table->group->control);
	server_changed(a->server);
}

/* Whoever was there from the beginning has no slow start: it would be one of all. */
static void note_start(struct olink_address *a)
{
	if (!address_is_proven(a))
		a->comes_late |= health_get(&a->health) == HEALTH_DOWN;
	else if (a->comes_late)
		a->up_since = loop_now(a->server->table->group->control);
}

static void tell_users(struct olink_server *server, bool address_goes)
{
	struct server_user *user;

	LIST_FOREACH (user, &server->users, link)
		user->changed(user, address_goes);
}

void server_changed(struct olink_server *server)
{
	tell_users(server, false);
	server->table->on_change(server->table);
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
	else
		take_back_if_checked(a);
	if (!changed)
		return;
	note(a, probe_cause_text(cause));
	note_start(a);
	server_changed(a->server);
}

/* What checks ask for. */
static const char *name_of(const struct olink_server *server)
{
	if (cfg_is_unix(server->host))
		return CFG_UNIX_NAME;
	return server->port ? server->host : cfg_service_domain(server->host);
}

static void start_checks(struct olink_address *a)
{
	struct olink_server *server = a->server;
	char text[NET_ADDR_TEXT];
	char *name = xasprintf("server %s (%s)", server->host, net_addr_format(&a->addr, text));
	struct probe_target target = {
	    .check = &server->check,
	    .addr = a->addr,
	    .transport = server->check_transport,
	    .name = name,
	    .host = name_of(server),
	    .gate = server->table->gate,
	};

	a->probe = probe_create(server->table->buffers, &target, &a->health, probed_cb, a);
	free(name);
}

static struct olink_address *address_create(struct olink_server *server,
					    const struct net_addr *addr)
{
	struct olink_address *a = xcalloc(1, sizeof(*a));

	a->server = server;
	a->addr = *addr;
	a->endpoint = endpoint_take(server->table->conns, addr, server->transport);
	a->checked = server->checked;
	seen_begin(a);
	health_init(&a->health, server->check.rise, server->check.fall);
	if (a->checked)
		start_checks(a);
	if (server->is_drained)
		note(a, "by-operator");
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

/* A list that nobody reads any more, and the addresses that went with it for good. */
struct retired {
	const struct olink_addresses *list;
	unsigned n;
	struct olink_address *v[2 * SERVICE_ADDRS_MAX];
};

static void retired_free(void *arg)
{
	struct retired *r = arg;

	for (unsigned i = 0; i < r->n; i++)
		free(r->v[i]);
	free((void *)r->list);
	free(r);
}

/* The past */

static struct olink_address *past_take(struct olink_past *past, unsigned i)
{
	struct olink_address *a = past->v[i];

	past->n--;
	memmove(&past->v[i], &past->v[i + 1], (past->n - i) * sizeof(*past->v));
	return a;
}

static void forget_first(struct olink_past *past, struct retired *r)
{
	struct olink_address *a = past_take(past, 0);
	struct endpoint *endpoint = a->endpoint; /* `a` is read until the grace is over */

	endpoint_forget(&endpoint);
	r->v[r->n++] = a;
}

static void forget_old(struct olink_server *server)
{
	struct olink_past *past = &server->past;
	mono_time now = loop_now(server->table->group->control);
	struct retired *r;

	if (past->n == 0 || !mono_reached(mono_add(past->v[0]->left, PAST_TIME), now))
		return;
	r = xcalloc(1, sizeof(*r));
	while (past->n > 0 && mono_reached(mono_add(past->v[0]->left, PAST_TIME), now))
		forget_first(past, r);
	loop_group_after_grace(server->table->group, retired_free, r);
}

/* Its idle connections are closed, and those that are used when they are used no more. */
static void leave(struct olink_address *a, struct retired *r)
{
	struct olink_past *past = &a->server->past;
	struct endpoint *endpoint = a->endpoint;

	if (past->n == ARRAY_SIZE(past->v))
		forget_first(past, r);
	probe_destroy(&a->probe);
	seen_end(a->server, a);
	endpoint_remember(endpoint);
	endpoint_give(&endpoint);
	a->left = loop_now(a->server->table->group->control);
	past->v[past->n++] = a;
}

/* That it was down is believed until it is found up; that it was up is not: much may have happened
 * meanwhile, and the first check takes no longer than it must. */
static void come_back(struct olink_address *a)
{
	struct endpoint *known = a->endpoint;

	a->endpoint = endpoint_take(a->server->table->conns, &a->addr, a->server->transport);
	CHECK(a->endpoint == known);
	endpoint_forget(&known);
	a->comes_late = true;
	seen_begin(a);
	note_start(a);
	if (!a->checked)
		return;
	if (health_get(&a->health) == HEALTH_UP && health_forget(&a->health, PROBE_PENDING))
		note(a, "came-back");
	health_doubt(&a->health);
	start_checks(a);
}

/* One of that address: it is there, has been there, or is new. */
static struct olink_address *address_of(struct olink_server *server, const struct net_addr *addr)
{
	struct olink_address *a = find(server_addresses(server), addr);
	struct olink_past *past = &server->past;

	for (unsigned i = 0; !a && i < past->n; i++) {
		if (net_addr_equal(&past->v[i]->addr, addr)) {
			a = past_take(past, i);
			come_back(a);
		}
	}
	if (!a) {
		a = address_create(server, addr);
		a->comes_late = server_addresses(server) != NULL;
		note_start(a);
	}
	return a;
}

/* The present */

/* `new_list` NULL: all of them go. */
static struct retired *retire(const struct olink_addresses *old,
			      const struct olink_addresses *new_list)
{
	struct retired *r = xcalloc(1, sizeof(*r));

	r->list = old;
	for (unsigned i = 0; old && i < old->n; i++) {
		if (!find(new_list, &old->v[i]->addr))
			leave(old->v[i], r);
	}
	return r;
}

/* NULL: there are none any more. */
static void publish(struct olink_server *server, struct olink_addresses *list)
{
	const struct olink_addresses *old = server_addresses(server);

	atomic_store_explicit(&server->addresses, list, memory_order_release);
	tell_users(server, old != NULL);
	loop_group_after_grace(server->table->group, retired_free, retire(old, list));
	server->table->on_change(server->table);
}

static bool are_those(const struct olink_addresses *list, const struct service_address *v,
		      unsigned n)
{
	bool same = list && list->n == n;

	for (unsigned i = 0; same && i < n; i++)
		same = net_addr_equal(&list->v[i]->addr, &v[i].addr) &&
		       list->v[i]->priority == v[i].priority && list->v[i]->weight == v[i].weight;
	return same;
}

static void served_cb(void *arg, enum resolver_news news, const struct service_address *v,
		      unsigned n)
{
	struct olink_server *server = arg;
	struct olink_addresses *list;

	MAGIC_CHECK(server, SERVER_MAGIC);
	server->resolved = true;
	forget_old(server);
	if (news == NAME_EXPIRED)
		publish(server, NULL);
	if (news != NAME_FOUND || are_those(server_addresses(server), v, n))
		return;
	list = xcalloc(1, sizeof(*list));
	for (unsigned i = 0; i < n; i++) {
		struct olink_address *a = address_of(server, &v[i].addr);

		a->priority = v[i].priority;
		a->weight = v[i].weight;
		list->v[list->n++] = a;
	}
	publish(server, list);
}

/* Of a name all are equals. */
static void resolved_cb(void *arg, enum resolver_news news, const struct net_addr *addrs,
			unsigned n)
{
	struct service_address v[RESOLVER_ADDRS_MAX];

	for (unsigned i = 0; i < n; i++)
		v[i] = (struct service_address){.addr = addrs[i], .weight = SERVICE_WEIGHT};
	served_cb(arg, news, v, n);
}

static bool is_there(const struct olink_server *s, const struct server_identity *id)
{
	return s->port == id->port && strcmp(s->host, id->host) == 0;
}

static bool resolves_equally(const struct cfg_resolve *a, const struct cfg_resolve *b)
{
	return a->ttl_min.ns == b->ttl_min.ns && a->ttl_max.ns == b->ttl_max.ns &&
	       a->keep.ns == b->keep.ns && a->family == b->family;
}

/* NULL: there is none. */
static bool is_same_name(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_that(const struct olink_server *s, const struct server_identity *id)
{
	return is_there(s, id) && s->transport == id->transport &&
	       s->is_watched == id->is_watched && is_same_name(s->watcher, id->watcher) &&
	       s->is_drained == id->is_drained && resolves_equally(&s->resolve, id->resolve) &&
	       s->checked == (id->check != NULL) &&
	       (!id->check || (s->check_transport == id->check_transport &&
			       probe_check_equal(&s->check, id->check)));
}

static unsigned bucket(const struct server_identity *id)
{
	return (unsigned)(XXH3_64bits_withSeed(id->host, strlen(id->host), id->port) %
			  SERVER_BUCKETS);
}

/* Whether its verdicts hold for the other too. */
static bool is_checked_there(const struct olink_server *s, const struct server_identity *id)
{
	return id->check && s->checked && s->transport == id->transport;
}

/* How much of what is known of `s` holds for a new one: verdicts most, and of those that are
 * checked in another way more when the same is asked, for another origin may ask the same server
 * for something else; then all addresses that the new one wants, and what the same origin has
 * counted. */
static unsigned likeness(const struct olink_server *s, const struct server_identity *id)
{
	bool checked = is_checked_there(s, id);
	bool has_family =
	    s->resolve.family == CFG_FAMILY_ANY || s->resolve.family == id->resolve->family;

	return 1 + has_family + is_same_name(s->watcher, id->watcher) + 2 * checked +
	       2 * (checked && probe_check_asks_same(&s->check, id->check));
}

/* The one that is most like a new server; of equals the newest. NULL: none has addresses. */
static const struct olink_server *find_before(const struct server_table *table,
					      const struct server_identity *id)
{
	const struct olink_server *s, *best = NULL;
	unsigned most = 0;

	LIST_FOREACH (s, &table->servers[bucket(id)], link) {
		if (is_there(s, id) && server_addresses(s) && likeness(s, id) > most) {
			best = s;
			most = likeness(s, id);
		}
	}
	return best;
}

static void take_over_outlier(struct olink_address *a, const struct olink_address *from)
{
	a->outlier = from->outlier;
	atomic_store_explicit(&a->is_left_out, from->outlier.cause != OUTLIER_NONE,
			      memory_order_relaxed);
}

/* Its addresses are there at once, with what is known of them: by the time that its own name is
 * resolved, the other may be gone; and that may take as long as name servers are away. */
static void take_over(struct olink_server *server, const struct olink_server *before,
		      bool with_verdicts)
{
	const struct olink_addresses *known = server_addresses(before);
	struct olink_addresses *list = xcalloc(1, sizeof(*list));

	for (unsigned i = 0; i < known->n; i++) {
		struct olink_address *a;

		if (!gather_is_of(&known->v[i]->addr, server->resolve.family))
			continue;
		a = address_create(server, &known->v[i]->addr);
		if (with_verdicts) {
			health_take_over(&a->health, &known->v[i]->health);
			a->history = known->v[i]->history;
			a->comes_late = known->v[i]->comes_late;
			a->up_since = known->v[i]->up_since;
		}
		a->priority = known->v[i]->priority;
		a->weight = known->v[i]->weight;
		if (server->is_drained != before->is_drained)
			note(a, "by-operator");
		if (server->is_watched && before->is_watched &&
		    is_same_name(server->watcher, before->watcher))
			take_over_outlier(a, known->v[i]);
		list->v[list->n++] = a;
	}
	if (list->n > 0)
		atomic_store_explicit(&server->addresses, list, memory_order_release);
	else
		free(list);
}

static const struct resolver_watch *watch_of(const struct olink_server *s)
{
	return s->service ? service_watch(s->service) : s->watch;
}

static void watch_name(struct olink_server *s, const struct olink_server *before)
{
	struct server_table *table = s->table;
	struct resolver_question question = {
	    .host = s->host,
	    .port = s->port,
	    .terms = &s->resolve,
	    .before = server_addresses(s) ? watch_of(before) : NULL,
	};

	if (s->port == 0)
		s->service =
		    service_create(table->resolver, table->group->control, &question, served_cb, s);
	else
		s->watch = resolver_watch_create(table->resolver, &question, resolved_cb, s);
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
	s->resolve = *id->resolve;
	s->is_watched = id->is_watched;
	s->watcher = id->watcher ? xstrdup(id->watcher) : NULL;
	s->is_drained = id->is_drained;
	atomic_init(&s->addresses, NULL);
	s->checked = id->check != NULL;
	if (id->check) {
		probe_check_init(&s->check, id->check);
		s->check_transport = transport_ref(id->check_transport);
	}
	before = find_before(table, id);
	if (before)
		take_over(s, before, is_checked_there(before, id));
	LIST_INSERT_HEAD(&table->servers[at], s, link);
	table->n_servers++;
	watch_name(s, before);
	return s;
}

void server_give(struct olink_server **serverp)
{
	struct olink_server *s = TAKE(serverp);
	struct retired *r;

	MAGIC_CHECK(s, SERVER_MAGIC);
	LOOP_ASSERT_OWNER(s->table->group->control);
	if (--s->refs > 0)
		return;
	LIST_REMOVE(s, link);
	s->table->n_servers--;
	resolver_watch_destroy(&s->watch);
	service_destroy(&s->service);
	r = retire(server_addresses(s), NULL);
	while (s->past.n > 0)
		forget_first(&s->past, r);
	retired_free(r);
	transport_unref(&s->transport);
	free(s->host);
	free(s->watcher);
	if (s->checked) {
		probe_check_fini(&s->check);
		transport_unref(&s->check_transport);
	}
	s->magic = MAGIC_DEAD;
	free(s);
}

void server_watch(struct olink_server *server, struct server_user *user)
{
	LOOP_ASSERT_OWNER(server->table->group->control);
	LIST_INSERT_HEAD(&server->users, user, link);
}

void server_unwatch(struct server_user *user)
{
	LIST_REMOVE(user, link);
}

bool server_is_settled(const struct olink_server *s)
{
	const struct olink_addresses *list = server_addresses(s);

	for (unsigned i = 0; list && i < list->n; i++) {
		if (list->v[i]->checked && health_get(&list->v[i]->health) == HEALTH_UNKNOWN)
			return false;
	}
	return s->resolved && (!s->service || service_is_settled(s->service));
}

struct resolver_facts server_lookup(const struct olink_server *s)
{
	return resolver_watch_facts(watch_of(s));
}

bool address_is_down(const struct olink_address *a)
{
	return health_get(&a->health) == HEALTH_DOWN ||
	       atomic_load_explicit(&a->is_left_out, memory_order_relaxed);
}

unsigned address_state(const struct olink_address *a)
{
	enum health_state state = health_get(&a->health);

	if (a->server->is_drained)
		return ADDRESS_DRAINED;
	if (state != HEALTH_DOWN && atomic_load_explicit(&a->is_left_out, memory_order_relaxed))
		return ADDRESS_EJECTED;
	return state;
}

const char *address_state_name(unsigned state)
{
	if (state == ADDRESS_DRAINED)
		return "drained";
	return state == ADDRESS_EJECTED ? "ejected" : health_state_text((enum health_state)state);
}

const char *address_state_text(const struct olink_address *a)
{
	return address_state_name(address_state(a));
}

bool address_is_proven(const struct olink_address *a)
{
	return !a->checked || health_get(&a->health) == HEALTH_UP;
}

const struct olink_addresses *server_addresses(const struct olink_server *s)
{
	return atomic_load_explicit(&s->addresses, memory_order_acquire);
}
