/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rings and schedules.
 *
 * A ring was chosen over a table like Maglev's, which is found in faster and is more even, because
 * nothing but the keys of a server that comes or goes may move, and because what follows on the
 * ring is where a key goes next. How uneven a ring is, is bounded by the load that a server may
 * have (balance.c).
 */
#include "origin-link/servers/balance_points.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* With so many points each, servers' shares of the keys differ by a tenth or so (1 / sqrt(128)). */
#define RING_DENSITY 128.0
/* No more than so many for each server, and in all, which is half a megabyte and is made in a
 * millisecond or two. */
#define RING_PER_SERVER 512
#define RING_MAX 65536
/* Weights that differ by less than that cannot be told apart in a round. */
#define SCHEDULE_MAX 8192

/* By `at`; what is equal stays in its order. Byte by byte: a comparing sort of a ring would take
 * ten times as long. */
static void sort(struct balance_points *points)
{
	struct balance_point *from = points->v, *to = xcalloc(points->n, sizeof(*to)), *swap;

	for (unsigned shift = 0; shift < 32; shift += 8) {
		unsigned begin[257] = {0};

		for (unsigned i = 0; i < points->n; i++)
			begin[(from[i].at >> shift & 0xff) + 1]++;
		for (unsigned byte = 0; byte < 256; byte++)
			begin[byte + 1] += begin[byte];
		for (unsigned i = 0; i < points->n; i++)
			to[begin[from[i].at >> shift & 0xff]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	/* After four passes they are where they were. */
	CHECK(from == points->v);
	free(to);
}

static unsigned points_of(unsigned weight, double density)
{
	return (unsigned)MAX(weight * density + 0.5, 1.0);
}

static uint64_t count_points(const unsigned *weights, unsigned n, double density)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += points_of(weights[i], density);
	return sum;
}

double balance_ring_density(const unsigned *weights, unsigned n)
{
	uint64_t most = MAX(MIN((uint64_t)n * RING_PER_SERVER, RING_MAX), n);
	double density = RING_DENSITY;

	/* By halves, so that what remains of a server's points are the first of them. */
	while (count_points(weights, n, density) > most)
		density /= 2;
	return density;
}

struct balance_points balance_ring(const uint64_t *ids, const unsigned *weights, unsigned n,
				   double density)
{
	struct balance_points ring = {.n = (unsigned)count_points(weights, n, density)};
	struct balance_point *p = ring.v = xcalloc(MAX(ring.n, 1), sizeof(*p));

	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < points_of(weights[i], density); k++)
			*p++ = (struct balance_point){
			    .at = (uint32_t)(balance_mix(balance_mix(ids[i]) + k) >> 32),
			    .entry = i,
			};
	}
	sort(&ring);
	return ring;
}

unsigned balance_common_divisor(unsigned a, unsigned b)
{
	while (b > 0) {
		unsigned rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* How often each has its turn in a round. */
static unsigned turns_of(unsigned weight, unsigned divisor, double scale)
{
	return (unsigned)MAX(weight / divisor * scale + 0.5, 1.0);
}

struct balance_points balance_schedule(const unsigned *weights, unsigned n)
{
	struct balance_points schedule = {0};
	double scale = 1, golden = 0.6180339887498949;
	uint64_t sum = 0;
	unsigned divisor = 0;
	struct balance_point *p;

	for (unsigned i = 0; i < n; i++) {
		divisor = balance_common_divisor(divisor, weights[i]);
		sum += weights[i];
	}
	if (n == 0 || sum == (uint64_t)n * divisor)
		return schedule;
	if (sum / divisor > SCHEDULE_MAX)
		scale = SCHEDULE_MAX * (double)divisor / (double)sum;
	for (unsigned i = 0; i < n; i++)
		schedule.n += turns_of(weights[i], divisor, scale);
	p = schedule.v = xcalloc(schedule.n, sizeof(*p));
	for (unsigned i = 0; i < n; i++) {
		unsigned turns = turns_of(weights[i], divisor, scale);
		/* Those of equal weight begin at different places. */
		double begin = i * golden - (double)(uint64_t)(i * golden);

		for (unsigned k = 0; k < turns; k++)
			*p++ = (struct balance_point){
			    .at = (uint32_t)((k + begin) / turns * 4294967296.0),
			    .entry = i,
			};
	}
	sort(&schedule);
	return schedule;
}

unsigned balance_points_find(const struct balance_points *points, uint32_t at)
{
	unsigned low = 0, high = points->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (points->v[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < points->n ? low : 0;
}

void balance_points_fini(struct balance_points *points)
{
	free(points->v);
	*points = (struct balance_points){0};
}
