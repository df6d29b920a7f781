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

#include <stdbool.h>

#include "core/loop/loop.h"
#include "edge/tls/client_cert.h"

struct edge_certs;
struct edge_client_auth;
struct edge_view;

struct edge_handshake {
	/* Immutable. */
	const struct edge_certs *certs; /* of the view */
	struct edge_view *view;         /* pinned on the loop */
	const struct loop *loop;        /* the worker's */
	mono_time since;
	/* Of the callbacks, then the inlet's. */
	bool hello_seen;
	const struct edge_client_auth *client_auth; /* NULL: no certificate is asked for */
	struct edge_client_cert *client_cert;       /* NULL: none was shown, or not yet */
	enum edge_client_verdict client_verdict;    /* EDGE_CLIENT_NONE: likewise */
};
