/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lists that many have: one list however often it is meant, and the questions that are asked of it.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "config/load/fill.h"
#include "config/syntax/tree.h"
#include "core/base/check.h"

#define N_EDGES 300
#define N_SITES 2500
#define FEW_SITES 100

enum how { WRITTEN, ALIASED, BY_DEFAULT };

static void print_edges(FILE *f, enum how how, unsigned site)
{
	if (how == BY_DEFAULT)
		return;
	fprintf(f, ", edges: ");
	if (how == ALIASED && site > 0) {
		fprintf(f, "*all");
		return;
	}
	fprintf(f, "%s[", how == ALIASED ? "&all " : "");
	for (unsigned i = 0; i < N_EDGES; i++)
		fprintf(f, "e%u,", i);
	fprintf(f, "]");
}

static char *fleet_of(enum how how, unsigned n_sites)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	fprintf(f, "edges:\n");
	for (unsigned i = 0; i < N_EDGES; i++)
		fprintf(f, "  e%u: {addresses: 10.0.%u.%u}\n", i, i / 250, i % 250 + 1);
	fprintf(f, "origins: {o: {servers: a}}\nsites:\n");
	for (unsigned i = 0; i < n_sites; i++) {
		fprintf(f,
			"  s%u: {hosts: h%u, certificates: {certificate: c, key: k}, "
			"routes: {origin: o}",
			i, i);
		print_edges(f, how, i);
		fprintf(f, "}\n");
	}
	CHECK(fclose(f) == 0);
	return text;
}

/* 6 MB of pointers, and seconds. */
static void test_2500_sites_that_name_300_edges_have_a_list_each(void **state)
{
	for (enum how how = WRITTEN; how <= BY_DEFAULT; how++) {
		char *text = fleet_of(how, N_SITES);
		struct cfg_fleet *f = load_good(text);

		for (unsigned i = 0; i < N_SITES; i++) {
			assert_int_equal(f->sites[i].n_edges, N_EDGES);
			assert_ptr_equal(f->sites[i].edges, f->sites[0].edges);
			assert_ptr_equal(f->sites[i].edge_ids, f->sites[0].edge_ids);
		}
		assert_ptr_equal(f->sites[0].edges[N_EDGES - 1], &f->edges[N_EDGES - 1]);
		cfg_fleet_destroy(&f);
		free(text);
	}
}

/* What the lists themselves take is read once and there once. */
static void test_aliases_take_the_memory_of_what_they_repeat(void **state)
{
	size_t used[BY_DEFAULT + 1];

	for (enum how how = WRITTEN; how <= BY_DEFAULT; how++) {
		struct diag *diag = diag_create();
		char *text = fleet_of(how, FEW_SITES);
		struct cfg_fleet fleet = {0};
		struct cfg_memory mem;
		struct cfg_entry *root;

		write_file("fleet.yaml", text);
		cfg_memory_init(&mem, CFG_MEMORY_MAX, diag);
		root = cfg_tree_load(&mem, "fleet.yaml", diag);
		assert_non_null(root);
		cfg_fill(&fleet, root, &mem, diag);
		assert_int_equal(diag_count(diag), 0);
		used[how] = mem.arena.used;
		cfg_memory_fini(&mem);
		diag_destroy(&diag);
		free(text);
	}
	/* An entry for each alias, and the one list. */
	assert_in_range(used[ALIASED], used[BY_DEFAULT],
			used[BY_DEFAULT] + FEW_SITES * 200 + N_EDGES * 300);
}

static void test_equal_lists_of_references_are_one(void **state)
{
	struct cfg_fleet *f =
	    load_good("edges: {a: , b: , c: }\n"
		      "origins: {o: {servers: a}}\n"
		      "sites:\n"
		      "  one: {hosts: 1.a, certificates: {certificate: c, key: k}, routes: "
		      "{origin: o},\n"
		      "        edges: &x [c, a]}\n"
		      "  two: {hosts: 2.a, certificates: {certificate: c, key: k}, routes: "
		      "{origin: o},\n"
		      "        edges: [a, c]}\n"
		      "  three: {hosts: 3.a, certificates: {certificate: c, key: k}, routes: "
		      "{origin: o},\n"
		      "        edges: [c, a]}\n"
		      "  four: {hosts: 4.a, certificates: {certificate: c, key: k}, routes: "
		      "{origin: o},\n"
		      "        edges: *x}\n");
	const struct cfg_site *s = f->sites;

	/* The order is part of a list. */
	assert_ptr_equal(s[0].edges, s[2].edges);
	assert_ptr_equal(s[0].edges, s[3].edges);
	assert_ptr_not_equal(s[0].edges, s[1].edges);
	assert_ptr_equal(s[0].edges[0], &f->edges[2]);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(cfg_site_is_served_by(&s[i], &f->edges[0]));
		assert_false(cfg_site_is_served_by(&s[i], &f->edges[1]));
		assert_true(cfg_site_is_served_by(&s[i], &f->edges[2]));
	}
	cfg_fleet_destroy(&f);
}

