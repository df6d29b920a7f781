/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command "log [LEVEL [MODULE]]" of the control socket, the same for all daemons.
 */
#pragma once

#include <jansson.h>

/* Sets the level of one module, or of all; answers with the levels in force, by module. A control
 * handler's part (core/process/control.h): argv[0] is "log". */
json_t *log_control(int argc, char **argv);
