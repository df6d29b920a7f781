/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fields of security in responses: Strict-Transport-Security, and the presets. What the presets are
 * is told to operators in perigee-edge(8). Constants; any thread.
 */
#pragma once

#include "config/change.h"
#include "core/http/message.h"

/* The value of Strict-Transport-Security, malloc'd; empty when there is none. */
struct span edge_hsts_value(const struct cfg_hsts *hsts);
/* Adds what the response does not say itself, and takes away what says too much. False: no room. */
bool edge_security_apply(enum cfg_security preset, struct http_head *response);
