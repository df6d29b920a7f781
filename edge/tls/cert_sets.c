/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which certificates are shown together. A name is served by the first certificate of each key type
 * (the algorithm and its curve) that is for the name itself, and where there is none of a type by
 * that of the wildcard above it. Each distinct set of certificates becomes one gnutls credentials
 * object, and the table of names points to it; and one more for each site that asks clients for
 * certificates, with the names of the authorities that these are to come from. Built by the job
 * that loads, then only looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/tls/certs_internal.h"
#include "edge/tls/host_table.h"

static gnutls_certificate_credentials_t credentials_of(struct edge_certs *certs,
						       const struct cert_set *set,
						       const struct edge_client_auth *auth)
{
	gnutls_certificate_credentials_t credentials;

	if (set->borrowed)
		return certs->certs[set->certs[0]].pair->credentials;
	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	for (unsigned i = 0; i < set->n; i++)
		CHECK(cert_add_to(credentials, &certs->certs[set->certs[i]]) >= 0);
	if (auth != NULL)
		CHECK(edge_client_auth_name_authorities(auth, credentials) == 0);
	return credentials;
}

/* Among those from `next` on, which is one more than its index. */
static const struct cert_set *find_same(const struct edge_certs *certs, unsigned next,
					const unsigned *members, unsigned n)
{
	for (const struct cert_set *set; next != 0; next = set->next) {
		set = certs->sets[next - 1];
		if (set->n == n && memcmp(set->certs, members, n * sizeof(*members)) == 0)
			return set;
	}
	return NULL;
}

/* Credentials of exactly these certificates, that ask for clients' unless `auth` is NULL; made when
 * there are none yet. */
static const struct cert_set *set_of(struct edge_certs *certs, const unsigned *members, unsigned n,
				     const struct edge_client_auth *auth)
{
	unsigned *last = auth != NULL ? &certs->asking[edge_client_auth_index(auth)]
				      : &certs->certs[members[0]].set;
	const struct cert_set *found = find_same(certs, *last, members, n);
	struct cert_set *set;

	if (found != NULL)
		return found;
	certs->sets = xreallocarray(certs->sets, certs->n_sets + 1, sizeof(*certs->sets));
	set = certs->sets[certs->n_sets++] = xcalloc(1, sizeof(*set));
	set->n = n;
	set->certs = xreallocarray(NULL, n, sizeof(*members));
	memcpy(set->certs, members, n * sizeof(*members));
	set->next = *last;
	*last = certs->n_sets;
	set->borrowed = n == 1 && auth == NULL;
	set->credentials = credentials_of(certs, set, auth);
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
	return a->pair->algorithm == b->pair->algorithm && a->pair->curve == b->pair->curve;
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
		n += certs->certs[c].pair->n_names;
	names.v = xcalloc(n + 1, sizeof(*names.v));
	for (unsigned c = 0; c < certs->n_certs; c++) {
		for (unsigned i = 0; i < certs->certs[c].pair->n_names; i++)
			names.v[names.n++] =
			    (struct name_of_cert){certs->certs[c].pair->names[i], c};
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

void cert_sets_build(struct edge_certs *certs)
{
	struct names names = all_names(certs);
	struct choice choice = {.certs = xcalloc(certs->n_certs, sizeof(*choice.certs))};

	for (unsigned start = 0, end; start < names.n; start = end) {
		const char *name = names.v[start].name;

		choice.n = 0;
		end = add_named(&choice, certs, &names, start, name);
		add_wildcard(&choice, certs, &names, name);
		edge_host_table_add(certs->by_name, span_of(name),
				    set_of(certs, choice.certs, choice.n, NULL));
	}
	choice.n = 0;
	for (unsigned c = 0; c < certs->n_certs; c++)
		add_choice(&choice, certs, c);
	certs->nameless = set_of(certs, choice.certs, choice.n, NULL);
	certs->tls.credentials = certs->nameless->credentials;
	free(names.v);
	free(choice.certs);
}

/* What who names `host` is shown, a name or a wildcard of names. */
static void ask_on(struct edge_certs *certs, struct span host, const struct edge_client_auth *auth)
{
	const struct cert_set *set = cert_sets_find(certs, host);

	if (set != NULL)
		set_of(certs, set->certs, set->n, auth);
	/* Not every name under a wildcard of the site's need have a certificate. */
	if (set == NULL || host.p[0] == '*')
		set_of(certs, certs->nameless->certs, certs->nameless->n, auth);
}

void cert_sets_build_asking(struct edge_certs *certs)
{
	unsigned n = edge_client_auths_count(certs->clients);

	if (n == 0)
		return;
	certs->asking = xcalloc(n, sizeof(*certs->asking));
	for (unsigned i = 0; i < n; i++) {
		const struct edge_client_auth *auth = edge_client_auths_get(certs->clients, i);
		const struct cfg_strings *hosts = &edge_client_auth_site(auth)->hosts;

		for (unsigned h = 0; h < hosts->n; h++)
			ask_on(certs, span_of(hosts->v[h]), auth);
	}
	/* Names under the wildcards of sites. */
	for (unsigned c = 0; c < certs->n_certs; c++) {
		for (unsigned i = 0; i < certs->certs[c].pair->n_names; i++) {
			struct span name = span_of(certs->certs[c].pair->names[i]);
			const struct edge_client_auth *auth = edge_certs_client_auth(certs, name);

			if (auth != NULL)
				ask_on(certs, name, auth);
		}
	}
}

gnutls_certificate_credentials_t cert_sets_asking(const struct edge_certs *certs,
						  const struct cert_set *set,
						  const struct edge_client_auth *auth)
{
	const struct cert_set *same =
	    find_same(certs, certs->asking[edge_client_auth_index(auth)], set->certs, set->n);

	return same != NULL ? same->credentials : set->credentials;
}

const struct cert_set *cert_sets_find(const struct edge_certs *certs, struct span name)
{
	return edge_host_table_find(certs->by_name, name, EDGE_WILDCARD_ONE_LABEL);
}

gnutls_certificate_credentials_t edge_certs_find(const struct edge_certs *certs, struct span name)
{
	const struct cert_set *set = cert_sets_find(certs, name);

	return set != NULL ? set->credentials : NULL;
}

/* RFC 6125 section 6.4.3: a wildcard stands for one label, the first. */
static bool is_for(const struct cert *cert, struct span host)
{
	const char *dot = memchr(host.p, '.', host.n);
	struct span rest = {dot, dot != NULL ? host.n - (size_t)(dot - host.p) : 0};

	for (unsigned i = 0; i < cert->pair->n_names; i++) {
		struct span name = span_of(cert->pair->names[i]);

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
	const struct cert_set *shown = cert_sets_find(certs, sni),
			      *wanted = cert_sets_find(certs, host);

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

void cert_sets_free(struct edge_certs *certs)
{
	for (unsigned i = 0; i < certs->n_sets; i++) {
		if (!certs->sets[i]->borrowed)
			gnutls_certificate_free_credentials(certs->sets[i]->credentials);
		free(certs->sets[i]->certs);
		free(certs->sets[i]);
	}
	free(certs->sets);
	free(certs->asking);
}
