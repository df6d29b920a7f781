/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See affinity.h. A text that is empty, or for which there is no room, makes no key: such requests
 * would all go to one server otherwise.
 */
#include "edge/route/affinity.h"

#include <stdlib.h>

#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/http/cookie.h"
#include "edge/facts/facts.h"
#include "edge/facts/template.h"
#include "edge/route/sticky.h"
#include "origin-link/conns/endpoint.h"

/* Of one origin. */
struct affinity {
	struct edge_template *by;   /* NULL: it does not hash */
	struct edge_sticky *sticky; /* NULL: it has no cookie */
};

struct edge_affinities {
	const struct cfg_fleet *fleet;
	unsigned n;
	bool has_cookies;    /* any of them */
	struct affinity v[]; /* by the origin's id */
};

struct edge_affinities *edge_affinities_create(const struct cfg_fleet *fleet,
					       const struct edge_tickets *tickets)
{
	struct edge_affinities *a =
	    xcalloc(1, sizeof(*a) + fleet->n_origins * sizeof(struct affinity));

	a->fleet = fleet;
	a->n = fleet->n_origins;
	for (unsigned i = 0; i < a->n; i++) {
		const struct cfg_balance *balance = &fleet->origins[i].balance;

		if (balance->method == CFG_BALANCE_HASH)
			a->v[i].by = edge_template_create(balance->hash.by, EDGE_TEXT_KEY);
		if (balance->sticky.enabled)
			a->v[i].sticky = edge_sticky_create(&fleet->origins[i], tickets);
		a->has_cookies |= balance->sticky.enabled;
	}
	return a;
}

void edge_affinities_destroy(struct edge_affinities **affinitiesp)
{
	struct edge_affinities *a = TAKE(affinitiesp);

	if (!a)
		return;
	for (unsigned i = 0; i < a->n; i++) {
		edge_template_destroy(&a->v[i].by);
		edge_sticky_destroy(&a->v[i].sticky);
	}
	free(a);
}

struct olink_affinity edge_affinity_of(const struct edge_affinities *affinities,
				       const struct cfg_origin *origin,
				       const struct edge_facts *facts, struct arena *arena,
				       wall_time now, struct edge_stick *stick)
{
	const struct affinity *a = &affinities->v[origin->id];
	struct olink_affinity affinity = {0};
	struct span key;

	if (a->by && edge_template_expand(a->by, facts, arena, &key) && key.n > 0) {
		affinity.has_key = true;
		affinity.key = XXH3_64bits(key.p, key.n);
	}
	if (stick && a->sticky) {
		stick->sticky = a->sticky;
		stick->is_set = edge_sticky_read(a->sticky, &facts->request->fields, now,
						 &stick->server, &stick->is_current);
		affinity.has_server = stick->is_set;
		affinity.server = stick->server;
	}
	return affinity;
}

bool edge_affinity_strip(const struct edge_affinities *affinities, struct http_fields *fields,
			 struct arena *arena)
{
	bool ok = true;

	if (!affinities->has_cookies || !http_fields_find(fields, SPAN("Cookie"), NULL))
		return true;
	/* A client sends those of other origins too. */
	for (unsigned i = 0; i < affinities->n && ok; i++) {
		const struct cfg_sticky *cfg = &affinities->fleet->origins[i].balance.sticky;

		if (cfg->enabled)
			ok = http_cookie_strip(fields, arena, span_of(cfg->name));
	}
	return ok;
}

static bool is_for_others(const struct http_head *response)
{
	return http_fields_list_has(&response->fields, SPAN("Cache-Control"), SPAN("public")) ||
	       http_fields_list_has(&response->fields, SPAN("Cache-Control"), SPAN("s-maxage"));
}

bool edge_affinity_keep(const struct edge_stick *stick, const struct net_addr *server,
			wall_time now, struct http_head *response)
{
	uint64_t id;

	if (!stick->sticky)
		return true;
	id = endpoint_id_of(server);
	if ((stick->is_set && stick->is_current && stick->server == id) || is_for_others(response))
		return true;
	return edge_sticky_write(stick->sticky, id, now, response);
}
