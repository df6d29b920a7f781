/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the parts of the link share: olink.c (the program's), origins.c (one configuration's), and
 * the parts of a request. Nobody else includes this, but for their tests.
 */
#pragma once

#include "config/hash.h"
#include "core/loop/loop.h"
#include "origin-link/recent/recent.h"
#include "origin-link/servers/gate.h"
#include "origin-link/servers/server.h"

struct cfg_edge;
struct cfg_fleet;
struct choice;
struct olink_origins;
struct quota;

struct olink {
	struct loop_group *group;
	struct stream_buffers *buffers; /* control loop's */
	struct metrics *metrics;
	struct conns_node *conns;
	/* control loop */
	struct server_table servers;
	struct recents recents;
	struct event *tick;
	struct loop_task warm_now;
	TAILQ_HEAD(origins_list, olink_origins) origins; /* those that are open, oldest first */
};

/* How an edge that is a relay is reached. */
struct relay_transports {
	struct transport *requests, *checks;
};

struct olink_origins {
	/* immutable */
	const struct cfg_fleet *fleet;
	const char *self;
	const struct cfg_edge *edge;          /* NULL: it goes by no relay */
	struct cfg_hash by_name;              /* of origins */
	struct transport ***transports;       /* by origin, then as in its list of servers */
	struct transport ***check_transports; /* likewise; NULL: not checked */
	double **km;                          /* the same: how far they are; < 0: not known */
	struct gate *gates;                   /* by origin; each says who writes it */
	/* immutable once open */
	struct olink *olink;            /* NULL: not open */
	struct olink_server ***servers; /* as the transports */
	struct choice **choices;        /* by origin; NULL: not open */
	struct quota **quotas;          /* by origin; NULL: it has none */
	struct recent **recents;        /* by origin */
	/* servers/relays.c: by edge, each NULL if nothing goes by it; and those that stand for
	 * servers, as these: each NULL, and each list, where there are none. */
	struct relay_transports *relay_transports;
	struct olink_server ***relays;
	bool warned_of_relay;
	TAILQ_ENTRY(olink_origins) link; /* control loop */
	/* Whose turn it is: one row a loop, which alone writes it. */
	unsigned turns_stride;
	unsigned *turns;
};
