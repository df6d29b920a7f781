/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Verdicts, tables of them, and the pulse that all tables of a program share. A table and its
 * verdicts are counted memory, which any thread may let go; what is in a verdict is atomics, each
 * true by itself, that the control loop writes. A reader that sees a new state with an older time
 * is a moment behind, no more.
 */
#define LOG_MODULE LOG_PROBE
#include "fleet/verdicts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/names.h"
#include "fleet/ask.h"

/* Three probes may be lost before a verdict is doubted, and control may be late by some seconds
 * where probes are made more often than that. */
#define PATIENCE_INTERVALS 3
#define PATIENCE_MIN DUR_S(10)
#define FOREVER (INT64_MAX / 2) /* may be added to a time */

struct fleet_pulse {
	_Atomic unsigned refs;
	_Atomic uint64_t epoch;
	_Atomic int64_t fresh_until_ns; /* the first that grows too old, as far as is known */
	_Atomic bool told;              /* that some are too old; until none is */
};

struct row {
	unsigned first, n; /* of `v` */
	bool active;
};

struct fleet_verdicts {
	_Atomic unsigned refs;
	/* immutable, once filled */
	struct fleet_pulse *pulse;
	unsigned n_edges, n;
	struct row *edges;
	struct fleet_verdict **v;
	struct fleet_verdict **unused; /* in whose place there is an older one; or NULL */
	struct fleet_ask **asks;       /* by edge id; NULL: a fixed table */
};

/* Pulse */

struct fleet_pulse *fleet_pulse_create(void)
{
	struct fleet_pulse *pulse = xcalloc(1, sizeof(*pulse));

	atomic_init(&pulse->refs, 1);
	atomic_init(&pulse->epoch, 1);
	atomic_init(&pulse->fresh_until_ns, INT64_MAX);
	return pulse;
}

static struct fleet_pulse *pulse_ref(struct fleet_pulse *pulse)
{
	atomic_fetch_add_explicit(&pulse->refs, 1, memory_order_relaxed);
	return pulse;
}

void fleet_pulse_unref(struct fleet_pulse **pulsep)
{
	struct fleet_pulse *pulse = TAKE(pulsep);

	if (atomic_fetch_sub(&pulse->refs, 1) == 1)
		free(pulse);
}

void fleet_pulse_move(struct fleet_pulse *pulse)
{
	atomic_fetch_add(&pulse->epoch, 1);
}

/* A verdict */

static bool too_old(const struct fleet_verdict *v, mono_time now)
{
	return now.ns > atomic_load_explicit(&v->until_ns, memory_order_relaxed);
}

/* Whoever notices it first tells of it, so that it is told even while control is stuck. */
static __attribute__((cold)) void tell_stale(const struct fleet_verdict *v, mono_time now)
{
	int64_t age = now.ns - atomic_load(&v->last_ns);
	char text[NET_ADDR_TEXT];

	if (!atomic_exchange(&v->pulse->told, true))
		log_warn("edge %s at %s has not been probed for %" PRId64
			 " s: nothing is known of it any more, and maybe of others",
			 v->edge, net_addr_format_ip(&v->addr, text), age / DUR_S(1).ns);
}

enum health_state fleet_verdict_state(const struct fleet_verdict *v, mono_time now)
{
	enum health_state state = health_get(&v->health);

	if (state == HEALTH_UNKNOWN || !too_old(v, now))
		return state;
	tell_stale(v, now);
	return HEALTH_UNKNOWN;
}

bool fleet_verdict_failing(const struct fleet_verdict *v)
{
	return atomic_load_explicit(&v->health.failing, memory_order_relaxed);
}

enum probe_cause fleet_verdict_cause(const struct fleet_verdict *v)
{
	return (enum probe_cause)atomic_load_explicit(&v->health.cause, memory_order_relaxed);
}

mono_time fleet_verdict_last(const struct fleet_verdict *v)
{
	return (mono_time){atomic_load_explicit(&v->last_ns, memory_order_relaxed)};
}

