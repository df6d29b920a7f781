/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS clients: whom they trust, what they show, and what each new session is given of that. Made
 * by any thread (it reads files); from then on only read, by the threads of all its streams. Owns
 * the sessions that may be resumed, so none is ever resumed by who trusts or shows anything else.
 *
 * GnuTLS credentials own their list of trusted certificates, and the system's takes 30 ms and
 * 4 MiB. So clients that trust the system share one object of credentials, which lives as long as
 * one of them does. That is why a client's own certificate is not in the credentials: a callback
 * hands it over when a server asks for it.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls_internal.h"
#include "core/net/tls_sessions.h"

#define CLIENT_MAGIC 0x71c11e47u

/* Longer chains are refused by those who would have to verify them. */
#define CHAIN_MAX 16

struct tls_client {
	unsigned magic;
	_Atomic unsigned refs;

	/* Immutable. */
	char *host; /* "": none */
	bool host_is_address;
	enum tls_verify verify;
	bool always_full;
	bool background;
	bool shares_trust;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n_chain; /* 0: no certificate */
	gnutls_privkey_t key;
	gnutls_datum_t *alpn;
	unsigned n_alpn;
	struct tls_sessions *sessions; /* has a lock of its own */
};

/* Called by GnuTLS in the middle of a handshake, when the server asks for a certificate. */
static int show_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
			    gnutls_pcert_st **chain, unsigned *n_chain, gnutls_ocsp_data_st **ocsp,
			    unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
	struct tls_client *client = gnutls_db_get_ptr(session);

	MAGIC_CHECK(client, CLIENT_MAGIC);
	*chain = client->chain;
	*n_chain = client->n_chain;
	*key = client->key;
	*ocsp = NULL;
	*n_ocsp = 0;
	*flags = 0; /* they stay ours */
	return 0;
}

static int create_credentials(gnutls_certificate_credentials_t *credentials)
{
	int ret = gnutls_certificate_allocate_credentials(credentials);

	if (ret == 0)
		gnutls_certificate_set_retrieve_function3(*credentials, show_certificate);
	return ret;
}

/* What all share who trust the system. */
static struct {
	pthread_mutex_t lock;
	/* under lock */
	unsigned users;
	gnutls_certificate_credentials_t credentials; /* while there are users */
} system_trust = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int load_system_trust(gnutls_certificate_credentials_t *credentials)
{
	int ret = create_credentials(credentials);

	if (ret < 0)
		return ret;
	ret = gnutls_certificate_set_x509_system_trust(*credentials);
	if (ret < 0)
		gnutls_certificate_free_credentials(*credentials);
	return ret;
}

static int take_system_trust(struct tls_client *client)
{
	int ret = 0;

	pthread_mutex_lock(&system_trust.lock);
	if (system_trust.users == 0)
		ret = load_system_trust(&system_trust.credentials);
	if (ret >= 0) {
		system_trust.users++;
		client->credentials = system_trust.credentials;
		client->shares_trust = true;
	}
	pthread_mutex_unlock(&system_trust.lock);
	return ret;
}

static void give_system_trust(void)
{
	pthread_mutex_lock(&system_trust.lock);
	if (--system_trust.users == 0)
		gnutls_certificate_free_credentials(system_trust.credentials);
	pthread_mutex_unlock(&system_trust.lock);
}

/* Files */

/* Returns what went wrong, malloc'd, or NULL. `file` is to be wiped in either case. */
static char *read_pem(const char *path, struct file *file, gnutls_datum_t *pem)
{
	char *wrong = file_read(file, path, TLS_PEM_MAX), *error = NULL;

	if (wrong)
		error = xasprintf("%s %s", path, wrong);
	free(wrong);
	*pem = (gnutls_datum_t){(unsigned char *)file->data, (unsigned)file->len};
	return error;
}

static char *load_trust(struct tls_client *client, const char *path)
{
	struct file file;
	gnutls_datum_t pem;
	char *error = read_pem(path, &file, &pem);
	int ret;

	if (!error) {
		ret = gnutls_certificate_set_x509_trust_mem(client->credentials, &pem,
							    GNUTLS_X509_FMT_PEM);
		if (ret < 0)
			error = xasprintf("%s holds no certificates in PEM: %s", path,
					  gnutls_strerror(ret));
		else if (ret == 0)
			error = xasprintf("%s holds no certificates", path);
	}
	file_wipe(&file);
	return error;
}

