/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See edges.h. No session is resumed: there are few handshakes, as edges keep their connections,
 * and each of them is to be judged.
 */
#define LOG_MODULE LOG_CLIENT
#include "edge/relay/edges.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/tls.h"
#include "core/net/tls_profile.h"
#include "edge/keys/remote/credentials.h"
#include "edge/tls/handshake.h"

/* HTTP/2 first: many requests share one connection across the ocean. */
#define PROTOCOLS 2

struct edge_tls_edges {
	const struct cfg_fleet *fleet;
	uint64_t authorities; /* a digest of them: connections outlive the snapshot */
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_datum_t alpn[PROTOCOLS];
	struct tls_server tls;
};

/* Names */

/* Its name among those of the certificate (dNSName); NULL: none is an edge's. */
static const struct cfg_edge *edge_of(const struct cfg_fleet *fleet, gnutls_x509_crt_t crt)
{
	const struct cfg_edge *edge = NULL;
	int type = 0;

	for (unsigned i = 0; edge == NULL && type >= 0; i++) {
		char name[256];
		size_t size = sizeof(name) - 1;

		type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
		/* One that does not fit is none of ours. */
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			type = GNUTLS_SAN_OTHERNAME;
		else if (type == GNUTLS_SAN_DNSNAME) {
			name[size] = '\0';
			if (strlen(name) == size)
				edge = cfg_find_edge(fleet, name);
		}
	}
	return edge;
}

static const struct cfg_edge *shown_edge(const struct cfg_fleet *fleet, gnutls_session_t session)
{
	const struct cfg_edge *edge = NULL;
	gnutls_x509_crt_t crt;
	unsigned n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(session, &n);

	if (certs == NULL || n == 0 || gnutls_x509_crt_init(&crt) < 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, &certs[0], GNUTLS_X509_FMT_DER) == 0)
		edge = edge_of(fleet, crt);
	gnutls_x509_crt_deinit(crt);
	return edge;
}

/* GnuTLS's callbacks */

static int refuse(gnutls_session_t session, gnutls_alert_description_t alert, const char *why)
{
	log_debug("somebody is not let in as an edge: %s", why);
	gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
	return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* Called before the key in the certificate is used, and when GnuTLS would have it judged. */
static int verify(gnutls_session_t session)
{
	const struct edge_tls_edges *edges = tls_session_server(session)->user;
	struct edge_handshake *handshake = tls_session_arg(session);
	gnutls_alert_description_t alert;
	const struct cfg_edge *edge;
	char *why;

	if (handshake->edge != NULL)
		return 0;
	why = wire_verify(session, GNUTLS_KP_TLS_WWW_CLIENT, NULL, &alert);
	if (why != NULL) {
		int ret = refuse(session, alert, why);

		free(why);
		return ret;
	}
	edge = shown_edge(edges->fleet, session);
	if (edge == NULL)
		return refuse(session, GNUTLS_A_ACCESS_DENIED,
			      "no edge has the certificate's name");
	handshake->edge = edge->name;
	handshake->authorities = edges->authorities;
	return 0;
}

static int begin(gnutls_session_t session)
{
	tls_session_verifies(session);
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session, verify);
	return 0;
}

/* Whatever the library may leave out, nobody gets in without a name. */
static int finish(gnutls_session_t session)
{
	return verify(session);
}

/* Life */

static gnutls_datum_t alpn_of(struct span name)
{
	return (gnutls_datum_t){(unsigned char *)name.p, (unsigned)name.n};
}

/* What is trusted, whatever the file says beside it: the head of a SHA-256, which is enough to tell
 * the operator's own authorities apart. */
static uint64_t digest_of(gnutls_certificate_credentials_t credentials)
{
	unsigned char digest[32];
	gnutls_x509_trust_list_iter_t next = NULL;
	gnutls_x509_trust_list_t list;
	gnutls_hash_hd_t hash;
	gnutls_x509_crt_t crt;
	uint64_t head;

	CHECK(gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) == 0);
	gnutls_certificate_get_trust_list(credentials, &list);
	while (gnutls_x509_trust_list_iter_get_ca(list, &next, &crt) == 0) {
		gnutls_datum_t der;

		CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0);
		CHECK(gnutls_hash(hash, der.data, der.size) == 0);
		gnutls_free(der.data);
		gnutls_x509_crt_deinit(crt);
	}
	gnutls_hash_deinit(hash, digest);
	memcpy(&head, digest, sizeof(head));
	return head;
}

static void prepare(struct edge_tls_edges *edges)
{
	char *error;

	edges->priority = tls_profile_create("modern", &error);
	CHECK(edges->priority != NULL);
	edges->alpn[0] = alpn_of(SPAN("h2"));
	edges->alpn[1] = alpn_of(SPAN("http/1.1"));
	edges->tls = (struct tls_server){
	    .credentials = edges->credentials,
	    .priority = edges->priority,
	    .alpn = edges->alpn,
	    .n_alpn = PROTOCOLS,
	    .client_hello = begin,
	    .certificate_verify = verify,
	    .finished = finish,
	    .user = edges,
	};
}

bool edge_tls_edges_load(const struct cfg_fleet *fleet, const struct cfg_edge *self,
			 struct edge_tls_edges **edgesp, struct diag *diag)
{
	const struct wire_files files = {
	    .certificate = self->relay.certificate,
	    .key = self->relay.key,
	    .ca = self->relay.ca,
	};
	struct edge_tls_edges *edges;
	char *error;

	*edgesp = NULL;
	if (self->relay.listen.n == 0)
		return true;
	edges = xcalloc(1, sizeof(*edges));
	edges->fleet = fleet;
	edges->credentials = wire_credentials_load(&files, &error);
	if (edges->credentials == NULL) {
		diag_add(diag, self->place, "edges.%s.relay: %s", self->name, error);
		free(error);
		free(edges);
		return false;
	}
	edges->authorities = digest_of(edges->credentials);
	prepare(edges);
	*edgesp = edges;
	return true;
}

void edge_tls_edges_destroy(struct edge_tls_edges **edgesp)
{
	struct edge_tls_edges *edges = TAKE(edgesp);

	if (edges == NULL)
		return;
	gnutls_certificate_free_credentials(edges->credentials);
	gnutls_priority_deinit(edges->priority);
	free(edges);
}

const struct tls_server *edge_tls_edges_server(const struct edge_tls_edges *edges)
{
	return &edges->tls;
}

bool edge_tls_edges_know(const struct edge_tls_edges *edges, struct span name, uint64_t authorities)
{
	if (edges == NULL || edges->authorities != authorities)
		return false;
	for (unsigned i = 0; i < edges->fleet->n_edges; i++) {
		if (span_equal(span_of(edges->fleet->edges[i].name), name))
			return true;
	}
	return false;
}
