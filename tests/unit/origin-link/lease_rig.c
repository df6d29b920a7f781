/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See lease_rig.h. Everything runs on the control loop, in the test's thread.
 */
#include "tests/unit/origin-link/lease_rig.h"

#include <stdlib.h>
#include <sys/socket.h>

int lease_rig_setup(void **state)
{
	struct lease_rig *t = xcalloc(1, sizeof(*t));

	conns_rig_init(&t->rig, 0);
	echo_origin_start(&t->origin);
	t->e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	*state = t;
	return 0;
}

int lease_rig_teardown(void **state)
{
	struct lease_rig *t = *state;

	endpoint_give(&t->e);
	conns_rig_fini(&t->rig);
	echo_origin_stop(&t->origin);
	free(t);
	return 0;
}

int64_t lease_rig_count(struct lease_rig *t, enum olink_counter id)
{
	return conns_rig_count(&t->rig, id);
}

unsigned lease_rig_open(struct lease_rig *t)
{
	return endpoint_facts(t->e).open;
}

bool lease_rig_has_ended(const struct origin_conn *conn)
{
	char byte;

	return recv(stream_fd(conn->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}
