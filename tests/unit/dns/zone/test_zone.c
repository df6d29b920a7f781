/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Zones in memory: what names mean in them, and zones that are made from others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/descriptor.h>

#include "core/base/check.h"
#include "tests/unit/dns/zone/zone_fixture.h"

struct lookup_case {
	const char *name, *found;
};

static const struct lookup_case lookups[] = {
    {"example.com", "node example.com."},
    {"EXAMPLE.com", "node example.com."},
    {"y.ent.example.com", "node y.ent.example.com."},
    {"ent.example.com", "node ent.example.com."},
    {"x.ent.example.com", "none -"},
    {"www.example.com", "none -"},
    {"a.wild.example.com", "wildcard *.wild.example.com."},
    {"a.b.wild.example.com", "wildcard *.wild.example.com."},
    {"wild.example.com", "node wild.example.com."},
    {"*.wild.example.com", "node *.wild.example.com."},
    {"there.wild.example.com", "node there.wild.example.com."},
    {"a.there.wild.example.com", "none -"},
    {"a.*.wild.example.com", "none -"},
    {"cut.example.com", "delegation cut.example.com."},
    {"a.b.cut.example.com", "delegation cut.example.com."},
    {"ns.cut.example.com", "delegation cut.example.com."},
    {"alias.example.com", "node alias.example.com."},
    {"a.alias.example.com", "dname alias.example.com."},
    {"b.a.alias.example.com", "dname alias.example.com."},
    {"a.walias.example.com", "wildcard *.walias.example.com."},
    {"a.*.walias.example.com", "dname *.walias.example.com."},
    {"mIxEd.example.com", "node MiXeD.example.com."},
};

static const char lookup_zone[] = ZONE_TOP "y.ent A 192.0.2.1\n"
					   "*.wild A 192.0.2.1\n"
					   "there.wild A 192.0.2.1\n"
					   "cut NS ns.cut\n"
					   "ns.cut A 192.0.2.1\n"
					   "alias DNAME example.net.\n"
					   "alias A 192.0.2.1\n"
					   "*.walias DNAME example.net.\n"
					   "MiXeD A 192.0.2.1\n";

static void check_lookups(const struct dns_zone *zone)
{
	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		char *found = zone_lookup(zone, lookups[i].name);

		if (strcmp(found, lookups[i].found) != 0)
			print_error("%s\n", lookups[i].name);
		assert_string_equal(found, lookups[i].found);
		free(found);
	}
}

static void test_lookups(void **state)
{
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, lookup_zone);

	assert_non_null(zone);
	check_lookups(zone);
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

static void test_names_below_a_dname_at_the_apex(void **state)
{
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, "$TTL 60\n@ SOA a.b. c.d. 1 2 3 4 5\n@ NS a.b.\n"
					    "@ DNAME example.net.\n");
	char *found;

	assert_non_null(zone);
	found = zone_lookup(zone, "a.example.com");
	assert_string_equal(found, "dname example.com.");
	free(found);
	found = zone_lookup(zone, "example.com");
	assert_string_equal(found, "node example.com.");
	free(found);
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

/* A change from the text of the RRset; without data it goes. */
struct change {
	struct dns_change change;
	knot_dname_storage_t owner;
	struct dns_zone *from;
};

/* "OWNER TTL TYPE DATA\n" lines of one RRset, or "OWNER TTL TYPE" to take it away. Its RRset is
 * taken from a zone of its own, so that the same scanner reads it. */
static void make_change(struct zone_fixture *f, struct change *c, const char *text)
{
	char owner[DNS_NAME_TEXT], type[16];
	unsigned ttl;
	struct dns_name name;
	bool gone = strchr(text, '\n') == NULL;
	char *zone = xasprintf("$TTL 60\n%s@ NS a.b.\n%s",
			       strstr(text, " SOA ") != NULL ? "" : "@ SOA a.b. c.d. 1 2 3 4 5\n",
			       gone ? "" : text);

	assert_int_equal(sscanf(text, "%1000s %u %15s", owner, &ttl, type), 3);
	assert_non_null(knot_dname_from_str(c->owner, owner, sizeof(c->owner)));
	c->change = (struct dns_change){.owner = c->owner, .ttl = ttl};
	assert_int_equal(knot_rrtype_from_string(type, &c->change.type), 0);
	c->from = zone_of(f, zone);
	assert_non_null(c->from);
	if (!gone) {
		knot_dname_storage_t lower;

		knot_dname_copy_lower(lower, c->owner);
		dns_name_init(&name, lower);
		c->change.rrs =
		    dns_node_rrset(dns_zone_find(c->from, &name, name.n_labels), c->change.type)
			->rr.rrs;
	}
	free(zone);
}

