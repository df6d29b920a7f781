/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys that perigee-keys has: those of all certificates of a configuration, found by the digest
 * of their public half, and which edges may use them: those that serve a site with such a
 * certificate. Loaded as a whole by a job, then immutable.
 */
#pragma once

#include "config/diag.h"
#include "config/fleet.h"
#include "edge/keys/keys.h"

struct keys_table;

struct keys_entry {
	const unsigned char *id; /* SIGNER_KEY_ID_SIZE bytes */
	const struct edge_key *key;
	gnutls_privkey_t handle; /* of `key` */
};

/* NULL: some of them cannot be loaded, which were complained about. The fleet outlives it.
 * Blocking. */
struct keys_table *keys_table_load(const struct cfg_fleet *fleet, struct diag *diag);
void keys_table_destroy(struct keys_table **table);
unsigned keys_table_count(const struct keys_table *table);
/* NULL, with why in *why: there is none such, or none for that edge. */
const struct keys_entry *keys_table_find(const struct keys_table *table, const unsigned char *id,
					 const struct cfg_edge *edge, const char **why);
