/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The view: everything that an answer is made from. One immutable snapshot (core/loop/snapshot.h),
 * built whole by a job, published by the control thread, read by every worker.
 */
#pragma once

#include "core/loop/job.h"
#include "core/loop/snapshot.h"
#include "dns/steer/steer.h"

struct cfg_fleet;
struct diag;
struct dns_edge;
struct fleet_checks;
struct fleet_verdicts;
struct dns_steered;
struct dns_zones;
struct geo_map;

struct dns_view {
	struct snapshot snapshot;
	struct cfg_fleet *fleet;
	struct dns_zones *zones;
	struct geo_map *map;
	struct dns_members members;
	struct dns_steered *steered; /* see dns_zones_entry.first_steered */
	unsigned n_steered;
	struct dns_edge *edges; /* by edge id */
	unsigned n_edges;
	struct fleet_verdicts *verdicts;
	/* Its freeing. */
	struct jobs *jobs;
	struct job job;
};

/* Zones, steering and geo map of a fleet. NULL with every error in `diag`, and *fleet is left to
 * the caller; else *fleet is consumed. No edge has health yet: see dns_view_watch().
 * Blocking. */
struct dns_view *dns_view_load(struct cfg_fleet **fleet, struct diag *diag);
/* Refers each edge to its health, and has this view's edges probed from here on; before the view is
 * published. Control loop. */
void dns_view_watch(struct dns_view *view, struct fleet_checks *checks);
/* For a view that was never published. Any thread. */
void dns_view_destroy(struct dns_view **view);
/* The same by a job, for the memory of a large one takes long to be freed. Control loop. */
void dns_view_drop(struct dns_view **view, struct jobs *jobs);

/* Control loop. Consumes *view; it is dropped when nobody reads it any more. */
void dns_view_publish(struct dns_view **view, struct snapshot_slot *slot, struct jobs *jobs);
/* NULL before the first. Any loop of the group, until the end of its turn. */
const struct dns_view *dns_view_current(struct snapshot_slot *slot);
