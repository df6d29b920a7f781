/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The health of the edges as this node sees it: one probe for each address of each edge, at
 * check.port or else the first port that the edge listens on. What probes find is in the tables of
 * fleet/verdicts.h, which any thread reads; all here is the control loop's.
 *
 * What is probed is what the last configuration names that was given to fleet_checks_watch(). A
 * probe goes on over a reload as long as what it asks stays the same, and a verdict as long as the
 * edge's name and the address do.
 */
#pragma once

#include "core/base/clock.h"

struct fleet_checks;
struct fleet_verdicts;
struct metrics;
struct stream_buffers;

/* The counters of `metrics` that it counts by. */
struct fleet_counters {
	unsigned prevented; /* probes that our own shortage has prevented */
	unsigned stale;     /* verdicts that have become too old to be believed */
};

struct fleet_checks *fleet_checks_create(struct stream_buffers *control_buffers,
					 struct metrics *metrics, struct fleet_counters counters);
void fleet_checks_destroy(struct fleet_checks **checks);

/* From here on the edges of this table are probed, and no others; it is given the verdicts that
 * there are already. Not published yet. Verdicts of edges that are gone grow old in the tables of
 * before. */
void fleet_checks_watch(struct fleet_checks *checks, struct fleet_verdicts *table);
/* The table that was watched last; NULL before the first. */
struct fleet_verdicts *fleet_checks_current(const struct fleet_checks *checks);
/* on_move is called after the epoch of the verdicts has moved. */
void fleet_checks_on_move(struct fleet_checks *checks, void (*on_move)(void *arg), void *arg);
