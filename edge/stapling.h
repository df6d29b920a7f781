/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keeps the OCSP responses of the published certificates fresh: those that are due are fetched one
 * after the other, on a thread of its own, as responders may hang. Control loop.
 */
#pragma once

#include <stdatomic.h>

#include <event2/event_struct.h>

#include "core/loop/job.h"

struct edge_certs;
struct metrics;
struct stapling_round;
struct staple;

struct edge_stapling {
	unsigned magic;
	struct loop *control;
	struct metrics *metrics;
	struct jobs *jobs;
	struct event timer;
	struct staple **staples;
	unsigned n;
	struct stapling_round *round; /* under way; NULL: none */
	int stop;                     /* readable: rounds give up */
};

/* False when there can be no thread, which was logged. *s is zero. */
bool edge_stapling_start(struct edge_stapling *s, struct loop *control, struct metrics *metrics);
/* What is published; NULL: none, and nothing is shown any more. */
void edge_stapling_use(struct edge_stapling *s, const struct edge_certs *certs);
/* False: a responder is still being asked, by a thread that is left behind. Also when it was never
 * started. */
bool edge_stapling_stop(struct edge_stapling *s);
