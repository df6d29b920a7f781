/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The choice. A request looks at BALANCE_LIST_MAX servers at most, or a few more when many of them
 * are avoided; only how busy a tier is as a whole, which bounds the load of a hash, is counted now
 * and then. Every loop chooses for itself, by what it knows.
 */
#include "origin-link/servers/balance.h"

#include <math.h>

#include "core/base/check.h"
#include "origin-link/servers/balance_internal.h"

/* Of the first tier, when there are others: something of these must be in the list as well. */
#define FIRST_TIER_MAX (BALANCE_LIST_MAX * 3 / 4)
/* Places of a schedule or a ring that are looked at before servers are taken as they stand: where
 * one weighs a thousand times what others do, it has nearly all of them. */
#define LOOKS_MAX (4 * BALANCE_LIST_MAX)
/* The least busy of so many are looked for among more than a list has. Two would do (Mitzenmacher,
 * 2001); a few more cost little and make it as good as looking at all. */
#define LEAST_LOOKS 5
/* Draws until there are two that may be had. */
#define DRAWS_MAX 8
/* A server that has been asked for the first time, and has not answered yet, counts as if it took
 * as long as that: another may be known to be faster. */
#define LATENCY_UNKNOWN DUR_S(1)
/* So many requests a server may always have, before a hash sends keys elsewhere: a few at a time
 * say nothing about its load, and whoever hashes wants to find there what it left there. */
#define BOUND_MIN 10
/* How busy a tier is, is counted so often. */
#define SIGHT_TIME DUR_MS(100)
/* What a server takes at the beginning of its slow start: enough to be seen to work. */
#define SLOW_SHARE_MIN 0.1

/* Those in question, none of them twice. */
struct order {
	unsigned n, max;
	unsigned v[BALANCE_LIST_MAX];
};

struct chooser {
	const struct balance_table *table;
	const struct balance_request *request;
	struct order order;
};

double balance_slow_share(mono_time since, mono_time now, duration slow_start)
{
	double share;

	if (since.ns == 0 || slow_start.ns <= 0)
		return 1;
	share = (double)mono_since(now, since).ns / (double)slow_start.ns;
	return MIN(MAX(share, SLOW_SHARE_MIN), 1.0);
}

/* Looking */

static const struct balance_entry *entry_of(const struct chooser *c, unsigned i)
{
	return &c->table->entries[i];
}

static bool is_avoided(const struct chooser *c, unsigned i)
{
	const struct balance_eyes *eyes = &c->request->eyes;

	return eyes->is_avoided(eyes->arg, entry_of(c, i)->what);
}

static unsigned in_flight_of(const struct chooser *c, unsigned i, bool closely)
{
	const struct balance_eyes *eyes = &c->request->eyes;

	return eyes->in_flight(eyes->arg, entry_of(c, i)->what, closely);
}

/* One in its slow start lets others go first, the more often the shorter it has been up: with a key
 * always for the same keys, of which it gets more and more. */
static bool is_ready(const struct chooser *c, unsigned i)
{
	const struct balance_request *r = c->request;
	const struct balance_entry *e = entry_of(c, i);
	double share = balance_slow_share(e->up_since, r->now, c->table->settings.slow_start);
	uint64_t of = r->has_key ? r->key : r->random;

	if (share >= 1)
		return true;
	return (double)(balance_mix(of ^ e->id) >> 11) < share * 9007199254740992.0;
}

/* Who is in question */

static bool is_in(const struct order *order, unsigned entry)
{
	for (unsigned i = 0; i < order->n; i++) {
		if (order->v[i] == entry)
			return true;
	}
	return false;
}

static void add(struct order *order, unsigned entry)
{
	if (order->n < order->max && !is_in(order, entry))
		order->v[order->n++] = entry;
}

static void add_points(struct order *order, const struct balance_tier *tier,
		       const struct balance_points *points, unsigned from)
{
	unsigned looks = MIN(points->n, LOOKS_MAX);

	for (unsigned i = 0; i < looks && order->n < order->max; i++)
		add(order, tier->first + points->v[(from + i) % points->n].entry);
}

/* Places in the order of turns. */
static unsigned places_of(const struct balance_tier *tier)
{
	return tier->schedule.n > 0 ? tier->schedule.n : tier->n;
}

static unsigned entry_at(const struct balance_tier *tier, unsigned place)
{
	return tier->first + (tier->schedule.n > 0 ? tier->schedule.v[place].entry : place);
}

static bool can_be_had(const struct chooser *c, unsigned i)
{
	return !is_avoided(c, i) && is_ready(c, i);
}

