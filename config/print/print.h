/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the option table says, printed: a fleet as YAML, the language as JSON Schema and as a man
 * page. Any thread.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "config/fleet.h"

/* All options with their values, as YAML that loads to the same fleet. False when `out` failed. */
bool cfg_dump(const struct cfg_fleet *fleet, FILE *out);
/* JSON Schema, draft 2020-12. A new reference. */
json_t *cfg_schema(void);
/* The options in mdoc, for perigee.yaml(5). */
void cfg_man(FILE *out);
