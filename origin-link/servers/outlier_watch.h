/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looks for outliers among the servers of a configuration (outlier.h), and tells the addresses what
 * was found. Control loop only.
 */
#pragma once

#include "core/base/clock.h"

struct olink_origins;

/* About once a second, of the newest configuration. */
void outlier_watch_look(const struct olink_origins *origins, mono_time now);
