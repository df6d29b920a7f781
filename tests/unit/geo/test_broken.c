/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Broken and hostile databases: each is refused with its reason, or harmless; none crashes, hangs
 * or overflows the stack.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "geo/places.h"
#include "tests/support/mmdb_maker.h"
#include "tests/unit/geo/geo_test.h"

/* All that the record says. */
static void put_location(struct mmdb_file *f, double latitude, double longitude)
{
	mmdb_put_facts(f, &(struct mmdb_facts){1, latitude, longitude, "", "", 0});
}

static struct cfg_geo geo_of(const char **path)
{
	return (struct cfg_geo){.place = {"fleet.yaml", 3, 5}, .databases = {path, 1}};
}

static struct geo_found find(const struct geo_places *places, const char *client)
{
	struct net_prefix p = test_prefix(client);

	return geo_ranges_find(geo_places_ranges(places), &p);
}

static const struct geo_place *place_at(const struct geo_places *places, const char *client)
{
	return geo_places_get(places, find(places, client).value);
}

/* Loads what was made and frees it. `says` NULL: it must be accepted. */
static const struct geo_places *finish(struct mmdb_file *f, const char *says)
{
	char *path = test_file(f->bytes, f->n), *text;
	struct cfg_geo geo = geo_of((const char **)&path);
	const struct geo_places *places = NULL;

	if (says == NULL) {
		places = test_places(&geo);
	} else {
		text = test_refused(&geo);
		if (strstr(text, says) == NULL)
			fail_msg("\"%s\" is not in: %s", says, text);
		free(text);
	}
	test_remove(path);
	free(f->bytes);
	*f = (struct mmdb_file){0};
	return places;
}

/* One node, whose lower half has the record that was put before. */
static struct mmdb_file one_node(void)
{
	struct mmdb_file f = {0};

	mmdb_put_node(&f, 1 + 16, 1);
	mmdb_put_separator(&f);
	return f;
}

static void what_the_maker_makes_is_sound(void **state)
{
	struct mmdb_file f = one_node();
	const struct geo_places *places;

	put_location(&f, 1.5, 104);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
	places = finish(&f, NULL);
	assert_true(place_at(places, "1.2.3.4")->longitude == 104);
	assert_int_equal(find(places, "1.2.3.4").scope, 1);
	assert_false(place_at(places, "128.0.0.0")->located);
	assert_int_equal(find(places, "128.0.0.0").scope, 1);
	/* An IPv4 database knows nothing of IPv6; its largest network without IPv4 in it. */
	assert_false(place_at(places, "2001:db8::1")->located);
	assert_int_equal(find(places, "2001:db8::1").scope, 21);
	assert_int_equal(find(places, "8000::").scope, 1);
	geo_places_unref(&places);
}

/* What has not the form of MaxMind's facts is not known, and no reason to refuse the rest. */
static void facts_of_another_form_are_not_known(void **state)
{
	struct mmdb_file f = one_node();
	const struct geo_places *places;
	const struct geo_place *place;

	put_location(&f, 1.5, 104);
	f.bytes[6 + 16] += 3; /* the map has three more pairs */
	mmdb_put_string(&f, "country");
	mmdb_put_map(&f, 1);
	mmdb_put_string(&f, "iso_code");
	mmdb_put_string(&f, "a\x1b");
	mmdb_put_string(&f, "continent");
	mmdb_put_map(&f, 1);
	mmdb_put_string(&f, "code");
	mmdb_put_string(&f, "XX");
	mmdb_put_unsigned(&f, "autonomous_system_number", 9, (uint64_t)1 << 32);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
	places = finish(&f, NULL);
	place = place_at(places, "1.2.3.4");
	assert_true(place->located);
	assert_string_equal(place->country, "");
	assert_string_equal(place->continent, "");
	assert_int_equal(place->asn, 0);
	geo_places_unref(&places);
}