/* Any, by weight. */
static unsigned draw_place(const struct chooser *c, const struct balance_tier *tier,
			   unsigned number)
{
	uint64_t any = balance_mix(c->request->random + number) >> 32;

	return (unsigned)(any * places_of(tier) >> 32);
}

/* Whose turn it is. The turns of one that cannot be had are everybody's, not the next one's. */
static unsigned begin_at(const struct chooser *c, const struct balance_tier *tier)
{
	unsigned place = c->request->turn % places_of(tier);

	for (unsigned i = 0; i < DRAWS_MAX && !can_be_had(c, entry_at(tier, place)); i++)
		place = draw_place(c, tier, i);
	return place;
}

/* Those of a tier, in the order in which the method takes them when it knows nothing more of them.
 */
static void add_tier(struct chooser *c, const struct balance_tier *tier)
{
	const struct balance_request *r = c->request;
	struct order *order = &c->order;
	unsigned place;

	if (tier->ring.n > 0 && r->has_key) {
		place = balance_points_find(&tier->ring, (uint32_t)(r->key >> 32));
		add_points(order, tier, &tier->ring, place);
	} else {
		place = begin_at(c, tier);
		add_points(order, tier, &tier->schedule, place);
	}
	for (unsigned i = 0; i < tier->n && order->n < order->max; i++)
		add(order, tier->first + (place + i) % tier->n);
}

static const struct balance_tier *choose_tier(const struct chooser *c)
{
	const struct balance_request *r = c->request;
	const struct balance_table *t = c->table;
	/* A key stays in its tier. */
	uint64_t of = r->has_key ? r->key : r->random;
	uint32_t place = (uint32_t)balance_mix(of);
	unsigned i = 0;

	while (i < t->n_tiers - 1 && place >= t->tiers[i].until)
		i++;
	return &t->tiers[i];
}

/* Methods: each returns which of the order is to be the first */

static unsigned choose_by_turn(const struct chooser *c)
{
	for (unsigned i = 0; i < c->order.n; i++) {
		if (can_be_had(c, c->order.v[i]))
			return i;
	}
	return 0;
}

/* Of those that are equally busy for their weight the first in turn. */
static unsigned choose_least(const struct chooser *c, const struct balance_tier *tier)
{
	unsigned looks = tier->n > BALANCE_LIST_MAX ? LEAST_LOOKS : c->order.n;
	uint64_t best_in_flight = 0, best_weight = 0;
	unsigned best = c->order.n;

	for (unsigned i = 0; i < c->order.n && looks > 0; i++) {
		unsigned entry = c->order.v[i];
		uint64_t in_flight;

		if (!can_be_had(c, entry))
			continue;
		looks--;
		in_flight = in_flight_of(c, entry, true);
		if (best < c->order.n &&
		    in_flight * best_weight >= best_in_flight * entry_of(c, entry)->weight)
			continue;
		best = i;
		best_in_flight = in_flight;
		best_weight = entry_of(c, entry)->weight;
	}
	return best < c->order.n ? best : choose_by_turn(c);
}

/* How long a request may take there: those before it are in its way, the less the more the server
 * can do at a time. One of which nothing is known is tried at once, by one request. */
static double cost_of(const struct chooser *c, unsigned entry)
{
	const struct balance_eyes *eyes = &c->request->eyes;
	unsigned in_flight = in_flight_of(c, entry, true);
	duration latency = eyes->latency(eyes->arg, entry_of(c, entry)->what);

	if (latency.ns == 0)
		return (double)LATENCY_UNKNOWN.ns * in_flight;
	return (double)latency.ns * (1 + (double)in_flight / entry_of(c, entry)->weight);
}

/* Two that differ, and can be had; how many were found. */
static unsigned draw_two(const struct chooser *c, const struct balance_tier *tier, unsigned two[2])
{
	unsigned n = 0;

	for (unsigned i = 0; i < DRAWS_MAX && n < 2; i++) {
		unsigned entry = entry_at(tier, draw_place(c, tier, i));

		if ((n == 0 || entry != two[0]) && can_be_had(c, entry))
			two[n++] = entry;
	}
	/* Of few servers the same may have been drawn each time. */
	for (unsigned i = 0; i < c->order.n && n < 2; i++) {
		unsigned entry = c->order.v[i];

		if ((n == 0 || entry != two[0]) && can_be_had(c, entry))
			two[n++] = entry;
	}
	return n;
}

/* To the front; the others move back, the last of them out if there is no room. */
static void put_first(struct order *order, unsigned entry)
{
	unsigned i = 0;

	while (i < order->n && order->v[i] != entry)
		i++;
	if (i == order->n && order->n < order->max)
		order->n++;
	for (i = MIN(i, order->n - 1); i > 0; i--)
		order->v[i] = order->v[i - 1];
	order->v[0] = entry;
}

