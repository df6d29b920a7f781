/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading: every certificate file is read, once however many sites name it, checked against its
 * key, and asked for its names. A name is served by the first certificate of each key type (the
 * algorithm and its curve) that is for the name itself, and where there is none of a type by that
 * of the wildcard above it. Each distinct set of certificates becomes one gnutls credentials
 * object, and the table of names points to it.
 */
#include "edge/tls/certs.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/progress.h"
#include "core/net/tls.h"
#include "core/net/tls_profile.h"
#include "edge/tls/host_table.h"

struct cert {
	const struct cfg_site *site; /* the first that names its files */
	/* Until the sets are built. */
	struct file pem, key;
	gnutls_certificate_credentials_t credentials; /* of it alone; NULL: a set has taken them */
	unsigned set; /* one more than the last that begins with it */
	char **names;
	unsigned n_names;
	/* Its key's type: a client may know an algorithm and not the curve. That GnuTLS minds in
	 * TLS 1.3, where a signature scheme names both; in TLS 1.2 it takes the first of them. */
	int algorithm;            /* gnutls_pk_algorithm_t */
	gnutls_ecc_curve_t curve; /* GNUTLS_ECC_CURVE_INVALID: none */
	time_t not_after;
};

/* Certificates for one name, one of each key type; or for no name in particular. */
struct cert_set {
	unsigned *certs;
	unsigned n;
	unsigned next; /* one more than another that begins with the same certificate; 0: none */
	gnutls_certificate_credentials_t credentials;
};

struct edge_certs {
	struct cert *certs;
	unsigned n_certs;
	struct cert_set **sets;
	unsigned n_sets;
	struct edge_host_table *by_name; /* of sets */
	const struct cert_set *nameless; /* for who names nobody, or nobody whom we know */
	gnutls_priority_t priority;
	gnutls_datum_t alpn[CFG_PROTOCOLS];
	struct tls_server tls;
};

static bool read_file(const char *path, struct cfg_place place, struct file *out, struct diag *diag)
{
	char *error = file_read(out, path, TLS_PEM_MAX);

	if (error == NULL)
		return true;
	diag_add(diag, place, "%s %s", path, error);
	free(error);
	return false;
}

/* Borrowed. */
static gnutls_datum_t datum_of(const struct file *file)
{
	return (gnutls_datum_t){(unsigned char *)file->data, (unsigned)file->len};
}

static void add_name(struct cert *cert, const char *name)
{
	cert->names = xreallocarray(cert->names, cert->n_names + 1, sizeof(*cert->names));
	cert->names[cert->n_names++] = xstrdup(name);
}

/* The DNS names of the certificate; the common name only when there is no alternative name. */
static void read_names(struct cert *cert, gnutls_x509_crt_t crt)
{
	char name[256];
	size_t size;
	int type;

	for (unsigned i = 0;; i++) {
		size = sizeof(name) - 1;
		type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (type == GNUTLS_SAN_DNSNAME) {
			name[size] = '\0';
			add_name(cert, name);
		}
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			break;
	}
	size = sizeof(name);
	if (cert->n_names == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0)
		add_name(cert, name);
}

/* What only building needs. */
static void forget_secrets(struct cert *cert)
{
	file_wipe(&cert->pem);
	file_wipe(&cert->key);
	if (cert->credentials != NULL)
		gnutls_certificate_free_credentials(cert->credentials);
	cert->credentials = NULL;
}

static int set_key(gnutls_certificate_credentials_t credentials, const struct cert *cert)
{
	const gnutls_datum_t pem = datum_of(&cert->pem), key = datum_of(&cert->key);

	return gnutls_certificate_set_x509_key_mem2(credentials, &pem, &key, GNUTLS_X509_FMT_PEM,
						    NULL, 0);
}

static void complain_key(const struct cert *cert, const struct cfg_certificate *cfg, int error,
			 struct diag *diag)
{
	const gnutls_datum_t pem = datum_of(&cert->key);
	gnutls_privkey_t key;
	int ret;

