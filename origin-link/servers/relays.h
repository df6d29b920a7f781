/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Other edges that origins are reached through (`via`): which of them this edge goes by, and how
 * their endpoints come in among those of the servers that they stand for.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"
#include "core/base/reason.h"
#include "origin-link/servers/origins.h"

struct diag;

/* The rest of olink_origins_load(), _open(), _close() and _destroy(). False: what is wrong is in
 * `diag`. */
bool relays_load(struct olink_origins *o, struct diag *diag);
void relays_open(struct olink_origins *o);
void relays_close(struct olink_origins *o);
void relays_destroy(struct olink_origins *o);
/* Whether what is known of those of one origin is all that there is to know at first. */
bool relays_are_settled(const struct olink_origins *o, unsigned origin);
/* Connections to those that are up are opened ahead of need, one at least. True: all requests go by
 * them. Control loop. */
bool relays_warm_up(const struct olink_origins *o, const struct cfg_origin *origin, mono_time now);

/* Whether this edge, as a relay, asks that server for others. Any thread. */
bool relays_may_ask(const struct olink_origins *o, const struct cfg_origin *origin,
		    unsigned server);
/* Whether there is one that is up. Any loop. */
bool relays_are_up(const struct olink_origins *o, const struct cfg_origin *origin, mono_time now);
/* origins_candidates(), with relays that are up in the place of the servers that they stand for,
 * which come last then; one that may be up comes after all others. `is_relayed`: the request has
 * come by a relay, this one: only the servers that it stands for, if there are any such, and no
 * other relay. */
enum reason relays_candidates(const struct olink_origins *o, const struct cfg_origin *origin,
			      const struct loop *loop, bool is_relayed,
			      const struct olink_affinity *affinity,
			      struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n);
