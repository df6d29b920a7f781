/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The link to the origins: what the edge asks for. One `struct olink` per program (resolver, server
 * table, probes: control loop); one `struct olink_worker` per loop that sends requests, with the
 * connections of that loop.
 *
 * Servers outlive snapshots: their health, addresses and connections are kept across reloads as
 * long as some snapshot names them the same way (origin-link/servers/server.h).
 */
#pragma once

#include <jansson.h>

#include "origin-link/request/request.h"
#include "origin-link/servers/origins.h"

struct loop_group;
struct stream_buffers;

/* Control loop. */
struct olink *olink_create(struct loop_group *group, struct stream_buffers *control_buffers);
/* After the workers were joined, and every olink_worker and olink_origins destroyed. */
void olink_destroy(struct olink **olink);
/* How many connections all workers together may keep idle; at first any number. */
void olink_set_idle_limit(struct olink *olink, unsigned limit);
/* "counters" and "origins" into `status`: each server's host, port and addresses; of a name, how
 * the last look-up has ended, for how long it has been so, and how old what was found is
 * ("lookup"); of each address its state, requests in flight, connections (idle, open), requests
 * that wait, and TLS or not; where it is probed, what the last probe found and how long it took;
 * its last changes of state, the newest first, with time and cause ("changes"); and how the last
 * connection attempt failed that did ("failure"; absent: none has). Of each server what has become
 * of attempts at it ("traffic"), and how long each stage of them took ("times"). Likewise "relays",
 * by the origins that are reached through them. Control loop. */
void olink_status(struct olink *olink, const struct olink_origins *origins, json_t *status);
