/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See groups.h. By the library's names, as its own numbers are not those of TLS, and it has no
 * constants for the groups of later versions.
 */
#include "core/tls/groups.h"

#include <string.h>

#include "core/base/check.h"

static const struct {
	const char *name;
	uint16_t number;
} groups[] = {
    {"SECP192R1", 19},
    {"SECP224R1", 21},
    {"SECP256R1", 23},
    {"SECP384R1", 24},
    {"SECP521R1", 25},
    {"X25519", 29},
    {"X448", 30},
    {"FFDHE2048", 256},
    {"FFDHE3072", 257},
    {"FFDHE4096", 258},
    {"FFDHE6144", 259},
    {"FFDHE8192", 260},
    {"X25519-MLKEM768", TLS_GROUP_X25519_MLKEM768},
    {"SECP256R1-MLKEM768", TLS_GROUP_SECP256R1_MLKEM768},
    {"SECP384R1-MLKEM1024", TLS_GROUP_SECP384R1_MLKEM1024},
};

uint16_t tls_group_number(gnutls_group_t group)
{
	const char *name = gnutls_group_get_name(group);

	for (size_t i = 0; name != NULL && i < ARRAY_SIZE(groups); i++) {
		if (strcmp(groups[i].name, name) == 0)
			return groups[i].number;
	}
	return 0;
}
