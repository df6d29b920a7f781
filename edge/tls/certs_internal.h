/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of edge/tls/certs.h share: one certificate (cert.c), which of them are shown
 * together for which name (cert_sets.c), all of them (certs.c). Made by one job, immutable then.
 */
#pragma once

#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "config/fleet.h"
#include "core/base/file.h"
#include "core/net/tls.h"
#include "edge/keys/keys.h"
#include "edge/tls/certs.h"
#include "edge/tls/client_auth.h"

struct edge_host_table;

struct cert {
	const struct cfg_site *site; /* the first that names its files */
	/* Until the sets are built. */
	struct file pem;
	struct edge_key *key;
	gnutls_certificate_credentials_t credentials; /* of it alone; NULL: a set has taken them */
	unsigned set; /* one more than the last that begins with it */
	char **names;
	unsigned n_names;
	/* Its key's type: a client may know an algorithm and not the curve. That GnuTLS minds in
	 * TLS 1.3, where a signature scheme names both; in TLS 1.2 it takes the first of them. */
	int algorithm;            /* gnutls_pk_algorithm_t */
	gnutls_ecc_curve_t curve; /* GNUTLS_ECC_CURVE_INVALID: none */
	time_t not_after;
};

/* Certificates for one name, one of each key type; or for no name in particular. */
struct cert_set {
	unsigned *certs;
	unsigned n;
	/* One more than another that begins with the same certificate, or else that is for the same
	 * clients' certificates; 0: none. */
	unsigned next;
	gnutls_certificate_credentials_t credentials;
};

struct edge_certs {
	struct edge_keys *keys;
	struct cert *certs;
	unsigned n_certs;
	struct cert_set **sets;
	unsigned n_sets;
	struct edge_host_table *by_name; /* of sets */
	const struct cert_set *nameless; /* for who names nobody, or nobody whom we know */
	struct edge_client_auths *clients;
	/* By the index of struct edge_client_auth: one more than the last set that asks for those
	 * clients' certificates. */
	unsigned *asking;
	gnutls_priority_t priority;
	gnutls_datum_t alpn[CFG_PROTOCOLS];
	struct tls_server tls;
};

/* Reads the certificate and its key, checks that they belong together, and says what is wrong or
 * doubtful; false when it cannot be used. */
bool cert_load(struct cert *cert, struct edge_keys *keys, const struct cfg_certificate *cfg,
	       wall_time now, struct diag *diag);
/* One more certificate, with its key, for `credentials`; negative: an error of GnuTLS. */
int cert_add_to(gnutls_certificate_credentials_t credentials, const struct cert *cert);
/* What only building needs. */
void cert_forget_secrets(struct cert *cert);
void cert_free(struct cert *cert);

/* Once all are loaded, and there is one at least. */
void cert_sets_build(struct edge_certs *certs);
/* After that, the same certificates with the names of the authorities that clients' certificates
 * are to come from, for sites that ask for any. */
void cert_sets_build_asking(struct edge_certs *certs);
/* The credentials of those; of `set` itself when there are none. */
gnutls_certificate_credentials_t cert_sets_asking(const struct edge_certs *certs,
						  const struct cert_set *set,
						  const struct edge_client_auth *auth);
/* NULL: there is none for that name. */
const struct cert_set *cert_sets_find(const struct edge_certs *certs, struct span name);
void cert_sets_free(struct edge_certs *certs);
