/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What its issuer says of a certificate (OCSP, RFC 6960), to be shown beside it (RFC 6066, 8): the
 * last good response, as long as it holds. It is the certificate's, and lives through reloads as
 * that does. Handshakes take what there is and never wait; who fetches a new one is
 * edge/stapling.h.
 */
#pragma once

#include <gnutls/x509.h>
#include <jansson.h>

#include "core/base/clock.h"

struct staple;

/* Of the first certificate of a file, called `name`. NULL when nobody is to be asked: it names no
 * responder, or its issuer's certificate is not in the file. */
struct staple *staple_create(const char *name, const gnutls_x509_crt_t *list, unsigned n);
struct staple *staple_ref(struct staple *staple);
void staple_unref(struct staple **staple);
/* Where a certificate says that its issuer can be asked (RFC 5280, 4.2.2.1): the first URL for
 * that, GNUTLS_IA_OCSP_URI or GNUTLS_IA_CAISSUERS_URI. malloc'd; NULL: there is none. */
char *staple_authority_url(gnutls_x509_crt_t crt, int what);
/* RFC 7633: clients refuse the certificate without one. */
bool staple_is_must(gnutls_x509_crt_t crt);
/* The certificate at this place of the credentials, which must not outlive `staple`, is shown with
 * it. */
void staple_attach(struct staple *staple, gnutls_certificate_credentials_t credentials,
		   unsigned place);

/* When it is to be fetched, or anew; in the past: now. Any thread. */
mono_time staple_due(struct staple *staple);
enum staple_fetched {
	STAPLE_FETCHED,
	STAPLE_REFUSED,   /* what the responder says of this certificate is of no use */
	STAPLE_NO_ANSWER, /* it gives none, and would not about another certificate either */
};

/* Asks the responder. Unless it is fetched, what is wrong stands in *error, malloc'd, and when to
 * try again is set. Blocking; `stop` as ocsp_http_ask() has it. */
enum staple_fetched staple_fetch(struct staple *staple, int stop, char **error);
/* As if the responder had failed at once, as it did for another certificate. */
void staple_put_off(struct staple *staple);
bool staple_has_responder_of(const struct staple *staple, const struct staple *other);
const char *staple_name(const struct staple *staple);
/* Nothing is shown any more, until it is fetched anew. */
void staple_forget(struct staple *staple);
/* {"state": "good", "until": "..."}; "none", with the last "error". */
json_t *staple_status(struct staple *staple, wall_time now);
