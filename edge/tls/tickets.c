/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See tickets.h. GnuTLS has one secret for a session, so the one that a ticket needs is found by
 * the name in the ticket before the library looks at it. The names change with each period of
 * ticket_names.h; those of the current one are computed once, by the handshake that first needs
 * them, under a lock that is held for as long as it takes to compare a few of them.
 */
#define LOG_MODULE LOG_TLS
#include "edge/tls/tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/tls.h"
#include "edge/tls/ticket_keys.h"

/* Of the period and of the one before it, which is what GnuTLS takes. */
struct key_names {
	uint8_t now[TICKET_NAME_SIZE], before[TICKET_NAME_SIZE];
};

struct edge_tickets {
	/* Immutable. */
	struct tls_tickets tls;
	duration lifetime;
	struct ticket_keys keys; /* the fleet's */
	uint8_t own[TICKET_SECRET_SIZE];
	bool names_hold;         /* else only the key in use is understood */
	struct tls_early *early; /* the process's; NULL: no route takes early data */
	uint32_t early_max;

	/* Under the lock. */
	pthread_mutex_t lock;
	uint64_t period;         /* that the names are of; 0: of none */
	struct key_names *names; /* keys.n of the fleet's, then that of our own */
};

static const struct edge_tickets *tickets_of(const struct tls_tickets *tls)
{
	return CONTAINER_OF(tls, struct edge_tickets, tls);
}

/* keys.n: our own. */
static gnutls_datum_t secret_of(const struct edge_tickets *t, unsigned key)
{
	const uint8_t *secret = key < t->keys.n ? t->keys.v[key].secret : t->own;

	return (gnutls_datum_t){(unsigned char *)secret, TICKET_SECRET_SIZE};
}

static void compute_names(struct edge_tickets *t, uint64_t period)
{
	for (unsigned i = 0; i <= t->keys.n; i++) {
		const uint8_t *secret = secret_of(t, i).data;

		ticket_name(secret, period, t->names[i].now);
		ticket_name(secret, period - 1, t->names[i].before);
	}
	t->period = period;
}

/* The key that is called so in a ticket; false when it is none of ours. */
static bool find_key(const struct edge_tickets *t, const uint8_t *name, unsigned *found)
{
	struct edge_tickets *mine = (struct edge_tickets *)t; /* what the lock guards */
	uint64_t period = ticket_period(t->lifetime, time(NULL));
	unsigned i;

	pthread_mutex_lock(&mine->lock);
	if (t->period != period)
		compute_names(mine, period);
	for (i = 0; i <= t->keys.n; i++) {
		if (memcmp(t->names[i].now, name, TICKET_NAME_SIZE) == 0 ||
		    memcmp(t->names[i].before, name, TICKET_NAME_SIZE) == 0)
			break;
	}
	pthread_mutex_unlock(&mine->lock);
	*found = i;
	return i <= t->keys.n;
}

/* For GnuTLS */

static int start(const struct tls_tickets *tls, gnutls_session_t session)
{
	const struct edge_tickets *t = tickets_of(tls);
	const gnutls_datum_t secret = secret_of(t, ticket_keys_in_use(&t->keys, clock_wall()));

	gnutls_db_set_cache_expiration(session, (int)(t->lifetime.ns / 1000000000));
	return gnutls_session_ticket_enable_server(session, &secret);
}

/* Which was in use before does not matter here: then there is a full handshake. */
static int mark(const struct tls_tickets *tls, gnutls_session_t session, const gnutls_datum_t *mark)
{
	const struct edge_tickets *t = tickets_of(tls);
	const gnutls_datum_t secret = secret_of(t, ticket_keys_in_use(&t->keys, clock_wall()));
	uint8_t marked[TICKET_SECRET_SIZE];
	const gnutls_datum_t own = {marked, sizeof(marked)};
	int ret;

	_Static_assert(TICKET_SECRET_SIZE == 64, "as long as SHA-512");
	ret = gnutls_hmac_fast(GNUTLS_MAC_SHA512, secret.data, secret.size, mark->data, mark->size,
			       marked);
	if (ret == 0)
		ret = gnutls_session_ticket_enable_server(session, &own);
	explicit_bzero(marked, sizeof(marked));
	return ret;
}

/* What is looked for in a ClientHello, and found. */
struct search {
	const struct edge_tickets *tickets;
	unsigned key;
	bool found;
};

static void look_at(struct search *s, const uint8_t *ticket, size_t n)
{
	if (!s->found && n >= TICKET_NAME_SIZE)
		s->found = find_key(s->tickets, ticket, &s->key);
}

static unsigned number_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Clients show a ticket or two; who shows thousands is not to make us compare them all. */
#define IDENTITIES_MAX 16

/* RFC 8446 section 4.2.11: identities<7..2^16-1>, each identity<1..2^16-1> and its age. GnuTLS
 * takes the first that it understands. */
static void look_at_identities(struct search *s, const uint8_t *p, size_t n)
{
	size_t left;

	if (n < 2)
		return;
	left = number_at(p);
	left = left < n - 2 ? left : n - 2;
	p += 2;
	for (unsigned i = 0; i < IDENTITIES_MAX && left >= 2; i++) {
		size_t len = number_at(p);

		if (left - 2 < len + 4)
			return;
		look_at(s, p + 2, len);
		p += 2 + len + 4;
		left -= 2 + len + 4;
	}
}

static int look_at_extension(void *arg, unsigned type, const unsigned char *data, unsigned n)
{
	enum { SESSION_TICKET = 35, PRE_SHARED_KEY = 41 };

	if (type == PRE_SHARED_KEY)
		look_at_identities(arg, data, n);
	else if (type == SESSION_TICKET)
		look_at(arg, data, n);
	return 0;
}

