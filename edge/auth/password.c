/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By libxcrypt, but for {SHA}, which is Apache's own. Its $apr1$ is nobody else's either.
 */
#include "edge/auth/password.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "core/base/check.h"

/* A second of a processor, about: who sends wrong passwords has us pay as much for each. */
#define BCRYPT_COST_MAX 14
#define SHA_ROUNDS_MAX 1000000

#define SHA_PREFIX "{SHA}"
#define SHA1_BYTES 20

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "$2y$12$..." */
static const char *bcrypt_fault(const char *hash)
{
	long cost = strtol(hash + 4, NULL, 10);

	return cost > BCRYPT_COST_MAX ? "takes too long to check: bcrypt's cost may be 14" : NULL;
}

/* "$6$rounds=5000$..." */
static const char *sha_fault(const char *hash)
{
	const char *rounds = hash + 3;

	if (!begins_with(rounds, "rounds="))
		return NULL;
	return strtoul(rounds + strlen("rounds="), NULL, 10) > SHA_ROUNDS_MAX
		   ? "takes too long to check: there may be 1000000 rounds"
		   : NULL;
}

/* "$y$j9T$...": crypt_gensalt() has these parameters for its costs up to 7, which is 64 MiB. */
static const char *yescrypt_fault(const char *hash)
{
	static const char *const known[] = {"j75$", "j85$", "j7T$", "j8T$", "j9T$", "jAT$", "jBT$"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (begins_with(hash + 3, known[i]))
			return NULL;
	}
	return "takes too much to check: yescrypt's cost may be 7";
}

static bool decode_sha(const char *hash, unsigned char out[SHA1_BYTES])
{
	gnutls_datum_t text = {(void *)(hash + strlen(SHA_PREFIX)),
			       (unsigned)strlen(hash + strlen(SHA_PREFIX))};
	gnutls_datum_t raw = {0};
	bool ok = gnutls_base64_decode2(&text, &raw) == 0 && raw.size == SHA1_BYTES;

	if (ok)
		memcpy(out, raw.data, SHA1_BYTES);
	gnutls_free(raw.data);
	return ok;
}

struct kind {
	const char *prefix;
	size_t length; /* of what follows the last "$" */
	const char *(*fault)(const char *hash);
};

static const struct kind kinds[] = {
    {"$2a$", 53, bcrypt_fault}, {"$2b$", 53, bcrypt_fault}, {"$2y$", 53, bcrypt_fault},
    {"$5$", 43, sha_fault},     {"$6$", 86, sha_fault},     {"$y$", 43, yescrypt_fault},
};

static bool is_whole(const char *hash, const struct kind *kind)
{
	int salt = crypt_checksalt(hash);

	return salt != CRYPT_SALT_INVALID && salt != CRYPT_SALT_METHOD_DISABLED &&
	       strlen(strrchr(hash, '$') + 1) == kind->length;
}

const char *edge_password_fault(const char *hash)
{
	unsigned char raw[SHA1_BYTES];

	if (strlen(hash) > EDGE_PASSWORD_HASH_MAX)
		return "is too long";
	if (begins_with(hash, SHA_PREFIX))
		return decode_sha(hash, raw) ? NULL : "is no SHA-1 in base64";
	if (begins_with(hash, "$apr1$"))
		return "is Apache's MD5, which is not known here: use htpasswd -B";
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!begins_with(hash, kinds[i].prefix))
			continue;
		return is_whole(hash, &kinds[i]) ? kinds[i].fault(hash) : "is not whole";
	}
	return "is of no kind that is known here: use htpasswd -B";
}

static bool matches_sha(const char *password, const char *hash)
{
	unsigned char expected[SHA1_BYTES], found[SHA1_BYTES];
	bool same = decode_sha(hash, expected) &&
		    gnutls_hash_fast(GNUTLS_DIG_SHA1, password, strlen(password), found) == 0 &&
		    gnutls_memcmp(expected, found, SHA1_BYTES) == 0;

	explicit_bzero(found, sizeof(found));
	return same;
}

bool edge_password_matches(const char *password, const char *hash)
{
	struct crypt_data *data;
	const char *found;
	bool same;

	if (begins_with(hash, SHA_PREFIX))
		return matches_sha(password, hash);
	data = calloc(1, sizeof(*data));
	if (!data)
		return false;
	found = crypt_r(password, hash, data);
	/* What crypt() gives when it fails begins with '*', as no hash does. */
	same =
	    found && strlen(found) == strlen(hash) && gnutls_memcmp(found, hash, strlen(hash)) == 0;
	explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}
