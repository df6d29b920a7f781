/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long one connection is kept: the pure machine behind pool.idle_timeout, pool.max_age and
 * pool.max_requests. Time and chance are parameters. Who closes it, and when, is the caller's.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"

struct expiry_rules {
	duration idle_timeout;
	duration max_age;      /* 0: any age */
	unsigned max_requests; /* 0: any number */
};

struct expiry {
	mono_time made;
	unsigned luck;         /* what this one's age is cut by, see expiry.c */
	unsigned requests;     /* so far */
	unsigned max_requests; /* as its last user said; 0: any number */
	mono_time freed, idle_end, age_end;
};

enum expiry_cause {
	EXPIRY_NONE,
	EXPIRY_IDLE, /* nobody has used it for too long */
	EXPIRY_WORN, /* it is too old, or has had its number of requests */
};

/* It was made `now`, and nobody has used it. `random`: any number. */
void expiry_begin(struct expiry *x, mono_time now, unsigned random);
/* A request begins to use it. */
void expiry_use(struct expiry *x);
/* Nobody uses it any more, from `now` on; these rules hold. */
void expiry_free(struct expiry *x, const struct expiry_rules *rules, mono_time now);
/* Whether it may be used at `now`. */
enum expiry_cause expiry_cause(const struct expiry *x, mono_time now);
/* Whether that changes soon if nobody uses it: another should be there by then. */
bool expiry_is_near(const struct expiry *x, mono_time now);
/* The same, whoever uses it. */
bool expiry_is_nearly_worn(const struct expiry *x, mono_time now);
/* Whether it would be so before long, and a request that uses it now would put that off. */
bool expiry_can_be_put_off(const struct expiry *x, mono_time now);
