/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See early.h.
 */
#include "edge/facts/early.h"

#include "core/base/check.h"
#include "edge/facts/client.h"

void edge_early_wait(struct edge_client *client, struct edge_early_wait *wait)
{
	CHECK(client->early && !wait->listed);
	TAILQ_INSERT_TAIL(&client->early_waits, wait, link);
	wait->listed = true;
}

void edge_early_wait_cancel(struct edge_client *client, struct edge_early_wait *wait,
			    struct loop *loop)
{
	if (wait->listed)
		TAILQ_REMOVE(&client->early_waits, wait, link);
	wait->listed = false;
	loop_task_cancel(loop, &wait->task);
}

void edge_early_begin(struct edge_client *client)
{
	client->early = true;
	TAILQ_INIT(&client->early_waits);
}

void edge_early_done(struct edge_client *client, struct loop *loop)
{
	struct edge_early_wait *wait;

	client->early = false;
	while ((wait = TAILQ_FIRST(&client->early_waits)) != NULL) {
		TAILQ_REMOVE(&client->early_waits, wait, link);
		wait->listed = false;
		loop_defer(loop, &wait->task);
	}
}
