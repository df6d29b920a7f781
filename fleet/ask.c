/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is asked of edges. Edges that are asked for the same name share a transport.
 */
#include "fleet/ask.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "origin-link/conns/transport.h"
#include "origin-link/health/check.h"

/* Any name that the site serves, malloc'd; NULL: it has none. */
static char *host_of(const struct cfg_site *site)
{
	const char *wildcard = NULL;

	for (unsigned h = 0; h < site->hosts.n; h++) {
		const char *host = site->hosts.v[h];

		if (host[0] != '*')
			return xstrdup(host);
		wildcard = host;
	}
	/* It stands for any label; one of a letter is no longer than itself. */
	return wildcard == NULL ? NULL : xasprintf("w%s", wildcard + 1);
}

/* By edge id, malloc'd as the array is: a name that the edge serves, for it may refuse others, and
 * its certificate must be for that one; NULL: it serves none. */
static char **default_hosts(const struct cfg_fleet *fleet)
{
	char **hosts = xcalloc(fleet->n_edges + 1, sizeof(*hosts));
	unsigned missing = 0;

	for (unsigned i = 0; i < fleet->n_edges; i++)
		missing += cfg_edge_takes_clients(&fleet->edges[i]);
	for (unsigned i = 0; i < fleet->n_sites && missing > 0; i++) {
		const struct cfg_site *site = &fleet->sites[i];
		char *host = host_of(site);

		for (unsigned k = 0; k < site->n_edges && host != NULL; k++) {
			if (hosts[site->edges[k]->id] == NULL) {
				hosts[site->edges[k]->id] = xstrdup(host);
				missing--;
			}
		}
		free(host);
	}
	return hosts;
}

static uint16_t port_of(const struct cfg_edge *edge)
{
	if (edge->check.port != 0 || edge->listen.n == 0)
		return edge->check.port;
	return net_addr_port(&edge->listen.v[0]);
}

/* NULL, with what is wrong in *error (malloc'd). */
static struct transport *transport_of(const struct cfg_edge *edge, const char *host, char **error)
{
	const struct cfg_check *check = &edge->check;
	struct transport_check way = {
	    .name = check->host,
	    .verify = check->verify,
	    .h2 = check->kind == CFG_CHECK_H2 || check->kind == CFG_CHECK_GRPC,
	};

	if (check->kind == CFG_CHECK_HTTP || check->kind == CFG_CHECK_TCP)
		return transport_plain();
	if (*check->host != '\0')
		return transport_of_check(&way, error);
	/* There is nothing that its certificate ought to be for. */
	if (host == NULL && check->verify == CFG_VERIFY_AUTO)
		way.verify = CFG_VERIFY_NO;
	way.name = host == NULL ? edge->name : host;
	return transport_of_check(&way, error);
}

static struct fleet_ask *create(const struct cfg_edge *edge, const char *host, char **error)
{
	struct fleet_ask *ask = xcalloc(1, sizeof(*ask));

	atomic_init(&ask->refs, 1);
	probe_check_init(&ask->check, &edge->check);
	ask->host = xstrdup(host == NULL ? edge->name : host);
	ask->port = port_of(edge);
	ask->transport = transport_of(edge, host, error);
	if (ask->transport == NULL)
		fleet_ask_unref(&ask);
	return ask;
}

void fleet_asks_free(struct fleet_ask ***asksp, unsigned n)
{
	struct fleet_ask **asks = TAKE(asksp);

	for (unsigned i = 0; i < n && asks != NULL; i++)
		fleet_ask_unref(&asks[i]);
	free(asks);
}

struct fleet_ask **fleet_asks_load(const struct cfg_fleet *fleet, struct diag *diag)
{
	struct fleet_ask **asks = xcalloc(fleet->n_edges + 1, sizeof(struct fleet_ask *));
	char **hosts = default_hosts(fleet);
	char *error = NULL;

	for (unsigned i = 0; i < fleet->n_edges && error == NULL; i++) {
		const struct cfg_edge *edge = &fleet->edges[i];

		asks[i] = create(edge, hosts[i], &error);
		if (asks[i] == NULL) /* the others would say the same */
			diag_add(diag, edge->place, "edge %s: %s", edge->name, error);
	}
	for (unsigned i = 0; i < fleet->n_edges; i++)
		free(hosts[i]);
	free(hosts);
	if (error != NULL)
		fleet_asks_free(&asks, fleet->n_edges);
	free(error);
	return asks;
}

struct fleet_ask *fleet_ask_ref(struct fleet_ask *ask)
{
	atomic_fetch_add_explicit(&ask->refs, 1, memory_order_relaxed);
	return ask;
}

void fleet_ask_unref(struct fleet_ask **askp)
{
	struct fleet_ask *ask = TAKE(askp);

	if (ask == NULL || atomic_fetch_sub(&ask->refs, 1) > 1)
		return;
	probe_check_fini(&ask->check);
	transport_unref(&ask->transport);
	free(ask->host);
	free(ask);
}

bool fleet_ask_equal(const struct fleet_ask *a, const struct fleet_ask *b)
{
	return a->port == b->port && a->transport == b->transport &&
	       strcmp(a->host, b->host) == 0 && probe_check_equal(&a->check, &b->check);
}
