/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of probes share: a loop, a check to be changed before it is made, and what has
 * come of it.
 */
#pragma once

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/loop.h"
#include "origin-link/health/probe.h"

struct probe_rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct cfg_range status;
	struct cfg_check check;      /* by GET of /health at www.example.com, once an hour */
	struct transport *transport; /* NULL: plain */
	bool for_others;
	struct health health;
	unsigned n_results, n_wanted; /* the loop stops at the one that is wanted */
	/* of that one */
	enum probe_cause cause;
	bool changed;
};

/* cmocka's setup and teardown: a rig in *state. */
int probe_rig_setup(void **state);
int probe_rig_teardown(void **state);
/* With a new health. */
struct probe *probe_rig_start(struct probe_rig *rig, const struct net_addr *addr);
/* One probe, until the wanted result. */
enum probe_cause probe_rig_run(struct probe_rig *rig, const struct net_addr *addr);