/* Aliases of any kind of value, and of sections that other files add to. */
static void test_aliases_of_everything(void **state)
{
	struct cfg_fleet *f;

	write_file("more.yaml", "edges: {c: {workers: 3}}\n");
	f = load_good(
	    "include: more.yaml\n"
	    "edges:\n"
	    "  a: &a {listen: &l [\"*:1\", \"*:2\"], workers: &w 2, check: &k {port: 7}}\n"
	    "  b: *a\n"
	    "  d: {listen: *l, listen_plain: \"*:3\", workers: *w, check: *k}\n"
	    "nameservers: {n: {listen: *l}}\n");
	assert_int_equal(f->n_edges, 4);
	for (unsigned i = 0; i < 3; i++) {
		const struct cfg_edge *e = &f->edges[i];

		assert_string_equal(e->name, i == 0 ? "a" : i == 1 ? "b" : "d");
		assert_int_equal(e->listen.n, 2);
		assert_ptr_equal(e->listen.v, f->edges[0].listen.v);
		assert_int_equal(e->workers, 2);
		assert_int_equal(e->check.port, 7);
	}
	assert_string_equal(f->edges[3].name, "c");
	assert_int_equal(f->nameservers[0].listen.n, 2);
	cfg_fleet_destroy(&f);

	/* What is added to one of two sections that were written as one. */
	f = load_good("include: more.yaml\n"
		      "edges: &e {a: {workers: 1}}\n"
		      "nameservers: *e\n");
	assert_int_equal(f->n_edges, 2);
	assert_int_equal(f->n_nameservers, 1);
	cfg_fleet_destroy(&f);
}

/* The ports of the one became those of the other. */
static void test_servers_of_two_origins_by_an_alias(void **state)
{
	struct cfg_fleet *f = load_good("origins:\n"
					"  a: {servers: &s [x, y:1], tls: on}\n"
					"  b: {servers: *s}\n");

	assert_int_equal(f->origins[0].servers[0].address.port, 443);
	assert_int_equal(f->origins[1].servers[0].address.port, 80);
	assert_int_equal(f->origins[1].servers[1].address.port, 1);
	assert_string_equal(f->origins[1].servers[0].address.host, "x");
	cfg_fleet_destroy(&f);
}

/* A wrong item is one mistake, however often it is repeated. */
static void test_a_wrong_item_of_a_repeated_list_is_told_once(void **state)
{
	assert_complaints(
	    "edges:\n"
	    "  a: {listen: &l [\"*:1\", x]}\n"
	    "  b: {listen: *l}\n",
	    "fleet.yaml:2:26: edges.a.listen[1]: \"x\" is not an address and port such "
	    "as \"*:443\", 192.0.2.1:443 or \"[2001:db8::1]:443\"\n");
}

/* Each of them took a copy: a list of 100,000 hosts that 140 sites repeat was 1.2 GB, and 47 s. */
static void test_hosts_that_an_alias_repeats_are_each_told(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct diag *diag = diag_create();
	char *complaints;

	CHECK(f != NULL);
	fprintf(f, "origins: {o: {servers: a}}\nsites:\n");
	for (unsigned i = 0; i < 50; i++) {
		fprintf(f, "  s%u: {certificates: {certificate: c, key: k}, routes: {origin: o}, ",
			i);
		fprintf(f, "hosts: %s", i == 0 ? "&h [" : "*h");
		for (unsigned h = 0; i == 0 && h < 1000; h++)
			fprintf(f, "h%u,", h);
		fprintf(f, "%s}\n", i == 0 ? "]" : "");
	}
	CHECK(fclose(f) == 0);
	write_file("fleet.yaml", text);
	assert_null(cfg_load("fleet.yaml", diag));
	/* Of all sites but the first, all hosts, each with where it stands first. */
	assert_int_equal(diag_count(diag), 49 * 1000);
	complaints = diag_text(diag);
	assert_non_null(strstr(complaints, "sites.*.hosts: \"h7\" is there twice; first at "
					   "fleet.yaml:3:"));
	free(complaints);
	diag_destroy(&diag);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_2500_sites_that_name_300_edges_have_a_list_each),
	    cmocka_unit_test(test_aliases_take_the_memory_of_what_they_repeat),
	    cmocka_unit_test(test_equal_lists_of_references_are_one),
	    cmocka_unit_test(test_aliases_of_everything),
	    cmocka_unit_test(test_servers_of_two_origins_by_an_alias),
	    cmocka_unit_test(test_a_wrong_item_of_a_repeated_list_is_told_once),
	    cmocka_unit_test(test_hosts_that_an_alias_repeats_are_each_told),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
