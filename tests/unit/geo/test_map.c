/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The compiled map against what the database says of each address: rankings, and scopes that are
 * exactly as large as they may be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/db.h"
#include "geo/map.h"
#include "tests/unit/geo/geo_test.h"

typedef unsigned __int128 bits128;

static struct net_prefix from_bits(int family, bits128 v)
{
	struct net_prefix p = {.family = (uint8_t)family, .len = family == AF_INET ? 32 : 128};

	for (int i = p.len / 8 - 1; i >= 0; i--, v >>= 8)
		p.bytes[i] = (uint8_t)v;
	return p;
}

static bool same_answer(const struct geo_ranking *a, const struct geo_ranking *b)
{
	return a->known == b->known && memcmp(a->edges, b->edges, a->n * sizeof(*a->edges)) == 0;
}

/* What the map says of an address is what follows from what libmaxminddb says of it. */
static void expect_right(const struct geo_map *map, const struct cfg_fleet *fleet,
			 const struct net_prefix *p)
{
	struct geo_ranking got = geo_map_lookup(map, p);
	struct geo_place place = geo_map_place(map, p);
	uint16_t want[N_EDGES];
	char text[NET_ADDR_TEXT];

	if (got.known != place.known)
		fail_msg("%s: known %d, expected %d", net_prefix_format(p, text), got.known,
			 place.known);
	if (!place.known && fleet->geo.unknown.set) {
		place = (struct geo_place){.known = true,
					   .latitude = fleet->geo.unknown.latitude,
					   .longitude = fleet->geo.unknown.longitude};
	}
	test_rank(fleet, &place, want);
	assert_int_equal(got.n, N_EDGES);
	if (memcmp(got.edges, want, sizeof(want)) != 0)
		fail_msg("%s: wrong ranking", net_prefix_format(p, text));
}

/* Walks a whole address space scope by scope. The scopes must lie side by side without a gap; all
 * addresses in one must have the answer that the database gives; and the two halves of a network
 * must not be two scopes with one answer: so each scope is the largest that it can be. */
static void expect_exact_scopes(const struct geo_map *map, const struct cfg_fleet *fleet,
				int family)
{
	unsigned width = family == AF_INET ? 32 : 128, n = 0;
	struct geo_ranking before = {0};
	bits128 at = 0, size, probe;

	do {
		struct net_prefix p = from_bits(family, at);
		struct geo_ranking r = geo_map_lookup(map, &p);

		assert_true(r.scope <= width);
		size = r.scope == 0 ? 0 : (bits128)1 << (width - r.scope);
		assert_true(r.scope == 0 || at % size == 0);
		if (n > 0 && r.scope == before.scope && (at / size) % 2 == 1)
			assert_false(same_answer(&r, &before));
		for (int i = 0; i < 8; i++) {
			probe = (bits128)rand() << 96 ^ (bits128)rand() << 64 ^
				(bits128)rand() << 32 ^ (bits128)rand() << 1;
			if (r.scope > 0)
				probe = i == 0 ? at : i == 1 ? at + size - 1 : at + probe % size;
			p = from_bits(family, probe);
			expect_right(map, fleet, &p);
			assert_int_equal(geo_map_lookup(map, &p).scope, r.scope);
		}
		before = r;
		at += size;
		n++;
	} while (size != 0 && at != (width == 32 ? (bits128)1 << 32 : 0));
	print_message("    %u scopes\n", n);
}

/* By brute force, from the database alone: the largest network around each address of a /24 in
 * which every address of a /16 has the same answer. */
static void scope_is_the_largest_network_with_one_answer(void **state)
{
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct geo_map *map = test_compile(&fleet);
	uint64_t *answer = xcalloc(1 << 16, sizeof(*answer));
	uint32_t net = 192u << 24;

	for (uint32_t i = 0; i < 1 << 16; i++) {
		struct net_prefix p = from_bits(AF_INET, net + i);
		struct geo_place place = geo_map_place(map, &p);
		uint16_t order[N_EDGES];

		test_rank(&fleet, &place, order);
		for (unsigned e = 0; e < N_EDGES; e++)
			answer[i] = answer[i] << 8 | order[e];
		answer[i] = answer[i] << 1 | place.known;
	}
	for (uint32_t host = 0; host < 256; host++) {
		uint32_t i = 2 << 8 | host;
		struct net_prefix p = from_bits(AF_INET, net + i);
		unsigned scope = 32;

		for (; scope > 16; scope--) {
			uint32_t size = 1u << (33 - scope), first = i / size * size, j = 0;

			while (j < size && answer[first + j] == answer[i])
				j++;
			if (j < size)
				break;
		}
		assert_in_range(scope, 24, 28);
		assert_int_equal(geo_map_lookup(map, &p).scope, scope);
	}
	free(answer);
	geo_map_destroy(&map);
	assert_null(map);
}

