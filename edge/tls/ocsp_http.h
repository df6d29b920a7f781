/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One question to an OCSP responder (RFC 6960, appendix A.1): a POST by plain HTTP, answered within
 * a few seconds and kilobytes or not at all. Blocking, and the name is looked up by the system: for
 * a thread of its own.
 */
#pragma once

#include <gnutls/gnutls.h>

/* NULL, and the content of the response in *answer, malloc'd; or what is wrong, malloc'd. Gives up
 * when `stop` becomes readable, at the next wait; -1: never. */
char *ocsp_http_ask(const char *url, const gnutls_datum_t *question, int stop,
		    gnutls_datum_t *answer);