static void choose(const struct tls_tickets *tls, gnutls_session_t session,
		   const gnutls_datum_t *hello)
{
	struct search s = {.tickets = tickets_of(tls)};
	gnutls_datum_t secret;

	/* What is malformed, the library finds as well. */
	gnutls_ext_raw_parse(&s, look_at_extension, hello, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	if (!s.found)
		return;
	secret = secret_of(s.tickets, s.key);
	/* It refuses in a second ClientHello, when the first has made it use a key: then that one
	 * stays, and so does the ticket, or there is a full handshake. */
	gnutls_session_ticket_enable_server(session, &secret);
}

/* The process */

void edge_resumption_init(struct edge_resumption *resumption)
{
	CHECK(gnutls_session_ticket_key_generate(&resumption->own) == 0);
	resumption->early = tls_early_create();
}

void edge_resumption_fini(struct edge_resumption *resumption)
{
	gnutls_memset(resumption->own.data, 0, resumption->own.size);
	gnutls_free(resumption->own.data);
	tls_early_destroy(&resumption->early);
}

/* Loading */

static void warn_of_use(const struct edge_tickets *t, const char *directory, struct cfg_place place,
			wall_time now, struct diag *diag)
{
	if (ticket_keys_in_use(&t->keys, now) == t->keys.n)
		diag_warn(diag, place,
			  "%s has no key of tickets that is to be used by now: sessions are "
			  "resumed where they began only",
			  directory);
	if (!t->names_hold)
		diag_warn(diag, place,
			  "this version of GnuTLS has tickets of another form: those of older keys "
			  "are not understood");
}

static bool load_keys(struct edge_tickets *t, const struct cfg_fleet *fleet, wall_time now,
		      struct diag *diag)
{
	const char *directory = fleet->tls.tickets.keys;
	const struct cfg_place place = {.file = fleet->file};

	if (directory == NULL)
		return true;
	if (!ticket_keys_read(&t->keys, directory, place, diag))
		return false;
	t->names_hold = ticket_names_hold();
	warn_of_use(t, directory, place, now, diag);
	return true;
}

static bool takes_early_data(const struct cfg_fleet *fleet)
{
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		for (unsigned r = 0; r < site->n_routes; r++) {
			if (site->routes[r].terms.early_data)
				return true;
		}
	}
	return false;
}

struct edge_tickets *edge_tickets_create(const struct cfg_fleet *fleet,
					 const struct edge_resumption *resumption, wall_time now,
					 struct diag *diag)
{
	const gnutls_datum_t *own = &resumption->own;
	struct edge_tickets *t = xcalloc(1, sizeof(*t));

	CHECK(own->size == TICKET_SECRET_SIZE);
	CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
	memcpy(t->own, own->data, TICKET_SECRET_SIZE);
	t->lifetime = fleet->tls.tickets.lifetime;
	if (!load_keys(t, fleet, now, diag)) {
		edge_tickets_destroy(&t);
		return NULL;
	}
	t->names = xcalloc(t->keys.n + 1, sizeof(*t->names));
	t->tls.start = start;
	t->tls.mark = mark;
	t->tls.choose = t->names_hold ? choose : NULL;
	t->tls.count = fleet->tls.tickets.count;
	if (takes_early_data(fleet))
		t->early = resumption->early;
	t->early_max = (uint32_t)fleet->tls.early_data;
	return t;
}

void edge_tickets_destroy(struct edge_tickets **ticketsp)
{
	struct edge_tickets *t = TAKE(ticketsp);

	if (t == NULL)
		return;
	ticket_keys_fini(&t->keys);
	explicit_bzero(t->own, sizeof(t->own));
	free(t->names);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void edge_tickets_check(const struct cfg_fleet *fleet, wall_time now, struct diag *diag)
{
	uint8_t zeros[TICKET_SECRET_SIZE] = {0};
	const struct edge_resumption none = {.own = {zeros, sizeof(zeros)}};
	struct edge_tickets *t = edge_tickets_create(fleet, &none, now, diag);

	edge_tickets_destroy(&t);
}

void edge_tickets_serve(const struct edge_tickets *t, struct tls_server *server)
{
	server->tickets = t->tls.count > 0 ? &t->tls : NULL;
	server->early = t->early;
	server->early_max = t->early_max;
}

unsigned edge_tickets_count(const struct edge_tickets *t)
{
	return t->keys.n + 1;
}

unsigned edge_tickets_in_use(const struct edge_tickets *t, wall_time now)
{
	return ticket_keys_in_use(&t->keys, now);
}

void edge_tickets_derive(const struct edge_tickets *t, unsigned i, const char *label,
			 uint8_t out[EDGE_TICKETS_DERIVED])
{
	const gnutls_datum_t secret = secret_of(t, i);

	_Static_assert(EDGE_TICKETS_DERIVED == 64, "as long as SHA-512");
	CHECK(i <= t->keys.n);
	CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA512, secret.data, secret.size, label, strlen(label),
			       out) == 0);
}

json_t *edge_tickets_status(const struct edge_tickets *t, wall_time now)
{
	unsigned in_use = ticket_keys_in_use(&t->keys, now);
	json_t *keys = json_array();

	for (unsigned i = 0; i < t->keys.n; i++) {
		char *from = ticket_time_text(t->keys.v[i].from);

		json_array_append_new(keys, json_pack("{s:s, s:s, s:b}", "name", t->keys.v[i].name,
						      "from", from, "in_use", i == in_use));
		free(from);
	}
	if (in_use == t->keys.n)
		json_array_append_new(keys, json_pack("{s:s, s:b}", "name", "own", "in_use", true));
	return json_pack("{s:o, s:I}", "keys", keys, "lifetime",
			 (json_int_t)(t->lifetime.ns / 1000000000));
}
