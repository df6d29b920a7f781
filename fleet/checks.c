/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes of edges, shared by the views that name them: each is counted by the watches that refer to
 * it, and ends with the last. Control loop only.
 */
#include "fleet/checks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/net/stream.h"
#include "core/process/metrics.h"
#include "origin-link/servers/probe.h"

#define PROBED_MAGIC 0x45646765u

/* An edge under probes. */
struct probed {
	unsigned magic;
	unsigned references;
	LIST_ENTRY(probed) link;
	struct fleet_checks *owner;
	char *name;
	char *host;
	struct net_addr addr;
	struct cfg_check check; /* its strings are our own */
	struct health health;
	struct probe *probe; /* NULL: the edge has no address */
};

struct fleet_checks {
	struct stream_buffers *buffers;
	struct metrics *metrics;
	unsigned prevented; /* the counter */
	LIST_HEAD(, probed) probed;
};

struct fleet_watch {
	struct fleet_checks *owner;
	unsigned n;
	struct probed **v; /* by edge id */
};

struct fleet_checks *fleet_checks_create(struct stream_buffers *control_buffers,
					 struct metrics *metrics, unsigned prevented)
{
	struct fleet_checks *checks = xcalloc(1, sizeof(*checks));

	checks->buffers = control_buffers;
	checks->metrics = metrics;
	checks->prevented = prevented;
	LIST_INIT(&checks->probed);
	return checks;
}

void fleet_checks_destroy(struct fleet_checks **checksp)
{
	struct fleet_checks *checks = TAKE(checksp);

	if (checks == NULL)
		return;
	CHECK(LIST_EMPTY(&checks->probed));
	free(checks);
}

static void probe_ended(void *arg, enum probe_cause cause, bool changed)
{
	struct probed *p = arg;
	const struct fleet_checks *checks;

	MAGIC_CHECK(p, PROBED_MAGIC);
	checks = p->owner;
	if (cause == PROBE_PREVENTED)
		metrics_add(checks->metrics, checks->buffers->loop, checks->prevented, 1);
}

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

static struct net_addr probe_addr(const struct cfg_edge *edge)
{
	struct net_addr addr = edge->addresses.v[0];
	uint16_t port = edge->check.port;

	if (port == 0 && edge->listen.n > 0)
		port = net_addr_port(&edge->listen.v[0]);
	net_addr_set_port(&addr, port);
	return addr;
}

static struct probed *find_probed(struct fleet_checks *checks, const struct cfg_edge *edge,
				  const char *host, bool has_addr, const struct net_addr *addr)
{
	struct probed *p;

	LIST_FOREACH (p, &checks->probed, link) {
		if (strcmp(p->name, edge->name) == 0 && strcmp(p->host, host) == 0 &&
		    (p->probe != NULL) == has_addr &&
		    (!has_addr || net_addr_equal(&p->addr, addr)) &&
		    probe_check_equal(&p->check, &edge->check))
			return p;
	}
	return NULL;
}

/* The newest of that edge at that address, whatever it is asked at whichever port; NULL: none. */
static const struct probed *find_verdict(const struct fleet_checks *checks, const char *name,
					 const struct net_addr *addr)
{
	const struct probed *p;

	LIST_FOREACH (p, &checks->probed, link) {
		struct net_addr at = p->addr;

		if (p->probe == NULL || strcmp(p->name, name) != 0)
			continue;
		net_addr_set_port(&at, net_addr_port(addr));
		if (net_addr_equal(&at, addr))
			return p;
	}
	return NULL;
}

static void start_probe(struct probed *p)
{
	const struct probed *before = find_verdict(p->owner, p->name, &p->addr);
	char *name = xasprintf("edge %s", p->name);
	struct probe_target target = {
	    .check = &p->check, .addr = p->addr, .name = name, .host = p->host};

	if (before != NULL)
		health_take_over(&p->health, &before->health);
	p->probe = probe_create(p->owner->buffers, &target, &p->health, probe_ended, p);
	free(name);
}

static struct probed *take_probed(struct fleet_checks *checks, const struct cfg_edge *edge,
				  const char *host)
{
	bool has_addr = edge->addresses.n > 0;
	struct net_addr addr = {0};
	struct probed *p;

	if (has_addr)
		addr = probe_addr(edge);
	p = find_probed(checks, edge, host, has_addr, &addr);
	if (p != NULL) {
		p->references++;
		return p;
	}
	p = xcalloc(1, sizeof(*p));
	p->magic = PROBED_MAGIC;
	p->references = 1;
	p->owner = checks;
	p->name = xstrdup(edge->name);
	p->host = xstrdup(host);
	probe_check_init(&p->check, &edge->check);
	p->addr = addr;
	health_init(&p->health, edge->check.rise, edge->check.fall);
	if (has_addr)
		start_probe(p);
	LIST_INSERT_HEAD(&checks->probed, p, link);
	return p;
}

static void drop_probed(struct probed *p)
{
	MAGIC_CHECK(p, PROBED_MAGIC);
	if (--p->references > 0)
		return;
	LIST_REMOVE(p, link);
	if (p->probe != NULL)
		probe_destroy(&p->probe);
	p->magic = MAGIC_DEAD;
	free(p->name);
	free(p->host);
	probe_check_fini(&p->check);
	free(p);
}

struct fleet_watch *fleet_checks_watch(struct fleet_checks *checks, const struct cfg_fleet *fleet)
{
	struct fleet_watch *watch = xcalloc(1, sizeof(*watch));
	const char **hosts = default_hosts(fleet);

	watch->owner = checks;
	watch->n = fleet->n_edges;
	watch->v = xcalloc(watch->n + 1, sizeof(*watch->v));
	for (unsigned i = 0; i < watch->n; i++)
		watch->v[i] = take_probed(checks, &fleet->edges[i], hosts[i]);
	free(hosts);
	return watch;
}

const struct health *fleet_watch_health(const struct fleet_watch *watch, unsigned edge_id)
{
	return &watch->v[edge_id]->health;
}

void fleet_watch_end(struct fleet_watch **watchp)
{
	struct fleet_watch *watch = TAKE(watchp);

	if (watch == NULL)
		return;
	for (unsigned i = 0; i < watch->n; i++)
		drop_probed(watch->v[i]);
	free(watch->v);
	free(watch);
}

bool fleet_watch_settled(const struct fleet_watch *watch)
{
	for (unsigned i = 0; i < watch->n; i++) {
		const struct probed *p = watch->v[i];

		if (p->probe != NULL && atomic_load(&p->health.cause) == PROBE_PENDING)
			return false;
	}
	return true;
}

duration fleet_watch_probe_time(const struct fleet_watch *watch, unsigned edge_id)
{
	const struct probed *p = watch->v[edge_id];

	return p->probe == NULL ? DUR_NS(0) : probe_last_time(p->probe);
}
