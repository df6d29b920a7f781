/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of config/ share: a folder of their own, and complaints as text. One thread.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/fleet.h"

/* cmocka group fixtures: a new folder that is the working folder, and its removal. */
int enter_folder(void **state);
int leave_folder(void **state);

void write_file(const char *path, const char *text);
/* Loads "fleet.yaml" after writing `text` to it. `*complaints` is malloc'd. */
struct cfg_fleet *load_text(const char *text, char **complaints);
/* The same, for a text that must load. */
struct cfg_fleet *load_good(const char *text);
/* Fails unless loading `text` complains exactly so. */
void assert_complaints(const char *text, const char *expected);
