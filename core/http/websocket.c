/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys and what answers them, by GnuTLS. Any thread.
 */
#include "core/http/websocket.h"

#include <string.h>

#include <gnutls/crypto.h>

#include "core/base/check.h"

/* RFC 6455 section 4.2.2. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static bool base64(const void *data, unsigned n, char *out, size_t size)
{
	gnutls_datum_t raw = {(unsigned char *)data, n}, text;

	if (gnutls_base64_encode2(&raw, &text) != 0)
		return false;
	CHECK(text.size == size);
	memcpy(out, text.data, size);
	gnutls_free(text.data);
	return true;
}

void websocket_key(char key[WEBSOCKET_KEY + 1])
{
	uint8_t nonce[16];

	key[0] = key[WEBSOCKET_KEY] = '\0';
	if (gnutls_rnd(GNUTLS_RND_NONCE, nonce, sizeof(nonce)) == 0)
		base64(nonce, sizeof(nonce), key, WEBSOCKET_KEY);
}

bool websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT])
{
	char text[WEBSOCKET_KEY + sizeof(GUID)];
	uint8_t digest[20];

	memcpy(text, key, WEBSOCKET_KEY);
	memcpy(text + WEBSOCKET_KEY, GUID, sizeof(GUID));
	return gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof(text) - 1, digest) == 0 &&
	       base64(digest, sizeof(digest), accept, WEBSOCKET_ACCEPT);
}

bool websocket_is_accepted(const char *key, struct span accept)
{
	char expected[WEBSOCKET_ACCEPT];

	return websocket_accept(key, expected) &&
	       span_equal(accept, (struct span){expected, sizeof(expected)});
}
