/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How certificates of clients are asked for and judged. What is loaded for it: client_auths.c. See
 * client_auth.h.
 */
#include <string.h>

#include "core/base/check.h"
#include "core/net/tls.h"
#include "edge/clients/client_auth_internal.h"

/* With all that came with it: a chain of three with RSA of 4096 bits has 6 KiB, one with ML-DSA-65
 * 17. Tickets carry it, and must fit into a ClientHello that is still read (edge/conn/hello.h). */
#define SIZE_MAX_SHOWN (24 * 1024)
/* The client's own, and those between it and an authority. */
#define CHAIN_MAX 8
/* To verify a signature by RSA takes the square of the modulus for each bit of the exponent: by a
 * key of 16,384 bits in both, more than a second. Exponents are 65537 mostly, and of 64 bits at
 * most where keys are this long (OpenSSL takes no others). */
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_BITS_MAX 64

/* Judging */

struct chain {
	gnutls_x509_crt_t v[CHAIN_MAX];
	unsigned n;
};

static void chain_fini(struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++)
		gnutls_x509_crt_deinit(chain->v[i]);
}

/* Whoever has made the key wants us to compute. */
static bool is_costly(gnutls_x509_crt_t crt)
{
	gnutls_datum_t modulus, exponent;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, NULL);
	bool costly;

	if (algorithm != GNUTLS_PK_RSA && algorithm != GNUTLS_PK_RSA_PSS)
		return false;
	if (gnutls_x509_crt_get_pk_rsa_raw(crt, &modulus, &exponent) < 0)
		return true;
	/* Each may have a zero in front. */
	costly =
	    modulus.size > RSA_BITS_MAX / 8 + 1 || exponent.size > RSA_EXPONENT_BITS_MAX / 8 + 1;
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return costly;
}

static enum edge_client_verdict read_chain(struct chain *chain, const gnutls_datum_t *certs,
					   unsigned n)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += certs[i].size;
	if (n > CHAIN_MAX || size > SIZE_MAX_SHOWN)
		return EDGE_CLIENT_TOO_LARGE;
	for (; chain->n < n; chain->n++) {
		gnutls_x509_crt_t *crt = &chain->v[chain->n];

		if (gnutls_x509_crt_init(crt) < 0)
			return EDGE_CLIENT_INVALID;
		if (gnutls_x509_crt_import(*crt, &certs[chain->n], GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(*crt);
			return EDGE_CLIENT_INVALID;
		}
	}
	/* Those of the others are made use of once somebody who is trusted stands behind them. */
	return is_costly(chain->v[0]) ? EDGE_CLIENT_TOO_LARGE : EDGE_CLIENT_OK;
}

/* Puts those in front of which each is the issuer of the one before; how many these are. The order
 * in which they came, and what came beside them, does not matter (RFC 8446 section 4.4.2). */
static unsigned put_in_order(struct chain *chain)
{
	unsigned length = 1;

	for (unsigned i = 1; i < chain->n; i++) {
		gnutls_x509_crt_t candidate = chain->v[i];

		if (!gnutls_x509_crt_check_issuer(chain->v[length - 1], candidate))
			continue;
		chain->v[i] = chain->v[length];
		chain->v[length] = candidate;
		i = length++; /* its own issuer may be one that was passed over */
	}
	return length;
}

/* Of several faults, the one that leaves least to be said of the others. */
static enum edge_client_verdict verdict_of(unsigned status)
{
	static const struct {
		unsigned bits;
		enum edge_client_verdict verdict;
	} faults[] = {
	    {GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA, EDGE_CLIENT_UNKNOWN_CA},
	    {GNUTLS_CERT_SIGNATURE_FAILURE, EDGE_CLIENT_INVALID},
	    {GNUTLS_CERT_INSECURE_ALGORITHM, EDGE_CLIENT_WEAK},
	    {GNUTLS_CERT_PURPOSE_MISMATCH, EDGE_CLIENT_PURPOSE},
	    {GNUTLS_CERT_EXPIRED, EDGE_CLIENT_EXPIRED},
	    {GNUTLS_CERT_NOT_ACTIVATED, EDGE_CLIENT_NOT_YET_VALID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if ((status & faults[i].bits) != 0)
			return faults[i].verdict;
	}
	return status == 0 ? EDGE_CLIENT_OK : EDGE_CLIENT_INVALID;
}

static enum edge_client_verdict verify_chain(const struct client_trust *trust, struct chain *chain,
					     unsigned length)
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					 .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
	unsigned flags =
	    GNUTLS_VERIFY_DISABLE_CRL_CHECKS | GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM);
	unsigned status = 0;

	if (gnutls_x509_trust_list_verify_crt2(trust->list, chain->v, length, &purpose, 1, flags,
					       &status, NULL) < 0)
		return EDGE_CLIENT_INVALID;
	return verdict_of(status);
}

static bool is_trusted(const struct client_trust *trust, gnutls_x509_crt_t crt)
{
	for (unsigned i = 0; i < trust->n_cas; i++) {
		if (gnutls_x509_crt_equals(trust->cas[i], crt))
			return true;
	}
	return false;
}

