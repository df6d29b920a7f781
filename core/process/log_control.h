/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command "log [LEVEL [MODULE]]" of the control socket, the same for all daemons.
 */
#pragma once

#include <jansson.h>

/* Sets the level of one module, or of all; answers with the levels in force, by module. Takes the
 * command's arguments, at most two. */
json_t *log_control(char **arguments, int n);
