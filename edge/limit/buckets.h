/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The `limits` of http, a site or a route, compiled: which of them a request falls under, by which
 * key, and whether it is within them. Belong to the view, immutable; what they count is the
 * guard's, where equal names and keys find it again after a reload. Called by the exchange's loop.
 */
#pragma once

#include "config/limit.h"
#include "core/http/message.h"
#include "edge/limit/guard.h"

struct edge_facts;

struct edge_buckets;

/* NULL for an empty list. `space`: within which names are one limit, a site's name or "" for http;
 * it and the limits must live as long. */
struct edge_buckets *edge_buckets_create(const struct cfg_limit *limits, unsigned n,
					 const char *space);
void edge_buckets_destroy(struct edge_buckets **buckets);

/* What is told of so many limits, of all that a request has passed. */
#define EDGE_TOLD_MAX 8

struct edge_told {
	const struct cfg_limit *limit;
	unsigned quota;  /* the burst */
	duration window; /* in which that is there again */
	struct edge_rate_state state;
};

struct edge_limit_report {
	const struct cfg_limit *refused; /* NULL: it is within all */
	duration wait;                   /* until it would be, for the refused */
	struct edge_told told[EDGE_TOLD_MAX];
	unsigned n_told;
};

/* Charges the request to each of the limits that it falls under, up to the first that it is not
 * within; `report` is added to. False: it is refused. `buckets` NULL: true. */
bool edge_buckets_take(const struct edge_buckets *buckets, struct edge_guard *guard,
		       const struct edge_facts *facts, struct arena *arena, mono_time now,
		       struct edge_limit_report *report);

/* RateLimit-Policy and RateLimit of the draft-ietf-httpapi-ratelimit-headers-11 for what is told;
 * empty for nothing. False: no room. */
bool edge_limit_fields(const struct edge_limit_report *report, struct arena *arena,
		       struct span *policy, struct span *limit);
/* Retry-After, in whole seconds. Empty: no room. */
struct span edge_limit_retry_after(duration wait, struct arena *arena);

/* What a limit has let through and refused since the program started. */
typedef void edge_buckets_visit(void *arg, const struct cfg_limit *limit, const char *space,
				uint64_t allowed, uint64_t refused);
/* Calls visit() for each. */
void edge_buckets_each(const struct edge_buckets *buckets, const struct edge_guard *guard,
		       edge_buckets_visit *visit, void *arg);
