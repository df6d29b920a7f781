/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See ticket_names.h. The handshake that proves it is one of TLS 1.3 by a pre-shared key, so that
 * it needs no certificate: client and server take turns, each in its own session, and what they
 * send lies in two buffers.
 */
#include "edge/tls/ticket_names.h"

#include <errno.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "core/base/check.h"

/* A period is three times as long as a ticket lives, so that the current key and the one before it
 * are all that tickets can need. */
#define LIFETIMES_A_PERIOD 3

uint64_t ticket_period(duration lifetime, time_t t)
{
	return (uint64_t)t / (uint64_t)(lifetime.ns / 1000000000 * LIFETIMES_A_PERIOD);
}

/* The key is SHA3-512 of the period, big-endian, and the secret; its name is the first of that. */
void ticket_name(const uint8_t secret[TICKET_SECRET_SIZE], uint64_t period,
		 uint8_t name[TICKET_NAME_SIZE])
{
	uint8_t input[8 + TICKET_SECRET_SIZE], key[64];

	for (unsigned i = 0; i < 8; i++)
		input[i] = (uint8_t)(period >> (56 - 8 * i));
	memcpy(input + 8, secret, TICKET_SECRET_SIZE);
	CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA3_512, input, sizeof(input), key) == 0);
	memcpy(name, key, TICKET_NAME_SIZE);
	gnutls_memset(input, 0, sizeof(input));
	gnutls_memset(key, 0, sizeof(key));
}

/* The proof */

/* What one side sends: a handshake has less than this. */
struct wire {
	uint8_t bytes[8192];
	size_t start, end;
};

struct party {
	gnutls_session_t session;
	struct wire *in, *out;
	uint8_t name[TICKET_NAME_SIZE]; /* the server's: of the ticket that it has sent */
	bool has_name;
};

static ssize_t pull(gnutls_transport_ptr_t ptr, void *to, size_t n)
{
	struct party *p = ptr;
	size_t there = p->in->end - p->in->start;

	if (there == 0) {
		gnutls_transport_set_errno(p->session, EAGAIN);
		return -1;
	}
	n = n < there ? n : there;
	memcpy(to, p->in->bytes + p->in->start, n);
	p->in->start += n;
	return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *from, size_t n)
{
	struct party *p = ptr;

	if (n > sizeof(p->out->bytes) - p->out->end) {
		gnutls_transport_set_errno(p->session, EPIPE);
		return -1;
	}
	memcpy(p->out->bytes + p->out->end, from, n);
	p->out->end += n;
	return (ssize_t)n;
}

/* RFC 8446 section 4.6.1: lifetime, age_add, nonce<0..255>, ticket<1..2^16-1>. */
static int ticket_goes(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		       const gnutls_datum_t *message)
{
	struct party *p = gnutls_transport_get_ptr(session);
	size_t at = message->size > 8 ? 9U + message->data[8] + 2 : SIZE_MAX;

	p->has_name = at < message->size && message->size - at >= TICKET_NAME_SIZE;
	if (p->has_name)
		memcpy(p->name, message->data + at, TICKET_NAME_SIZE);
	return 0;
}

static int find_key(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
	key->data = gnutls_calloc(1, 32);
	key->size = 32;
	return key->data != NULL ? 0 : -1;
}

static bool begin(struct party *p, unsigned flags, gnutls_credentials_type_t type,
		  void *credentials)
{
	static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+PSK:+ECDHE-PSK";

	if (gnutls_init(&p->session, flags | GNUTLS_NONBLOCK) != 0)
		return false;
	gnutls_transport_set_ptr(p->session, p);
	gnutls_transport_set_pull_function(p->session, pull);
	gnutls_transport_set_push_function(p->session, push);
	return gnutls_priority_set_direct(p->session, priority, NULL) == 0 &&
	       gnutls_credentials_set(p->session, type, credentials) == 0;
}

/* Until both are done, or one cannot go on. */
static bool shake_hands(struct party *client, struct party *server)
{
	int of_client = GNUTLS_E_AGAIN, of_server = GNUTLS_E_AGAIN;

	/* It takes three. */
	for (unsigned turn = 0; turn < 8 && (of_client != 0 || of_server != 0); turn++) {
		if (of_client != 0)
			of_client = gnutls_handshake(client->session);
		if (of_server != 0)
			of_server = gnutls_handshake(server->session);
	}
	return of_client == 0 && of_server == 0;
}

/* The name in the ticket of a server that has this secret. */
static bool find_name(uint8_t secret[TICKET_SECRET_SIZE], duration lifetime,
		      uint8_t name[TICKET_NAME_SIZE])
{
	const gnutls_datum_t key = {secret, TICKET_SECRET_SIZE}, psk = {secret, 32};
	struct wire up = {.end = 0}, down = {.end = 0};
	struct party client = {.in = &down, .out = &up}, server = {.in = &up, .out = &down};
	gnutls_psk_client_credentials_t of_client;
	gnutls_psk_server_credentials_t of_server;
	bool ok;

	CHECK(gnutls_psk_allocate_client_credentials(&of_client) == 0);
	CHECK(gnutls_psk_allocate_server_credentials(&of_server) == 0);
	gnutls_psk_set_server_credentials_function(of_server, find_key);
	ok = gnutls_psk_set_client_credentials(of_client, "proof", &psk, GNUTLS_PSK_KEY_RAW) == 0;
	ok = ok && begin(&client, GNUTLS_CLIENT, GNUTLS_CRD_PSK, of_client);
	ok = ok && begin(&server, GNUTLS_SERVER, GNUTLS_CRD_PSK, of_server);
	if (ok) {
		gnutls_db_set_cache_expiration(server.session, (int)(lifetime.ns / 1000000000));
		gnutls_handshake_set_hook_function(server.session,
						   GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
						   GNUTLS_HOOK_PRE, ticket_goes);
		ok = gnutls_session_ticket_enable_server(server.session, &key) == 0 &&
		     shake_hands(&client, &server) && server.has_name;
	}
	memcpy(name, server.name, TICKET_NAME_SIZE);
	if (client.session != NULL)
		gnutls_deinit(client.session);
	if (server.session != NULL)
		gnutls_deinit(server.session);
	gnutls_psk_free_client_credentials(of_client);
	gnutls_psk_free_server_credentials(of_server);
	return ok;
}

bool ticket_names_hold(void)
{
	const duration lifetime = DUR_S(3600);
	uint8_t secret[TICKET_SECRET_SIZE] = {0}, found[TICKET_NAME_SIZE], now[TICKET_NAME_SIZE],
		before[TICKET_NAME_SIZE];
	uint64_t period;

	if (!find_name(secret, lifetime, found))
		return false;
	/* A period may have ended meanwhile. */
	period = ticket_period(lifetime, time(NULL));
	ticket_name(secret, period, now);
	ticket_name(secret, period - 1, before);
	return memcmp(found, now, sizeof(now)) == 0 || memcmp(found, before, sizeof(before)) == 0;
}
