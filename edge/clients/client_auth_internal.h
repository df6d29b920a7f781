/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of edge/clients/client_auth.h share. Made by one job, immutable then.
 */
#pragma once

#include <gnutls/x509.h>

#include "core/tls/revoked.h"
#include "edge/clients/client_auth.h"

/* What was loaded from the files of a site; sites that name the same share it. */
struct client_trust {
	const char *ca_file, *crl_file; /* the configuration's; crl_file: NULL for none */
	gnutls_x509_crt_t *cas;
	unsigned n_cas;
	gnutls_x509_trust_list_t list;                /* of them, which it does not own */
	struct revoked *revoked;                      /* NULL: nothing is */
	unsigned char digest[EDGE_CLIENT_RULES_SIZE]; /* of the files' contents */
};

/* Of one site. */
struct edge_client_auth {
	const struct cfg_site *site;
	const struct client_trust *trust;
	unsigned index;
	unsigned char rules[EDGE_CLIENT_RULES_SIZE];
};
