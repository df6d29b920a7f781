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
#include "core/net/tls.h"
#include "core/net/tls_profile.h"
#include "edge/tls/certs_internal.h"
#include "edge/tls/host_table.h"

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

static bool load_site(struct edge_certs *certs, const struct cfg_site *site, void **seen,
		      wall_time now, struct diag *diag)
{
	bool ok = true;

	for (unsigned c = 0; c < site->n_certificates; c++) {
		struct cert *cert;

		if (!is_new(seen, &site->certificates[c]))
			continue;
		certs->certs =
		    xreallocarray(certs->certs, certs->n_certs + 1, sizeof(*certs->certs));
		cert = &certs->certs[certs->n_certs++];
		*cert = (struct cert){.site = site};
		ok &= cert_load(cert, certs->keys, &site->certificates[c], now, diag);
	}
	return ok;
}

static void complain_no_site(const struct cfg_edge *edge, struct diag *diag)
{
	diag_add(diag, edge->place, "edge %s serves no site that has a certificate", edge->name);
}

/* Without `self`: of all sites. */
static bool load_all(struct edge_certs *certs, const struct cfg_fleet *fleet,
		     const struct cfg_edge *self, wall_time now, struct diag *diag)
{
	void *seen = NULL;
	bool ok = true;

	for (unsigned s = 0; s < fleet->n_sites; s++) {
		progress_say("certificates of sites, %u of %u", s + 1, fleet->n_sites);
		if (self == NULL || cfg_site_is_served_by(&fleet->sites[s], self))
			ok &= load_site(certs, &fleet->sites[s], &seen, now, diag);
	}
	tdestroy(seen, keep);
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

/* Called by GnuTLS in the middle of a handshake, for each ClientHello. */
static int choose_credentials(gnutls_session_t session)
{
	const struct edge_certs *certs = tls_session_server(session)->user;
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
		auth = edge_client_auths_find(certs->clients, host);
	}
	if (set == NULL)
		set = certs->nameless;
	ret = edge_client_auth_begin(auth, session, certs->tls.tickets);
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
		     const struct cfg_edge *self, wall_time now, struct diag *diag)
{
	bool ok = load_all(certs, fleet, self, now, diag);

	if (certs->n_certs > 0)
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

struct edge_certs *edge_certs_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				     struct edge_keys *keys, const struct tls_tickets *tickets,
				     wall_time now, struct diag *diag)
{
	struct edge_certs *certs = xcalloc(1, sizeof(*certs));
	char *error;
	bool ok;

	certs->keys = keys;
	certs->by_name = edge_host_table_create();
	ok = load_own(certs, fleet, self, now, diag);
	ok &= load_clients(certs, fleet, self, now, diag);
	if (!ok) {
		edge_certs_destroy(&certs);
		return NULL;
	}
	cert_sets_build(certs);
	cert_sets_build_asking(certs);
	for (unsigned i = 0; i < certs->n_certs; i++)
		cert_forget_secrets(&certs->certs[i]);
	warn_uncovered(certs, fleet, self, diag);
	certs->priority = tls_profile_create(fleet->tls.profile, &error);
	CHECK(certs->priority != NULL); /* it was tried when it was read */
	certs->tls.alpn = certs->alpn;
	certs->tls.n_alpn = name_protocols(&fleet->http.protocols, certs->alpn);
	certs->tls.priority = certs->priority;
	certs->tls.tickets = tickets;
	certs->tls.client_hello = choose_credentials;
	certs->tls.finished = edge_client_auth_finish;
	certs->tls.slow_keys = edge_keys_are_elsewhere(keys);
	certs->tls.user = certs;
	return certs;
}

/* What edge_certs_create() would say there, of each edge. */
static void check_edges(const struct cfg_fleet *fleet, struct diag *diag)
{
	bool *serves = xcalloc(fleet->n_edges + 1, sizeof(*serves));

	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		/* One that all edges serve, as most are: a look at each list would take too long.
		 */
		if (site->n_edges == fleet->n_edges) {
			free(serves);
			return;
		}
		for (unsigned e = 0; e < site->n_edges; e++)
			serves[site->edges[e]->id] = true;
	}
	for (unsigned e = 0; e < fleet->n_edges; e++) {
		if (!serves[e])
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
	ok = self != NULL && whole ? load_own(certs, fleet, self, now, diag)
				   : load_all(certs, fleet, self, now, diag);
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
	for (unsigned i = 0; i < certs->n_certs; i++)
		cert_free(&certs->certs[i]);
	free(certs->certs);
	cert_sets_free(certs);
	edge_client_auths_destroy(&certs->clients);
	edge_host_table_destroy(&certs->by_name);
	if (certs->priority != NULL)
		gnutls_priority_deinit(certs->priority);
	free(certs);
}

const struct edge_client_auths *edge_certs_clients(const struct edge_certs *certs)
{
	return certs->clients;
}

const struct tls_server *edge_certs_tls(const struct edge_certs *certs)
{
	return &certs->tls;
}
