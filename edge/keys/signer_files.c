/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration as the signer has read it last; it is read again whenever a key is asked for
 * that it did not name. Whether its files have changed is not asked before: one that a pattern of
 * an include finds may have come.
 */
#include "edge/keys/signer_files.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"

static struct {
	const char *config;
	pthread_mutex_t lock;
	/* Under the lock. */
	struct cfg_fleet *fleet; /* NULL: it could not be read so far */
	void *keys;              /* a tree of the paths in it */
} files = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep(void *path)
{
}

static void *keys_of(const struct cfg_fleet *fleet)
{
	void *keys = NULL;

	for (unsigned s = 0; s < fleet->n_sites; s++) {
		for (unsigned c = 0; c < fleet->sites[s].n_certificates; c++)
			CHECK(tsearch(fleet->sites[s].certificates[c].key, &keys, compare) != NULL);
	}
	return keys;
}

static void read_locked(void)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(files.config, diag);

	diag_destroy(&diag);
	if (fleet == NULL)
		return; /* the edge, which reads the same, says what is wrong */
	tdestroy(files.keys, keep);
	cfg_fleet_destroy(&files.fleet);
	files.fleet = fleet;
	files.keys = keys_of(fleet);
}

static bool is_named_locked(const char *path)
{
	return tfind(path, &files.keys, compare) != NULL;
}

void signer_files_init(const char *config)
{
	files.config = config;
}

bool signer_files_allow(const char *path)
{
	bool named;

	if (files.config[0] == '\0')
		return true;
	pthread_mutex_lock(&files.lock);
	named = is_named_locked(path);
	if (!named) {
		read_locked();
		named = is_named_locked(path);
	}
	pthread_mutex_unlock(&files.lock);
	return named;
}
