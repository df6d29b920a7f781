/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * log: the programs' own log. Constants only.
 */
#include "config/options/rows.h"

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

const struct cfg_option cfg_log_options[] = {
    CHOICE("level", AT(cfg_log, level), "info", levels,
	   "The least important level that is written, until perigeectl log says otherwise."),
    END,
};