/* The zone with up to four changes; NULL: errors are in f->errors. */
static struct dns_zone *zone_with(struct zone_fixture *f, const struct dns_zone *zone,
				  const char *const *changes, unsigned n)
{
	struct cfg_place place = {.file = "update"};
	struct diag *diag = diag_create();
	struct change made[4] = {0};
	struct dns_change list[4];
	struct dns_zone *result;

	assert_true(n <= 4);
	for (unsigned i = 0; i < n; i++) {
		make_change(f, &made[i], changes[i]);
		list[i] = made[i].change;
	}
	result = dns_zone_with(zone, list, n, place, diag);
	assert_int_equal(result == NULL, diag_count(diag) > 0);
	zone_keep_errors(f, &diag);
	for (unsigned i = 0; i < n; i++)
		dns_zone_unref(&made[i].from);
	return result;
}

#define WITH(f, zone, ...)                                                                         \
	zone_with(f, zone, (const char *const[]){__VA_ARGS__},                                     \
		  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const struct dns_node *node_of(const struct dns_zone *zone, const char *text)
{
	knot_dname_storage_t wire;
	struct dns_name name;

	assert_non_null(knot_dname_from_str(wire, text, sizeof(wire)));
	dns_name_init(&name, wire);
	return dns_zone_find(zone, &name, name.n_labels);
}

static void a_changed_zone_shares_all_other_names(void **state)
{
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, lookup_zone), *changed, *again;
	char *before = zone_text(zone), *after;

	changed = WITH(&f, zone, "www.example.com. 60 A 192.0.2.7\n",
		       "example.com. 60 SOA ns1 h 2 7200 900 1209600 60\n");
	assert_non_null(changed);
	assert_int_equal(changed->serial, 2);
	assert_int_equal(changed->n_records, zone->n_records + 1);
	assert_int_equal(changed->n_nodes, zone->n_nodes + 1);
	for (size_t i = 0, k = 0; i < zone->n_nodes; i++, k++) {
		char owner[DNS_NAME_TEXT];

		dns_name_format(changed->nodes[k]->owner, owner);
		if (strcmp(owner, "www.example.com.") == 0)
			k++;
		if (i == 0)
			assert_ptr_not_equal(zone->nodes[i], changed->nodes[k]);
		else
			assert_ptr_equal(zone->nodes[i], changed->nodes[k]);
		assert_int_equal(zone->nodes[i]->refs, i == 0 ? 1 : 2);
	}
	/* The old one is what it was, whichever goes first. */
	after = zone_text(zone);
	assert_string_equal(before, after);
	free(after);
	check_lookups(zone);
	again = WITH(&f, changed, "www.example.com. 60 A");
	assert_non_null(again);
	dns_zone_unref(&changed);
	check_lookups(zone);
	dns_zone_unref(&zone);
	check_lookups(again);
	assert_int_equal(again->nodes[1]->refs, 1);
	dns_zone_unref(&again);
	free(before);
	zone_fixture_fini(&f);
}

static void empty_names_come_and_go_with_the_names_below(void **state)
{
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, ZONE_TOP), *deep, *gone, *wild;
	char *found;

	deep = WITH(&f, zone, "a.b.c.example.com. 60 A 192.0.2.7\n", "c.example.com. 60 TXT x\n");
	assert_non_null(deep);
	assert_int_equal(deep->n_nodes, zone->n_nodes + 3);
	assert_int_equal(node_of(deep, "b.c.example.com")->n_rrsets, 0);
	gone = WITH(&f, deep, "a.b.c.example.com. 60 A");
	assert_non_null(gone);
	assert_int_equal(gone->n_nodes, zone->n_nodes + 1);
	assert_null(node_of(gone, "b.c.example.com"));
	assert_non_null(node_of(gone, "c.example.com"));
	wild = WITH(&f, gone, "*.c.example.com. 60 A 192.0.2.7\n");
	found = zone_lookup(wild, "x.c.example.com");
	assert_string_equal(found, "wildcard *.c.example.com.");
	free(found);
	found = zone_lookup(gone, "x.c.example.com");
	assert_string_equal(found, "none -");
	free(found);
	dns_zone_unref(&wild);
	dns_zone_unref(&gone);
	dns_zone_unref(&deep);
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

