/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Places against what libmaxminddb says of each address, by brute force: whole address spaces are
 * walked scope by scope, so that each scope is right, and as large as it may be.
 */
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "geo/countries.h"
#include "geo/distance.h"
#include "geo/places.h"
#include "tests/support/mmdb_maker.h"
#include "tests/unit/geo/geo_test.h"

#define MAX_DATABASES 3

/* What is loaded, and where the truth stands. */
struct sample {
	struct cfg_geo geo;
	const char *paths[MAX_DATABASES];
	MMDB_s mmdb[MAX_DATABASES];
	const struct geo_places *places;
};

/* Fills the sample of which geo.* is set but for the databases. */
static void sample_load(struct sample *s, const char *a, const char *b)
{
	s->paths[0] = a;
	s->paths[1] = b;
	s->geo.place = (struct cfg_place){"fleet.yaml", 3, 5};
	s->geo.databases = (struct cfg_strings){s->paths, (a != NULL) + (b != NULL)};
	s->places = test_places(&s->geo);
	for (unsigned i = 0; i < s->geo.databases.n; i++)
		assert_int_equal(MMDB_open(s->paths[i], MMDB_MODE_MMAP, &s->mmdb[i]), 0);
}

static void sample_free(struct sample *s)
{
	for (unsigned i = 0; i < s->geo.databases.n; i++)
		MMDB_close(&s->mmdb[i]);
	geo_places_unref(&s->places);
	assert_null(s->places);
}

static struct net_prefix from_bits(int family, geo_bits v)
{
	/* Not a whole address in IPv6: of Teredo the server counts, else there is no end of
	 * scopes. */
	struct net_prefix p = {.family = (uint8_t)family, .len = family == AF_INET ? 32 : 127};

	for (int i = family == AF_INET ? 3 : 15; i >= 0; i--, v >>= 8)
		p.bytes[i] = (uint8_t)v;
	return p;
}

/* The IPv4 address in one of IPv6, by the words of the RFCs. */
static struct net_prefix inner_address(const struct net_prefix *p)
{
	static const struct {
		uint8_t bytes[12];
		unsigned len, at;
	} carriers[] = {
	    {{0}, 12, 12},
	    {{[10] = 0xff, [11] = 0xff}, 12, 12},
	    {{0, 0x64, 0xff, 0x9b}, 12, 12},
	    {{0x20, 0x02}, 2, 2},
	    {{0x20, 0x01, 0, 0}, 4, 4},
	};
	struct net_prefix inner = {.family = AF_INET, .len = 32};

	for (unsigned i = 0; p->family == AF_INET6 && i < ARRAY_SIZE(carriers); i++) {
		if (memcmp(p->bytes, carriers[i].bytes, carriers[i].len) != 0)
			continue;
		memcpy(inner.bytes, p->bytes + carriers[i].at, 4);
		if (carriers[i].at == 4 && p->len == 128) {
			for (unsigned k = 0; k < 4; k++)
				inner.bytes[k] = p->bytes[12 + k] ^ 0xff;
		}
		return inner;
	}
	return *p;
}

static void copy_code(MMDB_entry_s *entry, const char *map, const char *key, char code[3])
{
	MMDB_entry_data_s v;

	if (code[0] == '\0' && MMDB_get_value(entry, &v, map, key, NULL) == MMDB_SUCCESS &&
	    v.has_data && v.type == MMDB_DATA_TYPE_UTF8_STRING && v.data_size == 2)
		memcpy(code, v.utf8_string, 2);
}

