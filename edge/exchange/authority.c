/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules are in the header: the host that was named first, as in nearly all requests, then what
 * costs more.
 */
#include "edge/exchange/authority.h"

#include "config/fleet.h"
#include "edge/clients/client_auth.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
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

bool edge_authority_lacks_certificate(const struct edge_view *view, struct edge_client *client,
				      const struct edge_site *site, struct edge_facts *facts)
{
	const struct edge_client_auth *auth = edge_certs_site_client_auth(view->certs, site->cfg);
	struct edge_client_cert *cert = client->cert;

	if (auth == NULL)
		return false;
	facts->client_cert_asked = true;
	if (cert == NULL)
		return !edge_client_auth_is_optional(auth);
	if (!edge_client_auth_knows(auth, cert))
		edge_client_auth_judge(auth, cert);
	facts->client_cert = cert;
	facts->client_verdict = cert->verdict;
	return cert->verdict != EDGE_CLIENT_OK && !edge_client_auth_is_optional(auth);
}
