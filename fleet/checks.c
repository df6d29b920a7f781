/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes of edges, one for each edge's name and address: a target, found again at each reload by a
 * hash of the two. The verdict that it feeds is memory of its own (fleet/verdicts.h), so that
 * whoever reads an older table does not mind when the target ends. Control loop only.
 */
#include "fleet/checks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/net/stream.h"
#include "core/process/metrics.h"
#include "fleet/verdicts.h"
#include "origin-link/servers/probe.h"

#define CHECKS_MAGIC 0x45646765u
#define TARGET_MAGIC 0x54617267u

/* How soon it is told that verdicts have become too old. */
#define LOOK_INTERVAL DUR_S(1)

struct target {
	unsigned magic;
	LIST_ENTRY(target) link;
	struct fleet_checks *owner;
	struct fleet_verdict *verdict;
	struct probe *probe;
	uint64_t watched; /* by which watch, the last one that named it */
	/* What the probe asks. */
	char *host;
	uint16_t port;
	struct cfg_check check; /* its strings are our own */
};

LIST_HEAD(bucket, target);

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
};

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

struct fleet_checks *fleet_checks_create(struct stream_buffers *control_buffers,
					 struct metrics *metrics, struct fleet_counters counters)
{
	struct fleet_checks *checks = xcalloc(1, sizeof(*checks));
	const struct timeval first = dur_to_timeval(LOOK_INTERVAL);

