/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS with other edges of the fleet, where this one is a relay for them (edges.NAME.relay): they
 * show a certificate of the operator's authorities, whose names say which edge it is. Part of the
 * snapshot: built by the job that loads it, then immutable, and asked by handshakes on any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/http/message.h"

struct cfg_edge;
struct cfg_fleet;
struct diag;
struct edge_tls_edges;
struct tls_server;

/* *edges is NULL where this edge is no relay. False: what is wrong is in `diag`. `fleet` must
 * outlive it. Blocking (reads files). */
bool edge_tls_edges_load(const struct cfg_fleet *fleet, const struct cfg_edge *self,
			 struct edge_tls_edges **edges, struct diag *diag);
void edge_tls_edges_destroy(struct edge_tls_edges **edges);
/* For stream_start_tls_server(). A handshake succeeds with an edge of the fleet only, whose name is
 * in its struct edge_handshake then. */
const struct tls_server *edge_tls_edges_server(const struct edge_tls_edges *edges);
/* Whether one that was let in still would be, after reloads: as the edge `name`, by `authorities`
 * (struct edge_handshake). `edges` may be NULL: nobody is. */
bool edge_tls_edges_know(const struct edge_tls_edges *edges, struct span name,
			 uint64_t authorities);
