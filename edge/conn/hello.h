/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A look at the first bytes of a connection to a TLS listener: is it a ClientHello, and is it all
 * here. Only the framing is judged, what it says is left to the TLS library. Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The longest ClientHello that is waited for, with its record headers. Those of browsers have two
 * kilobytes with post-quantum key shares; GnuTLS itself refuses more than 128 KiB. */
#define EDGE_HELLO_MAX (64 * 1024)

enum edge_hello {
	EDGE_HELLO_MORE, /* no fault so far; never with EDGE_HELLO_MAX bytes or more */
	EDGE_HELLO_WHOLE,
	EDGE_HELLO_HTTP, /* an HTTP request: a client that took the port for one without TLS */
	EDGE_HELLO_BAD,
};

/* `buf` holds all that has come so far. *alert, what to end the connection with (RFC 8446, 6), is
 * set with EDGE_HELLO_BAD only. */
enum edge_hello edge_hello_look(const char *buf, size_t len, uint8_t *alert);
