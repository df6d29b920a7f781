/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of the link share: olink.c (the program's), origins.c (one configuration's),
 * request.c (one request). Nobody else includes this.
 */
#pragma once

#include "core/base/reason.h"
#include "core/http/h1.h"
#include "origin-link/conns/lease.h"
#include "origin-link/conns/warm.h"
#include "origin-link/servers/origins.h"
#include "origin-link/servers/server.h"

struct olink {
	struct loop_group *group;
	struct stream_buffers *buffers; /* control loop's */
	struct metrics *metrics;
	struct olink_pool pool;
	/* control loop */
	struct server_table servers;
	struct event *tick;
	struct loop_task warm_now;
	struct warm warm;
	TAILQ_HEAD(origins_list, olink_origins) origins; /* oldest first */
};

struct olink_origins {
	TAILQ_ENTRY(olink_origins) link; /* control loop */
	/* immutable */
	struct olink *olink;
	const struct cfg_fleet *fleet;
	struct olink_server ***servers; /* by origin, then as in its list */
	/* Whose turn it is: one row a loop, which alone writes it. */
	unsigned turns_stride;
	unsigned *turns;
};

struct lease_terms origins_terms(const struct cfg_origin *origin);

/* The address whose turn it is, and the one to try when it cannot be connected to. */
#define CANDIDATES_MAX 2
/* Any loop of the group. REASON_NONE and 1 to CANDIDATES_MAX addresses, or why there is none:
 * REASON_ORIGIN_RESOLVE_FAILED, REASON_ORIGIN_ALL_DOWN. */
enum reason origins_pick(const struct olink_origins *origins, const struct cfg_origin *origin,
			 const struct loop *loop, struct net_addr out[CANDIDATES_MAX], unsigned *n);
