/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading: the authorities and the lists of revoked certificates that sites name are read, once
 * however many sites name them, and said to be wrong or doubtful.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/progress.h"
#include "core/net/tls.h"
#include "edge/clients/client_auth_internal.h"

/* RFC 5246 section 7.4.4, RFC 8446 section 4.2.4: of the names in a request, each with its length
 * in two bytes; in TLS 1.3 the length of all is within the extension. */
#define NAMES_MAX (65535 - 2)

struct edge_client_auths {
	struct edge_client_auth **v;
	unsigned n;
	struct client_trust **trusts;
	unsigned n_trusts;
};

/* What complaints are about. */
struct complaint {
	const struct cfg_site *site;
	struct diag *diag;
};

/* The authorities */

static bool read_cas(struct client_trust *trust, const struct file *pem, const struct complaint *c)
{
	gnutls_datum_t data = {(unsigned char *)pem->data, (unsigned)pem->len};
	int ret;

	ret =
	    gnutls_x509_crt_list_import2(&trust->cas, &trust->n_cas, &data, GNUTLS_X509_FMT_PEM, 0);
	if (ret >= 0)
		return true;
	diag_add(c->diag, c->site->place, "%s holds no certificate in PEM: %s", trust->ca_file,
		 gnutls_strerror(ret));
	return false;
}

static bool name_sizes_fit(const struct client_trust *trust, const struct complaint *c)
{
	size_t size = 0;

	for (unsigned i = 0; i < trust->n_cas; i++) {
		gnutls_datum_t name = {0};

		if (gnutls_x509_crt_get_raw_dn(trust->cas[i], &name) == 0)
			size += name.size + 2;
		gnutls_free(name.data);
	}
	if (size <= NAMES_MAX)
		return true;
	diag_add(c->diag, c->site->place,
		 "%s: the names of its %u authorities, which clients are told, have %zu bytes; no "
		 "more than %u can be told",
		 trust->ca_file, trust->n_cas, size, NAMES_MAX);
	return false;
}

/* A certificate's name, malloc'd. */
static char *name_of(gnutls_x509_crt_t crt)
{
	gnutls_datum_t name = {0};
	char *text;

	if (gnutls_x509_crt_get_dn3(crt, &name, 0) < 0)
		name.data = NULL;
	text = xstrdup(name.data != NULL ? (char *)name.data : "");
	gnutls_free(name.data);
	return text;
}

static void warn_of_cas(const struct client_trust *trust, wall_time now, const struct complaint *c)
{
	time_t t = (time_t)(now.ns / 1000000000);

	for (unsigned i = 0; i < trust->n_cas; i++) {
		char *name = name_of(trust->cas[i]);

		if (gnutls_x509_crt_get_expiration_time(trust->cas[i]) < t)
			diag_warn(c->diag, c->site->place, "%s: the authority \"%s\" has expired",
				  trust->ca_file, name);
		if (trust->revoked != NULL && !revoked_has(trust->revoked, trust->cas[i]))
			diag_warn(c->diag, c->site->place,
				  "%s has no list of the authority \"%s\": no certificate of it "
				  "is valid",
				  trust->crl_file, name);
		free(name);
	}
}

static bool load_cas(struct client_trust *trust, const struct file *pem, const struct complaint *c)
{
	if (!read_cas(trust, pem, c) || !name_sizes_fit(trust, c))
		return false;
	CHECK(gnutls_x509_trust_list_init(&trust->list, trust->n_cas) == 0);
	CHECK(gnutls_x509_trust_list_add_cas(trust->list, trust->cas, trust->n_cas, 0) ==
	      (int)trust->n_cas);
	return true;
}

/* The lists of what is revoked */

