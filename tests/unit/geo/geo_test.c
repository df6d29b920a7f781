/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See geo_test.h.
 */
#include "tests/unit/geo/geo_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct geo_places *test_places(const struct cfg_geo *geo)
{
	struct diag *diag = diag_create();
	const struct geo_places *places = geo_places_load(geo, NULL, diag);

	if (places == NULL || diag_count(diag) > 0) {
		diag_print(diag, stderr);
		fail_msg("was refused");
	}
	diag_destroy(&diag);
	return places;
}

char *test_refused(const struct cfg_geo *geo)
{
	struct diag *diag = diag_create();
	char *text;

	assert_null(geo_places_load(geo, NULL, diag));
	assert_int_equal(diag_count(diag), 1);
	text = diag_text(diag);
	assert_non_null(strstr(text, "fleet.yaml:3:5: "));
	if (geo->databases.n > 0)
		assert_non_null(strstr(text, geo->databases.v[0]));
	diag_destroy(&diag);
	return text;
}

struct net_prefix test_prefix(const char *text)
{
	struct net_prefix p;

	assert_true(net_prefix_parse(text, &p));
	return p;
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