static void broken_trees(void **state)
{
	static const struct {
		uint32_t records[4];
		const char *says;
	} cases[] = {
	    {{0, 0, 2, 2}, "node 0 contains itself"},
	    {{1, 1, 0, 2}, "node 0 contains itself"},
	    {{2, 1, 1, 2}, "node 1 contains itself"},
	    {{2, 3, 2, 2}, "a record of value 3 leads out"}, /* into the separator */
	    {{2, 17, 2, 2}, "a record of value 17 leads out"},
	    {{2, 0xffffff, 2, 2}, "a record of value 16777215 leads out"},
	    {{2, 1, 2, 18 + 36}, "a record of value 54 leads out"}, /* into the metadata */
	    {{2, 1, 2, 18 + 3}, "broken record at data offset 3"},
	    {{2, 18, 2, 18}, "1 of its 2 nodes cannot be reached"},
	};
	struct mmdb_file f = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		mmdb_put_node(&f, cases[i].records[0], cases[i].records[1]);
		mmdb_put_node(&f, cases[i].records[2], cases[i].records[3]);
		mmdb_put_separator(&f);
		MMDB_PUT(&f, 7 << 5, 0, 7, 0, 13);
		while (f.n < 12 + 16 + 36)
			MMDB_PUT(&f, 7 << 5);
		mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 2});
		finish(&f, cases[i].says);
	}
	/* A path that is longer than an address. */
	for (uint32_t n = 32; n <= 33; n++) {
		const struct geo_places *places;

		for (uint32_t i = 0; i < n; i++)
			mmdb_put_node(&f, i + 1 < n ? i + 1 : n + 16, n);
		mmdb_put_separator(&f);
		put_location(&f, 1, 1);
		mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = n});
		places = finish(&f, n == 33 ? "node 32 is deeper than an address" : NULL);
		if (places != NULL)
			assert_int_equal(find(places, "0.0.0.0").scope, 32);
		geo_places_unref(&places);
	}
}

/* A node that was first met high up in the tree and then so far down that its leaves would lie
 * behind the end of the address. */
static void a_shared_subtree_may_not_reach_too_deep(void **state)
{
	struct mmdb_file f = {0};
	const uint32_t n = 33;

	/* Node 31 is two bits high: the lower half of node 0, and again after 31 bits. */
	for (uint32_t i = 0; i <= 30; i++)
		mmdb_put_node(&f, i == 0 ? 31 : n, i + 1);
	mmdb_put_node(&f, 32, n);
	mmdb_put_node(&f, n + 16, n);
	mmdb_put_separator(&f);
	put_location(&f, 1, 1);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = n});
	finish(&f, "node 32 is deeper than an address");
}

/* Each node twice the next: 2^32 networks in 32 nodes. */
static void a_tree_that_unfolds_without_end_is_refused(void **state)
{
	struct mmdb_file f = {0};
	const uint32_t n = 32;

	for (uint32_t i = 0; i < n; i++)
		mmdb_put_node(&f, i + 1 < n ? i + 1 : n + 16, i + 1 < n ? i + 1 : n);
	mmdb_put_separator(&f);
	put_location(&f, 1, 1);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = n});
	finish(&f, "too many that are reached on several paths");
}

/* The byte in the middle of a node of 28-bit records has the high bits of both. */
static void high_bits_of_records_count(void **state)
{
	static const struct {
		uint8_t node[8];
		uint16_t bits;
		const char *says;
	} cases[] = {
	    {{0, 0, 17, 0x50, 0, 0, 1}, 28, "a record of value 83886097 leads out"},
	    {{0, 0, 1, 0x0a, 0, 0, 17}, 28, "a record of value 167772177 leads out"},
	    {{0x80, 0, 0, 17, 0, 0, 0, 1}, 32, "a record of value 2147483665 leads out"},
	    {{0, 0, 0, 1, 0x80, 0, 0, 17}, 32, "a record of value 2147483665 leads out"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mmdb_file f = {0};

		mmdb_put(&f, cases[i].node, cases[i].bits / 4);
		mmdb_put_separator(&f);
		put_location(&f, 1, 1);
		mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1, .bits = cases[i].bits});
		finish(&f, cases[i].says);
	}
}

