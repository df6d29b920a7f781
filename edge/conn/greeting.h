/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a ClientHello decides before its handshake costs anything: whether it can come to something,
 * and whether the client is let in. Worker's loop only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/http/message.h"
#include "edge/tls/failure.h"

struct edge_conn;

struct edge_greeting {
	enum edge_failure failure; /* NONE: the handshake may begin */
	uint8_t alert;             /* else: what to end the connection with (RFC 8446, 6) */
	/* Whether any group that is offered is allowed: of a handshake that fails the library does
	 * not tell whether it was for groups or for suites. */
	bool shares_group;
};

/* `wire`: a hello that is whole, with its record headers. Counts it, and what it offers. */
struct edge_greeting edge_conn_greet(struct edge_conn *conn, struct span wire);
