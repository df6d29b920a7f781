/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See credentials.h.
 */
#include "edge/keys/remote/credentials.h"

#include <stdlib.h>

#include <gnutls/x509.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls.h"

/* Loading */

static bool read_pem(const char *path, struct file *file, gnutls_datum_t *pem, char **error)
{
	char *why = file_read(file, path, TLS_PEM_MAX);

	if (why != NULL) {
		*error = xasprintf("%s %s", path, why);
		free(why);
		return false;
	}
	*pem = (gnutls_datum_t){(unsigned char *)file->data, (unsigned)file->len};
	return true;
}

static bool use_pair(gnutls_certificate_credentials_t credentials, const struct wire_files *files,
		     char **error)
{
	struct file certificate = {0}, key = {0};
	gnutls_datum_t certificate_pem, key_pem;
	int ret = 0;
	bool ok = read_pem(files->certificate, &certificate, &certificate_pem, error) &&
		  read_pem(files->key, &key, &key_pem, error);

	if (ok)
		ret = gnutls_certificate_set_x509_key_mem2(credentials, &certificate_pem, &key_pem,
							   GNUTLS_X509_FMT_PEM, NULL, 0);
	if (ret < 0)
		*error = xasprintf("%s with %s: %s", files->certificate, files->key,
				   gnutls_strerror(ret));
	file_wipe(&certificate);
	file_wipe(&key);
	return ok && ret >= 0;
}

static bool use_authorities(gnutls_certificate_credentials_t credentials, const char *path,
			    char **error)
{
	struct file file = {0};
	gnutls_datum_t pem;
	int n;

	if (!read_pem(path, &file, &pem, error))
		return false;
	n = gnutls_certificate_set_x509_trust_mem(credentials, &pem, GNUTLS_X509_FMT_PEM);
	if (n <= 0)
		*error = xasprintf("%s holds no certificate in PEM%s%s", path, n < 0 ? ": " : "",
				   n < 0 ? gnutls_strerror(n) : "");
	file_wipe(&file);
	return n > 0;
}

gnutls_certificate_credentials_t wire_credentials_load(const struct wire_files *files, char **error)
{
	gnutls_certificate_credentials_t credentials;
	bool ok;

	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	ok = use_pair(credentials, files, error) && use_authorities(credentials, files->ca, error);
	if (ok)
		return credentials;
	gnutls_certificate_free_credentials(credentials);
	return NULL;
}

/* Verifying */

/* RFC 8446 section 6.2. Of several faults, the one that leaves least to be said of the others. */
static gnutls_alert_description_t alert_of(unsigned status)
{
	static const struct {
		unsigned bits;
		gnutls_alert_description_t alert;
	} faults[] = {
	    {GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA},
	    {GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED},
	    {GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if ((status & faults[i].bits) != 0)
			return faults[i].alert;
	}
	return GNUTLS_A_BAD_CERTIFICATE;
}

char *wire_verify(gnutls_session_t session, const char *purpose, const char *host,
		  gnutls_alert_description_t *alert)
{
	gnutls_typed_vdata_st wanted[] = {
	    {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)purpose},
	    {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)host},
	};
	gnutls_datum_t text = {0};
	unsigned status = 0;
	char *why;
	int ret = gnutls_certificate_verify_peers(session, wanted, host != NULL ? 2 : 1, &status);

	if (ret == 0 && status == 0)
		return NULL;
	*alert = alert_of(status);
	if (ret < 0)
		return xstrdup(gnutls_strerror(ret));
	ret = gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	why = xstrdup(ret == 0 ? (char *)text.data : "The certificate is not trusted.");
	gnutls_free(text.data);
	return why;
}
