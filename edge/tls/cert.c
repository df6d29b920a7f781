/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One certificate: its files are read, it is checked against its key and asked for its names. On
 * the thread of the job that loads; what is wrong or doubtful goes into the job's list.
 */
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "edge/tls/certs_internal.h"

static bool read_file(const char *path, struct cfg_place place, struct file *out, struct diag *diag)
{
	char *error = file_read(out, path, TLS_PEM_MAX);

	if (error == NULL)
		return true;
	diag_add(diag, place, "%s %s", path, error);
	free(error);
	return false;
}

/* Borrowed. */
static gnutls_datum_t datum_of(const struct file *file)
{
	return (gnutls_datum_t){(unsigned char *)file->data, (unsigned)file->len};
}

static void add_name(struct cert *cert, const char *name)
{
	cert->names = xreallocarray(cert->names, cert->n_names + 1, sizeof(*cert->names));
	cert->names[cert->n_names++] = xstrdup(name);
}

/* The DNS names of the certificate; the common name only when there is no alternative name. */
static void read_names(struct cert *cert, gnutls_x509_crt_t crt)
{
	char name[256];
	size_t size;
	int type;

	for (unsigned i = 0;; i++) {
		size = sizeof(name) - 1;
		type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (type == GNUTLS_SAN_DNSNAME) {
			name[size] = '\0';
			add_name(cert, name);
		}
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			break;
	}
	size = sizeof(name);
	if (cert->n_names == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0)
		add_name(cert, name);
}

void cert_forget_secrets(struct cert *cert)
{
	file_wipe(&cert->pem);
	edge_key_unref(&cert->key);
	if (cert->credentials != NULL)
		gnutls_certificate_free_credentials(cert->credentials);
	cert->credentials = NULL;
}

struct chain {
	gnutls_pcert_st *certs; /* the certificate itself, then who signed it */
	unsigned n;
};

static int read_chain(const struct cert *cert, struct chain *chain)
{
	const gnutls_datum_t pem = datum_of(&cert->pem);
	gnutls_x509_crt_t *list = NULL;
	unsigned n;
	int ret = gnutls_x509_crt_list_import2(&list, &n, &pem, GNUTLS_X509_FMT_PEM, 0);

	if (ret < 0)
		return ret;
	chain->n = n;
	chain->certs = xcalloc(n, sizeof(*chain->certs));
	ret =
	    gnutls_pcert_import_x509_list(chain->certs, list, &chain->n, GNUTLS_X509_CRT_LIST_SORT);
	if (ret < 0)
		free(chain->certs);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return ret;
}

int cert_add_to(gnutls_certificate_credentials_t credentials, const struct cert *cert)
{
	struct chain chain;
	gnutls_privkey_t key;
	int ret = read_chain(cert, &chain);

	if (ret < 0)
		return ret;
	key = edge_key_handle(cert->key);
	gnutls_certificate_set_flags(credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	/* The credentials take over the key, and what is in the chain; not so when it fails. */
	ret = gnutls_certificate_set_key(credentials, NULL, 0, chain.certs, (int)chain.n, key);
	for (unsigned i = 0; ret < 0 && i < chain.n; i++)
		gnutls_pcert_deinit(&chain.certs[i]);
	if (ret < 0)
		gnutls_privkey_deinit(key);
	free(chain.certs);
	return ret;
}

/* Credentials of it alone, for the set that has nothing else; else the reason in `diag`. */
static bool make_credentials(struct cert *cert, const struct cfg_certificate *cfg,
			     struct diag *diag)
{
	int ret;

	CHECK(gnutls_certificate_allocate_credentials(&cert->credentials) == 0);
	ret = cert_add_to(cert->credentials, cert);
	if (ret < 0)
		diag_add(diag, cfg->place, "cannot use %s with %s: %s", cfg->certificate, cfg->key,
			 gnutls_strerror(ret));
	return ret >= 0;
}

/* The certificate and its key belong together and GnuTLS takes them; else the reason in `diag`. */
static bool check_key(struct cert *cert, gnutls_x509_crt_t crt, const struct cfg_certificate *cfg,
		      struct diag *diag)
{
	if (edge_key_matches(cert->key, crt))
		return make_credentials(cert, cfg, diag);
	diag_add(diag, cfg->place, "the key %s does not match the certificate %s", cfg->key,
		 cfg->certificate);
	return false;
}

static bool load_key(struct cert *cert, struct edge_keys *keys, const struct cfg_certificate *cfg,
		     struct diag *diag)
{
	char *error = NULL;

	cert->key = edge_keys_load(keys, cfg->key, &error);
	if (cert->key == NULL)
		diag_add(diag, cfg->place, "%s %s", cfg->key, error);
	free(error);
	return cert->key != NULL;
}

static void check_dates(const struct cert *cert, gnutls_x509_crt_t crt,
			const struct cfg_certificate *cfg, wall_time now, struct diag *diag)
{
	time_t t = (time_t)(now.ns / 1000000000);

	if (cert->not_after < t)
		diag_warn(diag, cfg->place, "certificate %s has expired", cfg->certificate);
	else if (gnutls_x509_crt_get_activation_time(crt) > t)
		diag_warn(diag, cfg->place, "certificate %s is not valid yet", cfg->certificate);
}

static void read_key_type(struct cert *cert, gnutls_x509_crt_t crt)
{
	cert->algorithm = gnutls_x509_crt_get_pk_algorithm(crt, NULL);
	if (gnutls_x509_crt_get_pk_ecc_raw(crt, &cert->curve, NULL, NULL) != 0)
		cert->curve = GNUTLS_ECC_CURVE_INVALID;
}

/* The certificates of its file; else the reason in `diag`. */
static bool read_certificates(struct cert *cert, const struct cfg_certificate *cfg,
			      gnutls_x509_crt_t **chain, unsigned *n, struct diag *diag)
{
	gnutls_datum_t pem;
	int ret;

	if (!read_file(cfg->certificate, cfg->place, &cert->pem, diag))
		return false;
	pem = datum_of(&cert->pem);
	ret = gnutls_x509_crt_list_import2(chain, n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (ret < 0)
		diag_add(diag, cfg->place, "%s holds no certificate in PEM: %s", cfg->certificate,
			 gnutls_strerror(ret));
	return ret >= 0;
}

bool cert_load(struct cert *cert, struct edge_keys *keys, const struct cfg_certificate *cfg,
	       wall_time now, struct diag *diag)
{
	gnutls_x509_crt_t *chain = NULL;
	unsigned n = 0;
	bool read = read_certificates(cert, cfg, &chain, &n, diag);
	bool ok = load_key(cert, keys, cfg, diag);

	if (!read)
		return false;
	read_key_type(cert, chain[0]);
	cert->not_after = gnutls_x509_crt_get_expiration_time(chain[0]);
	read_names(cert, chain[0]);
	ok = ok && check_key(cert, chain[0], cfg, diag);
	if (ok)
		check_dates(cert, chain[0], cfg, now, diag);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return ok;
}

void cert_free(struct cert *cert)
{
	cert_forget_secrets(cert);
	for (unsigned n = 0; n < cert->n_names; n++)
		free(cert->names[n]);
	free(cert->names);
}