duration fleet_verdict_probe_time(const struct fleet_verdict *v)
{
	return DUR_NS(atomic_load_explicit(&v->took_ns, memory_order_relaxed));
}

static uint64_t hash_of(const char *edge, const struct net_addr *addr)
{
	struct net_prefix ip = net_prefix_of(addr);

	return XXH3_64bits_withSeed(edge, strlen(edge), XXH3_64bits(ip.bytes, sizeof(ip.bytes)));
}

static struct fleet_verdict *verdict_create(struct fleet_pulse *pulse, const char *edge,
					    const struct net_addr *addr)
{
	struct fleet_verdict *v = xcalloc(1, sizeof(*v));

	v->edge = xstrdup(edge);
	v->addr = *addr;
	v->hash = hash_of(edge, addr);
	v->pulse = pulse;
	atomic_init(&v->refs, 1);
	atomic_init(&v->until_ns, FOREVER);
	v->patience = DUR_NS(FOREVER);
	health_init(&v->health, 1, 1);
	return v;
}

struct fleet_verdict *fleet_verdict_ref(struct fleet_verdict *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void fleet_verdict_unref(struct fleet_verdict **vp)
{
	struct fleet_verdict *v = TAKE(vp);

	if (v == NULL || atomic_fetch_sub(&v->refs, 1) > 1)
		return;
	free(v->edge);
	free(v);
}

void fleet_verdict_retune(struct fleet_verdict *v, const struct cfg_check *check)
{
	int64_t patience = PATIENCE_INTERVALS * check->interval.ns + check->timeout.ns;

	v->health.rise = check->rise;
	v->health.fall = check->fall;
	v->patience = DUR_NS(MAX(patience, PATIENCE_MIN.ns));
}

/* What is known now is so until then at least. */
static void renew(struct fleet_verdict *v, mono_time last, mono_time now)
{
	int64_t until = mono_add(now, v->patience).ns;

	v->stale = false;
	atomic_store_explicit(&v->last_ns, last.ns, memory_order_relaxed);
	atomic_store_explicit(&v->until_ns, until, memory_order_relaxed);
	if (until < atomic_load(&v->pulse->fresh_until_ns))
		atomic_store(&v->pulse->fresh_until_ns, until);
}

void fleet_verdict_renewed(struct fleet_verdict *v, bool changed, duration took, mono_time now)
{
	bool failing = fleet_verdict_failing(v);
	bool moved = changed || v->stale || failing != v->failing;

	renew(v, now, now);
	v->failing = failing;
	atomic_store_explicit(&v->took_ns, took.ns, memory_order_relaxed);
	if (moved)
		fleet_pulse_move(v->pulse);
}

void fleet_verdict_recall(struct fleet_verdict *v, enum health_state state, enum probe_cause cause,
			  mono_time last, mono_time now)
{
	health_recall(&v->health, state, cause);
	renew(v, last, now);
	fleet_pulse_move(v->pulse);
}

/* Tables */

static struct fleet_verdict **place(const struct fleet_verdicts *t, unsigned edge_id,
				    unsigned address)
{
	CHECK(edge_id < t->n_edges && address < t->edges[edge_id].n);
	return &t->v[t->edges[edge_id].first + address];
}

static void add_rows(struct fleet_verdicts *t, const struct cfg_fleet *fleet)
{
	t->n_edges = fleet->n_edges;
	t->edges = xcalloc(t->n_edges + 1, sizeof(*t->edges));
	for (unsigned i = 0; i < t->n_edges; i++) {
		const struct cfg_edge *edge = &fleet->edges[i];

		t->edges[i] = (struct row){
		    .first = t->n,
		    .n = edge->addresses.n,
		    .active = edge->admin == CFG_ADMIN_ACTIVE,
		};
		t->n += edge->addresses.n;
	}
}

struct fleet_verdicts *fleet_verdicts_fixed(const struct cfg_fleet *fleet)
{
	struct fleet_verdicts *t = xcalloc(1, sizeof(*t));

	atomic_init(&t->refs, 1);
	t->pulse = fleet_pulse_create();
	add_rows(t, fleet);
	t->v = xcalloc(t->n + 1, sizeof(struct fleet_verdict *));
	t->unused = xcalloc(t->n + 1, sizeof(struct fleet_verdict *));
	for (unsigned i = 0; i < fleet->n_edges; i++) {
		const struct cfg_edge *edge = &fleet->edges[i];

		for (unsigned k = 0; k < edge->addresses.n; k++)
			*place(t, i, k) =
			    verdict_create(t->pulse, edge->name, &edge->addresses.v[k]);
	}
	return t;
}

struct fleet_verdicts *fleet_verdicts_load(const struct cfg_fleet *fleet, struct diag *diag)
{
	struct fleet_ask **asks = fleet_asks_load(fleet, diag);
	struct fleet_verdicts *t;

	if (asks == NULL)
		return NULL;
	t = fleet_verdicts_fixed(fleet);
	t->asks = asks;
	for (unsigned i = 0; i < t->n_edges; i++) {
		for (unsigned k = 0; k < t->edges[i].n; k++)
			fleet_verdict_retune(*place(t, i, k), &asks[i]->check);
	}
	return t;
}

void fleet_verdicts_join(struct fleet_verdicts *t, struct fleet_pulse *pulse)
{
	fleet_pulse_unref(&t->pulse);
	t->pulse = pulse_ref(pulse);
	for (unsigned i = 0; i < t->n; i++)
		t->v[i]->pulse = pulse;
}

void fleet_verdicts_keep(struct fleet_verdicts *t, unsigned edge_id, unsigned address,
			 struct fleet_verdict *v)
{
	struct fleet_verdict **at = place(t, edge_id, address);

	if (*at == v)
		return;
	/* Freed with the table, by a job: there may be thousands. */
	CHECK(t->unused[at - t->v] == NULL);
	t->unused[at - t->v] = *at;
	*at = fleet_verdict_ref(v);
}

unsigned fleet_verdicts_n_edges(const struct fleet_verdicts *t)
{
	return t->n_edges;
}

unsigned fleet_verdicts_n_addresses(const struct fleet_verdicts *t, unsigned edge_id)
{
	CHECK(edge_id < t->n_edges);
	return t->edges[edge_id].n;
}

bool fleet_verdicts_is_active(const struct fleet_verdicts *t, unsigned edge_id)
{
	CHECK(edge_id < t->n_edges);
	return t->edges[edge_id].active;
}

struct fleet_ask *fleet_verdicts_ask(const struct fleet_verdicts *t, unsigned edge_id)
{
	CHECK(edge_id < t->n_edges);
	return t->asks == NULL ? NULL : t->asks[edge_id];
}

struct fleet_verdicts *fleet_verdicts_ref(struct fleet_verdicts *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void fleet_verdicts_unref(struct fleet_verdicts **tp)
{
	struct fleet_verdicts *t = TAKE(tp);

	if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < t->n; i++) {
		fleet_verdict_unref(&t->v[i]);
		fleet_verdict_unref(&t->unused[i]);
	}
	free(t->unused);
	fleet_asks_free(&t->asks, t->n_edges);
	fleet_pulse_unref(&t->pulse);
	free(t->edges);
	free(t->v);
	free(t);
}

struct fleet_verdict *fleet_verdicts_at(const struct fleet_verdicts *t, unsigned edge_id,
					unsigned address)
{
	return *place(t, edge_id, address);
}

/* Nothing can be found out about it from here. */
static bool has_no_route(const struct fleet_verdict *v)
{
	return health_get(&v->health) == HEALTH_UNKNOWN && fleet_verdict_cause(v) == PROBE_NO_ROUTE;
}

enum health_state fleet_verdicts_edge_state(const struct fleet_verdicts *t, unsigned edge_id,
					    sa_family_t family, mono_time now)
{
	const struct row *row = &t->edges[edge_id];
	unsigned n = 0, n_down = 0, unrouted = 0;

	CHECK(edge_id < t->n_edges);
	for (unsigned i = 0; i < row->n; i++) {
		const struct fleet_verdict *v = t->v[row->first + i];
		enum health_state state;

		if (family != AF_UNSPEC && v->addr.sa.sa_family != family)
			continue;
		state = fleet_verdict_state(v, now);
		if (state == HEALTH_UP)
			return HEALTH_UP;
		if (state == HEALTH_UNKNOWN && has_no_route(v)) {
			unrouted++;
			continue;
		}
		n++;
		n_down += state == HEALTH_DOWN;
	}
	if (n == 0 && unrouted > 0 && family != AF_UNSPEC)
		return fleet_verdicts_edge_state(t, edge_id, AF_UNSPEC, now);
	return n > 0 && n_down == n ? HEALTH_DOWN : HEALTH_UNKNOWN;
}

uint64_t fleet_verdicts_epoch(const struct fleet_verdicts *t)
{
	return atomic_load(&t->pulse->epoch);
}

bool fleet_verdicts_fresh(const struct fleet_verdicts *t, mono_time now)
{
	return now.ns <= atomic_load_explicit(&t->pulse->fresh_until_ns, memory_order_relaxed);
}

/* An active edge has an address that nothing is known of, and there is a route to it. */
static bool is_unsettled(const struct fleet_verdicts *t, const struct row *row)
{
	for (unsigned k = 0; k < row->n && row->active; k++) {
		const struct fleet_verdict *v = t->v[row->first + k];

		if (health_get(&v->health) == HEALTH_UNKNOWN && !has_no_route(v))
			return true;
	}
	return false;
}

bool fleet_verdicts_settled(const struct fleet_verdicts *t)
{
	for (unsigned i = 0; i < t->n_edges; i++) {
		if (is_unsettled(t, &t->edges[i]))
			return false;
	}
	return true;
}

char *fleet_verdicts_unsettled(const struct fleet_verdicts *t)
{
	struct names names = {0};

	for (unsigned i = 0; i < t->n_edges; i++) {
		const struct row *row = &t->edges[i];

		if (is_unsettled(t, row))
			names_add(&names, t->v[row->first]->edge);
	}
	return names_sentence(&names, "edge", "edges");
}

unsigned fleet_verdicts_look(struct fleet_verdicts *t, mono_time now)
{
	int64_t fresh_until = INT64_MAX;
	unsigned became = 0, stale = 0;

	for (unsigned i = 0; i < t->n; i++) {
		struct fleet_verdict *v = t->v[i];

		if (health_get(&v->health) == HEALTH_UNKNOWN)
			continue;
		if (fleet_verdict_state(v, now) == HEALTH_UNKNOWN) {
			stale++;
			became += !v->stale;
			v->stale = true;
			/* What is not known is found out as at first. */
			health_doubt(&v->health);
			continue;
		}
		fresh_until = MIN(fresh_until, atomic_load(&v->until_ns));
	}
	atomic_store(&t->pulse->fresh_until_ns, fresh_until);
	if (became > 0)
		fleet_pulse_move(t->pulse);
	if (stale == 0 && atomic_exchange(&t->pulse->told, false))
		log_info("all edges are probed again");
	return became;
}

void fleet_verdicts_set(struct fleet_verdicts *t, unsigned edge_id, unsigned address,
			enum health_state state, bool failing)
{
	bool all = address == FLEET_ALL_ADDRESSES;
	unsigned last = all ? t->edges[edge_id].n : address + 1;

	for (unsigned k = all ? 0 : address; k < last; k++) {
		struct health *h = &(*place(t, edge_id, k))->health;
		bool well = state == HEALTH_UP && !failing;

		health_recall(h, state,
			      state == HEALTH_UNKNOWN ? PROBE_PENDING
			      : well                  ? PROBE_OK
						      : PROBE_REFUSED);
	}
	fleet_pulse_move(t->pulse);
}
