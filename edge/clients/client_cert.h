/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The certificate that a client has shown on its connection, what was made of it, and what is told
 * of it. Made in the handshake by whatever thread that runs on (edge/clients/client_auth.h), handed
 * to the connection, and of its loop from then on. There is none where none was shown.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "config/fleet.h"
#include "core/base/clock.h"
#include "core/http/message.h"

/* In the order of the counters of edge/node/counters.h. */
enum edge_client_verdict {
	EDGE_CLIENT_NONE, /* none was shown */
	EDGE_CLIENT_OK,
	EDGE_CLIENT_UNKNOWN_CA, /* none of the site's authorities stands behind it */
	EDGE_CLIENT_EXPIRED,
	EDGE_CLIENT_NOT_YET_VALID,
	EDGE_CLIENT_REVOKED,
	EDGE_CLIENT_NO_CRL,  /* no current list says that it is not revoked */
	EDGE_CLIENT_PURPOSE, /* it is not for clients */
	EDGE_CLIENT_WEAK,    /* algorithm or size of a key */
	EDGE_CLIENT_TOO_LARGE,
	EDGE_CLIENT_INVALID, /* a signature, or anything else */
	EDGE_CLIENT_VERDICTS
};

/* "none", "ok", "failed:expired" */
const char *edge_client_verdict_text(enum edge_client_verdict verdict);

/* By which rules a certificate was judged, in 32 bytes: SHA-256 of the site and its files. */
#define EDGE_CLIENT_RULES_SIZE 32

struct edge_client_cert {
	gnutls_session_t session; /* that has the certificates themselves, and lives as long */
	unsigned char rules[EDGE_CLIENT_RULES_SIZE];
	enum edge_client_verdict verdict;
	wall_time until; /* EDGE_CLIENT_OK: it is valid by its own word */
	/* What stands in it, read once it is valid, and kept; see edge_client_cert_fact(). */
	struct span facts[CFG_CLIENT_FIELDS];
	/* The first of its subject, likewise; in UTF-8, on one line. NULL: none, or too long. */
	char *common_name;
	struct span *sans;
	unsigned n_sans;
};

/* Not judged yet: EDGE_CLIENT_NONE. NULL when memory is out. */
struct edge_client_cert *edge_client_cert_create(gnutls_session_t session);
void edge_client_cert_destroy(struct edge_client_cert **cert);
/* What was made of it, by those rules; what was said before does not count any more. `leaf` is the
 * client's own certificate, looked at if it is valid: one whose names are too much is not. */
void edge_client_cert_set(struct edge_client_cert *cert, const unsigned char *rules,
			  enum edge_client_verdict verdict, gnutls_x509_crt_t leaf);

/* What stands in one that some verdict has found valid, as long as the connection lasts, whatever
 * others say of it later. Distinguished names are by RFC 4514, numbers hexadecimal, alternative
 * names "DNS:www.example.com, URI:spiffe://example.com/a", none with a comma in it; the certificate
 * itself and its chain are byte sequences (RFC 9440), made when first asked for. All on one line.
 * Empty when there is nothing to tell, or memory is out. Not of CFG_CLIENT_FIELD_VERDICT. */
struct span edge_client_cert_fact(struct edge_client_cert *cert, enum cfg_client_field which);
