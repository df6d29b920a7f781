/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The view: everything that an answer is made from. One immutable snapshot (core/loop/snapshot.h)
 * of counted parts, published by the control thread, read by every worker. While a configuration
 * serves, one view of it follows another with new fronts and the same other parts: see
 * dns/view/generation.h.
 */
#pragma once

#include "core/loop/job.h"
#include "core/loop/snapshot.h"
#include "dns/steer/steer.h"

struct cfg_fleet;
struct dns_parts;
struct dns_zones;
struct steer_fronts;

struct dns_view {
	struct snapshot snapshot;
	/* What it holds references to. */
	struct dns_parts *parts;
	struct steer_fronts *fronts; /* NULL: none */
	/* The same, for those who answer. */
	const struct cfg_fleet *fleet;
	const struct dns_zones *zones;
	const struct dns_steered *steered; /* see dns_zones_entry.first_steered */
	struct steer_state steer;
	/* Its freeing. */
	struct jobs *jobs;
	struct job job;
};

/* References are taken to the parts, and to fronts of their steering, which may be NULL. */
struct dns_view *dns_view_create(struct dns_parts *parts, struct steer_fronts *fronts);
/* For a view that was never published. Any thread. */
void dns_view_destroy(struct dns_view **view);
/* The same by a job, for the memory of a large one takes long to be freed. The loop of the jobs. */
void dns_view_drop(struct dns_view **view, struct jobs *jobs);

/* Control loop. Consumes *view; it is dropped when nobody reads it any more. */
void dns_view_publish(struct dns_view **view, struct snapshot_slot *slot, struct jobs *jobs);
/* NULL before the first. Any loop of the group, until the end of its turn. */
const struct dns_view *dns_view_current(struct snapshot_slot *slot);
