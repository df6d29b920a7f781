/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What servers are ready to negotiate: versions, suites, groups, signatures. Any thread.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/gnutls.h>

/* Only TLS 1.3. */
#define TLS_PROFILE_MODERN "modern"
/* TLS 1.2 too, by ECDHE and AEAD only. */
#define TLS_PROFILE_INTERMEDIATE "intermediate"

/* The priority string of a profile, which is one of these or, by itself, a priority string. Where
 * the library has it, X25519MLKEM768 comes first of the groups of the former; `knows` says whether
 * it has a group of that name. */
const char *tls_profile_priority(const char *profile, bool (*knows)(const char *group));

/* NULL with *error (malloc'd: what is wrong, and from where on) when it makes no sense. */
gnutls_priority_t tls_profile_create(const char *profile, char **error);
/* What a careful operator would not allow: versions before TLS 1.2, key exchange without forward
 * secrecy or without certificates, ciphers and MACs that are broken. "TLS1.1, RSA", malloc'd; NULL:
 * nothing. */
char *tls_profile_doubts(gnutls_priority_t priority);
/* Whether TLS 1.2 may agree on a key by finite fields (DHE). */
bool tls_profile_allows_dhe(gnutls_priority_t priority);
