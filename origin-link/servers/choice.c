/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tables from what is known of servers, and requests by tables. An address that goes is out of the
 * table before it is given up, and its endpoint lives as long as a loop may be in the turn in which
 * it has found it; what else has changed is in the table at the end of control's turn, for all of
 * it at once, or a little later where a table takes long to prepare.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/servers/choice.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/loop.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/servers/balance_points.h"
#include "origin-link/servers/server.h"

/* Control prepares tables for one part in so many of its time, at most: the first checks of
 * thousands of servers end one after the other, and each changes the table. */
#define SHARE_OF_TIME 20
/* What it takes for each address, measured; and what is not put off. */
#define TIME_OF_ADDRESS DUR_NS(500)
#define TIME_WITH_RING DUR_NS(2500)
#define SHORT_TIME DUR_US(50)

/* Of one server. */
struct choice_user {
	struct server_user user;
	struct choice *choice;
};

struct choice {
	/* immutable */
	struct choice_setup setup;
	struct balance_settings settings;
	uint64_t seed;
	unsigned n_loops;
	/* control loop */
	struct choice_user *users; /* as the servers */
	struct loop_task task;
	struct event *later;
	mono_time prepared; /* when the table was, the last time, of so many addresses */
	unsigned n_addresses;
	/* control publishes, any loop reads */
	_Atomic(struct balance_table *) table;
};

/* Preparing */

static enum balance_state state_of(const struct olink_address *a)
{
	if (address_is_down(a))
		return BALANCE_DOWN;
	return address_is_proven(a) ? BALANCE_UP : BALANCE_UNPROVEN;
}

static unsigned count_addresses(const struct choice *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->setup.origin->n_servers; i++) {
		const struct olink_addresses *list = server_addresses(c->setup.servers[i]);

		if (c->setup.origin->servers[i].admin == CFG_ADMIN_ACTIVE)
			n += list ? list->n : 0;
	}
	return n;
}

/* Too few are up: all are taken to be. */
static void panic(const struct choice *c, struct balance_server *servers, unsigned n)
{
	double least = c->setup.origin->health.panic * n / 100;
	unsigned left = n;

	/* Those that nothing is known of yet do not count as down: there will be word of them. */
	for (unsigned i = 0; i < n; i++)
		left -= servers[i].state == BALANCE_DOWN;
	for (unsigned i = 0; i < n && left < least; i++)
		servers[i].state = BALANCE_UP;
}

static unsigned list_addresses(const struct choice *c, struct balance_server *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->setup.origin->n_servers; i++) {
		const struct olink_addresses *list = server_addresses(c->setup.servers[i]);
		const struct cfg_origin_server *cfg = &c->setup.origin->servers[i];
		unsigned rank = 0;

		for (unsigned k = 0; list && cfg->admin == CFG_ADMIN_ACTIVE && k < list->n; k++) {
			const struct olink_address *a = list->v[k];

			/* Of a service the first ones stand beside those that are no service's,
			 * whatever numbers its records have. */
			rank += k > 0 && a->priority != list->v[k - 1]->priority;

			out[n++] = (struct balance_server){
			    .what = a->endpoint,
			    .id = endpoint_id(a->endpoint),
			    .weight = cfg->weight * a->weight,
			    .priority = cfg->priority << 16 | rank,
			    .km = c->setup.km[i],
			    .state = state_of(a),
			    .up_since = a->up_since,
			};
		}
	}
	return n;
}

/* To what an operator has written, where no service is involved: points on a ring are by it. */
static void reduce_weights(struct balance_server *servers, unsigned n)
{
	unsigned divisor = 0;

	for (unsigned i = 0; i < n; i++)
		divisor = balance_common_divisor(divisor, servers[i].weight);
	for (unsigned i = 0; i < n; i++)
		servers[i].weight /= divisor;
}

static struct balance_table *prepare(struct choice *c)
{
	unsigned n = count_addresses(c);
	struct balance_server *servers = xcalloc(MAX(n, 1), sizeof(*servers));
	struct balance_table *table;

	CHECK(list_addresses(c, servers) == n);
	c->n_addresses = n;
	panic(c, servers, n);
	reduce_weights(servers, n);
	table = balance_table_create(&c->settings, servers, n, c->n_loops);
	log_debug("origin %s: requests go to %u of %u addresses", c->setup.origin->name,
		  balance_table_size(table), n);
	free(servers);
	return table;
}

static void free_table(void *arg)
{
	struct balance_table *table = arg;

	balance_table_destroy(&table);
}

static void publish(struct choice *c)
{
	struct balance_table *old =
	    atomic_exchange_explicit(&c->table, prepare(c), memory_order_acq_rel);

	c->prepared = loop_now(c->setup.group->control);
	event_del(c->later);
	loop_group_after_grace(c->setup.group, free_table, old);
}

static void run(struct loop_task *task)
{
	publish(CONTAINER_OF(task, struct choice, task));
}

static void later_cb(evutil_socket_t fd, short what, void *arg)
{
	publish(arg);
}

/* Zero: at once. */
static duration put_off(const struct choice *c)
{
	bool has_ring = c->settings.method == CFG_BALANCE_HASH;
	int64_t takes = c->n_addresses * (has_ring ? TIME_WITH_RING.ns : TIME_OF_ADDRESS.ns);
	duration since = mono_since(loop_now(c->setup.group->control), c->prepared);

	if (takes < SHORT_TIME.ns)
		return DUR_NS(0);
	return DUR_NS(MAX(takes * SHARE_OF_TIME - since.ns, 0));
}

