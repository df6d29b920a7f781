/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client whose early data is served before its handshake is done: whatever it says until then may
 * be what somebody has recorded, and sends again. Who does not want to act on that waits here.
 * Belongs to the connection's loop.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "core/loop/loop.h"

struct edge_client;

struct edge_early_wait {
	struct loop_task task; /* its run() is set by who waits */
	TAILQ_ENTRY(edge_early_wait) link;
	bool listed;
};
TAILQ_HEAD(edge_early_waits, edge_early_wait);

/* The client must be early. run() is called once its handshake is done, later in that turn. */
void edge_early_wait(struct edge_client *client, struct edge_early_wait *wait);
/* In either case, waiting or not. */
void edge_early_wait_cancel(struct edge_client *client, struct edge_early_wait *wait,
			    struct loop *loop);
/* From here on it is, and may know that it will be answered. */
void edge_early_begin(struct edge_client *client);
/* The handshake is done. */
void edge_early_done(struct edge_client *client, struct loop *loop);
