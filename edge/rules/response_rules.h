/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a route's rules change in the fields of responses. Pure but for the arena of the head;
 * called by the thread that owns the exchange.
 */
#pragma once

#include "core/http/message.h"

struct cfg_route;

/* To a final head. Names and values stay the configuration's. False: no room for all of them. */
bool response_rules_apply(const struct cfg_route *route, struct http_head *head);
