/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Configurations that ask for more than there is: each ends in words, and none in an abort.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/limits.h"
#include "config/load/fill.h"
#include "config/syntax/tree.h"
#include "core/base/check.h"

/* A list of all edges for each site took 8 bytes x 20,000 x 7,000 = 1,120,000,000, which is more
 * than the 1 GiB that a fleet may have. */
#define N_EDGES 20000
#define N_SITES 7000

static char *many_edges_and_sites(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	fprintf(f, "edges:\n");
	for (unsigned i = 0; i < N_EDGES; i++)
		fprintf(f, "  e%u:\n", i);
	fprintf(f, "origins: {o: {servers: a}}\nsites:\n");
	for (unsigned i = 0; i < N_SITES; i++)
		fprintf(f,
			"  s%u: {hosts: h%u, certificates: {certificate: c, key: k}, "
			"routes: {origin: o}%s}\n",
			i, i, i == 7 ? ", edges: [e19999, e3]" : "");
	CHECK(fclose(f) == 0);
	return text;
}

static void test_a_list_of_edges_for_each_site_takes_all_memory(void **state)
{
	char *text = many_edges_and_sites();
	struct cfg_fleet *f = load_good(text);

	assert_int_equal(f->n_sites, N_SITES);
	for (unsigned i = 0; i < N_SITES; i++) {
		const struct cfg_site *site = &f->sites[i];

		if (i == 7)
			continue;
		assert_int_equal(site->n_edges, N_EDGES);
		assert_ptr_equal(site->edges, f->sites[0].edges);
		assert_true(cfg_site_is_served_by(site, &f->edges[N_EDGES - 1]));
	}
	assert_ptr_equal(f->sites[0].edges[N_EDGES - 1], &f->edges[N_EDGES - 1]);
	assert_int_equal(f->sites[7].n_edges, 2);
	assert_true(cfg_site_is_served_by(&f->sites[7], &f->edges[3]));
	assert_true(cfg_site_is_served_by(&f->sites[7], &f->edges[N_EDGES - 1]));
	assert_false(cfg_site_is_served_by(&f->sites[7], &f->edges[0]));
	cfg_fleet_destroy(&f);
	free(text);
}

/* Of a file that has something of everything. */
static void test_every_want_of_memory_is_told_once(void **state)
{
	bool loaded = false;

	for (size_t max = 0; !loaded; max += 61) {
		struct diag *diag = diag_create();
		struct cfg_fleet fleet = {0};
		struct cfg_memory mem;
		const struct cfg_entry *root;
		char *complaints;

		cfg_memory_init(&mem, max, diag);
		root = cfg_tree_load(&mem, SAMPLES "/perigee.yaml", diag);
		if (root != NULL)
			cfg_fill(&fleet, root, &mem, diag);
		complaints = diag_text(diag);
		loaded = diag_count(diag) == 0;
		assert_int_equal(mem.is_out, !loaded);
		assert_int_equal(diag_count(diag), loaded ? 0 : 1);
		assert_true(loaded || strstr(complaints, "more than 0 MiB of memory") != NULL);
		free(complaints);
		cfg_memory_fini(&mem);
		diag_destroy(&diag);
	}
}

/* 80,000 values of five bytes would be 8 GB. */
static void test_variables_of_the_environment_take_all_memory(void **state)
{
	char *big = xmalloc(100001), *text = xmalloc(1000), *complaints;

	memset(big, 'v', 100000);
	big[100000] = '\0';
	setenv("BIG", big, 1);
	strcpy(text, "log: {level: \"");
	for (unsigned i = 0; i < 100; i++)
		strcat(text, "${BIG}");
	strcat(text, "\"}\n");
	assert_null(load_text(text, &complaints));
	assert_string_equal(complaints,
			    "fleet.yaml:1:14: with its environment variables it is longer than "
			    "64 KiB\n");
	unsetenv("BIG");
	free(complaints);
	free(text);
	free(big);
}

static void test_a_pattern_that_matches_too_many_files(void **state)
{
	char name[32], *complaints;

	/* Names of one file are enough to be counted. */
	assert_int_equal(mkdir("d", 0755), 0);
	write_file("one", "");
	for (unsigned i = 0; i < CFG_FILES_MAX + 5; i++) {
		snprintf(name, sizeof(name), "d/%u", i);
		assert_int_equal(link("one", name), 0);
	}
	assert_null(load_text("include: 'd/*'\n", &complaints));
	assert_non_null(strstr(complaints, "fleet.yaml:1:10: include d/*: more than 10000 files "
					   "are included\n"));
	free(complaints);
}

/* Whether or not somebody may read of it. */
static void test_thousands_of_names_that_are_not_there(void **state)
{
	char *text = NULL, *complaints;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	fprintf(f, "edges:\n");
	for (unsigned i = 0; i < N_EDGES; i++)
		fprintf(f, "  edge-%u:\n", i);
	fprintf(f, "sites: {s: {edges: [");
	for (unsigned i = 0; i < N_EDGES; i++)
		fprintf(f, "egde-%u,", i);
	fprintf(f, "]}}\n");
	CHECK(fclose(f) == 0);
	assert_null(load_text(text, &complaints));
	assert_non_null(
	    strstr(complaints, "there is no edge \"egde-7\"; did you mean \"edge-7\"?"));
	free(complaints);
	free(text);
}

/* Names that have them are answered with all in one message; 70,000 ended perigee-dns by an abort.
 */
static void test_more_addresses_of_an_edge_than_an_answer_holds(void **state)
{
	char *text = NULL, *complaints;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	fprintf(f, "edges:\n  e:\n    addresses:\n");
	for (unsigned i = 0; i < 70000; i++)
		fprintf(f, "    - 10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	CHECK(fclose(f) == 0);
	assert_null(load_text(text, &complaints));
	assert_string_equal(complaints,
			    "fleet.yaml:68:7: edges.e.addresses: more than 64: DNS answers them "
			    "in one message\n");
	free(complaints);
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_list_of_edges_for_each_site_takes_all_memory),
	    TEST(test_every_want_of_memory_is_told_once),
	    TEST(test_variables_of_the_environment_take_all_memory),
	    TEST(test_a_pattern_that_matches_too_many_files),
	    TEST(test_thousands_of_names_that_are_not_there),
	    TEST(test_more_addresses_of_an_edge_than_an_answer_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
