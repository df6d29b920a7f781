/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Transports, interned by their full identity. That includes a digest of what each file holds, not
 * its name: a reload with new files makes a new transport, and one with the same files keeps
 * connections and sessions. Made on the thread that loads a configuration, used by every loop, so
 * the list of them is under a lock; nobody takes it while requests are served.
 */
#include "origin-link/conns/transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <gnutls/crypto.h>
#include <xxhash.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls.h"

#define DIGEST_SIZE 32 /* SHA-256 */

/* All zero: no such file. */
struct digest {
	unsigned char bytes[DIGEST_SIZE];
};

/* What makes two transports interchangeable; fields of TLS are zero without it. */
struct transport_identity {
	bool tls, relay;
	enum cfg_origin_protocol protocol; /* with TLS by ALPN; never AUTO without */
	enum tls_verify verify;
	bool always_full, background;
	char *name; /* "": none */
	struct digest trust, certificate, key;
	enum cfg_proxy_protocol proxy;
	struct sock_dial dial;
};

/* By ALPN, those of CFG_ORIGIN_PROTOCOL_AUTO. */
static const char *const protocols[] = {"h2", "http/1.1"};

/* A fleet of thousands of edges may be probed by as many names. */
#define N_BUCKETS 1024

LIST_HEAD(bucket, transport);

static struct {
	pthread_mutex_t lock;
	struct bucket by_name[N_BUCKETS]; /* under lock */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct bucket *bucket_of(const struct transport_identity *id)
{
	return &table.by_name[XXH3_64bits(id->name, strlen(id->name)) % N_BUCKETS];
}

/* Sockets. A fleet has one file for all of its edges, and each edge has addresses of its own: so
 * sources are a list, of which each edge takes what it has. That is looked up when a configuration
 * is loaded; an address that comes later is found by a reload. */

/* A server that vanishes, or something on the way that forgets a connection, says nothing. Asked
 * after 10 s of silence (RFC 5382 wants NATs to remember for two hours, and some do for minutes),
 * and given up after three questions that nobody answered, 3 s apart: each has more than a round
 * trip around the earth. So an idle connection to a server that has vanished is gone after 19 s,
 * and costs a packet every 10 s until then. Those of origins have the same by default. */
static const struct sock_dial dial_usual = {
    .keep_alive = {.idle = DUR_S(10), .interval = DUR_S(3), .count = 3},
};

/* AF_UNSPEC: there is none of that family. */
static struct net_addr first_source(const struct cfg_origin *origin, sa_family_t family)
{
	const struct cfg_addrs *sources = &origin->connection.source;

	for (unsigned i = 0; i < sources->n; i++) {
		if (sources->v[i].sa.sa_family == family && sock_has_address(&sources->v[i]))
			return sources->v[i];
	}
	return (struct net_addr){0};
}

/* Of the sources those are taken that this machine has now. */
static struct sock_dial dial_options(const struct cfg_origin *origin)
{
	const struct cfg_connection *c = &origin->connection;
	struct sock_dial dial = {
	    .source4 = first_source(origin, AF_INET),
	    .source6 = first_source(origin, AF_INET6),
	    .fast_open = c->fast_open,
	    .mss = c->mss,
	    .user_timeout = c->user_timeout,
	};

	if (c->keep_alive.enabled) {
		dial.keep_alive.idle = c->keep_alive.idle;
		dial.keep_alive.interval = c->keep_alive.interval;
		dial.keep_alive.count = c->keep_alive.count;
	}
	/* Its type has refused what is longer. */
	if (c->congestion_control)
		strncpy(dial.congestion_control, c->congestion_control,
			sizeof(dial.congestion_control) - 1);
	return dial;
}

static bool is_same_source(const struct net_addr *a, const struct net_addr *b)
{
	if (a->sa.sa_family == AF_UNSPEC || b->sa.sa_family == AF_UNSPEC)
		return a->sa.sa_family == b->sa.sa_family;
	return net_addr_equal(a, b);
}

static bool dial_equal(const struct sock_dial *a, const struct sock_dial *b)
{
	return is_same_source(&a->source4, &b->source4) &&
	       is_same_source(&a->source6, &b->source6) &&
	       a->keep_alive.idle.ns == b->keep_alive.idle.ns &&
	       a->keep_alive.interval.ns == b->keep_alive.interval.ns &&
	       a->keep_alive.count == b->keep_alive.count && a->fast_open == b->fast_open &&
	       a->mss == b->mss && a->user_timeout.ns == b->user_timeout.ns &&
	       strcmp(a->congestion_control, b->congestion_control) == 0;
}

/* Files */

/* Returns what went wrong, malloc'd, or NULL. `path` may be NULL. */
static char *digest_file(const char *path, struct digest *out)
{
	char *wrong, *error = NULL;
	struct file file;

	if (!path)
		return NULL;
	wrong = file_read(&file, path, TLS_PEM_MAX);
	if (wrong)
		error = xasprintf("%s %s", path, wrong);
	else
		CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA256, file.data, file.len, out->bytes) == 0);
	free(wrong);
	file_wipe(&file);
	return error;
}

