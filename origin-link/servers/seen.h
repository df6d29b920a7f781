/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a server was seen to do, whichever addresses it had: the sums of their outcomes. An endpoint
 * counts for as long as it is there, for all servers that share it; a server counts what has
 * happened since it has had that address, and keeps it when the address goes. So its counts never
 * fall. Control loop.
 */
#pragma once

#include <jansson.h>

#include "origin-link/conns/outcome.h"

struct olink_address;
struct olink_server;

/* A server has this address from now on, or will have had it. */
void seen_begin(struct olink_address *a);
void seen_end(struct olink_server *server, const struct olink_address *a);

/* Adds to them. */
void seen_add_sums(const struct olink_server *server, struct outcome_sums *sums);
/* "traffic" and "times" into a server's status. */
void seen_add_status(const struct olink_server *server, json_t *status);