static void server_changed_cb(struct server_user *user, bool address_goes)
{
	struct choice *c = CONTAINER_OF(user, struct choice_user, user)->choice;
	struct timeval wait = dur_to_timeval(put_off(c));

	if (address_goes)
		publish(c);
	else if (wait.tv_sec == 0 && wait.tv_usec == 0)
		loop_defer(c->setup.group->control, &c->task);
	else if (!evtimer_pending(c->later, NULL))
		CHECK(event_add(c->later, &wait) == 0);
}

static struct balance_settings settings_of(const struct choice_setup *setup)
{
	const struct cfg_balance *cfg = &setup->origin->balance;

	return (struct balance_settings){
	    .method = cfg->method,
	    .spill = cfg->spill / 100,
	    .bound = 1 + cfg->hash.slack / 100,
	    .subset = cfg->subset,
	    .self = XXH3_64bits(setup->self, strlen(setup->self)),
	    .slow_start = cfg->slow_start,
	    .finds_servers = cfg->sticky.enabled,
	};
}

struct choice *choice_create(const struct choice_setup *setup)
{
	unsigned n = setup->origin->n_servers;
	struct choice *c = xcalloc(1, sizeof(*c));

	LOOP_ASSERT_OWNER(setup->group->control);
	c->setup = *setup;
	c->settings = settings_of(setup);
	c->seed = balance_mix((uint64_t)clock_mono().ns ^ (uintptr_t)c);
	c->n_loops = setup->group->n_workers + 1;
	c->task.run = run;
	c->later = evtimer_new(loop_base(setup->group->control), later_cb, c);
	CHECK(c->later);
	c->users = xcalloc(MAX(n, 1), sizeof(*c->users));
	for (unsigned i = 0; i < n; i++) {
		c->users[i].choice = c;
		c->users[i].user.changed = server_changed_cb;
		server_watch(setup->servers[i], &c->users[i].user);
	}
	atomic_init(&c->table, prepare(c));
	return c;
}

void choice_destroy(struct choice **choicep)
{
	struct choice *c = TAKE(choicep);

	if (!c)
		return;
	LOOP_ASSERT_OWNER(c->setup.group->control);
	for (unsigned i = 0; i < c->setup.origin->n_servers; i++)
		server_unwatch(&c->users[i].user);
	loop_task_cancel(c->setup.group->control, &c->task);
	event_free(c->later);
	free_table(atomic_load(&c->table));
	free(c->users);
	free(c);
}

/* Choosing */

static bool is_avoided(const void *arg, const void *what)
{
	return endpoint_is_avoided(what, arg);
}

static unsigned in_flight(const void *arg, void *what, bool closely)
{
	return endpoint_in_flight(what, arg, closely);
}

static duration latency(const void *arg, const void *what)
{
	return endpoint_latency(what, arg);
}

const struct balance_table *choice_table(const struct choice *c)
{
	return atomic_load_explicit(&c->table, memory_order_acquire);
}

static const char *state_text(enum balance_state state)
{
	static const char *const texts[BALANCE_STATES] = {
	    [BALANCE_UP] = "up",
	    [BALANCE_UNPROVEN] = "unproven",
	    [BALANCE_DOWN] = "down",
	};

	CHECK((unsigned)state < BALANCE_STATES);
	return texts[state];
}

static void trace(const struct choice *c, const struct loop *loop,
		  const struct balance_table *table, const struct balance_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		log_debug("origin %s: %u of %u is %s, %s%s%s", c->setup.origin->name, i + 1,
			  balance_table_size(table), net_addr_shown(endpoint_addr(list->v[i])),
			  state_text(balance_table_state(table)),
			  endpoint_is_suspect(list->v[i], loop_now(loop)) ? ", suspect"
			  : endpoint_is_cold(list->v[i])                  ? ", cold"
									  : "",
			  i == 0 && list->is_server ? ", as the cookie says" : "");
}

enum reason choice_why_empty(const struct choice *c)
{
	for (unsigned i = 0; i < c->setup.origin->n_servers; i++) {
		if (c->setup.origin->servers[i].admin == CFG_ADMIN_DRAINED)
			return REASON_ORIGIN_ALL_DOWN;
	}
	return REASON_ORIGIN_RESOLVE_FAILED;
}

enum reason choice_make(const struct choice *c, const struct loop *loop, unsigned turn,
			const struct olink_affinity *affinity, struct balance_list *list)
{
	const struct balance_table *table = choice_table(c);
	uint64_t number = (uint64_t)loop_index(loop) << 32 | turn;
	struct balance_request request = {
	    .now = loop_now(loop),
	    .loop = loop_index(loop),
	    .random = balance_mix(c->seed ^ number),
	    .turn = turn,
	    .has_key = affinity->has_key,
	    .has_server = affinity->has_server,
	    .key = affinity->key,
	    .server = affinity->server,
	    .eyes = {is_avoided, in_flight, latency, loop},
	};

	if (balance_table_size(table) == 0)
		return choice_why_empty(c);
	if (balance_table_state(table) == BALANCE_DOWN &&
	    c->setup.origin->all_down == CFG_ALL_DOWN_REFUSE)
		return REASON_ORIGIN_ALL_DOWN;
	balance_choose(table, &request, list);
	if (LOG_ENABLED(LOG_LEVEL_DEBUG))
		trace(c, loop, table, list);
	return REASON_NONE;
}