static char *digest_files(const struct cfg_origin_tls *tls, struct transport_identity *id)
{
	char *error = tls->verify ? digest_file(tls->ca, &id->trust) : NULL;

	if (!error)
		error = digest_file(tls->certificate, &id->certificate);
	if (!error)
		error = digest_file(tls->key, &id->key);
	return error;
}

/* Interning */

static bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

static bool identity_equal(const struct transport_identity *a, const struct transport_identity *b)
{
	return a->tls == b->tls && a->relay == b->relay && a->protocol == b->protocol &&
	       a->verify == b->verify && a->always_full == b->always_full &&
	       a->background == b->background && a->proxy == b->proxy &&
	       dial_equal(&a->dial, &b->dial) && strcmp(a->name, b->name) == 0 &&
	       digest_equal(&a->trust, &b->trust) &&
	       digest_equal(&a->certificate, &b->certificate) && digest_equal(&a->key, &b->key);
}

static struct transport *find_locked(const struct transport_identity *id)
{
	struct transport *t;

	LIST_FOREACH (t, bucket_of(id), link) {
		if (identity_equal(t->identity, id))
			return t;
	}
	return NULL;
}

static struct tls_client *create_tls(const struct transport_identity *id,
				     const struct cfg_origin_tls *tls,
				     enum cfg_origin_protocol protocol, char **error)
{
	bool auto_ = protocol == CFG_ORIGIN_PROTOCOL_AUTO;
	struct tls_client_config config = {
	    .host = id->name,
	    .verify = id->verify,
	    .always_full = id->always_full,
	    .background = id->background,
	    .ca_file = id->verify != TLS_VERIFY_NONE ? tls->ca : NULL,
	    .certificate_file = tls->certificate,
	    .key_file = tls->key,
	    .alpn = protocol == CFG_ORIGIN_PROTOCOL_HTTP1 ? protocols + 1 : protocols,
	    .n_alpn = auto_ ? 2 : 1,
	};

	return tls_client_create(&config, error);
}

static void transport_free(struct transport *t)
{
	tls_client_unref(&t->tls);
	tls_client_unref(&t->tls_h1);
	if (t->identity)
		free(t->identity->name);
	free(t->identity);
	free(t);
}

static struct transport *create(const struct transport_identity *id,
				const struct cfg_origin_tls *tls, char **error)
{
	struct transport *t = xcalloc(1, sizeof(*t));

	if (id->tls) {
		t->tls = create_tls(id, tls, id->protocol, error);
		if (t->tls && id->protocol == CFG_ORIGIN_PROTOCOL_AUTO)
			t->tls_h1 = create_tls(id, tls, CFG_ORIGIN_PROTOCOL_HTTP1, error);
		if (!t->tls || (id->protocol == CFG_ORIGIN_PROTOCOL_AUTO && !t->tls_h1)) {
			transport_free(t);
			return NULL;
		}
	}
	t->proxy = id->proxy;
	t->protocol = id->protocol;
	t->relay = id->relay;
	t->dial = id->dial;
	t->identity = xmalloc(sizeof(*t->identity));
	*t->identity = *id;
	t->identity->name = xstrdup(id->name);
	return t;
}

static struct transport *take_locked(const struct transport_identity *id)
{
	struct transport *t = find_locked(id);

	if (t)
		t->refs++;
	return t;
}

