/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is known of a client, as long as its connection lives: filled by the inlet, read by all
 * above. Belongs to the connection's loop.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/http/message.h"

struct edge_client {
	struct net_addr addr;  /* its own: the PROXY header's word, or the socket's */
	struct net_addr local; /* where it came to; likewise */
	char ip[NET_ADDR_TEXT];
	/* Whom it named in its ClientHello, as it wrote it; "" for nobody. The connection's. */
	const char *sni;
	const char *protocol; /* "HTTP/1.1"; static */
	const char *tls;      /* "TLS1.3", "" for none; static */
	struct span scheme;   /* "https" or "http" */
	/* With TLS. */
	const char *tls_suite; /* "TLS_AES_128_GCM_SHA256"; static; NULL: not known */
	bool tls_resumed;
};