/* The power of two choices: the faster of two, so that not all requests of all loops go to the one
 * that was the fastest a moment ago. */
static unsigned choose_fast(struct chooser *c, const struct balance_tier *tier)
{
	unsigned two[2], n = draw_two(c, tier, two);

	if (n == 0)
		return choose_by_turn(c);
	if (n == 2 && cost_of(c, two[1]) < cost_of(c, two[0])) {
		unsigned swap = two[0];

		two[0] = two[1];
		two[1] = swap;
	}
	if (n == 2)
		put_first(&c->order, two[1]);
	put_first(&c->order, two[0]);
	return 0;
}

/* Requests that the tier has under way. */
static uint64_t count_in_flight(const struct chooser *c, const struct balance_tier *tier)
{
	const struct balance_table *t = c->table;
	struct balance_sight *sight = &t->sights[c->request->loop][tier - t->tiers];
	mono_time now = c->request->now;

	if (sight->at.ns != 0 && mono_since(now, sight->at).ns < SIGHT_TIME.ns)
		return sight->in_flight;
	sight->at = now;
	sight->in_flight = 0;
	for (unsigned i = 0; i < tier->n; i++)
		sight->in_flight += in_flight_of(c, tier->first + i, false);
	return sight->in_flight;
}

/* Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018): the first on
 * the ring that has not more than its share, and a quarter of that or so. */
static unsigned choose_by_key(const struct chooser *c, const struct balance_tier *tier)
{
	double all = (double)count_in_flight(c, tier) + 1;

	for (unsigned i = 0; i < c->order.n; i++) {
		const struct balance_entry *e = entry_of(c, c->order.v[i]);
		double share = all * e->weight / (double)tier->weight;
		double most = MAX(ceil(c->table->settings.bound * share), BOUND_MIN);

		if (can_be_had(c, c->order.v[i]) && in_flight_of(c, c->order.v[i], true) < most)
			return i;
	}
	return choose_by_turn(c);
}

static unsigned choose_by_method(struct chooser *c, const struct balance_tier *tier)
{
	switch (c->table->settings.method) {
	case CFG_BALANCE_ROUND_ROBIN:
		return choose_by_turn(c);
	case CFG_BALANCE_LEAST_REQUESTS:
		return choose_least(c, tier);
	case CFG_BALANCE_LATENCY:
		return choose_fast(c, tier);
	case CFG_BALANCE_HASH:
		break;
	}
	return c->request->has_key ? choose_by_key(c, tier) : choose_least(c, tier);
}

/* The list */

static bool find_server(const struct chooser *c, unsigned *entry)
{
	const struct balance_table *t = c->table;
	unsigned low = 0, high = t->places ? t->n : 0;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (t->places[middle].id < c->request->server)
			low = middle + 1;
		else
			high = middle;
	}
	if (!t->places || low == t->n || t->places[low].id != c->request->server)
		return false;
	*entry = t->places[low].entry;
	return !is_avoided(c, *entry);
}

/* Those that are avoided come last, whatever tier they are of. */
static void make_list(const struct chooser *c, struct balance_list *list)
{
	const struct order *order = &c->order;
	bool avoided[BALANCE_LIST_MAX];

	for (unsigned i = 0; i < order->n; i++) {
		avoided[i] = is_avoided(c, order->v[i]);
		if (!avoided[i])
			list->v[list->n++] = entry_of(c, order->v[i])->what;
	}
	for (unsigned i = 0; i < order->n; i++) {
		if (avoided[i])
			list->v[list->n++] = entry_of(c, order->v[i])->what;
	}
}

void balance_choose(const struct balance_table *t, const struct balance_request *r,
		    struct balance_list *list)
{
	struct chooser c = {.table = t, .request = r};
	const struct balance_tier *tier;
	unsigned server;

	list->n = 0;
	list->is_server = false;
	if (t->n == 0)
		return;
	tier = choose_tier(&c);
	c.order.max = t->n_tiers > 1 ? FIRST_TIER_MAX : BALANCE_LIST_MAX;
	add_tier(&c, tier);
	put_first(&c.order, c.order.v[choose_by_method(&c, tier)]);
	c.order.max = BALANCE_LIST_MAX;
	for (unsigned i = 0; i < t->n_tiers; i++) {
		if (&t->tiers[i] != tier)
			add_tier(&c, &t->tiers[i]);
	}
	if (r->has_server && find_server(&c, &server)) {
		put_first(&c.order, server);
		list->is_server = true;
	}
	make_list(&c, list);
}
