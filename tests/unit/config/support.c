/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Folders, files and complaints for the tests of config/.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"

static char folder[64];

int enter_folder(void **state)
{
	strcpy(folder, "/tmp/perigee-config-XXXXXX");
	CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
	return 0;
}

int leave_folder(void **state)
{
	char *command = xasprintf("rm -r '%s'", folder);
	int rc = chdir("/") != 0 || system(command) != 0;

	free(command);
	return rc;
}

void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

struct cfg_fleet *load_text(const char *text, char **complaints)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet;

	write_file("fleet.yaml", text);
	fleet = cfg_load("fleet.yaml", diag);
	*complaints = diag_text(diag);
	/* Never both, never neither. */
	assert_int_equal(fleet == NULL, diag_count(diag) > 0);
	diag_destroy(&diag);
	return fleet;
}

struct cfg_fleet *load_good(const char *text)
{
	char *complaints;
	struct cfg_fleet *fleet = load_text(text, &complaints);

	assert_string_equal(complaints, "");
	assert_non_null(fleet);
	free(complaints);
	return fleet;
}

void assert_complaints(const char *text, const char *expected)
{
	char *complaints;
	struct cfg_fleet *fleet = load_text(text, &complaints);

	assert_string_equal(complaints, expected);
	assert_null(fleet);
	free(complaints);
}
