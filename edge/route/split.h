/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests divided among origins by weight, so that equal keys go to the same origin: on every edge
 * and after every reload. When the weight of one origin changes, keys only move to it or away from
 * it. Routes of one site that are split among the same origins agree. Immutable; any thread.
 */
#pragma once

#include "core/http/message.h"

struct cfg_origin;
struct cfg_route;
struct edge_split;

/* NULL: the route is not split. `cfg`, in which one weight at least is more than 0, must outlive
 * it. */
struct edge_split *edge_split_create(const struct cfg_route *cfg, const char *site);
void edge_split_destroy(struct edge_split **split);
const struct cfg_origin *edge_split_choose(const struct edge_split *split, struct span key);
