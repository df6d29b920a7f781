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
	file_wipe(&cert->key);
	if (cert->credentials != NULL)
		gnutls_certificate_free_credentials(cert->credentials);
	cert->credentials = NULL;
}

int cert_add_to(gnutls_certificate_credentials_t credentials, const struct cert *cert)
{
	const gnutls_datum_t pem = datum_of(&cert->pem), key = datum_of(&cert->key);

	return gnutls_certificate_set_x509_key_mem2(credentials, &pem, &key, GNUTLS_X509_FMT_PEM,
						    NULL, 0);
}

static void complain_key(const struct cert *cert, const struct cfg_certificate *cfg, int error,
			 struct diag *diag)
{
	const gnutls_datum_t pem = datum_of(&cert->key);
	gnutls_privkey_t key;
	int ret;

	CHECK(gnutls_privkey_init(&key) == 0);
	ret = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_privkey_deinit(key);
	if (ret != 0)
		diag_add(diag, cfg->place, "%s is not a private key in PEM: %s", cfg->key,
			 gnutls_strerror(ret));
	else if (error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		diag_add(diag, cfg->place, "the key %s does not match the certificate %s", cfg->key,
			 cfg->certificate);
	else
		diag_add(diag, cfg->place, "cannot use %s with %s: %s", cfg->certificate, cfg->key,
			 gnutls_strerror(error));
}

/* The certificate and its key belong together and GnuTLS takes them; else the reason in `diag`. To
 * find out costs a signature, so the credentials are kept for the set that has nothing else. */
static bool check_key(struct cert *cert, const struct cfg_certificate *cfg, struct diag *diag)
{
	int ret;

	CHECK(gnutls_certificate_allocate_credentials(&cert->credentials) == 0);
	ret = cert_add_to(cert->credentials, cert);
	if (ret < 0)
		complain_key(cert, cfg, ret, diag);
	return ret >= 0;
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

bool cert_load(struct cert *cert, const struct cfg_certificate *cfg, wall_time now,
	       struct diag *diag)
{
	gnutls_x509_crt_t *chain = NULL;
	gnutls_datum_t pem;
	unsigned n = 0;
	bool readable, ok;
	int ret;

	readable = read_file(cfg->certificate, cfg->place, &cert->pem, diag);
	readable &= read_file(cfg->key, cfg->place, &cert->key, diag);
	if (!readable)
		return false;
	pem = datum_of(&cert->pem);
	ret = gnutls_x509_crt_list_import2(&chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (ret < 0) {
		diag_add(diag, cfg->place, "%s holds no certificate in PEM: %s", cfg->certificate,
			 gnutls_strerror(ret));
		return false;
	}
	read_key_type(cert, chain[0]);
	cert->not_after = gnutls_x509_crt_get_expiration_time(chain[0]);
	read_names(cert, chain[0]);
	ok = check_key(cert, cfg, diag);
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
