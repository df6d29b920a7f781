/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's side of HTTP/1.1 over TLS: one object a connection, one exchange at a time.
 */
#pragma once

#include "edge/node/worker.h"

/* Takes an accepted socket, through its handshake and its requests to its end. Consumes `fd`. */
void edge_h1_accept(struct edge_worker *worker, int fd, const struct net_addr *remote);
