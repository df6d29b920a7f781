/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The origins of one configuration: references to the servers it names, and whose turn it is.
 * Created and destroyed on the control loop; picked from on any loop. What it refers to is read
 * through the servers' published addresses, and used as values, so nothing is held across turns.
 */
#include <stdlib.h>

#include "core/base/check.h"
#include "origin-link/servers/link.h"

struct olink_origins *olink_origins_create(struct olink *olink, const struct cfg_fleet *fleet)
{
	struct olink_origins *o = xcalloc(1, sizeof(*o));
	unsigned per_line = 64 / sizeof(*o->turns);

	LOOP_ASSERT_OWNER(olink->group->control);
	o->olink = olink;
	o->fleet = fleet;
	o->servers = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->servers));
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		const struct cfg_origin *origin = &fleet->origins[i];

		CHECK(origin->id == i);
		o->servers[i] = xcalloc(MAX(origin->n_servers, 1), sizeof(*o->servers[i]));
		for (unsigned j = 0; j < origin->n_servers; j++)
			o->servers[i][j] = server_take(
			    &olink->servers, origin->servers[j].host, origin->servers[j].port,
			    origin->health.enabled ? &origin->health.check : NULL);
	}
	/* Whole cache lines a loop: nobody's count slows another's. */
	o->turns_stride = (fleet->n_origins / per_line + 1) * per_line;
	o->turns =
	    xcalloc((size_t)o->turns_stride * (olink->group->n_workers + 1), sizeof(*o->turns));
	TAILQ_INSERT_TAIL(&olink->origins, o, link);
	loop_defer(olink->group->control, &olink->warm_now);
	return o;
}

void olink_origins_destroy(struct olink_origins **originsp)
{
	struct olink_origins *o = *originsp;

	*originsp = NULL;
	if (!o)
		return;
	LOOP_ASSERT_OWNER(o->olink->group->control);
	TAILQ_REMOVE(&o->olink->origins, o, link);
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		for (unsigned j = 0; j < o->fleet->origins[i].n_servers; j++)
			server_give(&o->servers[i][j]);
		free(o->servers[i]);
	}
	free(o->servers);
	free(o->turns);
	free(o);
}

bool olink_origins_settled(const struct olink_origins *o)
{
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		for (unsigned j = 0; j < o->fleet->origins[i].n_servers; j++) {
			if (!server_is_settled(o->servers[i][j]))
				return false;
		}
	}
	return true;
}

struct lease_terms origins_terms(const struct cfg_origin *origin)
{
	return (struct lease_terms){
	    .max_idle = origin->pool.max_idle,
	    .idle_timeout = origin->pool.idle_timeout,
	};
}

/* What a pass over the addresses of an origin looks at. */
struct view {
	struct olink_server *const *servers;
	unsigned n_servers;
	bool down_too;
};

/* The address at `index` among those in view, or NULL; with index UINT_MAX only counts. */
static const struct olink_address *nth(const struct view *view, unsigned index, unsigned *count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < view->n_servers; i++) {
		const struct olink_addresses *list = server_addresses(view->servers[i]);

		for (unsigned j = 0; list && j < list->n; j++) {
			if (!view->down_too && health_get(&list->v[j]->health) == HEALTH_DOWN)
				continue;
			if (n++ == index)
				return list->v[j];
		}
	}
	*count = n;
	return NULL;
}

enum reason origins_pick(const struct olink_origins *o, const struct cfg_origin *origin,
			 const struct loop *loop, struct net_addr out[CANDIDATES_MAX], unsigned *n)
{
	struct view view = {o->servers[origin->id], origin->n_servers, false};
	unsigned turn = o->turns[loop_index(loop) * o->turns_stride + origin->id]++;
	unsigned usable;

	nth(&view, UINT32_MAX, &usable);
	if (usable == 0) {
		view.down_too = true;
		nth(&view, UINT32_MAX, &usable);
		if (usable == 0)
			return REASON_ORIGIN_RESOLVE_FAILED;
		if (origin->all_down == CFG_ALL_DOWN_REFUSE)
			return REASON_ORIGIN_ALL_DOWN;
	}
	*n = 0;
	for (unsigned i = 0; i < MIN(usable, CANDIDATES_MAX); i++) {
		unsigned now;
		const struct olink_address *a = nth(&view, (turn + i) % usable, &now);

		/* Health may have changed since it was counted: then one candidate less. */
		if (a)
			out[(*n)++] = a->addr;
	}
	return *n > 0 ? REASON_NONE : REASON_ORIGIN_ALL_DOWN;
}
