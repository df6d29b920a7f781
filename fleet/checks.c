/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes of edges, one for each edge's name and address: a target, found again at each reload by a
 * hash of the two. The verdict that it feeds is memory of its own (fleet/verdicts.h), so that
 * whoever reads an older table does not mind when the target ends. Control loop only.
 *
 * A configuration may bring thousands of targets, and take away as many. To make and to end their
 * probes is work for later, a little in each turn, so that control is not held: until its turn
 * comes a target is asked what it was asked before. When probes begin is the gate's business.
 */
#include "fleet/checks.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/base/check.h"
#include "core/net/stream.h"
#include "core/process/metrics.h"
#include "fleet/ask.h"
#include "fleet/verdicts.h"
#include "origin-link/health/probe.h"
#include "origin-link/health/probe_gate.h"

#define CHECKS_MAGIC 0x45646765u
#define TARGET_MAGIC 0x54617267u

/* How soon it is told that verdicts have become too old. */
#define LOOK_INTERVAL DUR_S(1)
/* Made, or ended, in a turn: a fraction of a millisecond of work. */
#define AT_ONCE 20

struct target {
	unsigned magic;
	struct fleet_checks *owner;
	struct fleet_verdict *verdict;
	LIST_ENTRY(target) link; /* of its bucket, unless it has ended */
	uint64_t watched;        /* by which watch, the last one that named it */
	struct probe *probe;     /* NULL: its first is still to come */
	struct fleet_ask *asked; /* by the probe */
	/* To be begun: what is to be asked; to be ended: NULL. */
	struct fleet_ask *wanted;
	bool waits; /* in one of the lists of work */
	TAILQ_ENTRY(target) work;
};

LIST_HEAD(bucket, target);
TAILQ_HEAD(work, target);

struct fleet_checks {
	unsigned magic;
	struct stream_buffers *buffers;
	struct metrics *metrics;
	struct fleet_counters counters;
	struct fleet_pulse *pulse;
	struct event *look;
	void (*on_move)(void *arg);
	void *arg;
	/* By name and address. */
	struct bucket *buckets;
	unsigned n_buckets; /* a power of two */
	uint64_t n_watches;
	struct fleet_verdicts *current; /* NULL before the first watch */
	/* Work. */
	struct work starts, ends;
	struct event *timer;
	struct probe_gate *gate;
};

/* Epoch */

static void tell_if_moved(struct fleet_checks *checks, uint64_t before)
{
	if (fleet_verdicts_epoch(checks->current) != before && checks->on_move != NULL)
		checks->on_move(checks->arg);
}

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = dur_to_timeval(LOOK_INTERVAL);
	struct fleet_checks *checks = arg;
	uint64_t before;
	unsigned stale;

	MAGIC_CHECK(checks, CHECKS_MAGIC);
	event_add(checks->look, &again);
	if (checks->current == NULL)
		return;
	before = fleet_verdicts_epoch(checks->current);
	stale = fleet_verdicts_look(checks->current, clock_mono());
	metrics_add(checks->metrics, checks->buffers->loop, checks->counters.stale, stale);
	tell_if_moved(checks, before);
}

void fleet_checks_on_move(struct fleet_checks *checks, void (*on_move)(void *arg), void *arg)
{
	checks->on_move = on_move;
	checks->arg = arg;
}

/* Probes */

static void probe_ended(void *arg, enum probe_cause cause, bool changed)
{
	struct target *t = arg;
	struct fleet_checks *checks;
	uint64_t before;

	MAGIC_CHECK(t, TARGET_MAGIC);
	checks = t->owner;
	if (cause == PROBE_PREVENTED) {
		metrics_add(checks->metrics, checks->buffers->loop, checks->counters.prevented, 1);
		return;
	}
	before = fleet_verdicts_epoch(checks->current);
	fleet_verdict_renewed(t->verdict, changed, probe_last_time(t->probe), clock_mono());
	tell_if_moved(checks, before);
}

static void stop_probe(struct target *t)
{
	if (t->probe != NULL)
		probe_destroy(&t->probe);
	fleet_ask_unref(&t->asked);
}

