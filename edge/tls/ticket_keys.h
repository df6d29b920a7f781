/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of tickets that a fleet shares: a directory in which each file holds one secret, and is
 * called after the time from which it is used, such as 2026-11-26T10:00:00Z-ab12cd34.key. So all
 * edges change to a new one at the same time, without a word between them. Blocking; any thread.
 */
#pragma once

#include "config/diag.h"
#include "core/base/clock.h"
#include "edge/tls/ticket_names.h"

/* As many as a day's key each for a month. */
#define TICKET_KEYS_MAX 32

struct ticket_key {
	char *name; /* its file's */
	wall_time from;
	uint8_t secret[TICKET_SECRET_SIZE];
};

struct ticket_keys {
	struct ticket_key *v; /* in the order of their use */
	unsigned n;
};

/* All files of the directory that end in ".key"; others may lie beside them. What is wrong with
 * them goes into `diag`, all of it: then false, and `keys` is empty. Who may read them is warned
 * of.
 */
bool ticket_keys_read(struct ticket_keys *keys, const char *directory, struct cfg_place place,
		      struct diag *diag);
/* Wipes and frees all. */
void ticket_keys_fini(struct ticket_keys *keys);
/* Which one tickets are encrypted with at that time: the last whose time has come. `n` when there
 * is none. */
unsigned ticket_keys_in_use(const struct ticket_keys *keys, wall_time now);

/* 2026-11-26T10:00:00Z; false when it is no such time. */
bool ticket_time_parse(const char *text, size_t n, wall_time *time);
/* malloc'd. */
char *ticket_time_text(wall_time time);
/* Makes a file with a new secret that is used from `from` on; it belongs to whom the directory
 * belongs to, if we may. Its name, or NULL with *error; both malloc'd. */
char *ticket_key_make(const char *directory, wall_time from, char **error);
/* Whether a key's file is called so. */
bool ticket_key_name_is_good(const char *name);
