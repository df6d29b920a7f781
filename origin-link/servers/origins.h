/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The origins of one configuration, as its users see them: part of the program's snapshot. Loaded
 * by whoever loads a configuration, opened and destroyed on the control loop, in between used by
 * any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/reason.h"
#include "core/http/message.h"

struct cfg_coords;
struct cfg_edge;
struct cfg_fleet;
struct cfg_origin;
struct diag;
struct endpoint;
struct lease_terms;
struct loop;
struct olink;
struct olink_origins;

/* Who sends requests to origins, and from where. */
struct olink_here {
	const char *name;
	const struct cfg_coords *location; /* NULL, or not set: nowhere */
	/* Of two places: latitude and longitude of each in degrees. NULL: nobody knows. */
	double (*distance_km)(double, double, double, double);
	/* As which it goes by other edges, relays; NULL: by none. */
	const struct cfg_edge *edge;
};

/* For those who only want to know whether it can be done. */
extern const struct olink_here olink_nowhere;

/* Reads what the origins of a configuration need (certificates); all faults into diag, then NULL.
 * `fleet` and what `here` points at must outlive it. Blocking; any thread. Nothing is started. */
struct olink_origins *olink_origins_load(const struct cfg_fleet *fleet,
					 const struct olink_here *here, struct diag *diag);
/* Starts resolving and probing what is new. Control loop. */
void olink_origins_open(struct olink_origins *origins, struct olink *olink);
/* Ends that: nobody uses it any more. Control loop. */
void olink_origins_close(struct olink_origins *origins);
/* Any thread; control loop when it is still open, which it then closes. */
void olink_origins_destroy(struct olink_origins **origins);
/* True once every server's first resolution (and first probe, where there is one) has ended, and
 * the connections that are kept ready are there, or cannot be had. */
bool olink_origins_settled(const struct olink_origins *origins);
/* Which of them have not settled: "origins app, api"; malloc'd. NULL: all have. Control loop. */
char *olink_origins_unsettled(const struct olink_origins *origins);

/* NULL: there is none of that name. Any thread. */
const struct cfg_origin *olink_origins_find(const struct olink_origins *origins, struct span name);
/* Whether any of its servers may be up. Any loop of the group. */
bool olink_origins_are_usable(const struct olink_origins *origins, const struct cfg_origin *origin);
/* What a request has in common with others that are to go to the same server. */
struct olink_affinity {
	bool has_key, has_server;
	uint64_t key;    /* a hash, for a balance.method of that name */
	uint64_t server; /* endpoint_id_of() where it is to go, if that server is up */
};

#define ORIGINS_CANDIDATES_MAX 16
/* Endpoints in the order in which they are to be tried, as the origin's balance says: of those that
 * are up (all, when they are not checked), suspects last; when there are none, of those of which
 * nothing is known yet; when there are none of these, of all that are down, or
 * REASON_ORIGIN_ALL_DOWN, as the origin says. REASON_NONE, and at least one; or
 * REASON_ORIGIN_RESOLVE_FAILED: none has an address. Not pinned: valid until the end of the turn.
 * Any loop of the group. */
enum reason origins_candidates(const struct olink_origins *o, const struct cfg_origin *origin,
			       const struct loop *loop, const struct olink_affinity *affinity,
			       struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n);
/* Connections are opened ahead of need. */
bool origins_keep_warm(const struct cfg_origin *origin);
/* Whether a request can go there now: REASON_NONE; or REASON_ORIGIN_ALL_DOWN, _RESOLVE_FAILED (it
 * has no address), or as olink_origins_let_pass() says, and *wait is when to ask again. Any loop of
 * the group. */
enum reason olink_origins_admit(const struct olink_origins *o, const struct cfg_origin *origin,
				const struct loop *loop, duration *wait);
/* What is asked of the servers as a whole: REASON_NONE; or REASON_ORIGIN_QUEUE_FULL (as many
 * requests as may be are under way; to within one for each worker) or _BREAKER_OPEN, and *wait is
 * when to ask again. With a breaker that tries some the request is one of these: to be asked once
 * for each. Any loop of the group. */
enum reason olink_origins_let_pass(const struct olink_origins *o, const struct cfg_origin *origin,
				   const struct loop *loop, duration *wait);
struct lease_terms origins_terms(const struct olink_origins *o, const struct cfg_origin *origin);