static char *load_chain(struct tls_client *client, const char *path)
{
	struct file file;
	gnutls_datum_t pem;
	char *error = read_pem(path, &file, &pem);
	unsigned n = CHAIN_MAX;
	int ret;

	if (!error) {
		ret = gnutls_pcert_list_import_x509_raw(
		    client->chain, &n, &pem, GNUTLS_X509_FMT_PEM,
		    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED | GNUTLS_X509_CRT_LIST_SORT);
		if (ret < 0)
			error = xasprintf("%s holds no certificate chain in PEM: %s", path,
					  gnutls_strerror(ret));
		else
			client->n_chain = n;
	}
	file_wipe(&file);
	return error;
}

static char *load_key(struct tls_client *client, const char *path)
{
	struct file file;
	gnutls_datum_t pem;
	char *error = read_pem(path, &file, &pem);
	int ret;

	if (!error) {
		ret = gnutls_privkey_init(&client->key);
		if (ret == 0)
			ret = gnutls_privkey_import_x509_raw(client->key, &pem, GNUTLS_X509_FMT_PEM,
							     NULL, 0);
		if (ret < 0)
			error = xasprintf("%s is not a private key in PEM: %s", path,
					  gnutls_strerror(ret));
	}
	file_wipe(&file);
	return error;
}

static bool key_matches(const struct tls_client *client)
{
	unsigned char of_key[64], of_certificate[64];
	size_t key_len = sizeof(of_key), certificate_len = sizeof(of_certificate);
	gnutls_pubkey_t public = NULL;
	bool matches;

	matches =
	    gnutls_pubkey_init(&public) == 0 &&
	    gnutls_pubkey_import_privkey(public, client->key, 0, 0) == 0 &&
	    gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_len) == 0 &&
	    gnutls_pubkey_get_key_id(client->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256,
				     of_certificate, &certificate_len) == 0 &&
	    key_len == certificate_len && memcmp(of_key, of_certificate, key_len) == 0;
	if (public)
		gnutls_pubkey_deinit(public);
	return matches;
}

static char *load_certificate(struct tls_client *client, const char *chain, const char *key)
{
	char *error;

	if (!chain || !key)
		return xasprintf("%s: a client's certificate and its key go together",
				 chain ? chain : key);
	error = load_chain(client, chain);
	if (!error)
		error = load_key(client, key);
	if (!error && !key_matches(client))
		error = xasprintf("the key %s does not match the certificate %s", key, chain);
	return error;
}

/* Life */