static void sample_has_exact_scopes(void **state)
{
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct geo_map *map = test_compile(&fleet);

	srand(1);
	expect_exact_scopes(map, &fleet, AF_INET);
	expect_exact_scopes(map, &fleet, AF_INET6);
	geo_map_destroy(&map);
}

static void unknown_clients_are_taken_to_be_somewhere(void **state)
{
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct net_prefix nowhere = test_prefix("203.0.113.250");
	struct geo_ranking r;
	struct geo_map *map;

	fleet.geo.unknown = (struct cfg_coords){1.35, 103.8, true};
	map = test_compile(&fleet);
	r = geo_map_lookup(map, &nowhere);
	assert_false(r.known);
	assert_int_equal(r.edges[0], SINGAPORE);
	expect_exact_scopes(map, &fleet, AF_INET);
	expect_exact_scopes(map, &fleet, AF_INET6);
	geo_map_destroy(&map);

	fleet.geo.unknown.set = false;
	map = test_compile(&fleet);
	r = geo_map_lookup(map, &nowhere);
	assert_false(r.known);
	assert_memory_equal(r.edges, ((uint16_t[]){0, 1, 2, 3}), sizeof(uint16_t[4]));
	geo_map_destroy(&map);
}

static void without_a_database_there_is_one_answer(void **state)
{
	struct cfg_fleet fleet = test_fleet(NULL);
	struct geo_map *map = test_compile(&fleet);
	static const char *const clients[] = {"192.0.2.0/24", "2001:db8::1", "0.0.0.0/0", "::/0"};
	struct geo_map_stats stats = geo_map_stats(map);

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct net_prefix p = test_prefix(clients[i]);
		struct geo_ranking r = geo_map_lookup(map, &p);

		assert_int_equal(r.scope, 0);
		assert_false(r.known);
		assert_int_equal(r.n, N_EDGES);
		assert_memory_equal(r.edges, ((uint16_t[]){0, 1, 2, 3}), sizeof(uint16_t[4]));
		assert_false(geo_map_place(map, &p).known);
	}
	assert_int_equal(stats.nodes, 0);
	assert_int_equal(stats.rankings, 1);
	assert_string_equal(stats.database_type, "");
	geo_map_destroy(&map);

	fleet.geo.unknown = (struct cfg_coords){-23, -46, true};
	map = test_compile(&fleet);
	assert_int_equal(geo_map_lookup(map, &(struct net_prefix){.family = AF_INET}).edges[0],
			 SAO_PAULO);
	geo_map_destroy(&map);
}

static void a_short_prefix_gets_the_leaf_of_its_first_address(void **state)
{
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct geo_map *map = test_compile(&fleet);
	struct net_prefix whole = test_prefix("198.51.100.0/24"),
			  first = test_prefix("198.51.100.0");
	struct geo_ranking a = geo_map_lookup(map, &whole), b = geo_map_lookup(map, &first);

	assert_true(a.scope > 24); /* the /24 is split, and the answer says so */
	assert_int_equal(a.scope, b.scope);
	assert_ptr_equal(a.edges, b.edges);
	geo_map_destroy(&map);
}

static void one_edge_is_nearest_everywhere(void **state)
{
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct geo_map *map;

	/* All that is left to tell apart is known and unknown. */
	fleet.n_edges = 1;
	map = test_compile(&fleet);
	assert_int_equal(geo_map_stats(map).rankings, 1);
	assert_int_equal(
	    geo_map_lookup(map, &(struct net_prefix){.family = AF_INET, .bytes = {192, 0, 2}})
		.scope,
	    25);
	geo_map_destroy(&map);
	fleet.n_edges = 0;
	map = test_compile(&fleet);
	assert_int_equal(geo_map_lookup(map, &(struct net_prefix){.family = AF_INET}).n, 0);
	geo_map_destroy(&map);
}