/* Instead of the one that it has. */
static void start_probe(struct target *t)
{
	char text[NET_ADDR_TEXT];
	char *name = xasprintf("edge %s at %s", t->verdict->edge,
			       net_addr_format_ip(&t->verdict->addr, text));
	struct probe_target target = {.addr = t->verdict->addr, .name = name};

	stop_probe(t);
	t->asked = TAKE(&t->wanted);
	target.check = &t->asked->check;
	target.host = t->asked->host;
	target.transport = t->asked->transport;
	target.gate = t->owner->gate;
	target.for_others = true;
	net_addr_set_port(&target.addr, t->asked->port);
	fleet_verdict_retune(t->verdict, &t->asked->check);
	t->probe = probe_create(t->owner->buffers, &target, &t->verdict->health, probe_ended, t);
	free(name);
}

/* Work */

static void free_target(struct target *t)
{
	stop_probe(t);
	t->magic = MAGIC_DEAD;
	fleet_verdict_unref(&t->verdict);
	free(t);
}

static void end_some(struct fleet_checks *checks, unsigned n)
{
	struct target *t;

	for (; n > 0 && (t = TAILQ_FIRST(&checks->ends)) != NULL; n--) {
		TAILQ_REMOVE(&checks->ends, t, work);
		free_target(t);
	}
}

static void start_some(struct fleet_checks *checks, unsigned n)
{
	struct target *t;

	for (; n > 0 && (t = TAILQ_FIRST(&checks->starts)) != NULL; n--) {
		TAILQ_REMOVE(&checks->starts, t, work);
		t->waits = false;
		start_probe(t);
	}
}

static void work_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {.tv_usec = 1};
	struct fleet_checks *checks = arg;

	MAGIC_CHECK(checks, CHECKS_MAGIC);
	end_some(checks, AT_ONCE);
	start_some(checks, AT_ONCE);
	if (!TAILQ_EMPTY(&checks->starts) || !TAILQ_EMPTY(&checks->ends))
		event_add(checks->timer, &again);
}

static void leave_work(struct target *t)
{
	if (t->waits)
		TAILQ_REMOVE(&t->owner->starts, t, work);
	t->waits = false;
	fleet_ask_unref(&t->wanted);
}

static void want(struct target *t, struct fleet_ask *ask)
{
	leave_work(t);
	if (t->asked != NULL && fleet_ask_equal(t->asked, ask))
		return;
	t->wanted = fleet_ask_ref(ask);
	t->waits = true;
	TAILQ_INSERT_TAIL(&t->owner->starts, t, work);
}

/* Nobody asks for it any more. */
static void end_target(struct target *t)
{
	MAGIC_CHECK(t, TARGET_MAGIC);
	leave_work(t);
	LIST_REMOVE(t, link);
	TAILQ_INSERT_TAIL(&t->owner->ends, t, work);
}

/* Targets */

static struct bucket *bucket_of(const struct fleet_checks *checks, const struct fleet_verdict *v)
{
	return &checks->buckets[v->hash & (checks->n_buckets - 1)];
}

static void rehash(struct fleet_checks *checks, unsigned n_targets)
{
	struct bucket *old = checks->buckets;
	unsigned n_old = checks->n_buckets, n = 16;

	while (n < n_targets)
		n *= 2;
	if (n == n_old)
		return;
	checks->n_buckets = n;
	checks->buckets = xcalloc(checks->n_buckets, sizeof(*checks->buckets));
	for (unsigned i = 0; i < n_old; i++) {
		struct target *t;

		while ((t = LIST_FIRST(&old[i])) != NULL) {
			LIST_REMOVE(t, link);
			LIST_INSERT_HEAD(bucket_of(checks, t->verdict), t, link);
		}
	}
	free(old);
}

static struct target *find_target(const struct fleet_checks *checks, const struct fleet_verdict *v)
{
	struct target *t;

	LIST_FOREACH (t, bucket_of(checks, v), link) {
		if (t->verdict->hash == v->hash && net_addr_equal(&t->verdict->addr, &v->addr) &&
		    strcmp(t->verdict->edge, v->edge) == 0)
			return t;
	}
	return NULL;
}

static struct target *add_target(struct fleet_checks *checks, struct fleet_verdict *v)
{
	struct target *t = xcalloc(1, sizeof(*t));

