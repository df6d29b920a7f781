/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of geo/ share: loading, the collected errors as text, temporary files.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "geo/places.h"
#include "tests/support/skip.h"

/* Must load without a complaint. */
const struct geo_places *test_places(const struct cfg_geo *geo);
/* Must be refused at fleet.yaml:3:5 with one complaint, which names the first database; returns
 * what was said, to be freed. */
char *test_refused(const struct cfg_geo *geo);
struct net_prefix test_prefix(const char *text);
/* The name of a new file with that content, to be removed and freed by test_remove(). */
char *test_file(const void *content, size_t size);
void test_remove(char *path);
void *test_read_file(const char *path, size_t *size);
/* DIR/name of the databases that do not belong to the project; NULL when they are not here. */
char *test_shared(const char *name);
#define TEST_NOT_SHARED "needs MaxMind's test databases in PERIGEE_MMDB_DIR"
