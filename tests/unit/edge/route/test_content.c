/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts and files that the edge answers with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/route/content.h"

static char folder[] = "/tmp/perigee-content-XXXXXX";

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text, size_t n)
{
	char *path = path_of(name);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
	free(path);
}

/* The files of a site with one route, which responds with that one; *said is what was wrong. */
static struct edge_files *load(const char *path, char **said)
{
	struct cfg_respond respond = {.status = 200, .file = path};
	struct cfg_error_page page = {.file = path};
	struct cfg_route route = {.respond = &respond, .n_respond = 1};
	struct cfg_site site = {.routes = &route, .n_routes = 1, .errors = &page, .n_errors = 1};
	struct cfg_fleet fleet = {.sites = &site, .n_sites = 1};
	struct diag *diag = diag_create();
	struct edge_files *files = edge_files_load(&fleet, NULL, diag);

	*said = diag_text(diag);
	diag_destroy(&diag);
	return files;
}

static void test_a_file(void **state)
{
	char *path = path_of("Page.HTML"), *said;
	struct edge_files *files;
	struct edge_content content, other;

	write_file("Page.HTML", "<p>\0later", 9);
	files = load(path, &said);
	assert_non_null(files);
	assert_string_equal(said, "");
	content = edge_content_of(files, NULL, path, "");
	assert_true(span_equal(content.bytes, SPAN("<p>\0later")));
	assert_true(span_equal(content.type, SPAN("text/html; charset=utf-8")));
	assert_int_equal(strlen(content.etag), 34);
	/* Of another type it is another representation. */
	other = edge_content_of(files, NULL, path, "text/plain");
	assert_true(span_equal(other.type, SPAN("text/plain")));
	assert_string_not_equal(other.etag, content.etag);
	edge_files_destroy(&files);
	free(said);
	free(path);
}

static void test_texts(void **state)
{
	struct edge_content a = edge_content_of(NULL, "hello", NULL, "");
	struct edge_content b = edge_content_of(NULL, "hello", NULL, "");
	struct edge_content empty = edge_content_of(NULL, "", NULL, "");

	assert_true(span_equal(a.bytes, SPAN("hello")));
	assert_true(span_equal(a.type, SPAN("text/plain; charset=utf-8")));
	assert_string_equal(a.etag, b.etag);
	assert_string_not_equal(a.etag, empty.etag);
	assert_int_equal(empty.bytes.n, 0);
}

static void test_what_is_no_page(void **state)
{
	char *missing = path_of("missing"), *fifo = path_of("fifo"), *large = path_of("large");
	const char *const paths[] = {missing, fifo, large, folder};
	static char big[EDGE_FILE_MAX + 1];
	char *said;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	write_file("large", big, sizeof(big));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_null(load(paths[i], &said));
		assert_non_null(strstr(said, paths[i]));
		/* It is said once, though two things name it. */
		assert_null(strchr(strchr(said, '\n') + 1, '\n'));
		free(said);
	}
	write_file("large", big, EDGE_FILE_MAX);
	free(missing);
	free(fifo);
	free(large);
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"Page.HTML", "fifo", "large"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = path_of(names[i]);

		unlink(path);
		free(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_file),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_what_is_no_page),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
