/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How connections to a server are made: everything but the address (options of sockets; TLS with
 * its name, verification, trust, client certificate and protocol; the PROXY header). Interned:
 * equal ones are one object, so they are compared by pointer afterwards, and nobody holds strings
 * of a configuration. Refcounted; any thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include <gnutls/gnutls.h>

#include "config/fleet.h"
#include "core/net/sock.h"

struct tls_client;

struct transport {
	/* immutable */
	struct tls_client *tls;            /* NULL: plain; holds the sessions that can be resumed */
	struct tls_client *tls_h1;         /* offers HTTP/1.1 only; NULL: not needed */
	enum cfg_origin_protocol protocol; /* AUTO: as the server says, by ALPN */
	enum cfg_proxy_protocol proxy; /* not NONE: a connection belongs to one client, and is never
					  reused */
	struct sock_dial dial;
	bool relay; /* to another edge, which is told the origin: core/http/relay_field.h */
	struct transport_identity *identity;
	/* transport.c, under its lock */
	unsigned refs;
	LIST_ENTRY(transport) link;
};

/* How requests go to that server. Blocking (reads files): before a configuration is taken over.
 * NULL with *error in words (malloc'd). */
struct transport *transport_load(const struct cfg_origin *origin, const char *server_host,
				 char **error);
/* How they go to another edge that is a relay, by the certificate that this one shows; `protocol`
 * as an origin would have it. Likewise. */
struct transport *transport_of_relay(const struct cfg_edge_relay *own, const char *name,
				     enum cfg_origin_protocol protocol, char **error);
/* How its checks go there, as origin->health.check and the way of requests say. */
struct transport *transport_load_check(const struct cfg_origin *origin, const char *server_host,
				       char **error);
struct diag;
/* Of what the connections of an origin are to have, and this machine does not: they go without. */
void transport_warn(const struct cfg_origin *origin, struct diag *diag);
/* TCP and nothing else. */
struct transport *transport_plain(void);
/* TLS to whoever answers, for checks that only want to know whether somebody does; `name` is for
 * SNI. Reads no file. */
struct transport *transport_unverified(const char *name, enum cfg_proxy_protocol proxy);
/* TLS for checks of something that clients come to by that name: what a new one would be shown is
 * verified at each connection. Blocking (reads the certificates that the system trusts, when nobody
 * had before). NULL with *error in words (malloc'd). */
struct transport_check {
	const char *name; /* for SNI and the certificate */
	enum cfg_verify verify;
	enum cfg_proxy_protocol proxy;
	bool h2;                      /* is asked for by ALPN, not HTTP/1.1 */
	const struct sock_dial *dial; /* NULL: as usual */
};
struct transport *transport_of_check(const struct transport_check *check, char **error);
struct transport *transport_ref(struct transport *transport);
void transport_unref(struct transport **transport);

/* Whether a connection may turn out to be of HTTP/2. */
bool transport_may_be_h2(const struct transport *transport);
/* Whether one is. `session`: its TLS, established; NULL: none. */
bool transport_is_h2(const struct transport *transport, gnutls_session_t session);
