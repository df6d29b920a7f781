/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of origins share: the link of a program without workers, whose control loop takes
 * leases too, and a fleet of one origin.
 */
#pragma once

#include "core/base/check.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/olink.h"
#include "origin-link/servers/link.h"

#define ORIGINS_RIG_SERVERS_MAX 20

struct origins_rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct olink *olink;
	struct conns *conns;
	struct cfg_origin_server servers[ORIGINS_RIG_SERVERS_MAX];
	struct cfg_origin origin; /* may be changed before it is opened */
	struct cfg_fleet fleet;
	struct olink_origins *origins;
	struct olink_affinity affinity;
	struct endpoint *found[ORIGINS_CANDIDATES_MAX];
	unsigned n_found;
};

void origins_rig_init(struct origins_rig *rig);
void origins_rig_fini(struct origins_rig *rig);
void origins_rig_add_server(struct origins_rig *rig, const char *host, uint16_t port);
/* 192.0.2.1 and so on; nobody connects to them. */
void origins_rig_add_servers(struct origins_rig *rig, unsigned n);
/* There must be no faults. */
struct olink_origins *origins_rig_load(const struct cfg_fleet *fleet);
void origins_rig_open(struct origins_rig *rig);
/* The address of the server of that index, which is known by one. */
struct olink_address *origins_rig_address(struct origins_rig *rig, unsigned server);
/* Candidates, into `found`. */
enum reason origins_rig_find(struct origins_rig *rig);
int64_t origins_rig_count(const struct origins_rig *rig, enum olink_counter id);
/* Runs the loop until it is so, looking every millisecond. */
void origins_rig_run_until(struct origins_rig *rig, bool (*is_so)(struct origins_rig *rig));
/* No endpoint is left. */
bool origins_rig_is_swept(struct origins_rig *rig);
