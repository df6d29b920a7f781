/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See geo_test.h.
 */
#include "tests/unit/geo/geo_test.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "geo/map.h"

const struct cfg_edge test_edges[N_EDGES] = {
    [FRANKFURT] = {.name = "fra1", .id = 0, .location = {50.1109, 8.6821, true}},
    [NEW_YORK] = {.name = "nyc1", .id = 1, .location = {40.7128, -74.0060, true}},
    [SINGAPORE] = {.name = "sin1", .id = 2, .location = {1.3521, 103.8198, true}},
    [SAO_PAULO] = {.name = "sao1", .id = 3, .location = {-23.5505, -46.6333, true}},
};

struct cfg_fleet test_fleet(const char *database)
{
	/* Lives as long as the test. */
	static const char *databases[1];

	databases[0] = database;
	return (struct cfg_fleet){
	    .edges = (struct cfg_edge *)test_edges,
	    .n_edges = N_EDGES,
	    .geo = {.place = {"fleet.yaml", 3, 5}, .databases = {databases, database != NULL}},
	    .file = "fleet.yaml",
	};
}

struct geo_map *test_compile(const struct cfg_fleet *fleet)
{
	struct diag *diag = diag_create();
	struct geo_map *map = geo_map_compile(fleet, diag);

	if (map == NULL || diag_count(diag) > 0) {
		diag_print(diag, stderr);
		fail_msg("%s was refused", fleet->geo.databases.v[0]);
	}
	diag_destroy(&diag);
	return map;
}

char *test_refused(const struct cfg_fleet *fleet)
{
	struct diag *diag = diag_create();
	struct geo_map *map = geo_map_compile(fleet, diag);
	char *text;

	if (map != NULL)
		fail_msg("%s was accepted", fleet->geo.databases.v[0]);
	assert_int_equal(diag_count(diag), 1);
	text = diag_text(diag);
	assert_non_null(strstr(text, "fleet.yaml:3:5: "));
	if (fleet->geo.databases.n > 0)
		assert_non_null(strstr(text, fleet->geo.databases.v[0]));
	diag_destroy(&diag);
	return text;
}

struct net_prefix test_prefix(const char *text)
{
	struct net_prefix p;

	assert_true(net_prefix_parse(text, &p));
	return p;
}

void test_rank(const struct cfg_fleet *fleet, const struct geo_place *place, uint16_t *order)
{
	double km[N_EDGES];

	assert_int_equal(fleet->n_edges, N_EDGES);
	for (unsigned i = 0; i < N_EDGES; i++) {
		unsigned at = i;

		km[i] = place->known ? geo_distance_km(place->latitude, place->longitude,
						       fleet->edges[i].location.latitude,
						       fleet->edges[i].location.longitude) +
					   fleet->edges[i].bias_km
				     : 0;
		for (; at > 0 && km[order[at - 1]] > km[i]; at--)
			order[at] = order[at - 1];
		order[at] = (uint16_t)i;
	}
}

char *test_file(const void *content, size_t size)
{
	const char *dir = getenv("TMPDIR");
	char *path = xasprintf("%s/perigee-geo-XXXXXX", dir ? dir : "/tmp");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size), size);
	close(fd);
	return path;
}

void test_remove(char *path)
{
	unlink(path);
	free(path);
}

void *test_read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *content = xmalloc(1 << 20);

	if (f == NULL)
		fail_msg("cannot open %s", path);
	*size = fread(content, 1, 1 << 20, f);
	assert_true(*size > 0 && *size < 1 << 20);
	fclose(f);
	return content;
}

char *test_shared(const char *name)
{
	const char *dir = getenv("PERIGEE_MMDB_DIR");
	char *path = xasprintf("%s/%s", dir ? dir : MMDB_DIR, name);

	if (access(path, R_OK) == 0)
		return path;
	print_message("%s is not here\n", path);
	free(path);
	return NULL;
}
