/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A certificate and its key: the files are read, checked against each other, and the certificate is
 * asked for its names. On a thread of the job that loads.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "edge/tls/certs_internal.h"

/* A load of one: what it makes, and whom it tells. */
struct loading {
	struct cert_pair *pair;
	const struct cfg_certificate *cfg;
	struct cert_complaints *complaints;
	bool harmless;
	struct file pem;
};

static void complain(const struct loading *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(const struct loading *l, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	CHECK(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	pthread_mutex_lock(&l->complaints->lock);
	if (l->harmless)
		diag_warn(l->complaints->diag, l->cfg->place, "%s", text);
	else
		diag_add(l->complaints->diag, l->cfg->place, "%s", text);
	pthread_mutex_unlock(&l->complaints->lock);
	free(text);
}

/* Borrowed. */
static gnutls_datum_t datum_of(const struct file *file)
{
	return (gnutls_datum_t){(unsigned char *)file->data, (unsigned)file->len};
}

static void add_name(struct cert_pair *pair, const char *name)
{
	pair->names = xreallocarray(pair->names, pair->n_names + 1, sizeof(*pair->names));
	pair->names[pair->n_names++] = xstrdup(name);
}

/* The DNS names of the certificate; the common name only when there is no alternative name. */
static void read_names(struct cert_pair *pair, gnutls_x509_crt_t crt)
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
			add_name(pair, name);
		}
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			break;
	}
	size = sizeof(name);
	if (pair->n_names == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0)
		add_name(pair, name);
}

struct chain {
	gnutls_pcert_st *certs; /* the certificate itself, then who signed it */
	unsigned n;
};

/* In order, and without what does not belong to it. */
static int read_chain(gnutls_x509_crt_t *list, unsigned n, struct chain *chain)
{
	int ret;

	chain->n = n;
	chain->certs = xcalloc(n, sizeof(*chain->certs));
	ret =
	    gnutls_pcert_import_x509_list(chain->certs, list, &chain->n, GNUTLS_X509_CRT_LIST_SORT);
	if (ret < 0)
		free(chain->certs);
	return ret;
}

static int add_chain(gnutls_certificate_credentials_t credentials, gnutls_x509_crt_t *list,
		     unsigned n, const struct cert_pair *pair)
{
	struct chain chain;
	gnutls_privkey_t handle;
	int ret = read_chain(list, n, &chain);

	if (ret < 0)
		return ret;
	handle = edge_key_handle(pair->key);
	gnutls_certificate_set_flags(credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH |
						      GNUTLS_CERTIFICATE_API_V2);
	/* The credentials take over the key, and what is in the chain; not so when it fails. */
	ret = gnutls_certificate_set_key(credentials, NULL, 0, chain.certs, (int)chain.n, handle);
	for (unsigned i = 0; ret < 0 && i < chain.n; i++)
		gnutls_pcert_deinit(&chain.certs[i]);
	if (ret < 0)
		gnutls_privkey_deinit(handle);
	free(chain.certs);
	if (ret >= 0 && pair->staple != NULL)
		staple_attach(pair->staple, credentials, (unsigned)ret);
	return ret;
}

static void free_list(gnutls_x509_crt_t *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
}

int cert_add_to(gnutls_certificate_credentials_t credentials, const struct cert *cert)
{
	gnutls_x509_crt_t *list;
	unsigned n;
	int ret = gnutls_certificate_get_x509_crt(cert->pair->credentials, 0, &list, &n);

	if (ret < 0)
		return ret;
	ret = add_chain(credentials, list, n, cert->pair);
	free_list(list, n);
	return ret;
}

/* The certificate and its key belong together and GnuTLS takes them; else the reason is told. */
static bool make_credentials(struct loading *l, gnutls_x509_crt_t *list, unsigned n)
{
	struct cert_pair *pair = l->pair;
	int ret;

	if (!edge_key_matches(pair->key, list[0])) {
		complain(l, "the key %s does not match the certificate %s", l->cfg->key,
			 l->cfg->certificate);
		return false;
	}
	CHECK(gnutls_certificate_allocate_credentials(&pair->credentials) == 0);
	ret = add_chain(pair->credentials, list, n, pair);
	if (ret < 0)
		complain(l, "cannot use %s with %s: %s", l->cfg->certificate, l->cfg->key,
			 gnutls_strerror(ret));
	return ret >= 0;
}

