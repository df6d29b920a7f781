/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes MaxMind databases: any bytes are places or one complaint. What is loaded must be usable
 * everywhere: each scope that is found, from the first address on, has one place, its halves are
 * not two scopes with one place, and the same file loaded again is the same places.
 */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/check.h"
#include "geo/places.h"

/* Scopes that are looked at; what makes more has shown all that it can. */
#define SCOPES_MAX 300

static struct net_prefix prefix_of(uint8_t family, geo_bits v)
{
	/* No whole address in IPv6: there is no end of what Teredo has behind those. */
	struct net_prefix p = {.family = family, .len = family == AF_INET ? 32 : 127};

	for (int i = family == AF_INET ? 3 : 15; i >= 0; i--, v >>= 8)
		p.bytes[i] = (uint8_t)v;
	return p;
}

static struct geo_found find(const struct geo_places *places, uint8_t family, geo_bits v)
{
	struct net_prefix p = prefix_of(family, v);
	struct geo_found found = geo_ranges_find(geo_places_ranges(places), &p);
	const struct geo_place *place = geo_places_get(places, found.value);

	CHECK(found.scope <= (family == AF_INET ? 32 : 128));
	CHECK(fabs(place->latitude) <= 90 && fabs(place->longitude) <= 180);
	CHECK(memchr(place->country, '\0', 3) != NULL && memchr(place->continent, '\0', 3) != NULL);
	return found;
}

static void check_family(const struct geo_places *places, uint8_t family)
{
	unsigned width = family == AF_INET ? 32 : 128;
	struct geo_found found, last, before = {0};
	geo_bits at = 0, size, end = width == 32 ? (geo_bits)1 << 32 : 0;

	for (unsigned i = 0; i < SCOPES_MAX; i++) {
		found = find(places, family, at);
		size = (geo_bits)1 << (width - MAX(found.scope, 1));
		CHECK(at % size == 0);
		last = find(places, family, at + size - 1);
		CHECK(last.value == found.value && last.scope == found.scope);
		CHECK(i == 0 || found.scope != before.scope || at / size % 2 == 0 ||
		      found.value != before.value);
		at += size;
		if (found.scope == 0 || at == end)
			return;
		before = found;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("database", MFD_CLOEXEC);
	char *path = xasprintf("/proc/self/fd/%d", fd);
	const char *paths[] = {path};
	struct cfg_geo geo = {.databases = {paths, 1}};
	struct diag *diag = diag_create();
	const struct geo_places *places, *again;

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	places = geo_places_load(&geo, NULL, diag);
	CHECK((places == NULL) == (diag_count(diag) == 1));
	if (places != NULL) {
		check_family(places, AF_INET);
		check_family(places, AF_INET6);
		again = geo_places_load(&geo, places, diag);
		CHECK(again == places);
		geo_places_unref(&again);
	}
	geo_places_unref(&places);
	diag_destroy(&diag);
	free(path);
	close(fd);
	return 0;
}
