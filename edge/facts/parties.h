/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an origin that wants a PROXY header is told of the client. Pure; the worker's loop.
 */
#pragma once

#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "origin-link/conns/connector.h"

struct arena;
struct cfg_origin;

/* Fills `out` for a request to `origin` by `client`, whose connection it is; `facts` has what the
 * site makes of the certificate. TLVs of its TLS are made if the origin wants them, and lie in the
 * arena: an edge that a request came through has its own TLS with us, which is not the client's.
 * False: no room. */
bool edge_proxy_parties(struct proxy_parties *out, const struct edge_client *client,
			const struct edge_facts *facts, const struct cfg_origin *origin,
			struct arena *arena);