static void add_facts(const MMDB_s *mmdb, const struct net_prefix *p, struct geo_place *place)
{
	struct net_addr addr = {.sa = {.sa_family = p->family}};
	MMDB_entry_data_s latitude, longitude, asn;
	MMDB_lookup_result_s found;
	int status;

	if (p->family == AF_INET6 && mmdb->metadata.ip_version == 4)
		return;
	if (p->family == AF_INET)
		memcpy(&addr.in.sin_addr, p->bytes, 4);
	else
		memcpy(&addr.in6.sin6_addr, p->bytes, 16);
	found = MMDB_lookup_sockaddr(mmdb, &addr.sa, &status);
	assert_int_equal(status, MMDB_SUCCESS);
	if (!found.found_entry)
		return;
	copy_code(&found.entry, "country", "iso_code", place->country);
	copy_code(&found.entry, "continent", "code", place->continent);
	if (!place->located &&
	    MMDB_get_value(&found.entry, &latitude, "location", "latitude", NULL) == 0 &&
	    MMDB_get_value(&found.entry, &longitude, "location", "longitude", NULL) == 0) {
		place->located = true;
		place->source = GEO_SOURCE_DATABASE;
		place->latitude = latitude.double_value;
		place->longitude = longitude.double_value;
	}
	if (place->asn == 0 &&
	    MMDB_get_value(&found.entry, &asn, "autonomous_system_number", NULL) == 0)
		place->asn = asn.uint32;
}

static bool has_code(const struct cfg_strings *codes, const char *code)
{
	for (unsigned i = 0; i < codes->n; i++) {
		if (strcmp(codes->v[i], code) == 0)
			return true;
	}
	return false;
}

/* How well an override fits: the length of the network plus 4, 3 for the autonomous system, 2, 1,
 * and 0 for not. */
static unsigned fit(const struct cfg_override *o, const struct net_prefix *p,
		    const struct geo_place *place)
{
	struct net_prefix whole = *p;
	unsigned best = 0;

	whole.len = p->family == AF_INET ? 32 : 128;
	if (has_code(&o->continents, place->continent))
		best = 1;
	if (has_code(&o->countries, place->country))
		best = 2;
	for (unsigned i = 0; i < o->asns.n; i++) {
		if (o->asns.v[i] == place->asn)
			best = 3;
	}
	for (unsigned i = 0; i < o->networks.n; i++) {
		if (net_prefix_covers(&o->networks.v[i], &whole))
			best = MAX(best, 4u + o->networks.v[i].len);
	}
	return best;
}

static struct geo_place truth(const struct sample *s, const struct net_prefix *client)
{
	struct net_prefix p = inner_address(client);
	struct geo_place place = {0};
	const struct geo_country *country;
	const struct cfg_coords *at = NULL;
	unsigned best = 0;

	for (unsigned i = 0; i < s->geo.databases.n; i++)
		add_facts(&s->mmdb[i], &p, &place);
	country = geo_country_find(place.country);
	if (place.continent[0] == '\0' && country != NULL)
		memcpy(place.continent, country->continent, 3);
	for (unsigned i = 0; i < s->geo.n_overrides; i++) {
		unsigned fits = fit(&s->geo.overrides[i], &p, &place);

		if (fits > best) {
			best = fits;
			place.override = i + 1;
		}
	}
	if (place.override > 0 && s->geo.overrides[place.override - 1].location.set) {
		at = &s->geo.overrides[place.override - 1].location;
		place.source = GEO_SOURCE_OVERRIDE;
	} else if (!place.located && country != NULL) {
		place.latitude = country->latitude;
		place.longitude = country->longitude;
		place.source = GEO_SOURCE_COUNTRY;
		place.located = true;
	} else if (!place.located && s->geo.unknown.set) {
		at = &s->geo.unknown;
	}
	if (at != NULL) {
		place.latitude = at->latitude;
		place.longitude = at->longitude;
		place.located = true;
	}
	return place;
}

static struct geo_found find(const struct sample *s, const struct net_prefix *p)
{
	return geo_ranges_find(geo_places_ranges(s->places), p);
}

static void expect_right(const struct sample *s, const struct net_prefix *p)
{
	const struct geo_place *got = geo_places_get(s->places, find(s, p).value);
	struct geo_place want = truth(s, p);
	char text[NET_ADDR_TEXT];

	if (memcmp(got, &want, sizeof(want)) != 0)
		fail_msg("%s: %g,%g %s %s AS%u override %u source %d, expected %g,%g %s %s AS%u "
			 "override %u source %d",
			 net_prefix_format(p, text), got->latitude, got->longitude, got->country,
			 got->continent, got->asn, got->override, got->source, want.latitude,
			 want.longitude, want.country, want.continent, want.asn, want.override,
			 want.source);
}

