/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How busy an endpoint is and how fast it answers, for those who balance. Each loop keeps its own
 * in its slot; what the others have it adds up now and then, for a request cannot look at the slots
 * of 64 loops. Pure: time is given.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/clock.h"

struct outcome;

/* A loop's own. */
struct load {
	/* its loop writes, any reads */
	_Atomic unsigned in_flight; /* requests that have a lease, or wait for one */
	_Atomic int64_t latency;    /* duration to the first byte; 0: not known */
	_Atomic int64_t latency_at; /* mono_time at which it was so */
	/* its loop: what the others had when it last looked */
	struct {
		mono_time at; /* 0: never */
		unsigned in_flight;
		double latency, trust; /* their mean, and how much that says beside its own */
		int64_t newest;        /* mono_time of the newest of them */
	} others;
};

void load_add_in_flight(struct load *l, int n);
/* The peak of an exponentially weighted moving average (Finagle's): what is slower counts at once,
 * what is faster by and by. Nothing comes of what says nothing about the server. */
void load_learn(struct load *l, const struct outcome *outcome, mono_time now);
void load_learn_latency(struct load *l, duration latency, mono_time now);
/* When the others are to be looked at again: of 64 that is a cache line of each, which takes a
 * microsecond or two. */
bool load_is_stale(const struct load *l, mono_time now);
/* Looks at the others: begins, takes each, and ends. */
void load_look_begin(struct load *l);
void load_look_at(struct load *l, const struct load *other, mono_time now);
void load_look_end(struct load *l, mono_time now);
/* Of all loops. */
unsigned load_in_flight(const struct load *l);
duration load_latency(const struct load *l, mono_time now); /* 0: not known */
