/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a request's connection is one that its host may be asked on (RFC 9110 section 7.4). Pure;
 * called by the thread that owns the exchange.
 *
 * Without it a client could come in by the name of one site, with whatever holds for that one, and
 * ask for another's; and browsers that put the hosts of one certificate on one connection (RFC 9113
 * section 9.1.1) would do so across sites without meaning it: their answer to 421 is another
 * connection. What counts:
 *
 * - the host that the client named in its ClientHello (SNI) it may ask for, whatever it was shown;
 * - another host must be of the same site, if the named one is of a site at all;
 * - and be one that the certificate shown for that name is for: all of those of which, by what the
 *   client can verify, one was shown. But a host that no certificate of ours is for would not be
 *   any better off on another connection.
 * - Who named nobody, or a name that is no site's, is judged by the certificate alone.
 * - A proxy of ours (http.trusted_proxies) has its own clients on its connections: any host.
 *
 * Ports are not compared: with a load balancer in front, ours is not the client's.
 */
#pragma once

#include "core/http/message.h"

struct edge_client;
struct edge_facts;
struct edge_site;
struct edge_view;

/* `site` is that of the request's host, which has one. */
bool edge_authority_is_misdirected(const struct edge_view *view, const struct edge_client *client,
				   const struct edge_site *site, struct span authority);
/* Whether `site`, as above, asks clients for a certificate (edge/clients/client_auth.h), and has
 * none on this connection that will do: it began without TLS, or by a name of another site or of
 * none, or before a reload after which what it has shown is not valid any more, or that has expired
 * meanwhile. That is looked at again then, which takes as long as some signatures. On another
 * connection the client may be asked anew, hence 421 is the answer here too. Of a proxy of ours,
 * which may ask for any host, what it has shown by another name is judged by this site's rules.
 * False: the facts know the certificate, if there is one. */
bool edge_authority_lacks_certificate(const struct edge_view *view, struct edge_client *client,
				      const struct edge_site *site, struct edge_facts *facts);