/* Walks a whole address space scope by scope. The scopes must lie side by side without a gap; all
 * addresses in one must have the place that the databases give; and the two halves of a network
 * must not be two scopes with one place: so each scope is the largest that it can be. */
static void expect_exact_scopes(const struct sample *s, int family)
{
	unsigned width = family == AF_INET ? 32 : 128, n = 0;
	struct geo_found before = {0};
	geo_bits at = 0, size, probe;

	do {
		struct net_prefix p = from_bits(family, at);
		struct geo_found f = find(s, &p);

		assert_true(f.scope <= width);
		size = f.scope == 0 ? 0 : (geo_bits)1 << (width - f.scope);
		assert_true(f.scope == 0 || at % size == 0);
		if (n > 0 && f.scope == before.scope && (at / size) % 2 == 1)
			assert_int_not_equal(f.value, before.value);
		for (int i = 0; i < 4; i++) {
			probe = (geo_bits)rand() << 96 ^ (geo_bits)rand() << 64 ^
				(geo_bits)rand() << 32 ^ (geo_bits)rand() << 1;
			if (f.scope > 0)
				probe = i == 0 ? at : i == 1 ? at + size - 1 : at + probe % size;
			p = from_bits(family, probe);
			expect_right(s, &p);
			assert_int_equal(find(s, &p).value, f.value);
			assert_int_equal(find(s, &p).scope, f.scope);
		}
		before = f;
		at += size;
		n++;
	} while (size != 0 && at != (width == 32 ? (geo_bits)1 << 32 : 0));
	print_message("    %u scopes\n", n);
}

static void expect_exact(const struct sample *s)
{
	srand(1);
	expect_exact_scopes(s, AF_INET);
	expect_exact_scopes(s, AF_INET6);
}

static const struct geo_place *place_at(const struct sample *s, const char *client)
{
	struct net_prefix p = test_prefix(client);

	expect_right(s, &p);
	return geo_places_get(s->places, find(s, &p).value);
}

static void sample_database(void **state)
{
	static const struct {
		const char *client, *country, *continent;
		double latitude, longitude;
	} cases[] = {
	    {"192.0.2.1", "DE", "EU", 50.1, 8.7},          {"192.0.2.100", "GB", "EU", 51.5, -0.1},
	    {"198.51.100.192", "BR", "SA", -23.5, -46.6},  {"2001:db8::1", "DE", "EU", 50.1, 8.7},
	    {"2001:db8:100::/48", "GB", "EU", 51.5, -0.1},
	};
	struct sample s = {0};
	unsigned n;

	sample_load(&s, SAMPLE_MMDB, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct geo_place *place = place_at(&s, cases[i].client);

		assert_string_equal(place->country, cases[i].country);
		assert_string_equal(place->continent, cases[i].continent);
		assert_int_equal(place->source, GEO_SOURCE_DATABASE);
		assert_true(geo_distance_km(place->latitude, place->longitude, cases[i].latitude,
					    cases[i].longitude) < 20);
	}
	assert_string_equal(geo_places_databases(s.places, &n)->type, "Perigee-Sample-City");
	assert_int_equal(n, 1);
	assert_true(geo_places_databases(s.places, &n)->networks >= 72);
	assert_true(geo_places_databases(s.places, &n)->build_epoch > 0);
	expect_exact(&s);
	sample_free(&s);
}

static void clients_of_unknown_place_are_taken_to_be_somewhere(void **state)
{
	struct sample s = {.geo = {.unknown = {1.35, 103.8, true}}};
	const struct geo_place *nowhere;

	sample_load(&s, SAMPLE_MMDB, NULL);
	nowhere = place_at(&s, "203.0.113.250");
	assert_ptr_equal(nowhere, geo_places_get(s.places, 0));
	assert_true(nowhere->located && nowhere->latitude == 1.35);
	assert_int_equal(nowhere->source, GEO_SOURCE_NONE);
	expect_exact(&s);
	sample_free(&s);

	s.geo.unknown.set = false;
	sample_load(&s, SAMPLE_MMDB, NULL);
	assert_false(place_at(&s, "203.0.113.250")->located);
	sample_free(&s);
}

