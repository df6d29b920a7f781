/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The origins of one configuration, as its users see them: part of the program's snapshot.
 */
#pragma once

#include "config/fleet.h"

struct olink;
struct olink_origins;

/* Starts resolving and probing what is new. `fleet` must outlive it. Control loop. */
struct olink_origins *olink_origins_create(struct olink *olink, const struct cfg_fleet *fleet);
void olink_origins_destroy(struct olink_origins **origins);
/* True once every server's first resolution (and first probe, where there is one) has ended. */
bool olink_origins_settled(const struct olink_origins *origins);

