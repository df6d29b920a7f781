/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the configuration: any bytes are a fleet or complaints, never both, never neither; and
 * what loads is dumped to something that loads to the same dump. Inputs that include other files
 * are left out: they would read this machine's.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/limits.h"
#include "config/print/print.h"
#include "config/syntax/yaml.h"
#include "core/base/check.h"

static bool includes(const char *data, size_t len)
{
	struct diag *diag = diag_create();
	unsigned budget = CFG_ENTRIES_MAX;
	struct cfg_memory mem;
	bool found;

	cfg_memory_init(&mem, CFG_MEMORY_MAX, diag);
	found =
	    cfg_entry_get(cfg_yaml_parse(&mem, "", data, len, &budget, diag), "include") != NULL;
	cfg_memory_fini(&mem);
	diag_destroy(&diag);
	return found;
}

static struct cfg_fleet *load(const char *data, size_t len)
{
	struct diag *diag = diag_create();
	int fd = memfd_create("fleet", MFD_CLOEXEC);
	char *path = xasprintf("/proc/self/fd/%d", fd);
	struct cfg_fleet *fleet;

	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	fleet = cfg_load(path, diag);
	CHECK((fleet != NULL) == (diag_count(diag) == 0));
	diag_destroy(&diag);
	free(path);
	close(fd);
	return fleet;
}

static char *dumped(const struct cfg_fleet *fleet)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL && cfg_dump(fleet, f) && fclose(f) == 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_fleet *fleet, *again;
	char *first, *second;

	if (includes((const char *)data, size))
		return 0;
	fleet = load((const char *)data, size);
	if (fleet == NULL)
		return 0;
	first = dumped(fleet);
	again = load(first, strlen(first));
	CHECK(again != NULL);
	second = dumped(again);
	CHECK(strcmp(first, second) == 0);
	free(first);
	free(second);
	cfg_fleet_destroy(&again);
	cfg_fleet_destroy(&fleet);
	return 0;
}
