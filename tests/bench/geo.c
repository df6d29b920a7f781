/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench-geo DATABASE[,DATABASE...] [EDGES=300] [POOLS=1]: what it costs to load places, and to make
 * of them, for each pool of that many edges, ranges of the nearest edge; and to look up in both.
 * CPU time is the thread's, memory what the kernel says, in MB of 10^6 bytes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/base/check.h"
#include "geo/nearest.h"
#include "geo/places.h"

#define LOOKUPS 2000000

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* A field of /proc/self/status. */
static double status_mb(const char *field)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, field, strlen(field)) == 0)
			kb = strtol(line + strlen(field) + 1, NULL, 10);
	}
	fclose(f);
	return (double)kb * 1024 / 1e6;
}

static void report(const char *what, double since)
{
	printf("%-24s %8.1f ms CPU  %7.1f MB resident  %7.1f MB at most\n", what, cpu_ms() - since,
	       status_mb("VmRSS"), status_mb("VmHWM"));
}

static double uniform(void)
{
	return (double)rand() / RAND_MAX;
}

static struct geo_nearest *edges_create(uint32_t n)
{
	struct geo_point *points = xcalloc(n, sizeof(*points));
	struct geo_nearest *index;

	for (uint32_t i = 0; i < n; i++)
		points[i] = (struct geo_point){.located = true,
					       .latitude = -60 + 130 * uniform(),
					       .longitude = -180 + 360 * uniform()};
	index = geo_nearest_create(points, n);
	free(points);
	return index;
}

/* The ranges of the two nearest edges. */
static struct geo_ranges *front_create(const struct geo_places *places,
				       const struct geo_nearest *index)
{
	uint32_t n = geo_places_n(places), *to = xcalloc(n, sizeof(*to));
	struct geo_ranges *front;

	for (uint32_t i = 0; i < n; i++) {
		const struct geo_place *place = geo_places_get(places, i);
		uint32_t numbers[2] = {0};
		double km[2];

		geo_nearest_find(index, place->latitude, place->longitude, 2, NULL, NULL, numbers,
				 km);
		to[i] = numbers[0];
	}
	front = geo_ranges_map(geo_places_ranges(places), to, n);
	free(to);
	return front;
}

static void look_up(const char *what, const struct geo_ranges *ranges, uint8_t family)
{
	struct net_prefix *clients = xcalloc(LOOKUPS, sizeof(*clients));
	uint64_t sum = 0;
	double since;

	for (unsigned i = 0; i < LOOKUPS; i++) {
		clients[i] = (struct net_prefix){family, family == AF_INET ? 24 : 56, {0}};
		for (unsigned k = 0; k < clients[i].len / 8u; k++)
			clients[i].bytes[k] = (uint8_t)rand();
		if (family == AF_INET6)
			clients[i].bytes[0] = 0x20 | (clients[i].bytes[0] & 15);
	}
	since = cpu_ms();
	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct geo_found found = geo_ranges_find(ranges, &clients[i]);

		sum += found.value + found.scope;
	}
	printf("%-24s %8.1f ns each (sum %llx)\n", what, (cpu_ms() - since) * 1e6 / LOOKUPS,
	       (unsigned long long)sum);
	free(clients);
}

static const struct geo_places *load(char *paths)
{
	struct diag *diag = diag_create();
	const char *v[16];
	struct cfg_geo geo = {.databases = {v, 0}};
	const struct geo_places *places;

	for (char *p = strtok(paths, ","); p != NULL && geo.databases.n < ARRAY_SIZE(v);
	     p = strtok(NULL, ","))
		v[geo.databases.n++] = p;
	places = geo_places_load(&geo, NULL, diag);
	diag_print(diag, stderr);
	diag_destroy(&diag);
	return places;
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 300;
	unsigned n_pools = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
	struct geo_ranges *front = NULL;
	const struct geo_places *places;
	double since = cpu_ms();

	if (argc < 2 || n == 0)
		return 2;
	report("start", since);
	places = load(argv[1]);
	if (places == NULL)
		return 1;
	report("places loaded", since);
	printf("%-24s %8u places, %zu ranges, %.1f MB\n", "", geo_places_n(places),
	       geo_ranges_count(geo_places_ranges(places)), (double)geo_places_bytes(places) / 1e6);
	for (unsigned i = 0; i < n_pools; i++) {
		struct geo_nearest *index;
		double begin = cpu_ms();

		geo_ranges_free(&front);
		index = edges_create(n);
		front = front_create(places, index);
		geo_nearest_destroy(&index);
		report("front made", begin);
	}
	if (front != NULL)
		printf("%-24s %8zu ranges, %.1f MB\n", "", geo_ranges_count(front),
		       (double)geo_ranges_bytes(front) / 1e6);
	report("in all", since);
	look_up("place by IPv4", geo_places_ranges(places), AF_INET);
	look_up("place by IPv6", geo_places_ranges(places), AF_INET6);
	if (front != NULL) {
		look_up("front by IPv4", front, AF_INET);
		look_up("front by IPv6", front, AF_INET6);
	}
	geo_ranges_free(&front);
	since = cpu_ms();
	geo_places_unref(&places);
	report("freed", since);
	return 0;
}
