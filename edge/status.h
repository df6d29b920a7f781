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

enum edge_state { EDGE_STARTING, EDGE_SERVING, EDGE_STOPPING };

/* A listening address, with the sockets of all workers. */
struct edge_listening {
	struct net_addr addr; /* as bound */
	enum edge_listener_kind kind;
};

struct edge_status {
	enum edge_state state;
	const char *node;
	duration uptime;
	struct edge_common *common;
	const struct edge_listening *listeners;
	unsigned n_listeners;
};

/* A new reference. */
json_t *edge_status_json(const struct edge_status *status);
