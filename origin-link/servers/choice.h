/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The choice among the servers of one origin of one configuration: the table of balance.h, prepared
 * anew by control whenever an address has come or gone or changed its state, and published. Any
 * loop of the group chooses by it; nothing is held across turns.
 */
#pragma once

#include "core/base/reason.h"
#include "origin-link/servers/balance.h"
#include "origin-link/servers/origins.h"

struct choice;
struct loop;
struct loop_group;
struct olink_server;

struct choice_setup {
	struct loop_group *group;
	const struct cfg_origin *origin;
	struct olink_server *const *servers; /* as in its list of servers; held by the caller */
	const double *km;                    /* the same; < 0: not known */
	const char *self;                    /* the name of this edge */
};

/* Control loop; all that it is told must outlive it. */
struct choice *choice_create(const struct choice_setup *setup);
/* Control loop; nobody chooses any more. */
void choice_destroy(struct choice **choice);
/* `turn`: one more with each call of this loop. What is in `list`: struct endpoint. Returns as
 * origins_candidates(). */
enum reason choice_make(const struct choice *c, const struct loop *loop, unsigned turn,
			const struct olink_affinity *affinity, struct balance_list *list);
/* Until the end of the turn. */
const struct balance_table *choice_table(const struct choice *c);
