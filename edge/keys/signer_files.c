/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The configuration as the signer has read it last; it is read again when one of its files has
 * changed and a key is asked for that it did not name.
 */
#include "edge/keys/signer_files.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"

static struct {
	const char *config;
	pthread_mutex_t lock;
	/* Under the lock. */
	struct file_notes *notes; /* of the files that it was read from; NULL: never yet */
	struct cfg_fleet *fleet;  /* NULL: it could not be read so far */
	void *keys;               /* a tree of the paths in it */
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
	struct cfg_fleet *fleet;

	file_notes_destroy(&files.notes);
	files.notes = file_notes_create();
	file_notes_begin(files.notes);
	fleet = cfg_load(files.config, diag);
	file_notes_begin(NULL);
	diag_destroy(&diag);
	if (fleet == NULL)
		return; /* the edge, which reads the same, says what is wrong */
	tdestroy(files.keys, keep);
	cfg_fleet_destroy(&files.fleet);
	files.fleet = fleet;
	files.keys = keys_of(fleet);
}

static bool has_changed_locked(void)
{
	bool changed = files.notes == NULL;

	for (unsigned i = 0; !changed && i < file_notes_count(files.notes); i++)
		changed = file_notes_look(files.notes, i);
	return changed;
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
	if (!named && has_changed_locked()) {
		read_locked();
		named = is_named_locked(path);
	}
	pthread_mutex_unlock(&files.lock);
	return named;
}
