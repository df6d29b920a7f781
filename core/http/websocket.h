/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The words of WebSocket's handshake (RFC 6455 section 4), which HTTP/2 does without (RFC 8441):
 * who translates between the two has to put them in. Pure.
 */
#pragma once

#include "core/http/message.h"

/* base64 of 16 and of 20 bytes. */
#define WEBSOCKET_KEY 24
#define WEBSOCKET_ACCEPT 28

/* A new one, for Sec-WebSocket-Key; "" when there is no randomness. */
void websocket_key(char key[WEBSOCKET_KEY + 1]);
/* What answers a key of WEBSOCKET_KEY bytes, not NUL-terminated. False: it cannot be made. */
bool websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT]);
bool websocket_is_accepted(const char *key, struct span accept);