	t->magic = TARGET_MAGIC;
	t->owner = checks;
	t->verdict = fleet_verdict_ref(v);
	LIST_INSERT_HEAD(bucket_of(checks, v), t, link);
	return t;
}

/* Those that the last watch does not name. */
static void end_unwatched(struct fleet_checks *checks)
{
	for (unsigned i = 0; i < checks->n_buckets; i++) {
		struct target *t, *next;

		for (t = LIST_FIRST(&checks->buckets[i]); t != NULL; t = next) {
			next = LIST_NEXT(t, link);
			if (t->watched != checks->n_watches)
				end_target(t);
		}
	}
}

/* Watching */

static void watch_edge(struct fleet_checks *checks, struct fleet_verdicts *table, unsigned edge_id)
{
	struct fleet_ask *ask = fleet_verdicts_ask(table, edge_id);

	for (unsigned k = 0; k < fleet_verdicts_n_addresses(table, edge_id); k++) {
		struct fleet_verdict *v = fleet_verdicts_at(table, edge_id, k);
		struct target *t = find_target(checks, v);

		if (t == NULL)
			t = add_target(checks, v);
		else
			fleet_verdicts_keep(table, edge_id, k, t->verdict);
		t->watched = checks->n_watches;
		want(t, ask);
	}
}

void fleet_checks_watch(struct fleet_checks *checks, struct fleet_verdicts *table)
{
	const struct timeval now = {0};
	unsigned n_edges = fleet_verdicts_n_edges(table), n_targets = 0;

	LOOP_ASSERT_OWNER(checks->buffers->loop);
	for (unsigned i = 0; i < n_edges; i++)
		n_targets += fleet_verdicts_n_addresses(table, i);
	rehash(checks, n_targets);
	checks->n_watches++;
	fleet_verdicts_join(table, checks->pulse);
	/* A start waits for the active ones. */
	for (unsigned drained = 0; drained <= 1; drained++) {
		for (unsigned i = 0; i < n_edges; i++) {
			if (fleet_verdicts_is_active(table, i) == !drained)
				watch_edge(checks, table, i);
		}
	}
	end_unwatched(checks);
	fleet_verdicts_unref(&checks->current);
	checks->current = fleet_verdicts_ref(table);
	fleet_verdicts_look(table, clock_mono());
	event_add(checks->timer, &now);
}

struct fleet_verdicts *fleet_checks_current(const struct fleet_checks *checks)
{
	return checks->current;
}

/* Life */

struct fleet_checks *fleet_checks_create(struct stream_buffers *control_buffers,
					 struct metrics *metrics, struct fleet_counters counters)
{
	struct fleet_checks *checks = xcalloc(1, sizeof(*checks));
	struct event_base *base = loop_base(control_buffers->loop);
	const struct timeval first = dur_to_timeval(LOOK_INTERVAL);

	checks->magic = CHECKS_MAGIC;
	checks->buffers = control_buffers;
	checks->metrics = metrics;
	checks->counters = counters;
	checks->pulse = fleet_pulse_create();
	checks->n_buckets = 1;
	checks->buckets = xcalloc(1, sizeof(*checks->buckets));
	TAILQ_INIT(&checks->starts);
	TAILQ_INIT(&checks->ends);
	checks->gate = probe_gate_create(control_buffers->loop);
	checks->timer = evtimer_new(base, work_cb, checks);
	checks->look = evtimer_new(base, look_cb, checks);
	CHECK(checks->timer != NULL && checks->look != NULL);
	CHECK(event_add(checks->look, &first) == 0);
	return checks;
}

void fleet_checks_destroy(struct fleet_checks **checksp)
{
	struct fleet_checks *checks = TAKE(checksp);

	if (checks == NULL)
		return;
	MAGIC_CHECK(checks, CHECKS_MAGIC);
	checks->n_watches++; /* which names none */
	end_unwatched(checks);
	end_some(checks, UINT_MAX);
	fleet_verdicts_unref(&checks->current);
	fleet_pulse_unref(&checks->pulse);
	probe_gate_destroy(&checks->gate);
	event_free(checks->timer);
	event_free(checks->look);
	checks->magic = MAGIC_DEAD;
	free(checks->buckets);
	free(checks);
}
