/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Environment variables in values. Any thread that may call getenv().
 */
#pragma once

/* "${NAME}" becomes the variable's value, "${NAME:-text}" the text when the variable is unset or
 * empty, "$$" a dollar. Values are not expanded again. Returns malloc'd text, or NULL with *error
 * (malloc'd) set. */
char *cfg_env_expand(const char *text, char **error);