static void bias_is_in_the_map(void **state)
{
	struct cfg_edge edges[N_EDGES];
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct net_prefix frankfurt = test_prefix("192.0.2.1");
	struct geo_map *map;

	memcpy(edges, test_edges, sizeof(edges));
	edges[FRANKFURT].bias_km = 6300; /* New York is 6,203 km away */
	fleet.edges = edges;
	map = test_compile(&fleet);
	assert_int_equal(geo_map_lookup(map, &frankfurt).edges[0], NEW_YORK);
	expect_exact_scopes(map, &fleet, AF_INET);
	geo_map_destroy(&map);
}

static void too_many_edges(void **state)
{
	struct cfg_fleet fleet = test_fleet(NULL);
	char *text;

	fleet.n_edges = 65536;
	text = test_refused(&fleet);
	assert_non_null(strstr(text, "too many edges"));
	free(text);
}

static void the_sample_says_where_people_are(void **state)
{
	static const struct {
		const char *client, *city, *country, *continent;
		unsigned nearest;
	} cases[] = {
	    {"192.0.2.1", "Frankfurt", "DE", "EU", FRANKFURT},
	    {"192.0.2.100", "London", "GB", "EU", FRANKFURT},
	    {"198.51.100.130", "Toronto", "CA", "NA", NEW_YORK},
	    {"198.51.100.192", "S\xc3\xa3o Paulo", "BR", "SA", SAO_PAULO},
	    {"203.0.113.65", "Sydney", "AU", "OC", SINGAPORE},
	    {"198.19.112.1", "Auckland", "NZ", "OC", SINGAPORE},
	    {"2001:db8::1", "Frankfurt", "DE", "EU", FRANKFURT},
	    {"2001:db8:100::/48", "London", "GB", "EU", FRANKFURT},
	    {"2002:c000:0201::1", "Frankfurt", "DE", "EU", FRANKFURT}, /* 6to4 of 192.0.2.1 */
	};
	struct cfg_fleet fleet = test_fleet(SAMPLE_MMDB);
	struct geo_map *map = test_compile(&fleet);
	struct geo_map_stats stats = geo_map_stats(map);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_prefix p = test_prefix(cases[i].client);
		struct geo_place place = geo_map_place(map, &p);

		assert_true(place.known);
		assert_string_equal(place.city, cases[i].city);
		assert_string_equal(place.country, cases[i].country);
		assert_string_equal(place.continent, cases[i].continent);
		assert_int_equal(geo_map_lookup(map, &p).edges[0], cases[i].nearest);
	}
	assert_string_equal(stats.database_type, "Perigee-Sample-City");
	assert_true(stats.networks >= 72 && stats.rankings > 1 && stats.nodes > 0);
	assert_true(stats.build_epoch > 0 && stats.bytes > stats.nodes * 8);
	geo_map_destroy(&map);
}

