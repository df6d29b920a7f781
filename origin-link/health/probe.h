/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Active checks: one probe asks one address at an interval and feeds a rise/fall machine. Control
 * loop only. The first probe starts at once, the second after half an interval to a whole one,
 * later ones at interval +- 10%: so those that were created together spread. While results
 * contradict what is known it is fast_interval instead.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "origin-link/health/health.h"

struct cfg_check;
struct probe;
struct probe_gate;
struct stream_buffers;
struct transport;

struct probe_target {
	const struct cfg_check *check; /* copied */
	struct net_addr addr;
	/* How the check goes there; a reference is taken. NULL: plain. */
	struct transport *transport;
	/* For the log, "edge fra1" or "server 192.0.2.1:80 of origin app"; copied. */
	const char *name;
	const char *host;        /* the Host field when check->host is empty; copied */
	struct probe_gate *gate; /* that probes wait at; NULL: they do not. Outlives the probe. */
	/* It is there for others than this machine. That this one has no route to it says nothing
	 * then: it is told as PROBE_NO_ROUTE, and makes `health` unknown. */
	bool for_others;
};

/* on_result is called after every probe, after `health` was updated; may be NULL. `health` must
 * outlive the probe. A probe that our own shortage has prevented (of descriptors, ports, memory),
 * or whose time was over before this loop, which was held up, came to look, says nothing: it is
 * logged, told as PROBE_PREVENTED, not recorded, and made again soon. */
struct probe *probe_create(struct stream_buffers *buffers, const struct probe_target *target,
			   struct health *health,
			   void (*on_result)(void *arg, enum probe_cause, bool changed), void *arg);
void probe_destroy(struct probe **probe);
/* When the last probe ended, how long it took; for status. */
duration probe_last_time(const struct probe *probe);
