/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a machine shows to another that it has keys of, or for, and whom it trusts: one authority is
 * behind the certificates of both kinds of machine, and what a certificate is good for (RFC 5280
 * section 4.2.1.12) tells them apart. Blocking; any thread.
 */
#pragma once

#include <gnutls/gnutls.h>

/* Files in PEM. */
struct wire_files {
	const char *certificate, *key;
	const char *ca;
};

/* NULL, and in *error what is wrong with which file, malloc'd. */
gnutls_certificate_credentials_t wire_credentials_load(const struct wire_files *files,
						       char **error);

/* The verdict on the chain that the other side has shown, which must be good for `purpose`
 * (GNUTLS_KP_*) and, unless it is NULL, for the name or address `host`. NULL: it is good; or why
 * not, malloc'd, and the alert for it in *alert. */
char *wire_verify(gnutls_session_t session, const char *purpose, const char *host,
		  gnutls_alert_description_t *alert);