/* Its version first: a key that is replaced meanwhile is another the next time. */
static bool load_key(struct loading *l, struct edge_keys *keys)
{
	char *error = NULL;

	l->pair->key_version = file_note_version(l->cfg->key);
	l->pair->key = edge_keys_load(keys, l->cfg->key, &error);
	if (l->pair->key == NULL)
		complain(l, "%s %s", l->cfg->key, error);
	free(error);
	return l->pair->key != NULL;
}

/* On another machine; its file is no concern of this one. */
static bool find_key(struct loading *l, struct edge_keys *keys, gnutls_x509_crt_t crt)
{
	char *error = NULL;

	l->pair->key_is_remote = true;
	l->pair->key = edge_keys_find(keys, crt, l->cfg->certificate, &error);
	if (l->pair->key == NULL)
		complain(l, "%s %s", l->cfg->certificate, error);
	free(error);
	return l->pair->key != NULL;
}

static void read_certificate(struct cert_pair *pair, gnutls_x509_crt_t crt)
{
	pair->algorithm = gnutls_x509_crt_get_pk_algorithm(crt, NULL);
	if (gnutls_x509_crt_get_pk_ecc_raw(crt, &pair->curve, NULL, NULL) != 0)
		pair->curve = GNUTLS_ECC_CURVE_INVALID;
	pair->not_before = gnutls_x509_crt_get_activation_time(crt);
	pair->not_after = gnutls_x509_crt_get_expiration_time(crt);
	read_names(pair, crt);
}

/* The certificates of its file; else the reason is told. */
static bool read_certificates(struct loading *l, gnutls_x509_crt_t **list, unsigned *n)
{
	const char *path = l->cfg->certificate;
	gnutls_datum_t pem;
	char *error;
	int ret;

	l->pair->certificate_version = file_version(path);
	error = file_read(&l->pem, path, TLS_PEM_MAX);
	if (error != NULL) {
		complain(l, "%s %s", path, error);
		free(error);
		return false;
	}
	pem = datum_of(&l->pem);
	ret = gnutls_x509_crt_list_import2(list, n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (ret < 0)
		complain(l, "%s holds no certificate in PEM: %s", path, gnutls_strerror(ret));
	return ret >= 0;
}

static bool load(struct loading *l, struct edge_keys *keys)
{
	gnutls_x509_crt_t *list = NULL;
	unsigned n = 0;
	bool read = read_certificates(l, &list, &n);
	bool ok = edge_keys_are_remote(keys) || load_key(l, keys);

	if (!read)
		return false;
	if (edge_keys_are_remote(keys))
		ok = find_key(l, keys, list[0]);
	read_certificate(l->pair, list[0]);
	l->pair->doubts = cert_doubts_of(list, n);
	l->pair->must_staple = staple_is_must(list[0]);
	l->pair->staple = staple_create(l->cfg->certificate, list, n);
	ok = ok && make_credentials(l, list, n);
	free_list(list, n);
	return ok;
}

struct cert_pair *cert_pair_load(struct edge_keys *keys, const struct cfg_certificate *cfg,
				 struct cert_complaints *complaints, bool harmless)
{
	struct loading l = {.cfg = cfg, .complaints = complaints, .harmless = harmless};
	bool ok;

	l.pair = xcalloc(1, sizeof(*l.pair));
	l.pair->refs = 1;
	l.pair->certificate = xstrdup(cfg->certificate);
	l.pair->key_file = xstrdup(cfg->key);
	ok = load(&l, keys);
	file_wipe(&l.pem);
	if (!ok)
		cert_pair_unref(&l.pair);
	return l.pair;
}

struct cert_pair *cert_pair_ref(struct cert_pair *pair)
{
	atomic_fetch_add(&pair->refs, 1);
	return pair;
}

void cert_pair_unref(struct cert_pair **pairp)
{
	struct cert_pair *pair = TAKE(pairp);

	if (pair == NULL || atomic_fetch_sub(&pair->refs, 1) > 1)
		return;
	if (pair->credentials != NULL)
		gnutls_certificate_free_credentials(pair->credentials);
	edge_key_unref(&pair->key);
	staple_unref(&pair->staple);
	for (unsigned n = 0; n < pair->n_names; n++)
		free(pair->names[n]);
	free(pair->names);
	free(pair->certificate);
	free(pair->key_file);
	free(pair);
}

static bool is_as_before(const char *path, const struct file_version *before)
{
	const struct file_version now = file_note_version(path);

	return now.there && file_version_equal(&now, before);
}

bool cert_pair_is_current(const struct cert_pair *pair)
{
	bool certificate = is_as_before(pair->certificate, &pair->certificate_version);

	return (pair->key_is_remote || is_as_before(pair->key_file, &pair->key_version)) &&
	       certificate;
}
