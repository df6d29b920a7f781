/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Views from their parts, and their end. Freeing is a job, all else is the control thread's.
 */
#define LOG_MODULE LOG_CONFIG
#include "dns/view/view.h"

#include <stdlib.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "dns/steer/fronts.h"
#include "dns/view/parts.h"
#include "dns/zone/zones.h"

struct dns_view *dns_view_create(struct dns_parts *parts, struct steer_fronts *fronts)
{
	struct dns_view *view = xcalloc(1, sizeof(*view));

	view->parts = dns_parts_ref(parts);
	view->fronts = fronts == NULL ? NULL : steer_fronts_ref(fronts);
	view->fleet = parts->fleet;
	view->zones = parts->zones;
	view->steered = parts->steering->steered;
	view->steer = (struct steer_state){
	    .steering = parts->steering,
	    .places = parts->places,
	    .verdicts = parts->verdicts,
	    .fronts = fronts,
	};
	return view;
}

void dns_view_destroy(struct dns_view **viewp)
{
	struct dns_view *view = TAKE(viewp);

	if (view == NULL)
		return;
	steer_fronts_unref(&view->fronts);
	dns_parts_unref(&view->parts);
	free(view);
}

static void run_empty(struct job *job)
{
	struct dns_view *view = CONTAINER_OF(job, struct dns_view, job);

	steer_fronts_unref(&view->fronts);
	dns_parts_unref(&view->parts);
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

	view->jobs = jobs;
	snapshot_init(snapshot, slot->group, destroy_published);
	snapshot_publish(slot, &snapshot);
}

const struct dns_view *dns_view_current(struct snapshot_slot *slot)
{
	struct snapshot *snapshot = snapshot_current(slot);

	return snapshot == NULL ? NULL : CONTAINER_OF(snapshot, struct dns_view, snapshot);
}
