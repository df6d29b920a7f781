/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See probe_rig.h. Everything runs on the control loop, in the test's thread.
 */
#include "tests/unit/origin-link/probe_rig.h"

#include <stdlib.h>

#include "core/net/stream.h"
#include "origin-link/conns/transport.h"

int probe_rig_setup(void **state)
{
	struct probe_rig *rig = xcalloc(1, sizeof(*rig));

	rig->group = loop_group_create(0);
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->status = (struct cfg_range){200, 399};
	rig->check = (struct cfg_check){
	    .host = "www.example.com",
	    .path = "/health",
	    .service = "",
	    .method = CFG_CHECK_GET,
	    .statuses = {&rig->status, 1},
	    .interval = DUR_S(3600),
	    .timeout = DUR_S(10),
	    .rise = 2,
	    .fall = 2,
	};
	rig->n_wanted = 1;
	*state = rig;
	return 0;
}

int probe_rig_teardown(void **state)
{
	struct probe_rig *rig = *state;

	transport_unref(&rig->transport);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
	free(rig);
	return 0;
}

static void result_cb(void *arg, enum probe_cause cause, bool changed)
{
	struct probe_rig *rig = arg;

	if (++rig->n_results != rig->n_wanted)
		return;
	rig->cause = cause;
	rig->changed = changed;
	loop_stop_mt(rig->group->control);
}

struct probe *probe_rig_start(struct probe_rig *rig, const struct net_addr *addr)
{
	struct probe_target target = {
	    .check = &rig->check,
	    .addr = *addr,
	    .transport = rig->transport,
	    .name = "server under test",
	    .host = "default.example.com",
	    .for_others = rig->for_others,
	};

	health_init(&rig->health, 2, 2);
	rig->n_results = 0;
	return probe_create(rig->buffers, &target, &rig->health, result_cb, rig);
}

enum probe_cause probe_rig_run(struct probe_rig *rig, const struct net_addr *addr)
{
	struct probe *p = probe_rig_start(rig, addr);

	loop_run(rig->group->control);
	CHECK(probe_last_time(p).ns > 0);
	probe_destroy(&p);
	CHECK(!p);
	return rig->cause;
}
