/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where the lines of the access log go, by the configuration. Pure.
 */
#pragma once

#include "config/fleet.h"
#include "core/base/log_output.h"

/* Not for an output of "", which is none. Points into `log`. */
struct log_target edge_log_target(const struct cfg_access_log *log);
/* What people call it: "standard output". Static, or in `log`. */
const char *edge_log_target_name(const struct cfg_access_log *log);
