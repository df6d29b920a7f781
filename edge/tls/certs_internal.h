/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of edge/tls/certs.h share: a certificate with its key (cert_pair.c), what is
 * doubtful about it (cert_doubts.c), those that the views before have loaded (cert_store.c), which
 * are shown together for which name (cert_sets.c), all of them (certs.c).
 */
#pragma once

#include <stdatomic.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "config/fleet.h"
#include "core/base/file.h"
#include "core/net/tls.h"
#include "edge/clients/client_auth.h"
#include "edge/keys/keys.h"
#include "edge/tls/certs.h"
#include "edge/tls/staple.h"

struct edge_host_table;

/* What is wrong with the certificates of a file, other than that it is not their time. */
enum cert_doubt {
	CERT_WEAK_KEY = 1,       /* RSA of less than 2,048 bits */
	CERT_WEAK_SIGNATURE = 2, /* by SHA-1, or worse */
	CERT_DISORDER = 4,       /* not each followed by its issuer's */
	CERT_STRANGERS = 8,      /* there are some that do not belong to it */
	CERT_ALONE = 16,         /* its issuer's is missing, which clients will not have */
};

/* A certificate and its key, as they were in their files: shared by the views that name them, as
 * long as the files stay as they are. Immutable. */
struct cert_pair {
	_Atomic unsigned refs;
	char *certificate, *key_file;
	struct file_version certificate_version, key_version;
	struct edge_key *key;
	bool key_is_remote;                           /* then it has no file here */
	gnutls_certificate_credentials_t credentials; /* of it alone */
	char **names;
	unsigned n_names;
	/* Its key's type: a client may know an algorithm and not the curve. That GnuTLS minds in
	 * TLS 1.3, where a signature scheme names both; in TLS 1.2 it takes the first of them. */
	int algorithm;            /* gnutls_pk_algorithm_t */
	gnutls_ecc_curve_t curve; /* GNUTLS_ECC_CURVE_INVALID: none */
	time_t not_before, not_after;
	unsigned doubts;       /* enum cert_doubt */
	struct staple *staple; /* NULL: nobody can be asked about it */
	bool must_staple;
};

/* One of a view. */
struct cert {
	const struct cfg_site *site; /* the first that names its files */
	const struct cfg_certificate *cfg;
	struct cert_pair *pair;
	bool kept;    /* its files have changed, and are of no use: the pair is that before */
	unsigned set; /* while they are built: one more than the last that begins with it */
};

/* Certificates for one name, one of each key type; or for no name in particular. */
struct cert_set {
	unsigned *certs;
	unsigned n;
	/* One more than another that begins with the same certificate, or else that is for the same
	 * clients' certificates; 0: none. */
	unsigned next;
	bool borrowed; /* its credentials are those of its pair */
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
	bool refuse_nameless;
	struct edge_client_auths *clients;
	struct edge_host_table *client_hosts; /* of them, by the hosts of all sites; NULL: none */
	/* By the index of struct edge_client_auth: one more than the last set that asks for those
	 * clients' certificates. */
	unsigned *asking;
	gnutls_priority_t priority;
	gnutls_datum_t alpn[CFG_PROTOCOLS];
	gnutls_compression_method_t compressions[CFG_CERTIFICATE_COMPRESSIONS];
	struct tls_server tls;
};

/* Who is told what is wrong with files, from several threads. */
struct cert_complaints {
	pthread_mutex_t lock;
	struct diag *diag;
};

/* Reads a certificate and its key, and checks that they belong together; NULL when they cannot be
 * used, which is told: as a warning when that is `harmless`. Any thread. */
struct cert_pair *cert_pair_load(struct edge_keys *keys, const struct cfg_certificate *cfg,
				 struct cert_complaints *complaints, bool harmless);
struct cert_pair *cert_pair_ref(struct cert_pair *pair);
void cert_pair_unref(struct cert_pair **pair);
/* Whether the files are still those that it was loaded from. Blocking; notes them. */
bool cert_pair_is_current(const struct cert_pair *pair);
/* One more certificate, with its key, for `credentials`; negative: an error of GnuTLS. */
int cert_add_to(gnutls_certificate_credentials_t credentials, const struct cert *cert);

/* The enum cert_doubt of certificates as they stand in their file. */
unsigned cert_doubts_of(const gnutls_x509_crt_t *list, unsigned n);
/* Warns about them, about a time that is over, or soon will be, and when it must have a staple and
 * can have none. */
void cert_warn(const struct cert *cert, bool staples, wall_time now, struct diag *diag);

/* Loads the pairs of all certificates, but for those that `store` (may be NULL) has; false when one
 * has none. Blocking, several threads. */
bool cert_store_load(struct edge_cert_store *store, struct edge_certs *certs, struct diag *diag);

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
