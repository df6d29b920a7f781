/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the load generators share: options that are whole numbers, and latencies. One thread.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "core/base/clock.h"

/* The number that `text` is, from `low` to `high`; ends the program with what is wrong with the
 * option `name` otherwise. */
long load_number(const char *name, const char *text, long low, long high);

/* Latencies, as they come. */
struct load_latency {
	float *ms; /* ours */
	size_t n;
	size_t room;
};

void load_latency_add(struct load_latency *l, duration d);
/* {"p50": ms, "p90": ..., "p99": ..., "max": ...}, zeros when there are none; the caller's. Sorts
 * what it has: call it last. */
json_t *load_latency_json(struct load_latency *l);
void load_latency_fini(struct load_latency *l);

/* Prints one line of JSON and gives it up. */
void load_print(json_t *line);