static void without_a_database_there_is_one_place(void **state)
{
	static const char *const clients[] = {"192.0.2.0/24", "2001:db8::1", "0.0.0.0/0",
					      "::/0",         "2002::",      "64:ff9b::1.2.3.4"};
	struct sample s = {.geo = {.unknown = {1.5, 2.5, true}}};

	sample_load(&s, NULL, NULL);
	assert_int_equal(geo_places_n(s.places), 1);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct net_prefix p = test_prefix(clients[i]);

		assert_int_equal(find(&s, &p).value, 0);
		assert_int_equal(find(&s, &p).scope, 0);
		assert_true(place_at(&s, clients[i])->latitude == 1.5);
	}
	assert_true(geo_places_bytes(s.places) < 4096);
	sample_free(&s);
}

static void a_short_prefix_gets_the_place_of_its_first_address(void **state)
{
	struct net_prefix whole = test_prefix("198.51.100.0/24"),
			  first = test_prefix("198.51.100.0");
	struct sample s = {0};

	sample_load(&s, SAMPLE_MMDB, NULL);
	assert_true(find(&s, &whole).scope > 24); /* the /24 is split, and the answer says so */
	assert_int_equal(find(&s, &whole).scope, find(&s, &first).scope);
	assert_int_equal(find(&s, &whole).value, find(&s, &first).value);
	sample_free(&s);
}

/* The same client, however its IPv4 address is written. */
static void wrapped_addresses_are_unwrapped(void **state)
{
	static const struct {
		const char *client;
		unsigned before;
	} cases[] = {
	    {"2002:c000:0201::1", 16},
	    {"2002:c000:0200::/40", 16},
	    {"64:ff9b::c000:201", 96},
	    {"64:ff9b::c000:200/120", 96},
	    {"2001:0:c000:201::/64", 32},                 /* the server of Teredo */
	    {"2001:0:cb00:7101:8000:63bf:3fff:fdfe", 96}, /* the client */
	    {"::192.0.2.1", 96},
	};
	/* 192.0.2.1 is in Frankfurt; nothing is aliased but what the test database aliases. */
	struct mmdb_maker *m = mmdb_maker_create(6);
	struct net_prefix frankfurt = test_prefix("192.0.2.0/25"), sydney = test_prefix("::/0"),
			  inside = test_prefix("192.0.2.1"), p;
	struct net_prefix mapped = {AF_INET6, 128, {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}};
	struct mmdb_file f;
	struct sample s = {0};
	char *path;

	mmdb_maker_add(m, &sydney, &(struct mmdb_facts){1, -33.9, 151.2, "AU", "OC", 0});
	mmdb_maker_add(m, &frankfurt, &(struct mmdb_facts){1, 50.1, 8.7, "DE", "EU", 0});
	f = mmdb_maker_finish(&m, 28, NULL);
	path = test_file(f.bytes, f.n);
	sample_load(&s, path, NULL);
	assert_int_equal(find(&s, &inside).scope, 25);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		p = test_prefix(cases[i].client);
		assert_string_equal(place_at(&s, cases[i].client)->country, "DE");
		assert_int_equal(find(&s, &p).scope, cases[i].before + 25);
		assert_int_equal(geo_unwrap(&p, &(unsigned){0}).family, AF_INET);
	}
	assert_int_equal(find(&s, &mapped).value, find(&s, &inside).value);
	assert_int_equal(find(&s, &mapped).scope, 96 + 25);
	/* What lies beside them is not IPv4. */
	p = test_prefix("2003::");
	assert_string_equal(place_at(&s, "2003::")->country, "AU");
	assert_int_equal(find(&s, &p).scope, 16);
	expect_exact(&s);
	sample_free(&s);
	test_remove(path);
	free(f.bytes);
}

