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
/* Where a hash does not say. */
#define SHA_ROUNDS 5000
#define YESCRYPT_KNOWN 7
/* Microseconds of the first of them. */
#define YESCRYPT_LEAST UINT64_C(2000)

#define SHA_PREFIX "{SHA}"
#define SHA1_BYTES 20

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "$2y$12$..." */
static unsigned bcrypt_rounds(const char *hash)
{
	return (unsigned)strtoul(hash + 4, NULL, 10);
}

static const char *bcrypt_fault(const char *hash)
{
	return bcrypt_rounds(hash) > BCRYPT_COST_MAX
		   ? "takes too long to check: bcrypt's cost may be 14"
		   : NULL;
}

static uint64_t bcrypt_cost(const char *hash)
{
	return UINT64_C(60) << bcrypt_rounds(hash);
}

/* "$6$rounds=5000$..." */
static unsigned long sha_rounds(const char *hash)
{
	const char *rounds = hash + 3;

	return begins_with(rounds, "rounds=") ? strtoul(rounds + strlen("rounds="), NULL, 10)
					      : SHA_ROUNDS;
}

static const char *sha_fault(const char *hash)
{
	return sha_rounds(hash) > SHA_ROUNDS_MAX
		   ? "takes too long to check: there may be 1000000 rounds"
		   : NULL;
}

static uint64_t sha_cost(const char *hash)
{
	return sha_rounds(hash) * 6 / 10;
}

/* "$y$j9T$...": crypt_gensalt() has these parameters for its costs up to 7, which is 64 MiB. Each
 * takes twice the memory of the one before. The number of that of `hash`, or how many there are. */
static unsigned yescrypt_number(const char *hash)
{
	static const char *const known[] = {"j75$", "j85$", "j7T$", "j8T$", "j9T$", "jAT$", "jBT$"};
	unsigned i = 0;

	CHECK(ARRAY_SIZE(known) == YESCRYPT_KNOWN);
	while (i < YESCRYPT_KNOWN && !begins_with(hash + 3, known[i]))
		i++;
	return i;
}

static const char *yescrypt_fault(const char *hash)
{
	return yescrypt_number(hash) == YESCRYPT_KNOWN
		   ? "takes too much to check: yescrypt's cost may be 7"
		   : NULL;
}

static uint64_t yescrypt_cost(const char *hash)
{
	return YESCRYPT_LEAST << yescrypt_number(hash);
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
	uint64_t (*cost)(const char *hash);
};

static const struct kind kinds[] = {
    {"$2a$", 53, bcrypt_fault, bcrypt_cost}, {"$2b$", 53, bcrypt_fault, bcrypt_cost},
    {"$2y$", 53, bcrypt_fault, bcrypt_cost}, {"$5$", 43, sha_fault, sha_cost},
    {"$6$", 86, sha_fault, sha_cost},        {"$y$", 43, yescrypt_fault, yescrypt_cost},
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

uint64_t edge_password_cost(const char *hash)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (begins_with(hash, kinds[i].prefix))
			return kinds[i].cost(hash);
	}
	return 1; /* {SHA} */
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