static void broken_records(void **state)
{
	static const struct {
		uint8_t bytes[16];
		unsigned n;
		const char *says;
	} cases[] = {
	    {{0x20, 0x00}, 2, "leads to a pointer"}, /* to itself */
	    {{7 << 5 | 1, 0x41, 'a', 0x20, 0}, 5, "contains itself"},
	    {{7 << 5 | 1, 0x41, 'a', 7 << 5 | 1, 0x41, 'b', 0x20, 3}, 8, "contains itself"},
	    {{0x20, 0xff}, 2, "leads out of the data section"},
	    {{0x3f, 0xff, 0xff, 0xff, 0xff}, 5, "leads out of the data section"},
	    {{7 << 5 | 1, 0xc1, 1, 0x40}, 4, "not a string"},
	    {{3 << 5 | 7, 0, 0, 0, 0, 0, 0, 0}, 8, "a size that its type cannot have"},
	    {{0x09, 2, 0}, 3, "a size that its type cannot have"},
	    {{0x00, 0x00}, 2, "unknown type"},
	    {{0x00, 0x05}, 2, "unknown type"},
	    {{0x00, 0x09}, 2, "unknown type"},
	    {{0x00, 0xff}, 2, "unknown type"},
	    {{2 << 5 | 28, 'a'}, 2, "cut short"},
	    {{2 << 5 | 31, 0xff}, 2, "cut short"},
	    {{2 << 5 | 31, 0xff, 0xff, 0xff}, 4, "cut short"},
	    {{0x38, 1}, 2, "a pointer is cut short"},
	    {{7 << 5 | 31, 0xff, 0xff, 0xff}, 4, "larger than the data section"},
	    {{0x1f, 4, 0xff, 0xff, 0xff}, 5, "larger than the data section"},
	    {{7 << 5 | 2, 0x41, 'a'}, 3, "outside the data section"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mmdb_file f = one_node();

		mmdb_put(&f, cases[i].bytes, cases[i].n);
		mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
		finish(&f, cases[i].says);
	}
}

static void coordinates_must_be_on_the_globe(void **state)
{
	static const double bad[][2] = {
	    {90.5, 0}, {0, -181}, {__builtin_nan(""), 0}, {0, __builtin_inf()}};
	struct mmdb_file f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f = one_node();
		put_location(&f, bad[i][0], bad[i][1]);
		mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
		finish(&f, "a coordinate is not a number of degrees");
	}
	/* None at all. */
	f = one_node();
	MMDB_PUT(&f, 7 << 5 | 0);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
	finish(&f, "this Test-City database has coordinates");
}

static void broken_metadata(void **state)
{
	static const uint8_t map_in_languages[] = {1, 4, 7 << 5};
	static const uint8_t many_languages[] = {0x1f, 4, 0xff, 0xff, 0xff};
	static const uint8_t itself[] = {7 << 5 | 1, 0x41, 'a', 0x20, 0};
	static const struct {
		struct mmdb_metadata m;
		const char *says;
	} cases[] = {
	    {{.nodes = 0}, "node_count is missing"},
	    {{.nodes = 2}, "larger than the file"},
	    {{.nodes = UINT32_MAX}, "larger than the file"},
	    {{.nodes = 0x20000001, .bits = 32}, "larger than the file"}, /* 8 when cut to 32 bits */
	    {{.nodes = 1, .bits = 25}, "record_size is not 24, 28 or 32"},
	    {{.nodes = 1, .bits = 28}, "no zeros between tree and data"},
	    {{.nodes = 1, .version = 5}, "metadata"},
	    {{.nodes = 1,
	      .languages = map_in_languages,
	      .languages_size = sizeof(map_in_languages)},
	     "languages is not a list of strings"},
	    {{.nodes = 1, .languages = many_languages, .languages_size = sizeof(many_languages)},
	     "larger than the data section"},
	    {{.nodes = 1, .description = itself, .description_size = sizeof(itself)},
	     "contains itself"},
	    {{.nodes = 1, .description = itself, .description_size = 3},
	     "outside the data section"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mmdb_file f = one_node();

		MMDB_PUT(&f, 7 << 5);
		mmdb_put_metadata(&f, &cases[i].m);
		finish(&f, cases[i].says);
	}
}

/* Lists of one list of one list: 60,000 frames of a reader that recurses. */
static void deep_nesting_is_refused_everywhere(void **state)
{
	struct mmdb_file f = one_node(), nested = {0};

	for (int i = 0; i < 60000; i++)
		MMDB_PUT(&nested, 1, 4);
	MMDB_PUT(&nested, 0x40);
	mmdb_put(&f, nested.bytes, nested.n);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
	finish(&f, "nested too deeply");

	f = one_node();
	put_location(&f, 1, 1);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1,
						      .languages = nested.bytes,
						      .languages_size = nested.n});
	finish(&f, "nested too deeply");
	free(nested.bytes);
}

