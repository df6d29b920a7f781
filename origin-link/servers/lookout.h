/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What requests have found of the servers of a configuration is looked at now and then: for
 * outliers among them (origin-link/health/outlier.h), which addresses are told, and for the
 * breakers of their origins (gate.h). Control loop only.
 */
#pragma once

#include "core/base/clock.h"

struct olink_origins;

/* About once a second, of the newest configuration. */
void lookout_look(struct olink_origins *origins, mono_time now);
