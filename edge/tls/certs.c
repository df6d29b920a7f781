/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All certificates of an edge: every file is read once however many sites name it, hosts without
 * one are complained about, and handshakes are told which of them to show.
 */
#include "edge/tls/certs.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "core/base/progress.h"
#include "core/net/tls_profile.h"
#include "edge/tls/certs_internal.h"
#include "edge/tls/handshake.h"
#include "edge/tls/host_table.h"
#include "edge/tls/tickets.h"

static int compare_files(const void *left, const void *right)
{
	const struct cfg_certificate *a = left, *b = right;
	int order = strcmp(a->certificate, b->certificate);

	return order != 0 ? order : strcmp(a->key, b->key);
}

/* False when these files were met before: sites that share a certificate name the same. */
static bool is_new(void **seen, const struct cfg_certificate *cfg)
{
	const struct cfg_certificate **first = tsearch(cfg, seen, compare_files);

	CHECK(first != NULL);
	return *first == cfg;
}

static void keep(void *cfg)
{
}

static void list_site(struct edge_certs *certs, const struct cfg_site *site, void **seen)
{
	for (unsigned c = 0; c < site->n_certificates; c++) {
		if (!is_new(seen, &site->certificates[c]))
			continue;
		certs->certs =
		    xreallocarray(certs->certs, certs->n_certs + 1, sizeof(*certs->certs));
		certs->certs[certs->n_certs++] =
		    (struct cert){.site = site, .cfg = &site->certificates[c]};
	}
}

static void complain_no_site(const struct cfg_edge *edge, struct diag *diag)
{
	diag_add(
	    diag, edge->place,
	    "edge %s serves no site that has a certificate; where it is only a relay, it is to "
	    "have \"listen: []\"",
	    edge->name);
}

/* Without `self`: of all sites. */
static bool load_all(struct edge_certs *certs, const struct cfg_fleet *fleet,
		     const struct cfg_edge *self, struct edge_cert_store *store, wall_time now,
		     struct diag *diag)
{
	void *seen = NULL;
	bool ok;

	for (unsigned s = 0; s < fleet->n_sites; s++) {
		if (self == NULL || cfg_site_is_served_by(&fleet->sites[s], self))
			list_site(certs, &fleet->sites[s], &seen);
	}
	tdestroy(seen, keep);
	ok = cert_store_load(store, certs, diag);
	for (unsigned i = 0; i < certs->n_certs; i++) {
		if (certs->certs[i].pair != NULL)
			cert_warn(&certs->certs[i], fleet->tls.ocsp, now, diag);
	}
	return ok;
}

/* Without `self`: of all sites. */
static void warn_uncovered(const struct edge_certs *certs, const struct cfg_fleet *fleet,
			   const struct cfg_edge *self, struct diag *diag)
{
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		if (self != NULL && !cfg_site_is_served_by(site, self))
			continue;
		for (unsigned h = 0; h < site->hosts.n; h++) {
			if (edge_certs_find(certs, span_of(site->hosts.v[h])) == NULL)
				diag_warn(diag, site->place,
					  "no certificate covers the host %s of site %s",
					  site->hosts.v[h], site->name);
		}
	}
}

/* Certificates of clients */

/* In the place of one that asks. */
static const char asks_nothing;

/* Of all sites, as a host of one may lie under the wildcard of another. */
static void list_client_hosts(struct edge_certs *certs, const struct cfg_fleet *fleet,
			      const struct cfg_edge *self)
{
	if (edge_client_auths_count(certs->clients) == 0)
		return;
	certs->client_hosts = edge_host_table_create();
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];
		const void *asked = edge_client_auths_of(certs->clients, site);

		if (!cfg_site_is_served_by(site, self))
			continue;
		for (unsigned h = 0; h < site->hosts.n; h++)
			edge_host_table_add(certs->client_hosts, span_of(site->hosts.v[h]),
					    asked != NULL ? asked : &asks_nothing);
	}
}

const struct edge_client_auth *edge_certs_client_auth(const struct edge_certs *certs,
						      struct span host)
{
	const void *asked;

	if (certs->client_hosts == NULL)
		return NULL;
	asked = edge_host_table_find(certs->client_hosts, host, EDGE_WILDCARD_ANY_LABELS);
	return asked != &asks_nothing ? asked : NULL;
}

const struct edge_client_auth *edge_certs_site_client_auth(const struct edge_certs *certs,
							   const struct cfg_site *site)
{
	return edge_client_auths_of(certs->clients, site);
}