static bool has_address_form(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static void copy_alpn(struct tls_client *client, const struct tls_client_config *config)
{
	client->alpn = xcalloc(config->n_alpn + 1, sizeof(*client->alpn));
	client->n_alpn = config->n_alpn;
	for (unsigned i = 0; i < config->n_alpn; i++)
		client->alpn[i] = (gnutls_datum_t){(unsigned char *)xstrdup(config->alpn[i]),
						   strlen(config->alpn[i])};
}

/* What a session will refuse is found out now, and not with the first stream. */
static char *try_session(struct tls_client *client)
{
	gnutls_session_t session;
	int ret = gnutls_init(&session, GNUTLS_CLIENT);

	if (ret == 0) {
		ret = tls_client_set_up(client, session);
		gnutls_deinit(session);
	}
	return ret == 0 ? NULL
			: xasprintf("cannot use TLS with host \"%s\" and its protocols: %s",
				    client->host, gnutls_strerror(ret));
}

static char *build(struct tls_client *client, const struct tls_client_config *config)
{
	int ret = gnutls_priority_init(&client->priority, TLS_PRIORITY, NULL);

	if (ret < 0)
		return xasprintf("cannot set TLS priorities: %s", gnutls_strerror(ret));
	if (config->verify != TLS_VERIFY_NONE && !config->ca_file) {
		ret = take_system_trust(client);
		if (ret < 0)
			return xasprintf("cannot load the system's trusted certificates: %s",
					 gnutls_strerror(ret));
	} else {
		ret = create_credentials(&client->credentials);
		if (ret < 0)
			return xasprintf("cannot create TLS credentials: %s", gnutls_strerror(ret));
	}
	if (config->ca_file) {
		char *error = load_trust(client, config->ca_file);

		if (error)
			return error;
	}
	if (config->certificate_file || config->key_file) {
		char *error = load_certificate(client, config->certificate_file, config->key_file);

		if (error)
			return error;
	}
	return try_session(client);
}

struct tls_client *tls_client_create(const struct tls_client_config *config, char **error)
{
	struct tls_client *client = xcalloc(1, sizeof(*client));

	client->magic = CLIENT_MAGIC;
	client->refs = 1;
	client->host = xstrdup(config->host ? config->host : "");
	client->host_is_address = has_address_form(client->host);
	client->verify = config->verify;
	client->always_full = config->always_full;
	client->background = config->background;
	client->sessions = tls_sessions_create();
	copy_alpn(client, config);
	*error = build(client, config);
	if (*error)
		tls_client_unref(&client);
	return client;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	MAGIC_CHECK(client, CLIENT_MAGIC);
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
	return client;
}

void tls_client_unref(struct tls_client **clientp)
{
	struct tls_client *client = TAKE(clientp);

	if (!client)
		return;
	MAGIC_CHECK(client, CLIENT_MAGIC);
	if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (client->shares_trust)
		give_system_trust();
	else if (client->credentials)
		gnutls_certificate_free_credentials(client->credentials);
	if (client->priority)
		gnutls_priority_deinit(client->priority);
	for (unsigned i = 0; i < client->n_chain; i++)
		gnutls_pcert_deinit(&client->chain[i]);
	if (client->key)
		gnutls_privkey_deinit(client->key);
	for (unsigned i = 0; i < client->n_alpn; i++)
		free(client->alpn[i].data);
	free(client->alpn);
	tls_sessions_destroy(&client->sessions);
	free(client->host);
	client->magic = MAGIC_DEAD;
	free(client);
}

/* Sessions */

int tls_client_verify(const struct tls_client *client, gnutls_session_t session, unsigned *status)
{
	const char *host = *client->host ? client->host : NULL;
	int ret = gnutls_certificate_verify_peers3(session, host, status);

	/* The chain that it comes to the end of, without one whom we trust. */
	if (ret == 0 && client->verify == TLS_VERIFY_TRUSTED &&
	    *status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		*status = 0;
	return ret;
}

/* Called by GnuTLS in the middle of a handshake, when the server has shown its certificate. */
static int verify_cb(gnutls_session_t session)
{
	struct tls_client *client = gnutls_db_get_ptr(session);
	unsigned status;
	int ret;

	MAGIC_CHECK(client, CLIENT_MAGIC);
	ret = tls_client_verify(client, session, &status);
	if (ret < 0)
		return ret;
	return status == 0 ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

int tls_client_set_up(struct tls_client *client, gnutls_session_t session)
{
	int ret = gnutls_priority_set(session, client->priority);

	/* A pointer that GnuTLS keeps for its users; only servers have a database. */
	gnutls_db_set_ptr(session, client);
	if (ret == 0)
		ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, client->credentials);
	if (ret == 0 && *client->host && !client->host_is_address)
		ret = gnutls_server_name_set(session, GNUTLS_NAME_DNS, client->host,
					     strlen(client->host));
	if (ret == 0 && client->n_alpn > 0)
		ret = gnutls_alpn_set_protocols(session, client->alpn, client->n_alpn, 0);
	if (client->verify != TLS_VERIFY_NONE)
		gnutls_session_set_verify_function(session, verify_cb);
	return ret;
}

static bool server_of(int fd, struct net_addr *addr)
{
	socklen_t len = sizeof(*addr);

	*addr = (struct net_addr){0};
	/* Through a Unix socket a whole handshake costs no round trip. */
	return getpeername(fd, &addr->sa, &len) == 0 && addr->sa.sa_family != AF_UNIX;
}

void tls_client_resume(struct tls_client *client, gnutls_session_t session, int fd)
{
	gnutls_datum_t data;
	struct net_addr addr;

	if (client->always_full || !server_of(fd, &addr) ||
	    !tls_sessions_take(client->sessions, &addr, &data))
		return;
	/* Without it (it has expired, or memory is gone) the handshake is a full one. */
	gnutls_session_set_data(session, data.data, data.size);
	gnutls_free(data.data);
}

void tls_client_remember(struct tls_client *client, gnutls_session_t session, int fd)
{
	gnutls_datum_t data;
	struct net_addr addr;

	if (!client->always_full && server_of(fd, &addr) &&
	    gnutls_session_get_data2(session, &data) == 0)
		tls_sessions_put(client->sessions, &addr, &data);
}

bool tls_client_in_background(const struct tls_client *client)
{
	return client->background;
}

const char *tls_client_host(const struct tls_client *client)
{
	return *client->host ? client->host : "the server";
}
