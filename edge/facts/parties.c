/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See the header. They are written for each request: what counts of a certificate is what the site
 * of the request says of it.
 */
#include "edge/facts/parties.h"

#include <stdio.h>
#include <string.h>

#include "config/origin.h"
#include "core/base/arena.h"
#include "core/net/proxy_header.h"

/* "TLSv1.3", as OpenSSL writes what is "TLS1.3" for GnuTLS. */
static void write_version(char *out, size_t size, const char *tls)
{
	snprintf(out, size, "TLSv%s", strncmp(tls, "TLS", 3) == 0 ? tls + 3 : tls);
}

bool edge_proxy_parties(struct proxy_parties *out, const struct edge_client *client,
			const struct edge_facts *facts, const struct cfg_origin *origin,
			struct arena *arena)
{
	const struct edge_client_cert *cert = facts->client_cert;
	bool verified = cert != NULL && facts->client_verdict == EDGE_CLIENT_OK;
	char version[16], tlvs[PROXY_HEADER_TLVS_MAX];
	struct proxy_header_tls tls;

	*out = (struct proxy_parties){.source = client->addr, .destination = client->local};
	if (origin->proxy_protocol != CFG_PROXY_PROTOCOL_V2_TLS || client->is_edge ||
	    client->tls[0] == '\0')
		return true;
	write_version(version, sizeof(version), client->tls);
	tls = (struct proxy_header_tls){
	    .alpn = edge_client_speaks_http2(client) ? "h2" : "http/1.1",
	    .authority = client->sni,
	    .version = version,
	    .cipher = client->tls_suite,
	    .common_name = verified ? cert->common_name : NULL,
	    .certificate = cert != NULL,
	    .certificate_now = cert != NULL && !client->tls_resumed,
	    .verified = verified,
	};
	out->n_tlvs = proxy_header_write_tlvs(&tls, tlvs);
	out->tlvs = arena_copy(arena, tlvs, out->n_tlvs);
	return out->tlvs != NULL;
}