static bool load_revoked(struct client_trust *trust, const struct file *pem, wall_time now,
			 const struct complaint *c)
{
	char *error;

	trust->revoked = revoked_create(pem, trust->cas, trust->n_cas, &error);
	if (trust->revoked == NULL) {
		diag_add(c->diag, c->site->place, "%s %s", trust->crl_file, error);
		free(error);
		return false;
	}
	if (revoked_until(trust->revoked).ns < now.ns)
		diag_warn(c->diag, c->site->place,
			  "%s has a list that is out of date: no certificate is valid by it",
			  trust->crl_file);
	return true;
}

/* Both */

static bool read_file(const char *path, size_t max, struct file *out, const struct complaint *c)
{
	char *error = file_read(out, path, max);

	if (error == NULL)
		return true;
	diag_add(c->diag, c->site->place, "%s %s", path, error);
	free(error);
	return false;
}

static void digest(unsigned char *out, const struct file *files, unsigned n)
{
	gnutls_hash_hd_t hash;

	CHECK(gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) == 0);
	for (unsigned i = 0; i < n; i++) {
		uint64_t len = files[i].len;

		CHECK(gnutls_hash(hash, &len, sizeof(len)) == 0);
		CHECK(len == 0 || gnutls_hash(hash, files[i].data, files[i].len) == 0);
	}
	gnutls_hash_deinit(hash, out);
}

static bool load_trust(struct client_trust *trust, wall_time now, const struct complaint *c)
{
	struct file files[2] = {{0}};
	bool ok = read_file(trust->ca_file, TLS_PEM_MAX, &files[0], c);

	if (trust->crl_file != NULL)
		ok &= read_file(trust->crl_file, REVOKED_FILE_MAX, &files[1], c);
	ok = ok && load_cas(trust, &files[0], c);
	if (ok && trust->crl_file != NULL)
		ok = load_revoked(trust, &files[1], now, c);
	if (ok) {
		warn_of_cas(trust, now, c);
		digest(trust->digest, files, 2);
	}
	file_wipe(&files[0]);
	file_wipe(&files[1]);
	return ok;
}

static void free_trust(struct client_trust *trust)
{
	revoked_destroy(&trust->revoked);
	if (trust->list != NULL)
		gnutls_x509_trust_list_deinit(trust->list, 0);
	for (unsigned i = 0; i < trust->n_cas; i++)
		gnutls_x509_crt_deinit(trust->cas[i]);
	gnutls_free(trust->cas);
	free(trust);
}

static int compare_files(const void *left, const void *right)
{
	const struct client_trust *a = left, *b = right;
	int order = strcmp(a->ca_file, b->ca_file);

	return order != 0 ? order
			  : strcmp(a->crl_file ? a->crl_file : "", b->crl_file ? b->crl_file : "");
}

/* Sites */

/* RFC 9110 knows no site: what makes two of them differ is the name that the operator has given. */
static void make_rules(struct edge_client_auth *auth)
{
	const struct cfg_client_certificates *cfg = &auth->site->client_certificates;
	const unsigned char mode = (unsigned char)cfg->mode;
	gnutls_hash_hd_t hash;

	CHECK(gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) == 0);
	CHECK(gnutls_hash(hash, auth->trust->digest, sizeof(auth->trust->digest)) == 0);
	CHECK(gnutls_hash(hash, &mode, 1) == 0);
	CHECK(gnutls_hash(hash, auth->site->name, strlen(auth->site->name)) == 0);
	gnutls_hash_deinit(hash, auth->rules);
}

struct loader {
	struct edge_client_auths *auths;
	void *seen; /* trusts, by their files */
	wall_time now;
	struct diag *diag;
};

/* NULL when it cannot be loaded, which is said once. */
static const struct client_trust *trust_of(struct loader *l, const struct cfg_site *site, bool *ok)
{
	const struct complaint complaint = {site, l->diag};
	struct edge_client_auths *auths = l->auths;
	struct client_trust *trust = xcalloc(1, sizeof(*trust)), **first;

	trust->ca_file = site->client_certificates.ca_file;
	trust->crl_file = site->client_certificates.crl_file;
	first = tsearch(trust, &l->seen, compare_files);
	CHECK(first != NULL);
	if (*first != trust) {
		free(trust);
		return *first;
	}
	auths->trusts = xreallocarray(auths->trusts, auths->n_trusts + 1, sizeof(*auths->trusts));
	auths->trusts[auths->n_trusts++] = trust;
	*ok &= load_trust(trust, l->now, &complaint);
	return trust;
}

