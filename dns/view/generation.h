/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A generation: one configuration from its loading until another has taken its place. It is loaded
 * by a job, then watched: its edges are probed, and whenever a verdict changes the fronts of the
 * pools concerned are made anew by a job on a thread that does nothing else. Once it is published,
 * each time that makes a new view. Control loop, but for loading.
 *
 * Nobody waits for fronts: until they are there, answers are made without.
 */
#pragma once

#include <stdbool.h>

#include "core/loop/job.h"
#include "core/loop/snapshot.h"

struct diag;
struct dns_generation;
struct dns_parts;
struct fleet_checks;

/* Consumes *parts. Any thread; so is the end of a generation that was never watched. */
struct dns_generation *dns_generation_create(struct dns_parts **parts);
void dns_generation_discard(struct dns_generation **generation);

struct dns_parts *dns_generation_parts(const struct dns_generation *generation);

/* `jobs`, whose home is the control loop, makes fronts and frees views. */
void dns_generation_watch(struct dns_generation *generation, struct fleet_checks *checks,
			  struct loop *control, struct jobs *jobs);
/* The verdicts may have changed. */
void dns_generation_moved(struct dns_generation *generation);
/* What is not known yet, in words (malloc'd). NULL: there is a verdict on each active edge, and the
 * fronts are made for what they are. */
char *dns_generation_waits_for(const struct dns_generation *generation);
/* Its views are published in that slot from now on. */
void dns_generation_publish(struct dns_generation *generation, struct snapshot_slot *slot);
/* One that was watched: publishes nothing any more. What was published lives on. */
void dns_generation_end(struct dns_generation **generation);
