/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Several files as one: order, patterns, relative paths, and includes that cannot be.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/support/skip.h"

/* Puts the working folder for "HERE" in `text`. */
static char *with_here(const char *text)
{
	char *here = realpath(".", NULL), *result = xstrdup("");
	const char *p;

	while ((p = strstr(text, "HERE")) != NULL) {
		char *longer = xasprintf("%s%.*s%s", result, (int)(p - text), text, here);

		free(result);
		result = longer;
		text = p + 4;
	}
	p = result;
	result = xasprintf("%s%s", p, text);
	free((char *)p);
	free(here);
	return result;
}

static void assert_complaints_here(const char *text, const char *expected)
{
	char *full = with_here(expected);

	assert_complaints(text, full);
	free(full);
}

static void test_merge(void **state)
{
	struct cfg_fleet *f;
	char *path;

	assert_int_equal(mkdir("edges.d", 0755), 0);
	write_file("edges.d/b.yaml", "edges: {b: {}}\n");
	write_file("edges.d/c.yaml",
		   "edges:\n  c: {control: c.sock}\nhttp: {access_log: {output: \"\"}}\n");
	write_file("edges.d/d.txt", "nonsense: [\n");
	write_file("origins.yaml", "include: edges.d/deep.inc\norigins: {app: {servers: a}}\n");
	write_file("edges.d/deep.inc", "origins: {deep: {servers: d}}\nlog:\n");
	setenv("PERIGEE_FOLDER", "edges", 1);
	f = load_good(
	    "include: [\"${PERIGEE_FOLDER}.d/*.yaml\", origins.yaml, \"nothing/*.yaml\"]\n"
	    "edges: {z: {}}\n"
	    "origins:\n"
	    "log: {level: warn}\n");
	/* The file itself first, then what it includes, in order. */
	assert_int_equal(f->n_edges, 3);
	assert_string_equal(f->edges[0].name, "z");
	assert_string_equal(f->edges[1].name, "b");
	assert_string_equal(f->edges[2].name, "c");
	assert_int_equal(f->n_origins, 2);
	assert_string_equal(f->origins[0].name, "app");
	assert_string_equal(f->origins[1].name, "deep");
	assert_int_equal(f->log.level, LOG_LEVEL_WARN);
	assert_string_equal(f->http.access_log.output, "");
	/* Relative to the file that it stands in. */
	path = with_here("HERE/edges.d/c.sock");
	assert_string_equal(f->edges[2].control, path);
	free(path);
	path = with_here("HERE/edges.d/c.yaml");
	assert_string_equal(f->edges[2].place.file, path);
	assert_int_equal(f->edges[2].place.line, 2);
	free(path);
	cfg_fleet_destroy(&f);
}

static void test_defined_twice(void **state)
{
	write_file("other.yaml", "log: {level: info}\nedges:\n  a: {}\nhttp: 1\n");
	assert_complaints_here("include: other.yaml\n"
			       "edges: {a: {}, b: {}}\n"
			       "http: {}\n"
			       "log: {level: info}\n",
			       "HERE/other.yaml:1:7: log.level is defined twice; first at "
			       "fleet.yaml:4:7\n"
			       "HERE/other.yaml:3:3: edges.a is defined twice; first at "
			       "fleet.yaml:2:9\n"
			       "HERE/other.yaml:4:1: http is defined twice; first at "
			       "fleet.yaml:3:1\n");
}

static void test_missing(void **state)
{
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_complaints_here(
	    "include: [missing.yaml, 'x/*.yaml', folder]\n",
	    "fleet.yaml:1:11: include HERE/missing.yaml: cannot be read: No such file or "
	    "directory\n"
	    "fleet.yaml:1:37: include HERE/folder: is a folder, not a regular file; to include the "
	    "files in it, add "
	    "\"/*.yaml\"\n");
	assert_complaints("include: {a: b}\nedges: {a: }\n",
			  "fleet.yaml:1:10: include: a path or a pattern such as "
			  "\"edges.d/*.yaml\" was expected\n");
	assert_complaints("include: ['']\nedges: {a: }\n",
			  "fleet.yaml:1:11: include: a path or a pattern such as "
			  "\"edges.d/*.yaml\" was expected\n");
	/* A mistake in an included file is told with its own place. */
	write_file("broken.yaml", "edges:\n  a: [\n");
	assert_complaints_here("include: broken.yaml\nnonsense: 1\n",
			       "HERE/broken.yaml:3:1: did not find expected node content while "
			       "parsing a flow node\n");
	write_file("wrong.yaml", "edges:\n  a: {wrokers: 1}\n");
	assert_complaints_here("include: wrong.yaml\n",
			       "HERE/wrong.yaml:2:7: edges.a.wrokers is not known; did you mean "
			       "\"workers\"?\n");
}