static void unwrapping_a_prefix(void **state)
{
	static const struct {
		const char *client, *inner;
		unsigned before;
	} cases[] = {
	    {"192.0.2.0/24", "192.0.2.0/24", 0},
	    {"2001:db8::/32", "2001:db8::/32", 0},
	    {"2002:c000:200::/40", "192.0.2.0/24", 16},
	    {"2002::/16", "0.0.0.0/0", 16},
	    {"2002:c000:201:8000::/49", "192.0.2.1", 16},
	    {"64:ff9b::c000:200/120", "192.0.2.0/24", 96},
	    {"2001:0:c000:200::/56", "192.0.2.0/24", 32},
	    {"2001:0:c000:201:ff00::/72", "192.0.2.1", 32},
	    {"2001:0:cb00:7101:8000:63bf:3fff:fdfe", "192.0.2.1", 96},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_prefix p = test_prefix(cases[i].client), inner;
		char text[NET_ADDR_TEXT], want[NET_ADDR_TEXT];
		unsigned before = 1;

		inner = geo_unwrap(&p, &before);
		net_prefix_format(&inner, text);
		p = test_prefix(cases[i].inner);
		assert_string_equal(text, net_prefix_format(&p, want));
		assert_int_equal(before, cases[i].before);
	}
}

static struct net_prefix random_network(unsigned version)
{
	unsigned v6 = version == 6 && rand() % 3 == 0, width = v6 ? 128 : 32;
	struct net_prefix p = {.family = v6 ? AF_INET6 : AF_INET};

	/* Many in a few blocks, most of them as large as networks are. */
	p.len = (uint8_t)(v6 ? 20 + rand() % 45 : 12 + rand() % 17);
	if (rand() % 8 == 0)
		p.len = (uint8_t)((unsigned)rand() % (width + 1));
	for (unsigned i = 0; i < width / 8; i++)
		p.bytes[i] = (uint8_t)rand();
	if (v6 && rand() % 2 == 0)
		memcpy(p.bytes, (uint8_t[]){0x20, (uint8_t)(rand() % 4)}, 2);
	else if (rand() % 2 == 0)
		p.bytes[0] = (uint8_t)(rand() % 4 + 1);
	for (unsigned i = p.len; i < 128; i++)
		p.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return p;
}

static struct mmdb_facts random_facts(unsigned kinds)
{
	static const char countries[][3] = {"DE", "FR", "US", "JP", "BR", "ZA", "XX", "AU"};
	static const char continents[][3] = {"EU", "NA", "AS", "AF"};
	struct mmdb_facts f = {0};

	if (kinds & 1 && rand() % 4 > 0) {
		f.located = 1;
		f.latitude = rand() % 180 - 90;
		f.longitude = rand() % 10 * 36 - 180;
	}
	if (kinds & 2 && rand() % 4 > 0)
		memcpy(f.country, countries[rand() % 8], 3);
	if (kinds & 4 && rand() % 2 == 0)
		memcpy(f.continent, continents[rand() % 4], 3);
	if (kinds & 8 && rand() % 4 > 0)
		f.asn = (uint32_t)(64500 + rand() % 20);
	return f;
}

/* The path of a database of random networks; `kinds` of facts are bits. */
static char *random_database(unsigned n, unsigned version, unsigned bits, unsigned kinds)
{
	static const struct net_prefix aliases[] = {
	    {AF_INET6, 96, {[10] = 0xff, [11] = 0xff}},
	    {AF_INET6, 16, {0x20, 0x02}},
	    {AF_INET6, 32, {0x20, 0x01}},
	    {AF_INET6, 96, {0xfe, 0xc0}}, /* which nobody knows of: plain IPv6 */
	};
	struct mmdb_maker *m = mmdb_maker_create(version);
	struct mmdb_file f;
	char *path;

	for (unsigned i = 0; i < n; i++) {
		struct net_prefix p = random_network(version);
		struct mmdb_facts facts = random_facts(kinds);

		mmdb_maker_add(m, &p, &facts);
	}
	for (unsigned i = 0; version == 6 && i < ARRAY_SIZE(aliases) && n < 1000; i++)
		mmdb_maker_alias(m, &aliases[i]);
	f = mmdb_maker_finish(&m, bits, NULL);
	path = test_file(f.bytes, f.n);
	free(f.bytes);
	return path;
}