/* Twelve levels of maps, each pointing sixteen times to the next: 16^12 values for a reader that
 * follows every pointer. */
static void pointers_to_shared_values_are_read_once(void **state)
{
	struct mmdb_file f = one_node();
	const struct geo_places *places;

	put_location(&f, 1, 1);
	f.bytes[6 + 16] += 1;
	mmdb_put_string(&f, "fan");
	for (unsigned level = 0; level < 12; level++) {
		size_t next = f.n - 22 + 1 + 16 * 4;

		MMDB_PUT(&f, 7 << 5 | 16);
		for (unsigned i = 0; i < 16; i++)
			MMDB_PUT(&f, 0x41, (uint8_t)('a' + i), (uint8_t)(0x20 | next >> 8),
				 (uint8_t)next);
	}
	MMDB_PUT(&f, 0x40);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = 1});
	places = finish(&f, NULL);
	geo_places_unref(&places);
}

/* 32,768 records that are lists which begin inside each other: half a billion values for a reader
 * that reads each to its end. */
static void records_that_overlap_are_refused(void **state)
{
	const uint32_t leaves = 1 << 15, nodes = leaves - 1;
	struct mmdb_file f = {0};

	for (uint32_t i = 0; i < nodes; i++) {
		uint32_t child = 2 * i + 1;

		if (child < nodes)
			mmdb_put_node(&f, child, child + 1);
		else
			mmdb_put_node(&f, nodes + 16 + 5 * (child - nodes) + 1,
				      nodes + 16 + 5 * (child + 1 - nodes) + 1);
	}
	mmdb_put_separator(&f);
	for (uint32_t i = 0; i < leaves; i++) {
		/* A string of four bytes, which are the head of a list of all that follow; sizes
		 * from 285 on take two bytes. */
		uint32_t members = leaves - i - 1;

		if (members >= 285)
			MMDB_PUT(&f, 0x44, 0x1e, 4, (uint8_t)((members - 285) >> 8),
				 (uint8_t)(members - 285));
		else
			MMDB_PUT(&f, 0x44, 0x00, 7, 0x00, 7);
	}
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = nodes});
	finish(&f, "overlap so much");
}

