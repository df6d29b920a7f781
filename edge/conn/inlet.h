/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From accept to the protocol: PROXY header, ClientHello, handshake, ALPN. Worker's loop only.
 */
#pragma once

#include "core/base/reason.h"
#include "edge/conn/listener.h"

struct edge_inlet;
struct edge_worker;
struct net_addr;

/* What the inlets of one worker share. */
struct edge_inlets;
struct edge_inlets *edge_inlets_create(struct edge_worker *w);
/* No inlet may be left. */
void edge_inlets_destroy(struct edge_inlets **inlets);
/* Places among the handshakes may have become free: at the end of this turn the WAITING are looked
 * at. */
void edge_inlets_look(struct edge_inlets *inlets);

/* Consumes `fd`: the way in of one connection begins, unless there is no room for it. */
void edge_inlet_accept(struct edge_worker *w, int fd, const struct net_addr *remote,
		       enum edge_listener_kind kind);
/* The program stops: it has a second left, at most. */
void edge_inlet_hurry(struct edge_inlet *inlet);
/* For edge_conn_end(): the connection ends with `reason` while it is in the inlet. */
void edge_inlet_end(struct edge_inlet **inlet, enum reason reason);