/* A file that changes between its digest and its use gets the old identity: the next load sees
 * another digest, and makes another transport. */
static struct transport *intern(const struct transport_identity *id,
				const struct cfg_origin_tls *tls, char **error)
{
	struct transport *t, *made;

	pthread_mutex_lock(&table.lock);
	t = take_locked(id);
	pthread_mutex_unlock(&table.lock);
	if (t)
		return t;
	/* Files are read here, which may take for ever: not under a lock that control takes too. */
	made = create(id, tls, error);
	if (!made)
		return NULL;
	pthread_mutex_lock(&table.lock);
	t = take_locked(id);
	if (!t) {
		made->refs = 1;
		LIST_INSERT_HEAD(bucket_of(id), made, link);
	}
	pthread_mutex_unlock(&table.lock);
	if (!t)
		return made;
	/* Another thread was faster. */
	transport_free(made);
	return t;
}

/* Without TLS there is nobody who could be asked; and what begins with a PROXY header is one
 * client's. */
static enum cfg_origin_protocol protocol_of(const struct cfg_origin *origin)
{
	bool asks = origin->tls.enabled && origin->proxy_protocol == CFG_PROXY_PROTOCOL_NONE;

	return origin->protocol == CFG_ORIGIN_PROTOCOL_AUTO && !asks ? CFG_ORIGIN_PROTOCOL_HTTP1
								     : origin->protocol;
}

static struct transport *load(const struct cfg_origin *origin, const char *server_host,
			      enum cfg_origin_protocol protocol, char **error)
{
	const struct cfg_origin_tls *tls = &origin->tls;
	struct transport_identity id = {
	    .name = (char *)"",
	    .proxy = origin->proxy_protocol,
	    .protocol = protocol,
	    .dial = dial_options(origin),
	};

	if (tls->enabled) {
		id.tls = true;
		id.verify = tls->verify ? TLS_VERIFY_ALL : TLS_VERIFY_NONE;
		id.name = (char *)(*tls->name ? tls->name : server_host);
		*error = digest_files(tls, &id);
		if (*error)
			return NULL;
	}
	return intern(&id, tls, error);
}

struct transport *transport_of_relay(const struct cfg_edge_relay *own, const char *name,
				     enum cfg_origin_protocol protocol, char **error)
{
	struct cfg_origin_tls tls = {
	    .enabled = true,
	    .verify = true,
	    .ca = own->ca,
	    .certificate = own->certificate,
	    .key = own->key,
	};
	struct transport_identity id = {
	    .tls = true,
	    .relay = true,
	    .protocol = protocol,
	    .verify = TLS_VERIFY_ALL,
	    .name = (char *)name,
	    .dial = dial_usual,
	};

	*error = digest_files(&tls, &id);
	return *error ? NULL : intern(&id, &tls, error);
}

struct transport *transport_load(const struct cfg_origin *origin, const char *server_host,
				 char **error)
{
	return load(origin, server_host, protocol_of(origin), error);
}

static struct transport *unverified(const char *name, enum cfg_proxy_protocol proxy,
				    const struct sock_dial *dial)
{
	struct transport_identity id = {
	    .tls = true,
	    .protocol = CFG_ORIGIN_PROTOCOL_HTTP1,
	    .name = (char *)name,
	    .proxy = proxy,
	    .dial = *dial,
	};
	struct cfg_origin_tls tls = {.enabled = true};
	char *error;
	struct transport *t = intern(&id, &tls, &error);

	/* No files are read for it, and the configuration has refused what cannot be a name. */
	CHECK(t);
	return t;
}

struct transport *transport_load_check(const struct cfg_origin *origin, const char *server_host,
				       char **error)
{
	const struct cfg_check *check = &origin->health.check;
	bool is_of_tls = check->kind == CFG_CHECK_HTTPS || check->kind == CFG_CHECK_TLS;
	enum cfg_origin_protocol protocol =
	    check->kind == CFG_CHECK_H2 || check->kind == CFG_CHECK_GRPC
		? CFG_ORIGIN_PROTOCOL_H2
		: CFG_ORIGIN_PROTOCOL_HTTP1;
	const char *name = *check->host ? check->host : server_host;
	struct sock_dial dial = dial_options(origin);

	if (origin->tls.enabled || !is_of_tls)
		return load(origin, server_host, protocol, error);
	if (check->verify == CFG_VERIFY_NO)
		return unverified(name, origin->proxy_protocol, &dial);
	return transport_of_check(&(struct transport_check){.name = name,
							    .verify = check->verify,
							    .proxy = origin->proxy_protocol,
							    .dial = &dial},
				  error);
}