static void a_file_that_is_overwritten_changes_nothing(void **state)
{
	size_t size;
	void *content = test_read_file(SAMPLE_MMDB, &size);
	char *path = test_file(content, size);
	struct cfg_fleet fleet = test_fleet(path);
	struct geo_map *map = test_compile(&fleet);
	struct net_prefix p = test_prefix("192.0.2.1");
	FILE *f;

	assert_true(geo_map_place(map, &p).known);
	f = fopen(path, "wb"); /* truncates it */
	assert_non_null(f);
	assert_true(geo_map_place(map, &p).known);
	assert_int_equal(fwrite("\377\377\377\377", 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	assert_true(geo_map_place(map, &p).known);
	assert_int_equal(geo_map_lookup(map, &p).edges[0], FRANKFURT);
	geo_map_destroy(&map);
	test_remove(path);
	free(content);
}

static void real_city_databases(void **state)
{
	static const char *const names[] = {"GeoIP2-City-Test.mmdb", "GeoLite2-City-Test.mmdb"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = test_shared(names[i]);
		struct net_prefix london = test_prefix("81.2.69.160");
		struct net_prefix boxford = test_prefix("2.125.160.216");
		struct cfg_fleet fleet = test_fleet(path);
		struct geo_place place;
		struct geo_map *map;

		if (path == NULL)
			SKIP(TEST_NOT_SHARED);
		map = test_compile(&fleet);
		place = geo_map_place(map, &london);
		assert_true(place.known);
		assert_string_equal(place.city, "London");
		assert_string_equal(place.country, "GB");
		assert_string_equal(place.continent, "EU");
		assert_true(geo_distance_km(place.latitude, place.longitude, 51.5, -0.12) < 50);
		assert_string_equal(geo_map_place(map, &boxford).city, "Boxford");
		assert_int_equal(geo_map_lookup(map, &boxford).edges[0], FRANKFURT);
		expect_exact_scopes(map, &fleet, AF_INET);
		expect_exact_scopes(map, &fleet, AF_INET6);
		geo_map_destroy(&map);
		free(path);
	}
}

static void databases_without_coordinates_are_refused(void **state)
{
	static const char *const names[] = {"GeoIP2-Country-Test.mmdb",
					    "GeoLite2-Country-Test.mmdb", "GeoLite2-ASN-Test.mmdb",
					    "MaxMind-DB-test-ipv4-24.mmdb"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = test_shared(names[i]), *text;
		struct cfg_fleet fleet = test_fleet(path);

		if (path == NULL)
			SKIP(TEST_NOT_SHARED);
		text = test_refused(&fleet);
		assert_non_null(strstr(text, "has coordinates"));
		assert_non_null(strstr(text, "City database"));
		free(text);
		free(path);
	}
}

static bool count_leaf(void *arg, const struct geo_location *location, uint32_t *result)
{
	*result = 1;
	return true;
}

static uint32_t count_join(void *arg, uint32_t zero, uint32_t one)
{
	return zero + one;
}

/* Sound files of all record sizes and both versions are read whole, whatever their records say. */
static void real_files_of_all_formats(void **state)
{
	static const struct {
		const char *name;
		bool ipv4, ipv6;
	} cases[] = {
	    {"GeoIP2-City-Test.mmdb", true, true},
	    {"GeoIP2-Country-Test.mmdb", true, true},
	    {"GeoLite2-ASN-Test.mmdb", true, true},
	    {"GeoLite2-City-Test.mmdb", true, true},
	    {"GeoLite2-Country-Test.mmdb", true, true},
	    {"MaxMind-DB-no-ipv4-search-tree.mmdb", true, true}, /* one record covers ::/64 */
	    {"MaxMind-DB-test-ipv4-24.mmdb", true, false},
	    {"MaxMind-DB-test-ipv6-32.mmdb", false, true},
	    {"MaxMind-DB-test-mixed-28.mmdb", true, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = test_shared(cases[i].name);
		struct geo_fold fold = {count_leaf, count_join, 0, NULL};
		struct geo_folded folded;
		struct diag *diag;
		struct geo_db *db;

		if (path == NULL)
			SKIP(TEST_NOT_SHARED);
		diag = diag_create();
		db = geo_db_open(path, (struct cfg_place){0}, diag);
		if (db == NULL || !geo_db_fold(db, &fold, &folded, (struct cfg_place){0}, diag)) {
			diag_print(diag, stderr);
			fail_msg("%s was refused", path);
		}
		print_message("    %s: %zu networks, %u IPv4, %u IPv6\n", cases[i].name,
			      folded.networks, folded.ipv4, folded.ipv6);
		assert_int_equal(folded.ipv4 > 0, cases[i].ipv4);
		assert_int_equal(folded.ipv6 > 0, cases[i].ipv6);
		geo_db_close(&db);
		diag_destroy(&diag);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scope_is_the_largest_network_with_one_answer),
	    cmocka_unit_test(sample_has_exact_scopes),
	    cmocka_unit_test(unknown_clients_are_taken_to_be_somewhere),
	    cmocka_unit_test(without_a_database_there_is_one_answer),
	    cmocka_unit_test(a_short_prefix_gets_the_leaf_of_its_first_address),
	    cmocka_unit_test(one_edge_is_nearest_everywhere),
	    cmocka_unit_test(bias_is_in_the_map),
	    cmocka_unit_test(too_many_edges),
	    cmocka_unit_test(the_sample_says_where_people_are),
	    cmocka_unit_test(a_file_that_is_overwritten_changes_nothing),
	    cmocka_unit_test(real_city_databases),
	    cmocka_unit_test(databases_without_coordinates_are_refused),
	    cmocka_unit_test(real_files_of_all_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
