/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is doubtful about a certificate: clients may refuse it, and the edge serves it all the same,
 * as one of a thousand is no reason to serve none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gnutls/x509-ext.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "edge/tls/certs_internal.h"

#define RSA_BITS_MIN 2048
#define DAY 86400

static bool is_own_issuer(gnutls_x509_crt_t crt)
{
	return gnutls_x509_crt_check_issuer(crt, crt) != 0;
}

/* Who says where its issuer's certificate can be had is one of many that it has issued. */
static bool names_issuers_place(gnutls_x509_crt_t crt)
{
	char *url = staple_authority_url(crt, GNUTLS_IA_CAISSUERS_URI);

	free(url);
	return url != NULL;
}

static unsigned doubts_of_one(gnutls_x509_crt_t crt)
{
	unsigned bits = 0, doubts = 0;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
	int signature = gnutls_x509_crt_get_signature_algorithm(crt);

	if ((algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS) && bits < RSA_BITS_MIN)
		doubts |= CERT_WEAK_KEY;
	/* That of a root is not looked at. */
	if (!is_own_issuer(crt) &&
	    (signature < 0 || !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)signature,
						      GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS)))
		doubts |= CERT_WEAK_SIGNATURE;
	return doubts;
}

/* Whether some other certificate of the file is of its issuer. */
static bool has_issuer(const gnutls_x509_crt_t *list, unsigned n, unsigned i)
{
	for (unsigned j = 0; j < n; j++) {
		if (j != i && gnutls_x509_crt_check_issuer(list[i], list[j]))
			return true;
	}
	return false;
}

static bool is_issuer_of_any(const gnutls_x509_crt_t *list, unsigned n, unsigned i)
{
	for (unsigned j = 0; j < n; j++) {
		if (j != i && gnutls_x509_crt_check_issuer(list[j], list[i]))
			return true;
	}
	return false;
}

/* A chain has a handful of them; a file may hold anything. */
#define CHAIN_MAX 32

unsigned cert_doubts_of(const gnutls_x509_crt_t *list, unsigned n)
{
	unsigned doubts = 0;

	n = MIN(n, CHAIN_MAX);
	for (unsigned i = 0; i < n; i++) {
		doubts |= doubts_of_one(list[i]);
		if (i > 0 && !is_issuer_of_any(list, n, i))
			doubts |= CERT_STRANGERS;
		else if (i > 0 && !gnutls_x509_crt_check_issuer(list[i - 1], list[i]))
			doubts |= CERT_DISORDER;
	}
	if (!is_own_issuer(list[0]) && !has_issuer(list, n, 0) && names_issuers_place(list[0]))
		doubts |= CERT_ALONE;
	return doubts;
}

static void warn_of_time(const struct cert *cert, wall_time now, struct diag *diag)
{
	const struct cfg_certificate *cfg = cert->cfg;
	time_t t = (time_t)(now.ns / 1000000000);

	switch (edge_cert_time(cert->pair->not_before, cert->pair->not_after, t)) {
	case EDGE_CERT_EXPIRED:
		diag_warn(diag, cfg->place, "certificate %s has expired", cfg->certificate);
		break;
	case EDGE_CERT_NOT_YET:
		diag_warn(diag, cfg->place, "certificate %s is not valid yet", cfg->certificate);
		break;
	case EDGE_CERT_ENDING:
		diag_warn(diag, cfg->place,
			  "certificate %s is in the last third of its time, and expires in %.1f "
			  "days",
			  cfg->certificate, (double)(cert->pair->not_after - t) / DAY);
		break;
	case EDGE_CERT_VALID:
		break;
	}
}

void cert_warn(const struct cert *cert, bool staples, wall_time now, struct diag *diag)
{
	const struct cfg_certificate *cfg = cert->cfg;
	unsigned doubts = cert->pair->doubts;

	warn_of_time(cert, now, diag);
	if (doubts & CERT_WEAK_KEY)
		diag_warn(diag, cfg->place, "%s has an RSA key of less than %d bits",
			  cfg->certificate, RSA_BITS_MIN);
	if (doubts & CERT_WEAK_SIGNATURE)
		diag_warn(diag, cfg->place,
			  "%s has a signature by SHA-1 or worse, which clients refuse",
			  cfg->certificate);
	if (doubts & CERT_DISORDER)
		diag_warn(diag, cfg->place,
			  "%s has its certificates out of order: they are shown in order",
			  cfg->certificate);
	if (doubts & CERT_STRANGERS)
		diag_warn(diag, cfg->place,
			  "%s has certificates that do not belong to its first one: they are not "
			  "shown",
			  cfg->certificate);
	if (doubts & CERT_ALONE)
		diag_warn(diag, cfg->place,
			  "%s lacks the certificate of its issuer, without which most clients "
			  "refuse it",
			  cfg->certificate);
	if (cert->pair->must_staple && (!staples || cert->pair->staple == NULL))
		diag_warn(diag, cfg->place,
			  "%s must be shown with an OCSP response, and there can be none: %s",
			  cfg->certificate,
			  !staples ? "tls.ocsp is off"
				   : "it names no responder, or its issuer's certificate is not in "
				     "the file");
}