static void test_cycles(void **state)
{
	write_file("one.yaml", "include: two.yaml\n");
	write_file("two.yaml", "include: one.yaml\n");
	assert_complaints_here(
	    "include: fleet.yaml\n",
	    "fleet.yaml:1:10: include HERE/fleet.yaml: this is the main file: it "
	    "would include itself\n");
	assert_complaints_here("include: one.yaml\n",
			       "HERE/two.yaml:1:10: include HERE/one.yaml: included already, at "
			       "fleet.yaml:1:10\n");
	write_file("leaf.yaml", "edges: {a: {}}\n");
	assert_complaints_here("include: [leaf.yaml, 'l*f.yaml']\n",
			       "fleet.yaml:1:22: include HERE/leaf.yaml: included already, at "
			       "fleet.yaml:1:11\n");
}

static void test_depth(void **state)
{
	char *complaints;

	for (unsigned i = 0; i < 20; i++) {
		char *name = xasprintf("n%u.yaml", i),
		     *text = xasprintf("include: n%u.yaml\n", i + 1);

		write_file(name, text);
		free(name);
		free(text);
	}
	assert_null(load_text("include: n0.yaml\n", &complaints));
	assert_non_null(strstr(complaints, "includes are nested more than 16 deep"));
	free(complaints);
}

/* The folder of the file is no part of the pattern: it was taken for one, and found nothing. */
static void test_folder_whose_name_is_a_pattern(void **state)
{
	assert_int_equal(mkdir("conf[1]*", 0755), 0);
	assert_int_equal(mkdir("conf1", 0755), 0);
	write_file("conf[1]*/main.yaml", "include: [e*.yaml, one.yaml]\n");
	write_file("conf[1]*/edge.yaml", "edges: {a: }\n");
	write_file("conf[1]*/one.yaml", "edges: {b: }\n");
	write_file("conf1/one.yaml", "edges: {wrong: }\n");
	struct cfg_fleet *f = load_good("include: 'conf[[]1][*]/main.yaml'\n");

	assert_int_equal(f->n_edges, 2);
	assert_string_equal(f->edges[0].name, "a");
	assert_string_equal(f->edges[1].name, "b");
	cfg_fleet_destroy(&f);
}

/* It looked like an empty one. */
static void test_folder_that_may_not_be_read(void **state)
{
	const uid_t user = geteuid();
	char *complaints;

	if (user != 0)
		SKIP("needs root, to become somebody else");
	assert_int_equal(chmod(".", 0777), 0);
	assert_int_equal(mkdir("private", 0700), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_null(load_text("include: private/*.yaml\nedges: {a: }\n", &complaints));
	assert_int_equal(seteuid(user), 0);
	assert_string_equal(complaints, "fleet.yaml:1:10: include private/*.yaml: cannot be "
					"searched: Permission denied\n");
	free(complaints);
}

/* Each was looked for among all before it: hours. */
static void test_very_many_sections_of_an_include(void **state)
{
	FILE *file = fopen("many.yaml", "w");
	char *complaints;

	assert_non_null(file);
	for (unsigned i = 0; i < 400000; i++)
		fprintf(file, "s%u: 1\n", i);
	assert_int_equal(fclose(file), 0);
	assert_null(load_text("include: many.yaml\nedges: {a: }\n", &complaints));
	assert_non_null(strstr(complaints, "s0 is not known"));
	free(complaints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_merge, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(test_defined_twice, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(test_missing, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(test_cycles, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(test_depth, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(test_folder_whose_name_is_a_pattern, enter_folder,
					    leave_folder),
	    cmocka_unit_test_setup_teardown(test_folder_that_may_not_be_read, enter_folder,
					    leave_folder),
	    cmocka_unit_test_setup_teardown(test_very_many_sections_of_an_include, enter_folder,
					    leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
