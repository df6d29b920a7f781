/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of tls: what signers do not sign is not offered, and keys on another machine want to know
 * which, and what to show to it.
 */
#include <stdlib.h>

#include "config/load/rules.h"
#include "config/types/types.h"
#include "core/base/check.h"
#include "core/net/tls_profile.h"

/* As many as a handshake could be kept waiting for. */
#define KEYS_SERVERS_MAX 8

static void want(struct validator *v, const struct cfg_entry *map, const char *key,
		 const char *what)
{
	/* What is there, and wrong, was complained about. */
	if (cfg_entry_get(map, key) == NULL)
		diag_add(v->diag, cfg_place_of(map, "place", v->root->place),
			 "tls.keys.place: remote without %s: %s", key, what);
}

static void validate_servers(struct validator *v, const struct cfg_keys *keys,
			     const struct cfg_entry *map)
{
	struct cfg_claims servers = {0};

	for (unsigned i = 0; i < keys->n_servers; i++) {
		char *text;

		if (keys->servers[i].host == NULL)
			continue;
		text = cfg_type_server.format(NULL, &keys->servers[i]);
		cfg_claim(v, &servers, text, "tls.keys.servers", keys->servers[i].place);
		free(text);
	}
	cfg_claims_fini(&servers);
	if (keys->n_servers > KEYS_SERVERS_MAX)
		diag_add(v->diag, cfg_place_of(map, "servers", v->root->place),
			 "tls.keys.servers: no more than %u can be asked", KEYS_SERVERS_MAX);
}

/* What the signer does not sign, nor perigee-keys, since it does not know that form. */
static void validate_profile(struct validator *v)
{
	const struct cfg_tls *tls = &v->fleet->tls;
	const struct cfg_entry *section = cfg_entry_get(v->root, "tls");
	char *error;
	gnutls_priority_t priority;

	if (tls->keys.place == CFG_KEYS_PROCESS)
		return;
	priority = tls_profile_create(tls->profile, &error);
	CHECK(priority != NULL); /* it was tried when it was read */
	if (tls_profile_allows_dhe(priority))
		diag_warn(v->diag, cfg_place_of(section, "profile", v->root->place),
			  "tls.profile allows DHE, by which handshakes fail: the signer of "
			  "tls.keys.place does not sign them");
	gnutls_priority_deinit(priority);
}

static void validate_remote(struct validator *v, const struct cfg_keys *keys)
{
	const struct cfg_entry *map = cfg_entry_get(cfg_entry_get(v->root, "tls"), "keys");

	want(v, map, "servers", "where perigee-keys listens");
	want(v, map, "certificate", "what this machine shows to the other");
	want(v, map, "key", "the private key of that certificate");
	want(v, map, "ca", "whom both machines trust");
	validate_servers(v, keys, map);
}

void cfg_validate_tls(struct validator *v)
{
	const struct cfg_keys *keys = &v->fleet->tls.keys;

	validate_profile(v);
	if (keys->place == CFG_KEYS_REMOTE)
		validate_remote(v, keys);
}
