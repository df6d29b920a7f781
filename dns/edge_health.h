/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The health of the edges as this name server sees it: one probe for each edge, of its first
 * address, at check.port or else the first port it listens on. A probe outlives a reload as long as
 * the edge's name, address and check stay what they are, and what it found even a change of the
 * check. Control loop only; the health itself is read by every worker.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"

struct dns_edge_health;
struct dns_edge_watch;
struct dns_view;
struct metrics;
struct stream_buffers;

/* Counts into `metrics` (dns/counters.h) the probes that our own shortage prevents. */
struct dns_edge_health *dns_edge_health_create(struct stream_buffers *control_buffers,
					       struct metrics *metrics);
/* After every watch was ended. */
void dns_edge_health_destroy(struct dns_edge_health **health);

/* Refers each edge of the view to its health, with a probe behind it; before the view is published.
 * The view ends the watch when it is destroyed. */
void dns_edge_health_watch(struct dns_edge_health *health, struct dns_view *view);
void dns_edge_watch_end(struct dns_edge_watch **watch);

/* True when there is a verdict on each of the view's edges, of its probe or of an earlier one. */
bool dns_edge_watch_settled(const struct dns_edge_watch *watch);
/* How long the last probe of that edge took; 0 before. */
duration dns_edge_watch_probe_time(const struct dns_edge_watch *watch, unsigned edge_id);
