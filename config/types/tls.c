/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what is said about TLS. Any thread.
 */
#include "config/types/types.h"

#include <stdlib.h>

#include "config/diag.h"
#include "core/net/tls_profile.h"

static bool parse_profile(const struct cfg_value *v, const char *text, void *out)
{
	char *error, *doubts;
	gnutls_priority_t priority = tls_profile_create(text, &error);

	if (priority == NULL) {
		cfg_refuse_because(v, text, error);
		free(error);
		return false;
	}
	doubts = tls_profile_doubts(priority);
	gnutls_priority_deinit(priority);
	if (doubts != NULL)
		diag_warn(v->diag, v->place, "%s: \"%s\" allows what is no longer safe: %s",
			  v->path, text, doubts);
	free(doubts);
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_tls_profile = {
    .name = "profile",
    .expected = "modern, intermediate or a priority string of GnuTLS",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_profile,
    .format = cfg_format_text,
};