static void things_that_are_no_databases(void **state)
{
	static const char *const marker_only = "\xab\xcd\xefMaxMind.com";
	const char *name = "/nonexistent/city.mmdb";
	struct cfg_geo geo = geo_of(&name);
	struct mmdb_file f = {0};
	char *text = test_refused(&geo);
	char *path;

	assert_non_null(strstr(text, "No such file"));
	free(text);
	name = "/";
	text = test_refused(&geo);
	assert_non_null(strstr(text, "not a regular file"));
	free(text);

	finish(&f, "is empty");
	mmdb_put(&f, "zones:\n  example.com: {}\n", 24);
	finish(&f, "not a MaxMind database");
	mmdb_put(&f, marker_only, 14);
	finish(&f, "broken metadata");
	for (int i = 0; i < 300000; i++)
		MMDB_PUT(&f, 0xab);
	finish(&f, "not a MaxMind database");

	path = test_file("", 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	name = path;
	text = test_refused(&geo);
	assert_non_null(strstr(text, "not a regular file"));
	free(text);
	test_remove(path);
}

static void hostile_files_of_maxmind(void **state)
{
	static const struct {
		const char *name, *says;
	} cases[] = {
	    {"GeoIP2-City-Test-Broken-Double-Format.mmdb", "a size that its type cannot have"},
	    {"GeoIP2-City-Test-Invalid-Node-Count.mmdb", "larger than the file"},
	    {"libmaxminddb-corrupt-search-tree.mmdb", "99 of its 100 nodes cannot be reached"},
	    {"libmaxminddb-deep-nesting.mmdb", "nested too deeply"},
	    {"libmaxminddb-metadata-marker-only.mmdb", "broken metadata"},
	    {"libmaxminddb-offset-integer-overflow.mmdb", "broken metadata: a pointer leads out"},
	    {"libmaxminddb-oversized-map.mmdb", "larger than the data section"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *name = xasprintf("bad/%s", cases[i].name);
		char *path = test_shared(name), *text;
		struct cfg_geo geo = geo_of((const char **)&path);

		free(name);
		if (path == NULL)
			SKIP(TEST_NOT_SHARED);
		text = test_refused(&geo);
		print_message("    %s", text);
		assert_non_null(strstr(text, cases[i].says));
		free(text);
		free(path);
	}
}

static void databases_without_facts_are_refused(void **state)
{
	static const char *const names[] = {
	    "MaxMind-DB-test-ipv4-24.mmdb", "MaxMind-DB-test-ipv6-32.mmdb",
	    "MaxMind-DB-test-mixed-28.mmdb", "MaxMind-DB-no-ipv4-search-tree.mmdb"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = test_shared(names[i]), *text;
		struct cfg_geo geo = geo_of((const char **)&path);

		if (path == NULL)
			SKIP(TEST_NOT_SHARED);
		text = test_refused(&geo);
		print_message("    %s", text);
		assert_non_null(strstr(text, "no record of this "));
		assert_non_null(strstr(text, "a City, Country or ASN database is needed"));
		free(text);
		free(path);
	}
}

static void every_truncation_is_refused(void **state)
{
	size_t size;
	uint8_t *content = test_read_file(SAMPLE_MMDB, &size);
	char *path = test_file(content, size);
	struct cfg_geo geo = geo_of((const char **)&path);

	while (size-- > 0) {
		assert_int_equal(truncate(path, (off_t)size), 0);
		free(test_refused(&geo));
	}
	test_remove(path);
	free(content);
}

/* Whatever a damaged byte does, the result is an error or places that can be used. */
static void every_damaged_byte_is_survived(void **state)
{
	static const uint8_t damage[] = {0x01, 0x20, 0x80, 0xff};
	static const char *const clients[] = {"192.0.2.1",       "198.18.240.1",    "203.0.113.208",
					      "2001:db8:500::1", "255.255.255.255", "::1"};
	size_t size, refused = 0, accepted = 0;
	uint8_t *content = test_read_file(SAMPLE_MMDB, &size), byte;
	char *path = test_file(content, size);
	struct cfg_geo geo = geo_of((const char **)&path);
	int fd = open(path, O_RDWR);

	for (size_t i = 0; i < size; i++) {
		off_t at = (off_t)i;
		struct diag *diag = diag_create();
		const struct geo_places *places;

		byte = content[at] ^ damage[i % ARRAY_SIZE(damage)];
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		places = geo_places_load(&geo, NULL, diag);
		assert_int_equal(places == NULL, diag_count(diag) > 0);
		refused += places == NULL;
		accepted += places != NULL;
		for (size_t c = 0; places != NULL && c < ARRAY_SIZE(clients); c++) {
			assert_true(find(places, clients[c]).scope <= 128);
			assert_true(fabs(place_at(places, clients[c])->latitude) <= 90);
		}
		geo_places_unref(&places);
		diag_destroy(&diag);
		assert_int_equal(pwrite(fd, &content[at], 1, at), 1);
	}
	print_message("    %zu refused, %zu accepted\n", refused, accepted);
	assert_true(refused > accepted / 10);
	close(fd);
	test_remove(path);
	free(content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_maker_makes_is_sound),
	    cmocka_unit_test(facts_of_another_form_are_not_known),
	    cmocka_unit_test(broken_trees),
	    cmocka_unit_test(a_shared_subtree_may_not_reach_too_deep),
	    cmocka_unit_test(a_tree_that_unfolds_without_end_is_refused),
	    cmocka_unit_test(high_bits_of_records_count),
	    cmocka_unit_test(broken_records),
	    cmocka_unit_test(coordinates_must_be_on_the_globe),
	    cmocka_unit_test(broken_metadata),
	    cmocka_unit_test(deep_nesting_is_refused_everywhere),
	    cmocka_unit_test(pointers_to_shared_values_are_read_once),
	    cmocka_unit_test(records_that_overlap_are_refused),
	    cmocka_unit_test(things_that_are_no_databases),
	    cmocka_unit_test(hostile_files_of_maxmind),
	    cmocka_unit_test(databases_without_facts_are_refused),
	    cmocka_unit_test(every_truncation_is_refused),
	    cmocka_unit_test(every_damaged_byte_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
