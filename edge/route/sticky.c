/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A value is, in hexadecimal: a byte that tells which key, the number of the server, encrypted, and
 * a signature of the number, which is what the encryption starts from (as with SIV, RFC 5297): the
 * same server has the same value, and no value tells anything of another.
 */
#include "edge/route/sticky.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>

#include "core/base/check.h"
#include "core/http/cookie.h"
#include "edge/tls/tickets.h"

#define NUMBER_SIZE 8
#define SIGNATURE_SIZE 16 /* 128 bits, as many as the field takes to be out of reach */
#define VALUE_SIZE (1 + NUMBER_SIZE + SIGNATURE_SIZE)
#define HALF (EDGE_TICKETS_DERIVED / 2)

struct sticky_key {
	uint8_t hint;
	uint8_t signing[HALF], covering[HALF];
};

struct edge_sticky {
	const struct cfg_sticky *cfg;
	const struct edge_tickets *tickets;
	unsigned n;
	struct sticky_key keys[]; /* one of each key of tickets */
};

/* The first bytes of an HMAC. */
static void hash(const uint8_t key[HALF], const void *data, size_t n, uint8_t *out, size_t out_n)
{
	uint8_t whole[32];

	CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, HALF, data, n, whole) == 0);
	memcpy(out, whole, out_n);
}

static void derive(struct sticky_key *key, const struct edge_tickets *tickets, unsigned i,
		   const char *origin)
{
	char *label = xasprintf("perigee sticky cookie of origin %s", origin);
	uint8_t derived[EDGE_TICKETS_DERIVED];

	edge_tickets_derive(tickets, i, label, derived);
	memcpy(key->signing, derived, HALF);
	memcpy(key->covering, derived + HALF, HALF);
	hash(key->covering, "hint", 4, &key->hint, 1);
	explicit_bzero(derived, sizeof(derived));
	free(label);
}

struct edge_sticky *edge_sticky_create(const struct cfg_origin *origin,
				       const struct edge_tickets *tickets)
{
	unsigned n = edge_tickets_count(tickets);
	struct edge_sticky *s = xcalloc(1, sizeof(*s) + n * sizeof(s->keys[0]));

	s->cfg = &origin->balance.sticky;
	s->tickets = tickets;
	s->n = n;
	for (unsigned i = 0; i < n; i++)
		derive(&s->keys[i], tickets, i, origin->name);
	return s;
}

void edge_sticky_destroy(struct edge_sticky **stickyp)
{
	struct edge_sticky *s = TAKE(stickyp);

	if (!s)
		return;
	explicit_bzero(s->keys, s->n * sizeof(s->keys[0]));
	free(s);
}

/* Both ways. */
static void cover(const struct sticky_key *key, const uint8_t signature[SIGNATURE_SIZE],
		  uint8_t number[NUMBER_SIZE])
{
	uint8_t mask[NUMBER_SIZE];

	hash(key->covering, signature, SIGNATURE_SIZE, mask, sizeof(mask));
	for (unsigned i = 0; i < NUMBER_SIZE; i++)
		number[i] ^= mask[i];
}

static void seal(const struct sticky_key *key, uint64_t server, uint8_t value[VALUE_SIZE])
{
	uint8_t *number = value + 1, *signature = number + NUMBER_SIZE;

	server = htole64(server);
	value[0] = key->hint;
	memcpy(number, &server, NUMBER_SIZE);
	hash(key->signing, number, NUMBER_SIZE, signature, SIGNATURE_SIZE);
	cover(key, signature, number);
}

static bool open_with(const struct sticky_key *key, const uint8_t value[VALUE_SIZE],
		      uint64_t *server)
{
	const uint8_t *signature = value + 1 + NUMBER_SIZE;
	uint8_t number[NUMBER_SIZE], expected[SIGNATURE_SIZE];

	if (value[0] != key->hint)
		return false;
	memcpy(number, value + 1, NUMBER_SIZE);
	cover(key, signature, number);
	hash(key->signing, number, NUMBER_SIZE, expected, SIGNATURE_SIZE);
	/* In constant time: how much of a guess is right is not to be measured. */
	if (gnutls_memcmp(expected, signature, SIGNATURE_SIZE) != 0)
		return false;
	memcpy(server, number, NUMBER_SIZE);
	*server = le64toh(*server);
	return true;
}

bool edge_sticky_read(const struct edge_sticky *s, const struct http_fields *fields, wall_time now,
		      uint64_t *server, bool *current)
{
	uint8_t value[VALUE_SIZE];
	size_t n = sizeof(value);
	struct span text;
	gnutls_datum_t hex;

	if (!http_cookie_find(fields, span_of(s->cfg->name), &text) || text.n != 2 * VALUE_SIZE)
		return false;
	hex = (gnutls_datum_t){(unsigned char *)text.p, (unsigned)text.n};
	if (gnutls_hex_decode(&hex, value, &n) != 0 || n != VALUE_SIZE)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		if (open_with(&s->keys[i], value, server)) {
			*current = i == edge_tickets_in_use(s->tickets, now);
			return true;
		}
	}
	return false;
}

static const char *same_site_text(enum cfg_same_site same_site)
{
	switch (same_site) {
	case CFG_SAME_SITE_STRICT:
		return "Strict";
	case CFG_SAME_SITE_LAX:
		return "Lax";
	case CFG_SAME_SITE_NONE:
		break;
	}
	return "None";
}

bool edge_sticky_write(const struct edge_sticky *s, uint64_t server, wall_time now,
		       struct http_head *response)
{
	const struct cfg_sticky *cfg = s->cfg;
	uint8_t value[VALUE_SIZE];
	char hex[2 * VALUE_SIZE + 1], age[32] = "", *text;
	const gnutls_datum_t data = {value, sizeof(value)};
	size_t n = sizeof(hex);
	int size;

	seal(&s->keys[edge_tickets_in_use(s->tickets, now)], server, value);
	CHECK(gnutls_hex_encode(&data, hex, &n) == 0);
	if (cfg->max_age.ns > 0)
		snprintf(age, sizeof(age), "; Max-Age=%lld",
			 (long long)(cfg->max_age.ns / DUR_S(1).ns));
	/* All but the name and the path is less than that. */
	n = 200 + strlen(cfg->name) + strlen(cfg->path);
	text = arena_alloc(response->arena, n);
	if (text == NULL)
		return false;
	size = snprintf(text, n, "%s=%s; Path=%s%s%s%s; SameSite=%s", cfg->name, hex, cfg->path,
			age, cfg->secure ? "; Secure" : "", cfg->http_only ? "; HttpOnly" : "",
			same_site_text(cfg->same_site));
	CHECK(size > 0 && (size_t)size < n);
	return http_fields_add(&response->fields, response->arena, SPAN("Set-Cookie"),
			       (struct span){text, (size_t)size});
}