static void random_databases(void **state)
{
	for (unsigned i = 0; i < 40; i++) {
		struct sample s = {0};
		char *path;

		srand(100 + i);
		path = random_database(1 + i * 8, i % 3 == 0 ? 4 : 6, 24 + i % 3 * 4, 1 + i % 15);
		sample_load(&s, path, NULL);
		expect_exact(&s);
		sample_free(&s);
		test_remove(path);
	}
}

static void a_hundred_thousand_networks(void **state)
{
	struct sample s = {0};
	char *path;

	srand(3);
	path = random_database(100000, 6, 28, 7);
	sample_load(&s, path, NULL);
	print_message("    %u places\n", geo_places_n(s.places));
	expect_exact(&s);
	sample_free(&s);
	test_remove(path);
}

/* Facts are put beside each other; of two that say the same the first counts. */
static void several_databases_together(void **state)
{
	for (unsigned i = 0; i < 12; i++) {
		struct sample s = {.geo = {.unknown = {1, 2, i % 2 == 0}}};
		char *a, *b;

		srand(i);
		a = random_database(300, i % 2 == 0 ? 4 : 6, 24, i % 3 == 0 ? 8 : 2);
		b = random_database(300, 6, 32, 1 + i);
		sample_load(&s, a, b);
		expect_exact(&s);
		sample_free(&s);
		test_remove(a);
		test_remove(b);
	}
}

static const char *europe[] = {"EU"}, *germany[] = {"DE", "AT"}, *japan[] = {"JP"};

static void overrides_by_how_well_they_fit(void **state)
{
	unsigned asns[] = {64501, 64502}, others[] = {64502, 64503};
	struct net_prefix wide[] = {test_prefix("1.0.0.0/8"), test_prefix("2000::/6"),
				    test_prefix("2001:db8::/32")};
	struct net_prefix narrow[] = {test_prefix("1.2.0.0/16"), test_prefix("1.0.0.0/8"),
				      test_prefix("1.2.3.4"), test_prefix("2001:db8::1")};
	struct net_prefix all[] = {test_prefix("0.0.0.0/0"), test_prefix("::/0")};
	struct cfg_override overrides[] = {
	    {.continents = {europe, 1}, .location = {1, 1, true}},
	    {.countries = {germany, 2}},
	    {.countries = {germany, 1}, .location = {2, 2, true}}, /* never: after its equal */
	    {.asns = {asns, 2}, .location = {3, 3, true}},
	    {.asns = {others, 2}, .countries = {japan, 1}},
	    {.networks = {wide, 3}, .location = {-0.0, 4, true}},
	    {.networks = {narrow, 4}},
	    {.networks = {all, 2}},
	};

	for (unsigned i = 0; i < 9; i++) {
		struct sample s = {.geo = {.overrides = overrides}};
		char *path;

		srand(i);
		/* Without the last, which is for all; and without networks. */
		s.geo.n_overrides = i % 3 == 0 ? 8 : i % 3 == 1 ? 7 : 5;
		path = random_database(500, 6, 28, 15);
		sample_load(&s, path, NULL);
		expect_exact(&s);
		sample_free(&s);
		test_remove(path);
	}
}

/* Also where no database says anything, and without one. */
static void overrides_need_no_database(void **state)
{
	struct net_prefix networks[] = {test_prefix("192.0.2.0/24"), test_prefix("2001:db8::/32")};
	struct cfg_override override = {.networks = {networks, 2}, .location = {10, 20, true}};
	struct sample s = {.geo = {.overrides = &override, .n_overrides = 1}};
	const struct geo_place *place;

	sample_load(&s, NULL, NULL);
	place = place_at(&s, "192.0.2.77");
	assert_int_equal(place->override, 1);
	assert_true(place->located && place->latitude == 10 && place->longitude == 20);
	assert_int_equal(place_at(&s, "2002:c000:0201::")->override, 1);
	assert_int_equal(place_at(&s, "192.0.3.1")->override, 0);
	expect_exact(&s);
	sample_free(&s);
}

