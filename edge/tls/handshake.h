/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One client's handshake: what GnuTLS's callbacks find by tls_session_arg(), and leave for the
 * inlet, which made it. It may outlive the connection, and lasts until the stream does not look at
 * the certificates any more.
 *
 * The callbacks run wherever the handshake does, which need not be the worker: what they read here
 * is immutable, and what they write, the inlet reads when the handshake is done.
 */
#pragma once

#include "core/loop/loop.h"
#include "edge/clients/client_auth.h"

struct edge_certs;
struct edge_view;

struct edge_handshake {
	/* Immutable. */
	const struct edge_certs *certs; /* of the view */
	struct edge_view *view;         /* pinned on the loop */
	const struct loop *loop;        /* the worker's */
	mono_time since;
	/* Of the callbacks, then the inlet's. */
	struct edge_client_handshake client;
	const char *edge;     /* of the fleet, which the client is: edges.h; the view's */
	uint64_t authorities; /* with it: by which it was let in */
};
