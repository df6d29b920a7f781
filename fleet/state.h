/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last verdicts on disk, so that a node that is started again knows what it knew. A file of
 * JSON, written by a job: soon after something has changed but every few seconds at most, now and
 * then while nothing changes, and at the end.
 *
 * Nothing about the file is a reason not to start or not to serve: what is wrong with it is logged.
 */
#pragma once

#include <stddef.h>

#include "core/base/clock.h"

struct fleet_checks;
struct fleet_state;
struct fleet_verdicts;
struct jobs;
struct loop;

/* What the file says is known in the table, which nobody else has yet. Blocking; any thread. */
void fleet_state_recall(const char *path, struct fleet_verdicts *table);

/* Keeps what `checks` finds out, in that file; "": does not. Control loop, as both below. */
struct fleet_state *fleet_state_create(struct loop *control, struct jobs *jobs,
				       struct fleet_checks *checks, const char *path);
/* After jobs_stop(), before the checks are destroyed. */
void fleet_state_destroy(struct fleet_state **state);
/* Once more, and then never again. done(arg) is called when that is over, maybe at once. */
void fleet_state_finish(struct fleet_state *state, void (*done)(void *arg), void *arg);

/* The same without a file and a clock, for tests. The text is malloc'd. */
char *fleet_state_write(const struct fleet_verdicts *table, wall_time wall, mono_time mono);
/* Returns what is wrong, malloc'd, or NULL: words that go on from the file's name. *n: how many
 * verdicts were taken, in either case. */
char *fleet_state_read(const char *text, size_t len, struct fleet_verdicts *table, wall_time wall,
		       mono_time mono, unsigned *n);
