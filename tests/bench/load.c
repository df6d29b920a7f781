/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the load generators share.
 */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/check.h"

long load_number(const char *name, const char *text, long low, long high)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < low || n > high) {
		fprintf(stderr, "--%s takes a whole number from %ld to %ld, not \"%s\"\n", name,
			low, high, text);
		exit(2);
	}
	return n;
}

void load_latency_add(struct load_latency *l, duration d)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 65536;
		l->ms = xreallocarray(l->ms, l->room, sizeof(*l->ms));
	}
	l->ms[l->n++] = (float)d.ns / 1e6f;
}

static int in_order(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

json_t *load_latency_json(struct load_latency *l)
{
	if (l->n)
		qsort(l->ms, l->n, sizeof(*l->ms), in_order);
	const struct {
		const char *name;
		double share;
	} wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
	json_t *o = json_object();
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		double ms = l->n ? l->ms[(size_t)(wanted[i].share * (double)(l->n - 1))] : 0;
		json_object_set_new(o, wanted[i].name, json_real(ms));
	}
	return o;
}

void load_latency_fini(struct load_latency *l)
{
	free(l->ms);
	*l = (struct load_latency){0};
}

void load_print(json_t *line)
{
	CHECK(json_dumpf(line, stdout, JSON_COMPACT) == 0);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}