	CHECK(gnutls_privkey_init(&key) == 0);
	ret = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_privkey_deinit(key);
	if (ret != 0)
		diag_add(diag, cfg->place, "%s is not a private key in PEM: %s", cfg->key,
			 gnutls_strerror(ret));
	else if (error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		diag_add(diag, cfg->place, "the key %s does not match the certificate %s", cfg->key,
			 cfg->certificate);
	else
		diag_add(diag, cfg->place, "cannot use %s with %s: %s", cfg->certificate, cfg->key,
			 gnutls_strerror(error));
}

/* The certificate and its key belong together and GnuTLS takes them; else the reason in `diag`. To
 * find out costs a signature, so the credentials are kept for the set that has nothing else. */
static bool check_key(struct cert *cert, const struct cfg_certificate *cfg, struct diag *diag)
{
	int ret;

	CHECK(gnutls_certificate_allocate_credentials(&cert->credentials) == 0);
	ret = set_key(cert->credentials, cert);
	if (ret < 0)
		complain_key(cert, cfg, ret, diag);
	return ret >= 0;
}

static void check_dates(const struct cert *cert, gnutls_x509_crt_t crt,
			const struct cfg_certificate *cfg, wall_time now, struct diag *diag)
{
	time_t t = (time_t)(now.ns / 1000000000);

	if (cert->not_after < t)
		diag_warn(diag, cfg->place, "certificate %s has expired", cfg->certificate);
	else if (gnutls_x509_crt_get_activation_time(crt) > t)
		diag_warn(diag, cfg->place, "certificate %s is not valid yet", cfg->certificate);
}

static void read_key_type(struct cert *cert, gnutls_x509_crt_t crt)
{
	cert->algorithm = gnutls_x509_crt_get_pk_algorithm(crt, NULL);
	if (gnutls_x509_crt_get_pk_ecc_raw(crt, &cert->curve, NULL, NULL) != 0)
		cert->curve = GNUTLS_ECC_CURVE_INVALID;
}

static bool load_cert(struct cert *cert, const struct cfg_certificate *cfg, wall_time now,
		      struct diag *diag)
{
	gnutls_x509_crt_t *chain = NULL;
	gnutls_datum_t pem;
	unsigned n = 0;
	bool readable, ok;
	int ret;

	readable = read_file(cfg->certificate, cfg->place, &cert->pem, diag);
	readable &= read_file(cfg->key, cfg->place, &cert->key, diag);
	if (!readable)
		return false;
	pem = datum_of(&cert->pem);
	ret = gnutls_x509_crt_list_import2(&chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (ret < 0) {
		diag_add(diag, cfg->place, "%s holds no certificate in PEM: %s", cfg->certificate,
			 gnutls_strerror(ret));
		return false;
	}
	read_key_type(cert, chain[0]);
	cert->not_after = gnutls_x509_crt_get_expiration_time(chain[0]);
	read_names(cert, chain[0]);
	ok = check_key(cert, cfg, diag);
	if (ok)
		check_dates(cert, chain[0], cfg, now, diag);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return ok;
}

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
		ok &= load_cert(cert, &site->certificates[c], now, diag);
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

static gnutls_certificate_credentials_t credentials_of(struct edge_certs *certs,
						       const unsigned *members, unsigned n)
{
	gnutls_certificate_credentials_t credentials = certs->certs[members[0]].credentials;

	if (n == 1) {
		certs->certs[members[0]].credentials = NULL;
		return credentials;
	}
	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	for (unsigned i = 0; i < n; i++)
		CHECK(set_key(credentials, &certs->certs[members[i]]) >= 0);
	return credentials;
}

/* Credentials of exactly these certificates; made when there are none yet. */
static const struct cert_set *set_of(struct edge_certs *certs, const unsigned *members, unsigned n)
{
	struct cert *first = &certs->certs[members[0]];
	struct cert_set *set;

	for (unsigned i = first->set; i != 0; i = set->next) {
		set = certs->sets[i - 1];
		if (set->n == n && memcmp(set->certs, members, n * sizeof(*members)) == 0)
			return set;
	}
	certs->sets = xreallocarray(certs->sets, certs->n_sets + 1, sizeof(*certs->sets));
	set = certs->sets[certs->n_sets++] = xcalloc(1, sizeof(*set));
	set->n = n;
	set->certs = xreallocarray(NULL, n, sizeof(*members));
	memcpy(set->certs, members, n * sizeof(*members));
	set->next = first->set;
	first->set = certs->n_sets;
	set->credentials = credentials_of(certs, members, n);
	return set;
}

struct name_of_cert {
	const char *name;
	unsigned cert;
};

static int by_name_then_order(const void *a, const void *b)
{
	const struct name_of_cert *x = a, *y = b;
	int order = strcasecmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->cert < y->cert ? -1 : x->cert > y->cert;
}

/* Certificates that one client may be shown: one of each key type, the first that was added. */
struct choice {
	unsigned *certs; /* room for all */
	unsigned n;
};

static bool are_of_one_key_type(const struct cert *a, const struct cert *b)
{
	return a->algorithm == b->algorithm && a->curve == b->curve;
}

static void add_choice(struct choice *choice, const struct edge_certs *certs, unsigned cert)
{
	for (unsigned i = 0; i < choice->n; i++) {
		if (are_of_one_key_type(&certs->certs[choice->certs[i]], &certs->certs[cert]))
			return;
	}
	choice->certs[choice->n++] = cert;
}

/* Every name of every certificate, in order. */
struct names {
	struct name_of_cert *v;
	unsigned n;
};

static struct names all_names(const struct edge_certs *certs)
{
	struct names names = {0};
	unsigned n = 0;

