/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is known of a client, as long as its connection lives: filled by the inlet, read by all
 * above. Belongs to the connection's loop.
 */
#pragma once

#include <string.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/http/message.h"
#include "edge/facts/early.h"
#include "geo/places.h"

struct edge_client_cert;

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
	const char *tls_group; /* "X25519"; static; NULL: none, or not known */
	bool tls_resumed;
	/* Its fingerprint; "" for none, or when nobody asks for it. The connection's. */
	const char *ja4;
	bool is_edge;         /* of the fleet, for which this one is a relay */
	struct span edge;     /* which one; the connection's */
	uint64_t authorities; /* by which it was let in: edge/relay/edges.h */
	bool early;           /* its handshake is not done: what it says may be a replay */
	struct edge_early_waits early_waits; /* while it is, or has been */
	duration handshake;                  /* from its ClientHello on */
	/* The certificate that was shown; NULL: none, or none was asked for. Whoever looks at it
	 * for a request does so by the facts of that. The connection's. */
	struct edge_client_cert *cert;
	/* Where it is, once somebody has asked; and the generation of the places it was looked up
	 * in; 0: nobody has. Those may be gone, and others stand where they stood. */
	struct geo_place place;
	uint64_t looked_up;
	/* What edge/limit/guard.h knows it by; 0: nobody has asked. */
	uint64_t key;
	/* Where its connection is counted; NULL: nowhere. */
	_Atomic uint64_t *counted;
};

static inline bool edge_client_speaks_http2(const struct edge_client *client)
{
	return strcmp(client->protocol, "HTTP/2") == 0;
}

/* Its place in `places`, which is looked up once for them; NULL without places. */
const struct geo_place *edge_client_place(struct edge_client *client,
					  const struct geo_places *places);
/* What counts as one client: an IPv4 address, or the IPv6 network of 64 bits around one (an
 * IPv4-mapped address is IPv4). */
struct net_prefix edge_client_network(const struct net_addr *addr);
