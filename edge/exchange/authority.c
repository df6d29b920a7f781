/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules are in the header: the host that was named first, as in nearly all requests, then what
 * costs more.
 */
#include "edge/exchange/authority.h"

#include "config/fleet.h"
#include "edge/facts/client.h"
#include "edge/facts/forwarded.h"
#include "edge/node/view.h"
#include "edge/route/route.h"
#include "edge/tls/certs.h"

/* Without the port and a final dot. */
static struct span host_of(struct span authority)
{
	struct span host = {"", 0}, port;

	http_authority_split(authority, &host, &port);
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

bool edge_authority_is_misdirected(const struct edge_view *view, const struct edge_client *client,
				   const struct edge_site *site, struct span authority)
{
	struct span sni = span_of(client->sni), host;
	const struct edge_site *named;

	if (client->tls[0] == '\0' || span_equal_nocase(sni, authority))
		return false;
	sni = host_of(sni);
	host = host_of(authority);
	if (span_equal_nocase(sni, host) ||
	    edge_is_trusted(&view->fleet->http.trusted_proxies, &client->addr))
		return false;
	named = sni.n > 0 ? edge_route_site(view->routes, sni) : NULL;
	if (named != NULL && named != site)
		return true;
	return !edge_certs_allow(view->certs, sni, host);
}
