/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `perigeectl status` says of an edge. Control thread.
 */
#pragma once

#include <jansson.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "edge/conn/listener.h"

struct edge_common;
struct edge_keys;

/* A listening address, with the sockets of all workers. */
struct edge_listening {
	struct net_addr addr; /* as bound */
	enum edge_listener_kind kind;
};

struct edge_status {
	struct edge_common *common;
	const struct edge_keys *keys;
	const struct edge_listening *listeners;
	unsigned n_listeners;
};

/* Adds to what all daemons tell. */
void edge_status_add(const struct edge_status *s, json_t *status);
