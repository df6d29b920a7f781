/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the requests to one origin know of others: how many are under way, how many there were of
 * late and how many of them were sent again (budget.h), and how long they took (latency.h).
 * Interned by the origin's name, through all reloads.
 */
#pragma once

#include <sys/queue.h>

#include "origin-link/recent/budget.h"
#include "origin-link/recent/latency.h"

struct loop;

/* One loop's, made when it first has a request to the origin. */
struct recent_slot {
	struct budget_counts budget; /* its loop writes, any reads */
	_Atomic unsigned n_open;     /* the same */
	struct latency latency;      /* its loop */
};

struct recent {
	LIST_ENTRY(recent) link; /* control */
	char *name;
	unsigned n_loops;
	/* each loop sets its own, any reads; NULL: it has had no request yet */
	_Atomic(struct recent_slot *) slots[]; /* by loop index */
};

/* A reload looks for each of what may be thousands. */
#define RECENTS_BUCKETS 256
struct recents {
	LIST_HEAD(recent_list, recent) buckets[RECENTS_BUCKETS];
};

/* Control loop. The one of that name, which lives as long as all of them: there are as many as
 * operators have thought of names. */
struct recent *recent_take(struct recents *all, const char *name, unsigned n_loops);
/* Once no loop runs any more. */
void recents_free(struct recents *all);

/* The calling loop's own. */
struct recent_slot *recent_slot(struct recent *recent, const struct loop *loop);
/* A request of the calling loop begins (1), or has ended (-1). */
void recent_add_open(struct recent *recent, const struct loop *loop, int n);
/* Those that are under way, of all loops together. */
unsigned recent_open(const struct recent *recent);
/* Whether a further attempt is within the budget of all loops together. */
bool recent_allows(const struct recent *recent, const struct budget_terms *terms, mono_time now);