static void changes_that_cannot_be_served(void **state)
{
	static const char *const refused[][2] = {
	    {"ns1.example.com. 60 CNAME a\n", "update: CNAME at ns1.example.com., which has other "
					      "records (A at zone:4)\n"},
	    {"example.com. 60 SOA", "update: no SOA at the apex, example.com.\n"},
	    {"example.com. 60 NS", "update: no NS at the apex, example.com.\n"},
	    {"example.net. 60 A", "update: example.net. is not in zone example.com.\n"},
	    {"a.alias.example.com. 60 A 192.0.2.1\n",
	     "update: a.alias.example.com. is below alias.example.com., which has a DNAME\n"},
	};
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, lookup_zone);

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_null(WITH(&f, zone, refused[i][0]));
		assert_string_equal(f.errors, refused[i][1]);
	}
	check_lookups(zone);
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

static void broken_data_in_a_change(void **state)
{
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, ZONE_TOP);
	struct cfg_place place = {.file = "update"};
	struct diag *diag = diag_create();
	union {
		knot_rdata_t rdata;
		uint8_t room[16];
	} u;
	struct dns_change change = {.owner = (const uint8_t *)"\1x\7example\3com", .ttl = 60};

	knot_rdata_init(&u.rdata, 2, (const uint8_t *)"\300\f");
	change.type = KNOT_RRTYPE_NS;
	change.rrs = (knot_rdataset_t){1, knot_rdata_size(2), &u.rdata};
	assert_null(dns_zone_with(zone, &change, 1, place, diag));
	zone_keep_errors(&f, &diag);
	assert_string_equal(f.errors, "update: x.example.com. NS: a name in the data is broken, "
				      "compressed, or does not end\n");
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

/* Owners of few labels, so that they are above and below each other. */
static char *random_change(unsigned *seed, bool gone)
{
	static const char *const labels[] = {"a", "b", "*", "C"};
	char owner[64] = "example.com.";

	for (unsigned n = 1 + rand_r(seed) % 4; n > 0; n--) {
		char longer[64];

		snprintf(longer, sizeof(longer), "%s.%s", labels[rand_r(seed) % 4], owner);
		strcpy(owner, longer);
	}
	if (gone)
		return xasprintf("%s 60 %s", owner, rand_r(seed) % 2 ? "A" : "TXT");
	if (rand_r(seed) % 2)
		return xasprintf("%s 60 A 192.0.2.%u\n", owner, rand_r(seed) % 9);
	return xasprintf("%s 60 TXT %u\n", owner, rand_r(seed) % 9);
}

static void many_changes_are_as_good_as_a_load(void **state)
{
	struct zone_fixture f = {0};
	struct dns_zone *zone = zone_of(&f, ZONE_TOP), *next, *loaded;
	unsigned seed = 1;

	for (unsigned i = 0; i < 500; i++) {
		char *one = random_change(&seed, i % 5 >= 3),
		     *two = random_change(&seed, i % 3 == 0);
		char *text, *again;

		next = WITH(&f, zone, one, two);
		assert_non_null(next);
		text = zone_text(next);
		loaded = zone_of(&f, text);
		assert_non_null(loaded);
		again = zone_text(loaded);
		assert_string_equal(text, again);
		assert_int_equal(next->n_nodes, loaded->n_nodes);
		assert_int_equal(next->n_records, loaded->n_records);
		for (size_t k = 0; k < next->n_nodes; k++)
			assert_true(
			    knot_dname_is_equal(next->nodes[k]->name, loaded->nodes[k]->name));
		free(again);
		free(text);
		free(two);
		free(one);
		dns_zone_unref(&loaded);
		dns_zone_unref(&zone);
		zone = next;
	}
	dns_zone_unref(&zone);
	zone_fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lookups),
	    cmocka_unit_test(test_names_below_a_dname_at_the_apex),
	    cmocka_unit_test(a_changed_zone_shares_all_other_names),
	    cmocka_unit_test(empty_names_come_and_go_with_the_names_below),
	    cmocka_unit_test(changes_that_cannot_be_served),
	    cmocka_unit_test(broken_data_in_a_change),
	    cmocka_unit_test(many_changes_are_as_good_as_a_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
