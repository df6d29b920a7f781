/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Questions to a fleet that was loaded. Any thread.
 */
#include "config/fleet.h"

#include <string.h>

#include "core/base/check.h"
#include "core/net/handshakes.h"

/* For each worker, with keys on another machine: a thread sleeps for a round trip then, and makes
 * one handshake in the time of it. Of 50 ms, so many make 1,280 handshakes a second, about what
 * one processor can do of the rest of them (0.6 ms each). */
#define THREADS_REMOTE 64

const struct cfg_edge *cfg_find_edge(const struct cfg_fleet *fleet, const char *name)
{
	for (unsigned i = 0; i < fleet->n_edges; i++) {
		if (strcmp(fleet->edges[i].name, name) == 0)
			return &fleet->edges[i];
	}
	return NULL;
}

const struct cfg_nameserver *cfg_find_nameserver(const struct cfg_fleet *fleet, const char *name)
{
	for (unsigned i = 0; i < fleet->n_nameservers; i++) {
		if (strcmp(fleet->nameservers[i].name, name) == 0)
			return &fleet->nameservers[i];
	}
	return NULL;
}

const char *cfg_service_domain(const char *srv)
{
	while (*srv == '_' && strchr(srv, '.') != NULL)
		srv = strchr(srv, '.') + 1;
	return *srv != '_' ? srv : "";
}

#define UNIX "unix:"

bool cfg_is_unix(const char *host)
{
	return strncmp(host, UNIX, strlen(UNIX)) == 0;
}

const char *cfg_unix_path(const char *host)
{
	CHECK(cfg_is_unix(host));
	return host + strlen(UNIX);
}

const char *cfg_origin_server_name(const struct cfg_origin_server *server)
{
	if (server->srv == NULL && cfg_is_unix(server->address.host))
		return CFG_UNIX_NAME;
	return server->srv != NULL ? cfg_service_domain(server->srv) : server->address.host;
}

bool cfg_site_is_served_by(const struct cfg_site *site, const struct cfg_edge *edge)
{
	unsigned low = 0, high = site->n_edges;

	if (site->n_edges == 0)
		return true;
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (site->edge_ids[middle] == edge->id)
			return true;
		if (site->edge_ids[middle] < edge->id)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

const char *cfg_admin_text(enum cfg_admin admin)
{
	static const char *const texts[] = {
	    [CFG_ADMIN_ACTIVE] = "active",
	    [CFG_ADMIN_DRAINED] = "drained",
	};

	return texts[admin];
}

unsigned cfg_handshake_threads(const struct cfg_tls *tls, unsigned n_workers)
{
	if (tls->handshake_threads != CFG_THREADS_AUTO)
		return tls->handshake_threads;
	if (tls->keys.place != CFG_KEYS_REMOTE)
		return n_workers;
	return MIN(n_workers * THREADS_REMOTE, HANDSHAKES_THREADS_MAX);
}
