/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where keys are, and lending them to GnuTLS: a handle is a key of GnuTLS's that has nothing but a
 * reference to ours, which signs.
 */
#include "edge/keys/keys.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signed_data.h"
#include "edge/keys/signer_link.h"

struct edge_keys {
	struct signer_link *signer; /* or the relay; NULL: there is none */
	bool remote;
};

struct edge_keys *edge_keys_create(void)
{
	return xcalloc(1, sizeof(struct edge_keys));
}

void edge_keys_destroy(struct edge_keys **keysp)
{
	struct edge_keys *keys = TAKE(keysp);

	signer_link_destroy(&keys->signer);
	free(keys);
}

/* False: it is too long. */
static bool set_text(char *text, size_t size, const char *from)
{
	if (strlen(from) >= size)
		return false;
	strcpy(text, from);
	return true;
}

#define SET(member, from) set_text(member, sizeof(member), from)

static bool start(struct edge_keys *keys, int keeper, const struct signer_settings *settings,
		  char **error)
{
	if (!signed_data_works()) {
		*error =
		    xstrdup("cannot be used with this GnuTLS: what handshakes sign is not to be "
			    "seen");
		close(keeper);
		return false;
	}
	keys->signer = signer_link_create(keeper, settings, error);
	return keys->signer != NULL;
}

bool edge_keys_use_signer(struct edge_keys *keys, int keeper, struct cfg_rate rate,
			  const char *config, char **error)
{
	struct signer_settings settings = {.signatures = rate.count,
					   .seconds = (uint32_t)(rate.per.ns / 1000000000)};

	if (!SET(settings.config, config)) {
		*error = xasprintf("cannot be told so long a path: %s", config);
		close(keeper);
		return false;
	}
	return start(keys, keeper, &settings, error);
}

/* False: the texts are too long. */
static bool set_relay(struct signer_settings *settings, const struct cfg_keys *remote)
{
	char *names = xstrdup("");
	bool ok;

	for (unsigned i = 0; i < remote->n_servers; i++) {
		const struct cfg_server *server = &remote->servers[i];
		bool v6 = strchr(server->host, ':') != NULL;
		char *longer = xasprintf("%s%s%s%s%s:%u", names, i > 0 ? " " : "", v6 ? "[" : "",
					 server->host, v6 ? "]" : "", (unsigned)server->port);

		free(names);
		names = longer;
	}
	ok = SET(settings->relay.servers, names) &&
	     SET(settings->relay.certificate, remote->certificate) &&
	     SET(settings->relay.key, remote->key) && SET(settings->relay.ca, remote->ca);
	free(names);
	return ok;
}

bool edge_keys_use_remote(struct edge_keys *keys, int keeper, const struct cfg_keys *remote,
			  char **error)
{
	struct signer_settings settings = {0};

	keys->remote = true;
	if (!set_relay(&settings, remote)) {
		*error = xstrdup("cannot be told so long a name");
		close(keeper);
		return false;
	}
	return start(keys, keeper, &settings, error);
}

void edge_keys_leave_remote(struct edge_keys *keys)
{
	keys->remote = true;
}

struct edge_key *edge_keys_load(struct edge_keys *keys, const char *path, char **error)
{
	return keys->signer != NULL ? signer_key_load(keys->signer, path, error)
				    : local_key_load(path, error);
}

bool edge_keys_are_remote(const struct edge_keys *keys)
{
	return keys->remote;
}

struct edge_key *edge_keys_find(struct edge_keys *keys, gnutls_x509_crt_t crt,
				const char *certificate, char **error)
{
	return remote_key_find(keys->signer, crt, certificate, error);
}

bool edge_keys_are_elsewhere(const struct edge_keys *keys)
{
	return keys->signer != NULL;
}

int edge_keys_keeper(const struct edge_keys *keys)
{
	return keys->signer != NULL ? signer_link_keeper(keys->signer) : -1;
}

bool edge_keys_attend(struct edge_keys *keys)
{
	return signer_link_attend(keys->signer);
}

json_t *edge_keys_status(const struct edge_keys *keys)
{
	struct signer_link_counts counts;
	json_t *status;

	if (keys->signer == NULL)
		return json_pack("{s:s}", "place", "process");
	counts = signer_link_counts(keys->signer);
	status = json_pack(
	    "{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "place", keys->remote ? "remote" : "signer",
	    "started", (json_int_t)counts.generation, "signatures", (json_int_t)counts.signatures,
	    "refused", (json_int_t)counts.refused, "limited", (json_int_t)counts.limited, "failed",
	    (json_int_t)counts.failed, "unanswered", (json_int_t)counts.unanswered);
	if (keys->remote) {
		json_object_set_new(status, "away", json_integer((json_int_t)counts.away));
		json_object_set_new(status, "servers",
				    json_string(counts.is_away ? "away" : "answering"));
	}
	return status;
}

void edge_key_unref(struct edge_key **keyp)
{
	struct edge_key *key = TAKE(keyp);

	if (key != NULL && atomic_fetch_sub(&key->refs, 1) == 1)
		key->ops->free(key);
}

/* Handles */

static int sign(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *arg,
		unsigned flags, const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	const struct edge_key *key = arg;

	return key->ops->sign(key, algorithm, input, signature);
}

static int tell(gnutls_privkey_t handle, unsigned flags, void *arg)
{
	const struct edge_key *key = arg;

	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return key->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)key->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return gnutls_sign_supports_pk_algorithm(GNUTLS_FLAGS_TO_SIGN_ALGO(flags),
							 key->algorithm) != 0;
	return -1;
}

static void let_go(gnutls_privkey_t handle, void *arg)
{
	struct edge_key *key = arg;

	edge_key_unref(&key);
}

gnutls_privkey_t edge_key_handle(struct edge_key *key)
{
	gnutls_privkey_t handle;

	atomic_fetch_add(&key->refs, 1);
	CHECK(gnutls_privkey_init(&handle) == 0);
	CHECK(gnutls_privkey_import_ext4(handle, key, sign, sign, NULL, let_go, tell, 0) == 0);
	return handle;
}

bool edge_key_matches(const struct edge_key *key, gnutls_x509_crt_t crt)
{
	unsigned char id[KEY_ID_SIZE];
	size_t size = sizeof(id);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &size) == 0 &&
	       memcmp(id, key->id, sizeof(id)) == 0;
}