	for (unsigned c = 0; c < certs->n_certs; c++)
		n += certs->certs[c].n_names;
	names.v = xcalloc(n + 1, sizeof(*names.v));
	for (unsigned c = 0; c < certs->n_certs; c++) {
		for (unsigned i = 0; i < certs->certs[c].n_names; i++)
			names.v[names.n++] = (struct name_of_cert){certs->certs[c].names[i], c};
	}
	qsort(names.v, names.n, sizeof(*names.v), by_name_then_order);
	return names;
}

/* Those that are for `name`, without a look at wildcards; the index after them, from `from` on. */
static unsigned add_named(struct choice *choice, const struct edge_certs *certs,
			  const struct names *names, unsigned from, const char *name)
{
	for (; from < names->n && strcasecmp(names->v[from].name, name) == 0; from++)
		add_choice(choice, certs, names->v[from].cert);
	return from;
}

static int compare_name(const void *name, const void *entry)
{
	return strcasecmp(name, ((const struct name_of_cert *)entry)->name);
}

/* Of the key types that are missing yet, those of the wildcard that covers `name`. */
static void add_wildcard(struct choice *choice, const struct edge_certs *certs,
			 const struct names *names, const char *name)
{
	const char *rest = strchr(name, '.');
	const struct name_of_cert *found;
	char *wildcard;

	if (rest == NULL || name[0] == '*')
		return;
	wildcard = xasprintf("*%s", rest);
	found = bsearch(wildcard, names->v, names->n, sizeof(*names->v), compare_name);
	while (found != NULL && found > names->v && compare_name(wildcard, found - 1) == 0)
		found--;
	if (found != NULL)
		add_named(choice, certs, names, (unsigned)(found - names->v), wildcard);
	free(wildcard);
}

static void build_names(struct edge_certs *certs)
{
	struct names names = all_names(certs);
	struct choice choice = {.certs = xcalloc(certs->n_certs, sizeof(*choice.certs))};

	for (unsigned start = 0, end; start < names.n; start = end) {
		const char *name = names.v[start].name;

		choice.n = 0;
		end = add_named(&choice, certs, &names, start, name);
		add_wildcard(&choice, certs, &names, name);
		edge_host_table_add(certs->by_name, span_of(name),
				    set_of(certs, choice.certs, choice.n));
	}
	choice.n = 0;
	for (unsigned c = 0; c < certs->n_certs; c++)
		add_choice(&choice, certs, c);
	certs->nameless = set_of(certs, choice.certs, choice.n);
	certs->tls.credentials = certs->nameless->credentials;
	free(names.v);
	free(choice.certs);
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

/* Called by GnuTLS in the middle of a worker's handshake. */
static int choose_credentials(gnutls_session_t session)
{
	const struct edge_certs *certs = tls_session_server(session)->user;
	gnutls_certificate_credentials_t credentials;
	char name[256];
	size_t len = sizeof(name) - 1;
	unsigned type;

	if (gnutls_server_name_get(session, name, &len, &type, 0) != 0 || type != GNUTLS_NAME_DNS)
		return 0;
	credentials = edge_certs_find(certs, (struct span){name, strnlen(name, len)});
	if (credentials == NULL || credentials == certs->tls.credentials)
		return 0;
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
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
				     const gnutls_datum_t *ticket_key, wall_time now,
				     struct diag *diag)
{
	struct edge_certs *certs = xcalloc(1, sizeof(*certs));
	char *error;

	certs->by_name = edge_host_table_create();
	if (!load_own(certs, fleet, self, now, diag)) {
		edge_certs_destroy(&certs);
		return NULL;
	}
	build_names(certs);
	for (unsigned i = 0; i < certs->n_certs; i++)
		forget_secrets(&certs->certs[i]);
	warn_uncovered(certs, fleet, self, diag);
	certs->priority = tls_profile_create(fleet->tls.profile, &error);
	CHECK(certs->priority != NULL); /* it was tried when it was read */
	certs->tls.alpn = certs->alpn;
	certs->tls.n_alpn = name_protocols(&fleet->http.protocols, certs->alpn);
	certs->tls.priority = certs->priority;
	certs->tls.ticket_key = *ticket_key;
	certs->tls.client_hello = choose_credentials;
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
		      wall_time now, struct diag *diag)
{
	struct edge_certs *certs = xcalloc(1, sizeof(*certs));
	bool ok;

	certs->by_name = edge_host_table_create();
	if (self == NULL)
		check_edges(fleet, diag);
	ok = self != NULL && whole ? load_own(certs, fleet, self, now, diag)
				   : load_all(certs, fleet, self, now, diag);
	if (ok && whole && certs->n_certs > 0) {
		build_names(certs);
		warn_uncovered(certs, fleet, self, diag);
	}
	edge_certs_destroy(&certs);
}

void edge_certs_destroy(struct edge_certs **certsp)
{
	struct edge_certs *certs = TAKE(certsp);

	if (certs == NULL)
		return;
	for (unsigned i = 0; i < certs->n_certs; i++) {
		struct cert *cert = &certs->certs[i];

		forget_secrets(cert);
		for (unsigned n = 0; n < cert->n_names; n++)
			free(cert->names[n]);
		free(cert->names);
	}
	free(certs->certs);
	for (unsigned i = 0; i < certs->n_sets; i++) {
		gnutls_certificate_free_credentials(certs->sets[i]->credentials);
		free(certs->sets[i]->certs);
		free(certs->sets[i]);
	}
	free(certs->sets);
	edge_host_table_destroy(&certs->by_name);
	if (certs->priority != NULL)
		gnutls_priority_deinit(certs->priority);
	free(certs);
}

const struct tls_server *edge_certs_tls(const struct edge_certs *certs)
{
	return &certs->tls;
}

static const struct cert_set *find_set(const struct edge_certs *certs, struct span name)
{
	return edge_host_table_find(certs->by_name, name, EDGE_WILDCARD_ONE_LABEL);
}

gnutls_certificate_credentials_t edge_certs_find(const struct edge_certs *certs, struct span name)
{
	const struct cert_set *set = find_set(certs, name);

	return set != NULL ? set->credentials : NULL;
}

/* RFC 6125 section 6.4.3: a wildcard stands for one label, the first. */
static bool is_for(const struct cert *cert, struct span host)
{
	const char *dot = memchr(host.p, '.', host.n);
	struct span rest = {dot, dot != NULL ? host.n - (size_t)(dot - host.p) : 0};

	for (unsigned i = 0; i < cert->n_names; i++) {
		struct span name = span_of(cert->names[i]);

		if (span_equal_nocase(name, host))
			return true;
		if (dot > host.p && name.n > 1 && name.p[0] == '*' &&
		    span_equal_nocase((struct span){name.p + 1, name.n - 1}, rest))
			return true;
	}
	return false;
}

bool edge_certs_allow(const struct edge_certs *certs, struct span sni, struct span host)
{
	const struct cert_set *shown = find_set(certs, sni), *wanted = find_set(certs, host);

	if (shown == NULL)
		shown = certs->nameless;
	if (wanted == NULL || wanted == shown)
		return true;
	if (host.p[host.n - 1] == '.')
		host.n--;
	for (unsigned i = 0; i < shown->n; i++) {
		if (!is_for(&certs->certs[shown->certs[i]], host))
			return false;
	}
	return true;
}

json_t *edge_certs_status(const struct edge_certs *certs)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < certs->n_certs; i++) {
		const struct cert *cert = &certs->certs[i];
		json_t *names = json_array();
		char not_after[32];
		struct tm tm;

		for (unsigned n = 0; n < cert->n_names; n++)
			json_array_append_new(names, json_string(cert->names[n]));
		gmtime_r(&cert->not_after, &tm);
		strftime(not_after, sizeof(not_after), "%Y-%m-%dT%H:%M:%SZ", &tm);
		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s}", "site",
						      cert->site->name, "names", names, "key",
						      gnutls_pk_algorithm_get_name(cert->algorithm),
						      "not_after", not_after));
	}
	return list;
}