static void an_override_that_never_counts_is_refused(void **state)
{
	static const char *const never[] = {"2002:c000:200::/40", "2001:0:1::/48", "64:ff9b::/96",
					    "::1", "2001::/32"};
	static const char *const count[] = {"2001::/31", "2000::/4", "64:ff9b:1::/48", "::/95"};

	for (unsigned i = 0; i < ARRAY_SIZE(never); i++) {
		struct net_prefix network = test_prefix(never[i]);
		struct cfg_override o = {.place = {"fleet.yaml", 3, 5}, .networks = {&network, 1}};
		struct cfg_geo geo = {.overrides = &o, .n_overrides = 1};
		char *text = test_refused(&geo);

		assert_non_null(strstr(text, never[i]));
		assert_non_null(strstr(text, "never counts"));
		free(text);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(count); i++) {
		struct net_prefix network = test_prefix(count[i]);
		struct cfg_override o = {.networks = {&network, 1}};
		struct cfg_geo geo = {.overrides = &o, .n_overrides = 1};
		const struct geo_places *places = test_places(&geo);

		assert_int_equal(geo_places_n(places), 2);
		geo_places_unref(&places);
	}
}

static void countries_have_a_middle(void **state)
{
	static const struct {
		const char *code, *continent;
		double latitude, longitude; /* of a large city in it */
		double km;
	} cases[] = {
	    {"DE", "EU", 50.1, 8.7, 300},   {"US", "NA", 41.9, -87.6, 900},
	    {"JP", "AS", 35.7, 139.7, 300}, {"NZ", "OC", -41.3, 174.8, 300},
	    {"RU", "EU", 55.8, 37.6, 900},  {"CL", "SA", -33.4, -70.7, 500},
	};
	unsigned n;
	const struct geo_country *all = geo_countries(&n);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct geo_country *c = geo_country_find(cases[i].code);

		assert_string_equal(c->continent, cases[i].continent);
		assert_true(geo_distance_km(c->latitude, c->longitude, cases[i].latitude,
					    cases[i].longitude) < cases[i].km);
	}
	assert_int_equal(n, 250);
	for (unsigned i = 0; i < n; i++) {
		assert_ptr_equal(geo_country_find(all[i].code), &all[i]); /* so they are sorted */
		assert_non_null(strstr("AF AN AS EU NA OC SA", all[i].continent));
		assert_true(all[i].latitude >= -90 && all[i].latitude <= 90);
		assert_true(all[i].longitude >= -180 && all[i].longitude <= 180);
	}
	assert_null(geo_country_find("de"));
	assert_null(geo_country_find("XX"));
	assert_null(geo_country_find(""));
}

static void what_is_the_same_is_kept(void **state)
{
	unsigned asn = 64500;
	struct cfg_override override = {.asns = {&asn, 1}, .location = {1, 2, true}};
	const char *paths[2] = {NULL, SAMPLE_MMDB};
	struct cfg_geo geo = {.databases = {paths, 2}, .overrides = &override, .n_overrides = 1};
	const struct geo_places *first, *second;
	struct diag *diag = diag_create();
	char *path;

	srand(5);
	path = random_database(50, 6, 24, 1);
	paths[0] = path;
	first = geo_places_load(&geo, NULL, diag);
	assert_non_null(first);
	second = geo_places_load(&geo, first, diag);
	assert_ptr_equal(first, second);
	geo_places_unref(&second);

	for (unsigned i = 0; i < 4; i++) {
		char *other = NULL;

		if (i == 0)
			asn++;
		if (i == 1)
			override.location.latitude++;
		if (i == 2)
			geo.unknown.set = true;
		if (i == 3) { /* the same name, another database */
			other = random_database(50, 6, 24, 2);
			assert_int_equal(rename(other, path), 0);
		}
		second = geo_places_load(&geo, first, diag);
		assert_non_null(second);
		assert_ptr_not_equal(first, second);
		geo_places_unref(&first);
		first = second;
		free(other);
	}
	geo_places_unref(&first);
	assert_int_equal(diag_count(diag), 0);
	diag_destroy(&diag);
	test_remove(path);
}