/* Called by GnuTLS in the middle of a handshake. */
static int verify_client(gnutls_session_t session)
{
	struct edge_handshake *handshake = tls_session_arg(session);

	return edge_client_auth_verify(session, &handshake->client);
}

static int finish(gnutls_session_t session)
{
	struct edge_handshake *handshake = tls_session_arg(session);

	return edge_client_auth_finish(session, &handshake->client);
}

/* The choice */

/* Called by GnuTLS in the middle of a handshake, for each ClientHello. */
static int choose_credentials(gnutls_session_t session)
{
	const struct edge_certs *certs = tls_session_server(session)->user;
	struct edge_handshake *handshake = tls_session_arg(session);
	const struct edge_client_auth *auth = NULL;
	gnutls_certificate_credentials_t credentials;
	const struct cert_set *set = NULL;
	char name[256];
	size_t len = sizeof(name) - 1;
	unsigned type;
	int ret;

	if (gnutls_server_name_get(session, name, &len, &type, 0) == 0 && type == GNUTLS_NAME_DNS) {
		struct span host = {name, strnlen(name, len)};

		set = cert_sets_find(certs, host);
		auth = edge_certs_client_auth(certs, host);
	}
	if (set == NULL && certs->refuse_nameless)
		return GNUTLS_E_UNRECOGNIZED_NAME;
	if (set == NULL)
		set = certs->nameless;
	ret = edge_client_auth_begin(auth, session, certs->tls.tickets, verify_client,
				     &handshake->client);
	if (ret < 0)
		return ret;
	credentials = auth != NULL ? cert_sets_asking(certs, set, auth) : set->credentials;
	if (credentials == certs->tls.credentials)
		return 0;
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
}

/* Without `self`: of all sites. */
static bool load_clients(struct edge_certs *certs, const struct cfg_fleet *fleet,
			 const struct cfg_edge *self, wall_time now, struct diag *diag)
{
	certs->clients = edge_client_auths_create(fleet, self, now, diag);
	return certs->clients != NULL;
}

static bool load_own(struct edge_certs *certs, const struct cfg_fleet *fleet,
		     const struct cfg_edge *self, struct edge_cert_store *store, wall_time now,
		     struct diag *diag)
{
	bool ok = load_all(certs, fleet, self, store, now, diag);

	if (certs->n_certs > 0 || !cfg_edge_takes_clients(self))
		return ok;
	complain_no_site(self, diag);
	return false;
}

/* By their names in ALPN, each once; how many. */
static unsigned name_protocols(const struct cfg_uints *protocols, gnutls_datum_t *names)
{
	static const struct span known[] = {
	    [CFG_PROTOCOL_H2] = SPAN("h2"),
	    [CFG_PROTOCOL_HTTP1] = SPAN("http/1.1"),
	};
	bool named[CFG_PROTOCOLS] = {false};
	unsigned n = 0;

	for (unsigned i = 0; i < protocols->n; i++) {
		struct span name = known[protocols->v[i]];

		if (!named[protocols->v[i]])
			names[n++] = (gnutls_datum_t){(unsigned char *)name.p, (unsigned)name.n};
		named[protocols->v[i]] = true;
	}
	return n;
}

/* Whether the library was built with it is known only when it is tried. */
static bool has_compression(gnutls_compression_method_t method)
{
	gnutls_session_t session;
	int ret;

	CHECK(gnutls_init(&session, GNUTLS_SERVER) == 0);
	ret = gnutls_compress_certificate_set_methods(session, &method, 1);
	gnutls_deinit(session);
	return ret == 0;
}

/* Those that can be used, each once; how many. Warns of the others. */
static unsigned choose_compressions(const struct cfg_fleet *fleet,
				    gnutls_compression_method_t *methods, struct diag *diag)
{
	static const struct {
		const char *name;
		gnutls_compression_method_t method;
	} known[] = {
	    [CFG_CERTIFICATE_ZLIB] = {"zlib", GNUTLS_COMP_ZLIB},
	    [CFG_CERTIFICATE_BROTLI] = {"brotli", GNUTLS_COMP_BROTLI},
	    [CFG_CERTIFICATE_ZSTD] = {"zstd", GNUTLS_COMP_ZSTD},
	};
	const struct cfg_uints *wanted = &fleet->tls.certificate_compression;
	bool met[CFG_CERTIFICATE_COMPRESSIONS] = {false};
	unsigned n = 0;

	for (unsigned i = 0; i < wanted->n; i++) {
		unsigned which = wanted->v[i];

		if (met[which])
			continue;
		met[which] = true;
		if (has_compression(known[which].method))
			methods[n++] = known[which].method;
		else
			diag_warn(diag, (struct cfg_place){.file = fleet->file},
				  "tls.certificate_compression: this GnuTLS has no %s",
				  known[which].name);
	}
	return n;
}

