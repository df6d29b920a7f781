/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lists of revoked certificates (CRL, RFC 5280 section 5), made into something that answers at
 * once, however long they are: serial numbers in order. Built by the job that loads, then
 * immutable; any thread asks.
 *
 * Whole lists only, each signed by the authority whose certificates it is about: one with a
 * critical extension (a delta, a part, or of another authority) is refused when it is loaded.
 */
#pragma once

#include <gnutls/x509.h>

#include "core/base/clock.h"
#include "core/base/file.h"

/* Of the file. A list of a million certificates has 40 MB. */
#define REVOKED_FILE_MAX (128 << 20)

struct revoked;

enum revoked_answer {
	REVOKED_NO,
	REVOKED_YES,
	REVOKED_UNKNOWN, /* no list of its issuer, or none that is current */
};

/* Of all lists in `pem`, each of which must be signed by one of `cas`. NULL with *error, malloc'd,
 * in words that go on from the file's name. */
struct revoked *revoked_create(const struct file *pem, const gnutls_x509_crt_t *cas, unsigned n_cas,
			       char **error);
void revoked_destroy(struct revoked **revoked);
/* What its issuer's lists say of a certificate. */
enum revoked_answer revoked_ask(const struct revoked *revoked, gnutls_x509_crt_t crt,
				wall_time now);
/* Whether there is a list of that authority's at all. */
bool revoked_has(const struct revoked *revoked, gnutls_x509_crt_t ca);
/* When the first of the lists is out of date. */
wall_time revoked_until(const struct revoked *revoked);