struct transport *transport_plain(void)
{
	struct transport_identity id = {
	    .name = (char *)"",
	    .protocol = CFG_ORIGIN_PROTOCOL_HTTP1,
	    .dial = dial_usual,
	};

	return intern(&id, NULL, NULL);
}

struct transport *transport_unverified(const char *name, enum cfg_proxy_protocol proxy)
{
	return unverified(name, proxy, &dial_usual);
}

struct transport *transport_of_check(const struct transport_check *check, char **error)
{
	static const enum tls_verify verifies[] = {
	    [CFG_VERIFY_AUTO] = TLS_VERIFY_TRUSTED,
	    [CFG_VERIFY_YES] = TLS_VERIFY_ALL,
	    [CFG_VERIFY_NO] = TLS_VERIFY_NONE,
	};
	struct transport_identity id = {
	    .tls = true,
	    .protocol = check->h2 ? CFG_ORIGIN_PROTOCOL_H2 : CFG_ORIGIN_PROTOCOL_HTTP1,
	    .verify = verifies[check->verify],
	    .always_full = check->verify != CFG_VERIFY_NO,
	    .background = true,
	    .name = (char *)check->name,
	    .proxy = check->proxy,
	    .dial = check->dial ? *check->dial : dial_usual,
	};
	struct cfg_origin_tls tls = {.enabled = true};

	return intern(&id, &tls, error);
}

struct transport *transport_ref(struct transport *t)
{
	pthread_mutex_lock(&table.lock);
	t->refs++;
	pthread_mutex_unlock(&table.lock);
	return t;
}

void transport_unref(struct transport **transport)
{
	struct transport *t = TAKE(transport);
	bool last;

	if (!t)
		return;
	pthread_mutex_lock(&table.lock);
	last = --t->refs == 0;
	if (last)
		LIST_REMOVE(t, link);
	pthread_mutex_unlock(&table.lock);
	if (last)
		transport_free(t);
}

bool transport_may_be_h2(const struct transport *t)
{
	return t->protocol != CFG_ORIGIN_PROTOCOL_HTTP1;
}

bool transport_is_h2(const struct transport *t, gnutls_session_t session)
{
	gnutls_datum_t alpn;

	if (!session || t->protocol == CFG_ORIGIN_PROTOCOL_HTTP1)
		return t->protocol == CFG_ORIGIN_PROTOCOL_H2;
	/* Who does not know ALPN has to be known to speak it. */
	if (gnutls_alpn_get_selected_protocol(session, &alpn) != 0)
		return t->protocol == CFG_ORIGIN_PROTOCOL_H2;
	return alpn.size == 2 && memcmp(alpn.data, "h2", 2) == 0;
}

static bool lists_any(const struct cfg_origin *origin, sa_family_t family)
{
	for (unsigned i = 0; i < origin->connection.source.n; i++) {
		if (origin->connection.source.v[i].sa.sa_family == family)
			return true;
	}
	return false;
}

void transport_warn(const struct cfg_origin *origin, struct diag *diag)
{
	struct sock_dial dial = dial_options(origin);
	int error =
	    *dial.congestion_control ? sock_try_congestion_control(dial.congestion_control) : 0;

	if (error < 0)
		diag_warn(diag, origin->place,
			  "origins.%s.connection: congestion control %s cannot be used: %s",
			  origin->name, dial.congestion_control, strerrordesc_np(-error));
	for (unsigned i = 0; i < 2; i++) {
		const struct net_addr *source = i == 0 ? &dial.source4 : &dial.source6;
		sa_family_t family = i == 0 ? AF_INET : AF_INET6;

		if (source->sa.sa_family == AF_UNSPEC && lists_any(origin, family))
			diag_warn(diag, origin->place,
				  "origins.%s.connection: this machine has no %s address that is a "
				  "source; the kernel chooses one",
				  origin->name, i == 0 ? "IPv4" : "IPv6");
	}
}
