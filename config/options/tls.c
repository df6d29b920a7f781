/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. Constants only.
 */
#include "config/options/rows.h"
#include "core/net/tls_profile.h"

const struct cfg_option cfg_tls_options[] = {
    {.key = "profile",
     .type = &cfg_type_tls_profile,
     AT(cfg_tls, profile),
     .fallback = TLS_PROFILE_INTERMEDIATE,
     .prose = "What is spoken: \"modern\" is TLS 1.3 only, \"intermediate\" TLS 1.2 too, by "
	      "ECDHE with AEAD; or a priority string of GnuTLS such as "
	      "\"SECURE192:-VERS-ALL:+VERS-TLS1.3\", which says all of it."},
    END,
};