	checks->magic = CHECKS_MAGIC;
	checks->buffers = control_buffers;
	checks->metrics = metrics;
	checks->counters = counters;
	checks->pulse = fleet_pulse_create();
	checks->n_buckets = 1;
	checks->buckets = xcalloc(1, sizeof(*checks->buckets));
	checks->look = evtimer_new(loop_base(control_buffers->loop), look_cb, checks);
	CHECK(checks->look != NULL && event_add(checks->look, &first) == 0);
	return checks;
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

static void start_probe(struct target *t)
{
	char text[NET_ADDR_TEXT];
	char *name = xasprintf("edge %s at %s", t->verdict->edge,
			       net_addr_format_ip(&t->verdict->addr, text));
	struct probe_target target = {
	    .check = &t->check, .addr = t->verdict->addr, .name = name, .host = t->host};

	net_addr_set_port(&target.addr, t->port);
	t->probe = probe_create(t->owner->buffers, &target, &t->verdict->health, probe_ended, t);
	free(name);
}

/* Targets */

static struct bucket *bucket_of(const struct fleet_checks *checks, const char *edge,
				const struct net_addr *addr)
{
	struct net_prefix ip = net_prefix_of(addr);
	uint64_t hash = XXH3_64bits(ip.bytes, sizeof(ip.bytes));

	hash = XXH3_64bits_withSeed(edge, strlen(edge), hash);
	return &checks->buckets[hash & (checks->n_buckets - 1)];
}

static void rehash(struct fleet_checks *checks, unsigned n_targets)
{
	struct bucket *old = checks->buckets;
	unsigned n_old = checks->n_buckets;

	checks->n_buckets = 16;
	while (checks->n_buckets < n_targets)
		checks->n_buckets *= 2;
	checks->buckets = xcalloc(checks->n_buckets, sizeof(*checks->buckets));
	for (unsigned i = 0; i < n_old; i++) {
		struct target *t;

		while ((t = LIST_FIRST(&old[i])) != NULL) {
			LIST_REMOVE(t, link);
			LIST_INSERT_HEAD(bucket_of(checks, t->verdict->edge, &t->verdict->addr), t,
					 link);
		}
	}
	free(old);
}

static struct target *find_target(const struct fleet_checks *checks, const char *edge,
				  const struct net_addr *addr)
{
	struct target *t;

	LIST_FOREACH (t, bucket_of(checks, edge, addr), link) {
		if (net_addr_equal(&t->verdict->addr, addr) && strcmp(t->verdict->edge, edge) == 0)
			return t;
	}
	return NULL;
}

static struct target *add_target(struct fleet_checks *checks, const char *edge,
				 const struct net_addr *addr)
{
	struct target *t = xcalloc(1, sizeof(*t));

	t->magic = TARGET_MAGIC;
	t->owner = checks;
	t->verdict = fleet_verdict_create(checks->pulse, edge, addr);
	LIST_INSERT_HEAD(bucket_of(checks, edge, addr), t, link);
	return t;
}

static void stop_probe(struct target *t)
{
	if (t->probe == NULL)
		return;
	probe_destroy(&t->probe);
	free(t->host);
	probe_check_fini(&t->check);
}

static void drop_target(struct target *t)
{
	MAGIC_CHECK(t, TARGET_MAGIC);
	LIST_REMOVE(t, link);
	stop_probe(t);
	t->magic = MAGIC_DEAD;
	fleet_verdict_unref(&t->verdict);
	free(t);
}

/* Those that the last watch does not name. */
static void drop_unwatched(struct fleet_checks *checks)
{
	for (unsigned i = 0; i < checks->n_buckets; i++) {
		struct target *t, *next;

		for (t = LIST_FIRST(&checks->buckets[i]); t != NULL; t = next) {
			next = LIST_NEXT(t, link);
			if (t->watched != checks->n_watches)
				drop_target(t);
		}
	}
}

void fleet_checks_destroy(struct fleet_checks **checksp)
{
	struct fleet_checks *checks = TAKE(checksp);

	if (checks == NULL)
		return;
	MAGIC_CHECK(checks, CHECKS_MAGIC);
	checks->n_watches++; /* which names none */
	drop_unwatched(checks);
	fleet_verdicts_unref(&checks->current);
	fleet_pulse_unref(&checks->pulse);
	event_free(checks->look);
	checks->magic = MAGIC_DEAD;
	free(checks->buckets);
	free(checks);
}

/* Watching */

static const char *first_host(const struct cfg_site *site)
{
	for (unsigned h = 0; h < site->hosts.n; h++) {
		if (site->hosts.v[h][0] != '*')
			return site->hosts.v[h];
	}
	return NULL;
}

/* By edge id, malloc'd: the name that the probe asks the edge for when its check has none of its
 * own: any that it serves, for an edge may refuse names that are not its. */
static const char **default_hosts(const struct cfg_fleet *fleet)
{
	const char **hosts = xcalloc(fleet->n_edges + 1, sizeof(*hosts));
	unsigned missing = fleet->n_edges;

	for (unsigned i = 0; i < fleet->n_sites && missing > 0; i++) {
		const struct cfg_site *site = &fleet->sites[i];
		const char *host = first_host(site);

		for (unsigned k = 0; k < site->n_edges && host != NULL; k++) {
			if (hosts[site->edges[k]->id] == NULL) {
				hosts[site->edges[k]->id] = host;
				missing--;
			}
		}
	}
	for (unsigned i = 0; i < fleet->n_edges; i++) {
		if (hosts[i] == NULL)
			hosts[i] = fleet->edges[i].name;
	}
	return hosts;
}

static uint16_t probe_port(const struct cfg_edge *edge)
{
	if (edge->check.port != 0 || edge->listen.n == 0)
		return edge->check.port;
	return net_addr_port(&edge->listen.v[0]);
}

static struct target *watch_target(struct fleet_checks *checks, const struct cfg_edge *edge,
				   const struct net_addr *addr, const char *host)
{
	struct target *t = find_target(checks, edge->name, addr);
	uint16_t port = probe_port(edge);

	if (t == NULL)
		t = add_target(checks, edge->name, addr);
	t->watched = checks->n_watches;
	if (t->probe != NULL && t->port == port && strcmp(t->host, host) == 0 &&
	    probe_check_equal(&t->check, &edge->check))
		return t;
	stop_probe(t);
	t->host = xstrdup(host);
	t->port = port;
	probe_check_init(&t->check, &edge->check);
	fleet_verdict_retune(t->verdict, &t->check);
	start_probe(t);
	return t;
}

struct fleet_verdicts *fleet_checks_watch(struct fleet_checks *checks,
					  const struct cfg_fleet *fleet)
{
	const char **hosts = default_hosts(fleet);
	struct fleet_verdicts *table = fleet_verdicts_create(checks->pulse, fleet);
	unsigned n_targets = 0;

	for (unsigned i = 0; i < fleet->n_edges; i++)
		n_targets += fleet->edges[i].addresses.n;
	rehash(checks, n_targets);
	checks->n_watches++;
	for (unsigned i = 0; i < fleet->n_edges; i++) {
		const struct cfg_edge *edge = &fleet->edges[i];

		for (unsigned k = 0; k < edge->addresses.n; k++) {
			struct target *t =
			    watch_target(checks, edge, &edge->addresses.v[k], hosts[i]);

			fleet_verdicts_put(table, i, k, t->verdict);
		}
	}
	free(hosts);
	drop_unwatched(checks);
	fleet_verdicts_unref(&checks->current);
	checks->current = fleet_verdicts_ref(table);
	return table;
}
