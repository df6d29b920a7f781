/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See tls_profile.h. Owns nothing: what it makes is the caller's.
 */
#include "core/net/tls_profile.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/net/tls.h"

/* RFC 9794 calls it a hybrid: whoever records the session today and has a quantum computer one day
 * must break both. GnuTLS has it from 3.8.8 on, where it was built with a library for ML-KEM;
 * Debian's is not. */
#define HYBRID "X25519-MLKEM768"
#define HYBRID_FIRST "+GROUP-" HYBRID ":"

static const char modern[] = TLS_PRIORITY_OF("+VERS-TLS1.3", "");
static const char modern_hybrid[] = TLS_PRIORITY_OF("+VERS-TLS1.3", HYBRID_FIRST);
static const char intermediate[] = TLS_PRIORITY;
static const char intermediate_hybrid[] =
    TLS_PRIORITY_OF("+VERS-TLS1.3:+VERS-TLS1.2", HYBRID_FIRST);

const char *tls_profile_priority(const char *profile, bool (*knows)(const char *group))
{
	if (strcmp(profile, TLS_PROFILE_MODERN) == 0)
		return knows(HYBRID) ? modern_hybrid : modern;
	if (strcmp(profile, TLS_PROFILE_INTERMEDIATE) == 0)
		return knows(HYBRID) ? intermediate_hybrid : intermediate;
	return profile;
}

static bool library_knows(const char *group)
{
	return gnutls_group_get_id(group) != GNUTLS_GROUP_INVALID;
}

/* The library says where it stopped: at the word that it does not know, or, when the whole makes no
 * sense, at the start. */
static char *explain(int ret, const char *text, const char *stopped)
{
	if (ret != GNUTLS_E_INVALID_REQUEST)
		return xasprintf("it allows no connection: %s", gnutls_strerror(ret));
	if (stopped == NULL || *stopped == '\0')
		return xstrdup("it ends too early");
	return xasprintf("GnuTLS does not know \"%.*s\"%s", (int)strcspn(stopped, ":"), stopped,
			 stopped == text ? ", with which it begins" : "");
}

static bool has_version(gnutls_priority_t priority)
{
	const unsigned *versions;
	int n = gnutls_priority_protocol_list(priority, &versions);

	for (int i = 0; i < n; i++) {
		if (versions[i] <= GNUTLS_TLS_VERSION_MAX)
			return true;
	}
	return false;
}

/* What the library lets pass, although nobody can agree with it on anything. */
static const char *what_is_missing(gnutls_priority_t priority)
{
	const unsigned *list;

	if (!has_version(priority))
		return "no version of TLS";
	if (gnutls_priority_group_list(priority, &list) <= 0)
		return "no group";
	if (gnutls_priority_sign_list(priority, &list) <= 0)
		return "no signature algorithm";
	return NULL;
}

gnutls_priority_t tls_profile_create(const char *profile, char **error)
{
	const char *text = tls_profile_priority(profile, library_knows), *at = NULL, *missing;
	gnutls_priority_t priority;
	int ret = gnutls_priority_init(&priority, text, &at);

	if (ret < 0) {
		*error = explain(ret, text, at);
		return NULL;
	}
	missing = what_is_missing(priority);
	if (missing == NULL)
		return priority;
	gnutls_priority_deinit(priority);
	*error = xasprintf("it allows no connection: %s is left", missing);
	return NULL;
}

static bool is_old(unsigned version)
{
	return version < GNUTLS_TLS1_2;
}

static bool is_weak_kx(unsigned kx)
{
	return kx == GNUTLS_KX_RSA || kx == GNUTLS_KX_ANON_DH || kx == GNUTLS_KX_ANON_ECDH;
}

static bool is_broken_cipher(unsigned cipher)
{
	return cipher == GNUTLS_CIPHER_NULL || cipher == GNUTLS_CIPHER_ARCFOUR_128 ||
	       cipher == GNUTLS_CIPHER_3DES_CBC;
}

static bool is_broken_mac(unsigned mac)
{
	return mac == GNUTLS_MAC_NULL || mac == GNUTLS_MAC_MD5;
}

static const char *version_name(unsigned version)
{
	return gnutls_protocol_get_name(version);
}

static const char *kx_name(unsigned kx)
{
	return gnutls_kx_get_name(kx);
}

static const char *cipher_name(unsigned cipher)
{
	return gnutls_cipher_get_name(cipher);
}

static const char *mac_name(unsigned mac)
{
	return gnutls_mac_get_name(mac);
}

char *tls_profile_doubts(gnutls_priority_t priority)
{
	static const struct {
		int (*list)(gnutls_priority_t priority, const unsigned **list);
		bool (*is_doubtful)(unsigned id);
		const char *(*name)(unsigned id);
	} kinds[] = {
	    {gnutls_priority_protocol_list, is_old, version_name},
	    {gnutls_priority_kx_list, is_weak_kx, kx_name},
	    {gnutls_priority_cipher_list, is_broken_cipher, cipher_name},
	    {gnutls_priority_mac_list, is_broken_mac, mac_name},
	};
	char *doubts = NULL;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const unsigned *list;
		int n = kinds[k].list(priority, &list);

		for (int i = 0; i < n; i++) {
			char *before = doubts;

			if (!kinds[k].is_doubtful(list[i]))
				continue;
			doubts = xasprintf("%s%s%s", before != NULL ? before : "",
					   before != NULL ? ", " : "", kinds[k].name(list[i]));
			free(before);
		}
	}
	return doubts;
}

bool tls_profile_allows_dhe(gnutls_priority_t priority)
{
	const unsigned *list;
	int n = gnutls_priority_kx_list(priority, &list);

	for (int i = 0; i < n; i++) {
		if (list[i] == GNUTLS_KX_DHE_RSA || list[i] == GNUTLS_KX_DHE_DSS)
			return true;
	}
	return false;
}