static void add_auth(struct loader *l, const struct cfg_site *site, bool *ok)
{
	struct edge_client_auths *auths = l->auths;
	struct edge_client_auth *auth;

	if (site->client_certificates.mode == CFG_CLIENT_CERTIFICATES_OFF)
		return;
	auth = xcalloc(1, sizeof(*auth));
	auth->site = site;
	auth->index = auths->n;
	auth->trust = trust_of(l, site, ok);
	make_rules(auth);
	auths->v = xreallocarray(auths->v, auths->n + 1, sizeof(struct edge_client_auth *));
	auths->v[auths->n++] = auth;
}

static void keep(void *trust)
{
}

struct edge_client_auths *edge_client_auths_create(const struct cfg_fleet *fleet,
						   const struct cfg_edge *self, wall_time now,
						   struct diag *diag)
{
	struct loader loader = {.now = now, .diag = diag};
	struct edge_client_auths *auths = xcalloc(1, sizeof(*auths));
	bool ok = true;

	loader.auths = auths;
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		progress_say("authorities of clients, site %u of %u", s + 1, fleet->n_sites);
		if (self == NULL || cfg_site_is_served_by(site, self))
			add_auth(&loader, site, &ok);
	}
	tdestroy(loader.seen, keep);
	if (!ok)
		edge_client_auths_destroy(&auths);
	return auths;
}

void edge_client_auths_destroy(struct edge_client_auths **authsp)
{
	struct edge_client_auths *auths = TAKE(authsp);

	if (auths == NULL)
		return;
	for (unsigned i = 0; i < auths->n; i++)
		free(auths->v[i]);
	free(auths->v);
	for (unsigned i = 0; i < auths->n_trusts; i++)
		free_trust(auths->trusts[i]);
	free(auths->trusts);
	free(auths);
}

unsigned edge_client_auths_count(const struct edge_client_auths *auths)
{
	return auths->n;
}

const struct edge_client_auth *edge_client_auths_get(const struct edge_client_auths *auths,
						     unsigned index)
{
	CHECK(index < auths->n);
	return auths->v[index];
}

/* They lie in the order of the fleet's sites. */
static int compare_site(const void *site, const void *element)
{
	const struct edge_client_auth *auth = *(struct edge_client_auth *const *)element;

	return ((const struct cfg_site *)site > auth->site) -
	       ((const struct cfg_site *)site < auth->site);
}

const struct edge_client_auth *edge_client_auths_of(const struct edge_client_auths *auths,
						    const struct cfg_site *site)
{
	struct edge_client_auth *const *found =
	    auths->n > 0
		? bsearch(site, auths->v, auths->n, sizeof(struct edge_client_auth *), compare_site)
		: NULL;

	return found != NULL ? *found : NULL;
}

unsigned edge_client_auth_index(const struct edge_client_auth *auth)
{
	return auth->index;
}

const struct cfg_site *edge_client_auth_site(const struct edge_client_auth *auth)
{
	return auth->site;
}

bool edge_client_auth_is_optional(const struct edge_client_auth *auth)
{
	return auth->site->client_certificates.mode == CFG_CLIENT_CERTIFICATES_OPTIONAL;
}

int edge_client_auth_name_authorities(const struct edge_client_auth *auth,
				      gnutls_certificate_credentials_t credentials)
{
	int ret = gnutls_certificate_set_x509_trust(credentials, auth->trust->cas,
						    (int)auth->trust->n_cas);

	return ret < 0 ? ret : 0;
}