static void a_file_that_is_overwritten_changes_nothing(void **state)
{
	size_t size;
	void *content = test_read_file(SAMPLE_MMDB, &size);
	char *path = test_file(content, size);
	const char *paths[] = {path};
	struct cfg_geo geo = {.databases = {paths, 1}};
	const struct geo_places *places = test_places(&geo);
	struct net_prefix p = test_prefix("192.0.2.1");
	uint32_t before = geo_ranges_find(geo_places_ranges(places), &p).value;
	FILE *f = fopen(path, "wb"); /* truncates it */

	assert_non_null(f);
	assert_int_equal(fwrite("\377\377\377\377", 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(geo_ranges_find(geo_places_ranges(places), &p).value, before);
	assert_string_equal(geo_places_get(places, before)->country, "DE");
	geo_places_unref(&places);
	test_remove(path);
	free(content);
}

static void real_databases(void **state)
{
	static const char *const names[][2] = {
	    {"GeoIP2-City-Test.mmdb", NULL},
	    {"GeoLite2-City-Test.mmdb", NULL},
	    {"GeoIP2-Country-Test.mmdb", NULL},
	    {"GeoLite2-Country-Test.mmdb", NULL},
	    {"GeoLite2-ASN-Test.mmdb", NULL},
	    {"GeoLite2-ASN-Test.mmdb", "GeoLite2-City-Test.mmdb"},
	    {"GeoIP2-City-Test.mmdb", "GeoLite2-ASN-Test.mmdb"},
	    {"GeoLite2-Country-Test.mmdb", "GeoIP2-City-Test.mmdb"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *a = test_shared(names[i][0]);
		char *b = names[i][1] == NULL ? NULL : test_shared(names[i][1]);
		struct sample s = {0};

		if (a == NULL)
			SKIP(TEST_NOT_SHARED);
		sample_load(&s, a, b);
		expect_exact(&s);
		sample_free(&s);
		free(a);
		free(b);
	}
}

static void real_places(void **state)
{
	char *city = test_shared("GeoIP2-City-Test.mmdb"),
	     *as = test_shared("GeoLite2-ASN-Test.mmdb");
	const struct geo_place *place;
	struct sample s = {0};

	if (city == NULL || as == NULL)
		SKIP(TEST_NOT_SHARED);
	sample_load(&s, city, as);
	place = place_at(&s, "81.2.69.160");
	assert_string_equal(place->country, "GB");
	assert_string_equal(place->continent, "EU");
	assert_true(geo_distance_km(place->latitude, place->longitude, 51.5, -0.12) < 50);
	assert_int_equal(place_at(&s, "1.128.0.0")->asn, 1221);
	sample_free(&s);
	free(city);
	free(as);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sample_database),
	    cmocka_unit_test(clients_of_unknown_place_are_taken_to_be_somewhere),
	    cmocka_unit_test(without_a_database_there_is_one_place),
	    cmocka_unit_test(a_short_prefix_gets_the_place_of_its_first_address),
	    cmocka_unit_test(wrapped_addresses_are_unwrapped),
	    cmocka_unit_test(unwrapping_a_prefix),
	    cmocka_unit_test(random_databases),
	    cmocka_unit_test(a_hundred_thousand_networks),
	    cmocka_unit_test(several_databases_together),
	    cmocka_unit_test(overrides_by_how_well_they_fit),
	    cmocka_unit_test(overrides_need_no_database),
	    cmocka_unit_test(an_override_that_never_counts_is_refused),
	    cmocka_unit_test(countries_have_a_middle),
	    cmocka_unit_test(what_is_the_same_is_kept),
	    cmocka_unit_test(a_file_that_is_overwritten_changes_nothing),
	    cmocka_unit_test(real_databases),
	    cmocka_unit_test(real_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
