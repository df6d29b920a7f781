/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The zones of a fleet: which of them a name is in, and which stay the same when all are loaded
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "dns/zone/zones.h"
#include "tests/unit/dns/zone/zone_fixture.h"

#define N 3

/* A fleet of three zones, whose files are a, b and c. */
struct fleet {
	struct zone_fixture files;
	struct cfg_steered steered[2];
	struct cfg_zone zones[N];
	struct cfg_fleet fleet;
};

static void fleet_init(struct fleet *f)
{
	static const char *const names[N] = {"example.com", "sub.example.com", "example.net"};
	char file[2] = "a";

	*f = (struct fleet){.steered = {{.owner = "www"}, {.owner = "@"}}};
	for (unsigned i = 0; i < N; i++, file[0]++) {
		zone_file(&f->files, file, ZONE_TOP, strlen(ZONE_TOP));
		f->zones[i] =
		    (struct cfg_zone){.name = names[i], .file = zone_path(&f->files, file)};
	}
	f->zones[1].steered = f->steered;
	f->zones[1].n_steered = 1;
	f->fleet = (struct cfg_fleet){.zones = f->zones, .n_zones = N};
}

static void fleet_fini(struct fleet *f)
{
	for (unsigned i = 0; i < N; i++)
		free((char *)f->zones[i].file);
	zone_fixture_fini(&f->files);
}

static struct dns_zones *load(struct fleet *f, const struct dns_zones *before)
{
	struct diag *diag = diag_create();
	struct dns_zones *zones = dns_zones_load(&f->fleet, before, diag);

	assert_int_equal(zones == NULL, diag_count(diag) > 0);
	zone_keep_errors(&f->files, &diag);
	return zones;
}

/* Which of the zones are the same object: "1.3" without the second. Lets go of `*now`, and keeps
 * it as `*before`. */
static void check_same(struct dns_zones **before, struct dns_zones *now, const char *expected)
{
	char same[N + 1] = "";

	assert_non_null(now);
	for (unsigned i = 0; i < N; i++) {
		const char *name = i == 0   ? "example.com"
				   : i == 1 ? "sub.example.com"
					    : "example.net";
		const struct dns_zones_entry *x = dns_zones_named(*before, name),
					     *y = dns_zones_named(now, name);

		assert_int_equal(x->id, i);
		assert_int_equal(y->id, i);
		same[i] = x->zone == y->zone ? (char)('1' + i) : '.';
	}
	assert_string_equal(same, expected);
	dns_zones_destroy(before);
	*before = now;
}

static void test_find(void **state)
{
	static const char *const cases[][2] = {
	    {"example.com", "example.com"},
	    {"a.b.example.com", "example.com"},
	    {"sub.example.com", "sub.example.com"},
	    {"x.sub.example.com", "sub.example.com"},
	    {"xsub.example.com", "example.com"},
	    {"example.net", "example.net"},
	    {"example.org", NULL},
	    {"com", NULL},
	};
	struct fleet f;
	struct dns_zones *zones;

	fleet_init(&f);
	f.zones[2].steered = f.steered;
	f.zones[2].n_steered = 2;
	zones = load(&f, NULL);
	assert_non_null(zones);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct dns_zones_entry *found;
		knot_dname_storage_t wire;
		struct dns_name name;

		assert_non_null(knot_dname_from_str(wire, cases[i][0], sizeof(wire)));
		dns_name_init(&name, wire);
		found = dns_zones_find(zones, &name, name.n_labels);
		assert_int_equal(found == NULL, cases[i][1] == NULL);
		if (found != NULL)
			assert_string_equal(found->zone->name, cases[i][1]);
	}
	assert_int_equal(zones->n_steered, 3);
	assert_int_equal(dns_zones_named(zones, "sub.example.com")->first_steered, 0);
	assert_int_equal(dns_zones_named(zones, "example.net")->first_steered, 1);
	assert_null(dns_zones_named(zones, "x.example.net"));
	assert_null(dns_zones_named(zones, "org"));
	dns_zones_destroy(&zones);
	fleet_fini(&f);
}

