/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `perigeectl status` says of an edge. Control thread.
 */
#pragma once

#include <jansson.h>

#include "edge/node/worker.h"

enum edge_state { EDGE_STARTING, EDGE_SERVING, EDGE_STOPPING };

struct edge_status {
	enum edge_state state;
	const char *node;
	duration uptime;
	struct edge_common *common;
	const struct net_addr *listeners; /* as bound */
	unsigned n_listeners;
};

/* A new reference. */
json_t *edge_status_json(const struct edge_status *status);
