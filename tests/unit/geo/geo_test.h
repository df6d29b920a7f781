/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of geo/ share: a small fleet, the collected errors as text, temporary files.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "tests/support/skip.h"

struct geo_map;
struct geo_place;

enum { FRANKFURT, NEW_YORK, SINGAPORE, SAO_PAULO, N_EDGES };

extern const struct cfg_edge test_edges[N_EDGES];

/* A fleet of test_edges; database may be NULL. */
struct cfg_fleet test_fleet(const char *database);
/* Must compile without a complaint. */
struct geo_map *test_compile(const struct cfg_fleet *fleet);
/* Must be refused; returns what was said, to be freed. */
char *test_refused(const struct cfg_fleet *fleet);
struct net_prefix test_prefix(const char *text);
/* The ranking of a place, by definition. */
void test_rank(const struct cfg_fleet *fleet, const struct geo_place *place, uint16_t *order);
/* The name of a new file with that content, to be removed and freed by test_remove(). */
char *test_file(const void *content, size_t size);
void test_remove(char *path);
void *test_read_file(const char *path, size_t *size);
/* DIR/name of the databases that do not belong to the project; NULL when they are not here. */
char *test_shared(const char *name);
#define TEST_NOT_SHARED "needs MaxMind's test databases in PERIGEE_MMDB_DIR"