struct edge_certs *edge_certs_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				     struct edge_keys *keys, struct edge_cert_store *store,
				     const struct edge_tickets *tickets, wall_time now,
				     struct diag *diag)
{
	struct edge_certs *certs = xcalloc(1, sizeof(*certs));
	char *error;
	bool ok;

	certs->keys = keys;
	certs->by_name = edge_host_table_create();
	ok = load_own(certs, fleet, self, store, now, diag);
	ok &= load_clients(certs, fleet, self, now, diag);
	if (!ok) {
		edge_certs_destroy(&certs);
		return NULL;
	}
	if (certs->n_certs > 0) {
		cert_sets_build(certs);
		list_client_hosts(certs, fleet, self);
		cert_sets_build_asking(certs);
		warn_uncovered(certs, fleet, self, diag);
	}
	certs->priority = tls_profile_create(fleet->tls.profile, &error);
	CHECK(certs->priority != NULL); /* it was tried when it was read */
	certs->refuse_nameless = fleet->tls.unknown_host == CFG_UNKNOWN_HOST_REFUSE;
	certs->tls.compressions = certs->compressions;
	certs->tls.n_compressions = choose_compressions(fleet, certs->compressions, diag);
	certs->tls.alpn = certs->alpn;
	certs->tls.n_alpn = name_protocols(&fleet->http.protocols, certs->alpn);
	certs->tls.priority = certs->priority;
	if (tickets != NULL)
		edge_tickets_serve(tickets, &certs->tls);
	certs->tls.client_hello = choose_credentials;
	certs->tls.certificate_verify = verify_client;
	certs->tls.finished = finish;
	certs->tls.slow_keys = edge_keys_are_elsewhere(keys);
	certs->tls.user = certs;
	return certs;
}

/* What edge_certs_create() would say there, of each edge. */
static void check_edges(const struct cfg_fleet *fleet, struct diag *diag)
{
	bool *serves = xcalloc(fleet->n_edges + 1, sizeof(*serves));
	const struct cfg_edge *const *last = NULL;

	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		/* Most share one of all edges, and each list is long. */
		if (site->edges == last)
			continue;
		last = site->edges;
		for (unsigned e = 0; e < site->n_edges; e++)
			serves[site->edges[e]->id] = true;
	}
	for (unsigned e = 0; e < fleet->n_edges; e++) {
		if (!serves[e] && cfg_edge_takes_clients(&fleet->edges[e]))
			complain_no_site(&fleet->edges[e], diag);
	}
	free(serves);
}

void edge_certs_check(const struct cfg_fleet *fleet, const struct cfg_edge *self, bool whole,
		      struct edge_keys *keys, wall_time now, struct diag *diag)
{
	struct edge_certs *certs = xcalloc(1, sizeof(*certs));
	bool ok;

	certs->keys = keys;
	certs->by_name = edge_host_table_create();
	if (self == NULL)
		check_edges(fleet, diag);
	ok = self != NULL && whole ? load_own(certs, fleet, self, NULL, now, diag)
				   : load_all(certs, fleet, self, NULL, now, diag);
	load_clients(certs, fleet, self, now, diag);
	if (ok && whole && certs->n_certs > 0) {
		cert_sets_build(certs);
		warn_uncovered(certs, fleet, self, diag);
	}
	edge_certs_destroy(&certs);
}

void edge_certs_destroy(struct edge_certs **certsp)
{
	struct edge_certs *certs = TAKE(certsp);

	if (certs == NULL)
		return;
	cert_sets_free(certs);
	for (unsigned i = 0; i < certs->n_certs; i++)
		cert_pair_unref(&certs->certs[i].pair);
	free(certs->certs);
	edge_host_table_destroy(&certs->client_hosts);
	edge_client_auths_destroy(&certs->clients);
	edge_host_table_destroy(&certs->by_name);
	if (certs->priority != NULL)
		gnutls_priority_deinit(certs->priority);
	free(certs);
}

const struct tls_server *edge_certs_tls(const struct edge_certs *certs)
{
	return &certs->tls;
}

unsigned edge_certs_count(const struct edge_certs *certs)
{
	return certs->n_certs;
}

struct staple *edge_certs_staple(const struct edge_certs *certs, unsigned i)
{
	return certs->certs[i].pair->staple;
}