static void only_what_changed_is_loaded_again(void **state)
{
	static const char more[] = ZONE_TOP "$INCLUDE more\n";
	struct fleet f;
	struct dns_zones *zones;

	fleet_init(&f);
	zone_file(&f.files, "more", "x A 192.0.2.1\n", 14);
	zones = load(&f, NULL);
	assert_non_null(zones);
	check_same(&zones, load(&f, zones), "123");
	/* Written again, and still the same. */
	zone_file(&f.files, "a", ZONE_TOP, strlen(ZONE_TOP));
	check_same(&zones, load(&f, zones), "123");
	zone_file(&f.files, "b", more, strlen(more));
	check_same(&zones, load(&f, zones), "1.3");
	/* An include that changed, in as many bytes. */
	zone_file(&f.files, "more", "x A 192.0.2.2\n", 14);
	check_same(&zones, load(&f, zones), "1.3");
	check_same(&zones, load(&f, zones), "123");
	/* What is steered changed. */
	f.zones[1].n_steered = 2;
	check_same(&zones, load(&f, zones), "1.3");
	f.steered[0].owner = "w";
	check_same(&zones, load(&f, zones), "1.3");
	check_same(&zones, load(&f, zones), "123");
	dns_zones_destroy(&zones);
	fleet_fini(&f);
}

/* What it includes is then another file of the same name. */
static void a_zone_file_that_is_a_link_to_another_folder_now(void **state)
{
	static const char text[] = ZONE_TOP "$INCLUDE more\n";
	struct fleet f;
	struct dns_zones *zones;
	char *link, *one, *two;

	fleet_init(&f);
	link = zone_path(&f.files, "c");
	one = zone_path(&f.files, "1");
	two = zone_path(&f.files, "2");
	assert_int_equal(mkdir(one, 0700), 0);
	assert_int_equal(mkdir(two, 0700), 0);
	zone_file(&f.files, "1/c", text, strlen(text));
	zone_file(&f.files, "2/c", text, strlen(text));
	zone_file(&f.files, "1/more", "x A 192.0.2.1\n", 14);
	zone_file(&f.files, "2/more", "x A 192.0.2.2\n", 14);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("1/c", link), 0);
	zones = load(&f, NULL);
	assert_non_null(zones);
	check_same(&zones, load(&f, zones), "123");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("2/c", link), 0);
	check_same(&zones, load(&f, zones), "12.");
	free(one);
	free(two);
	free(link);
	dns_zones_destroy(&zones);
	fleet_fini(&f);
}

/* With a mapped file, looking at the zone again was a SIGBUS. */
static void zone_file_truncated_in_place_while_it_is_served(void **state)
{
	struct fleet f;
	struct dns_zones *zones;
	char *before, *after;

	fleet_init(&f);
	zones = load(&f, NULL);
	assert_non_null(zones);
	before = zone_text(dns_zones_named(zones, "example.com")->zone);
	assert_int_equal(truncate(f.zones[0].file, 20), 0);
	after = zone_text(dns_zones_named(zones, "example.com")->zone);
	assert_string_equal(before, after);
	assert_null(load(&f, zones));
	assert_non_null(strstr(f.files.errors, "a: no SOA at the apex"));
	free(after);
	after = zone_text(dns_zones_named(zones, "example.com")->zone);
	assert_string_equal(before, after);
	free(after);
	free(before);
	dns_zones_destroy(&zones);
	fleet_fini(&f);
}

/* Zones outlive the set that they were loaded for, and are freed once. */
static void parts_outlive_their_set(void **state)
{
	struct fleet f;
	struct dns_zones *first, *second;

	fleet_init(&f);
	first = load(&f, NULL);
	second = load(&f, first);
	assert_non_null(second);
	assert_int_equal(dns_zones_named(second, "example.net")->zone->refs, 2);
	dns_zones_destroy(&first);
	assert_int_equal(dns_zones_named(second, "example.net")->zone->refs, 1);
	assert_string_equal(dns_zones_named(second, "example.net")->zone->name, "example.net");
	dns_zones_destroy(&second);
	fleet_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(only_what_changed_is_loaded_again),
	    cmocka_unit_test(a_zone_file_that_is_a_link_to_another_folder_now),
	    cmocka_unit_test(zone_file_truncated_in_place_while_it_is_served),
	    cmocka_unit_test(parts_outlive_their_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
