/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was seen of the servers of a configuration, as metrics with labels, and the breakers of
 * its origins. Control loop.
 */
#pragma once

#include <jansson.h>

struct cfg_fleet;
struct gate;
struct olink_server;

/* olink_server_NAME{origin="...",server="HOST:PORT",...} into `counters`; `servers` by origin, as
 * `fleet` has them. */
void server_metrics_add(const struct cfg_fleet *fleet, struct olink_server *const *const *servers,
			json_t *counters);
/* olink_origin_breakers{origin="...",state="..."}, of those that have one; `gates` by origin. */
void server_metrics_add_breakers(const struct cfg_fleet *fleet, const struct gate *gates,
				 json_t *counters);
