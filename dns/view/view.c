/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Building and retiring views. Loading and freeing are jobs, all else is the control thread's.
 */
#define LOG_MODULE LOG_CONFIG
#include "dns/view/view.h"

#include <stdlib.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "dns/steer/steer.h"
#include "dns/zone/zones.h"
#include "fleet/checks.h"
#include "fleet/verdicts.h"
#include "geo/map.h"
#include "origin-link/servers/health.h"

/* What an edge refers to until it is watched. */
static const struct health never_probed;

static bool attach_steered(struct dns_view *view, struct diag *diag)
{
	bool ok = true;
	unsigned n = 0;

	dns_members_init(&view->members, view->fleet);
	view->n_steered = view->zones->n_steered;
	view->steered = xcalloc(view->n_steered + 1, sizeof(*view->steered));
	for (unsigned i = 0; i < view->fleet->n_zones; i++) {
		const struct cfg_zone *zone = &view->fleet->zones[i];

		if (!dns_steer_attach(zone, view->fleet, &view->members, &view->steered[n], diag))
			ok = false;
		n += zone->n_steered;
	}
	return ok;
}

struct dns_view *dns_view_load(struct cfg_fleet **fleet, struct diag *diag)
{
	struct dns_view *view = xcalloc(1, sizeof(*view));
	bool ok;

	view->fleet = *fleet;
	view->edges = xcalloc(view->fleet->n_edges + 1, sizeof(*view->edges));
	view->n_edges = view->fleet->n_edges;
	for (unsigned i = 0; i < view->n_edges; i++)
		dns_edge_init(&view->edges[i], &view->fleet->edges[i], &never_probed);

	/* All of it is tried, so that every error is seen at once. */
	view->map = geo_map_compile(view->fleet, diag);
	view->zones = dns_zones_load(view->fleet, NULL, diag);
	view->verdicts = fleet_verdicts_load(view->fleet, diag);
	ok = view->zones != NULL && attach_steered(view, diag) && view->map != NULL &&
	     view->verdicts != NULL;
	if (!ok) {
		view->fleet = NULL;
		dns_view_destroy(&view);
		return NULL;
	}
	*fleet = NULL; /* only now: when it fails, the caller keeps it */
	return view;
}

void dns_view_watch(struct dns_view *view, struct fleet_checks *checks)
{
	fleet_checks_watch(checks, view->verdicts);
	for (unsigned i = 0; i < view->n_edges; i++) {
		if (view->fleet->edges[i].addresses.n > 0)
			view->edges[i].health = &fleet_verdicts_at(view->verdicts, i, 0)->health;
	}
}

/* All that it holds. */
static void empty(struct dns_view *view)
{
	fleet_verdicts_unref(&view->verdicts);
	dns_members_fini(&view->members);
	for (unsigned i = 0; i < view->n_edges; i++)
		dns_edge_fini(&view->edges[i]);
	free(view->edges);
	free(view->steered);
	dns_zones_destroy(&view->zones);
	geo_map_destroy(&view->map);
	cfg_fleet_destroy(&view->fleet);
}

void dns_view_destroy(struct dns_view **viewp)
{
	struct dns_view *view = TAKE(viewp);

	if (view == NULL)
		return;
	empty(view);
	free(view);
}

static void run_empty(struct job *job)
{
	struct dns_view *view = CONTAINER_OF(job, struct dns_view, job);

	empty(view);
	*view = (struct dns_view){.job = view->job};
}

/* After run_empty(), or instead of it. */
static void free_view(struct job *job)
{
	struct dns_view *view = CONTAINER_OF(job, struct dns_view, job);

	dns_view_destroy(&view);
}

void dns_view_drop(struct dns_view **viewp, struct jobs *jobs)
{
	static const struct job_ops ops = {run_empty, free_view, free_view};
	struct dns_view *view = TAKE(viewp);

	job_start(jobs, &view->job, &ops);
}

static void destroy_published(struct snapshot *snapshot)
{
	struct dns_view *view = CONTAINER_OF(snapshot, struct dns_view, snapshot);

	log_debug("a view that was replaced is not used any more");
	snapshot_fini(snapshot);
	dns_view_drop(&view, view->jobs);
}

void dns_view_publish(struct dns_view **viewp, struct snapshot_slot *slot, struct jobs *jobs)
{
	struct dns_view *view = TAKE(viewp);
	struct snapshot *snapshot = &view->snapshot;

	log_debug("a view is published: %u zones", view->fleet->n_zones);
	view->jobs = jobs;
	snapshot_init(snapshot, slot->group, destroy_published);
	snapshot_publish(slot, &snapshot);
}

const struct dns_view *dns_view_current(struct snapshot_slot *slot)
{
	struct snapshot *snapshot = snapshot_current(slot);

	return snapshot == NULL ? NULL : CONTAINER_OF(snapshot, struct dns_view, snapshot);
}
