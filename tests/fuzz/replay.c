/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in for libFuzzer under any compiler: runs the fuzz target once for every file given, or
 * in the folders given. Without arguments, as under `make check`, the folder of fuzz_NAME is
 * $srcdir/tests/fuzz/corpus/NAME.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "tests/fuzz/fuzz.h"

static unsigned replayed;

static void replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data, *exact;
	long size;

	CHECK(f);
	CHECK(fseek(f, 0, SEEK_END) == 0);
	size = ftell(f);
	CHECK(size >= 0);
	rewind(f);
	data = xmalloc(size + 1);
	CHECK(fread(data, 1, size, f) == (size_t)size);
	CHECK(fclose(f) == 0);
	/* Of its exact size, so that a sanitizer sees a read beyond it. */
	exact = realloc(data, size ? size : 1);
	CHECK(exact);
	/* The last line before a crash says where. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	replayed++;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, alphasort);

	if (n < 0) {
		CHECK(errno == ENOTDIR);
		replay_file(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		char *file = xasprintf("%s/%s", path, entries[i]->d_name);

		replay_file(file);
		free(file);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1) {
		const char *name = strstr(argv[0], "fuzz_");
		const char *srcdir = getenv("srcdir");
		char *path;

		CHECK(name);
		path = xasprintf("%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name + 5);
		replay(path);
		free(path);
	}
	printf("%u inputs replayed\n", replayed);
	/* An empty corpus proves nothing. */
	return replayed > 0 ? 0 : 1;
}
