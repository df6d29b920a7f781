/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The health of the edges as this node sees it: one probe for each edge, of its first address, at
 * check.port or else the first port it listens on. A probe outlives a reload as long as the edge's
 * name, address and check stay what they are, and what it found even a change of the check. Control
 * loop only; the health itself is read by every worker.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"

struct cfg_fleet;
struct fleet_checks;
struct fleet_watch;
struct health;
struct metrics;
struct stream_buffers;

/* Counts into the counter `prevented` of `metrics` the probes that our own shortage prevents. */
struct fleet_checks *fleet_checks_create(struct stream_buffers *control_buffers,
					 struct metrics *metrics, unsigned prevented);
/* After every watch was ended. */
void fleet_checks_destroy(struct fleet_checks **checks);

/* A probe behind every edge of the fleet, until the watch is ended. */
struct fleet_watch *fleet_checks_watch(struct fleet_checks *checks, const struct cfg_fleet *fleet);
void fleet_watch_end(struct fleet_watch **watch);

/* As long as the watch lasts. */
const struct health *fleet_watch_health(const struct fleet_watch *watch, unsigned edge_id);
/* True when there is a verdict on each of the edges, of its probe or of an earlier one. */
bool fleet_watch_settled(const struct fleet_watch *watch);
/* How long the last probe of that edge took; 0 before. */
duration fleet_watch_probe_time(const struct fleet_watch *watch, unsigned edge_id);