/* Of the client's certificate, and of all between it and the first that is trusted as such. */
static enum edge_client_verdict look_for_revoked(const struct client_trust *trust,
						 const struct chain *chain, unsigned length,
						 wall_time now)
{
	for (unsigned i = 0; i < length && !is_trusted(trust, chain->v[i]); i++) {
		switch (revoked_ask(trust->revoked, chain->v[i], now)) {
		case REVOKED_NO:
			break;
		case REVOKED_YES:
			return EDGE_CLIENT_REVOKED;
		case REVOKED_UNKNOWN:
			return EDGE_CLIENT_NO_CRL;
		}
	}
	return EDGE_CLIENT_OK;
}

static enum edge_client_verdict judge(const struct client_trust *trust, struct chain *chain,
				      const gnutls_datum_t *certs, unsigned n)
{
	enum edge_client_verdict verdict = read_chain(chain, certs, n);
	unsigned length;

	if (verdict != EDGE_CLIENT_OK)
		return verdict;
	length = put_in_order(chain);
	verdict = verify_chain(trust, chain, length);
	if (verdict == EDGE_CLIENT_OK && trust->revoked != NULL)
		verdict = look_for_revoked(trust, chain, length, clock_wall());
	return verdict;
}

void edge_client_auth_judge(const struct edge_client_auth *auth, struct edge_client_cert *cert)
{
	struct chain chain = {.n = 0};
	unsigned n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(cert->session, &n);
	enum edge_client_verdict verdict = judge(auth->trust, &chain, certs, n);

	edge_client_cert_set(cert, auth->rules, verdict, chain.v[0]);
	chain_fini(&chain);
}

bool edge_client_auth_knows(const struct edge_client_auth *auth,
			    const struct edge_client_cert *cert)
{
	return memcmp(auth->rules, cert->rules, sizeof(cert->rules)) == 0 &&
	       (cert->verdict != EDGE_CLIENT_OK || clock_wall().ns <= cert->until.ns);
}

/* The handshake */

/* RFC 8446 section 6.2, RFC 5246 section 7.2.2. */
static gnutls_alert_description_t alert_of(enum edge_client_verdict verdict,
					   gnutls_session_t session)
{
	switch (verdict) {
	case EDGE_CLIENT_NONE:
		return gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3
			   ? GNUTLS_A_CERTIFICATE_REQUIRED
			   : GNUTLS_A_HANDSHAKE_FAILURE;
	case EDGE_CLIENT_UNKNOWN_CA:
		return GNUTLS_A_UNKNOWN_CA;
	case EDGE_CLIENT_EXPIRED:
	case EDGE_CLIENT_NOT_YET_VALID:
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	case EDGE_CLIENT_REVOKED:
		return GNUTLS_A_CERTIFICATE_REVOKED;
	case EDGE_CLIENT_NO_CRL:
		return GNUTLS_A_CERTIFICATE_UNKNOWN;
	case EDGE_CLIENT_PURPOSE:
		return GNUTLS_A_UNSUPPORTED_CERTIFICATE;
	default:
		return GNUTLS_A_BAD_CERTIFICATE;
	}
}

/* A ticket that has it all in it would be of no use, or worse. */
static bool may_go_on(const struct edge_client_auth *auth, enum edge_client_verdict verdict)
{
	return verdict == EDGE_CLIENT_OK ||
	       (edge_client_auth_is_optional(auth) && verdict != EDGE_CLIENT_TOO_LARGE);
}

int edge_client_auth_verify(gnutls_session_t session, struct edge_client_handshake *handshake)
{
	const struct edge_client_auth *auth = handshake->auth;
	unsigned n = 0;

	if (auth == NULL)
		return 0;
	if (handshake->cert == NULL && gnutls_certificate_get_peers(session, &n) != NULL && n > 0) {
		handshake->cert = edge_client_cert_create(session);
		if (handshake->cert == NULL)
			return GNUTLS_E_MEMORY_ERROR;
		edge_client_auth_judge(auth, handshake->cert);
		handshake->verdict = handshake->cert->verdict;
	}
	if (may_go_on(auth, handshake->verdict))
		return 0;
	gnutls_alert_send(session, GNUTLS_AL_FATAL, alert_of(handshake->verdict, session));
	return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

int edge_client_auth_begin(const struct edge_client_auth *auth, gnutls_session_t session,
			   const struct tls_tickets *tickets,
			   gnutls_certificate_verify_function *verify,
			   struct edge_client_handshake *handshake)
{
	bool again = handshake->hello_seen;
	int ret = 0;

	/* After a HelloRetryRequest it comes again, with the same name (RFC 8446 section 4.1.2). */
	if (again && handshake->auth != auth)
		return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
	handshake->hello_seen = true;
	handshake->auth = auth;
	if (auth == NULL)
		return 0;
	tls_session_verifies(session);
	/* Never GNUTLS_CERT_REQUIRE: who shows none is to be told so by the right alert. */
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_session_set_verify_function(session, verify);
	if (tickets != NULL) {
		const gnutls_datum_t mark = {(unsigned char *)auth->rules, sizeof(auth->rules)};

		ret = tickets->mark(tickets, session, &mark);
	}
	/* Once a ticket was tried by a key, and that was ours, GnuTLS takes no other. */
	return again ? 0 : ret;
}

int edge_client_auth_finish(gnutls_session_t session, struct edge_client_handshake *handshake)
{
	if (handshake->auth == NULL)
		return 0;
	/* GnuTLS does not have a session judged that is resumed. Whatever else it may leave out,
	 * nobody gets in without a verdict. */
	if (gnutls_session_is_resumed(session) || !may_go_on(handshake->auth, handshake->verdict))
		return edge_client_auth_verify(session, handshake);
	return 0;
}
