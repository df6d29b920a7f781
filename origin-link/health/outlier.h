/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which of an origin's servers serve so much worse than they ought to that they are left out for a
 * while, by what requests have found: failures in a row, gateway errors in a row, a share of both,
 * and responses that begin much later than the others'. Pure: counts and time are given.
 *
 * Never are more left out than the settings allow, and never the last one that is up: who is left
 * when the others go down is taken back at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/origin.h"
#include "core/base/clock.h"

enum outlier_cause {
	OUTLIER_NONE,
	OUTLIER_FAILURES,       /* so many in a row */
	OUTLIER_GATEWAY_ERRORS, /* likewise */
	OUTLIER_SHARE,          /* of both, in a window */
	OUTLIER_LATENCY,
};

const char *outlier_cause_text(enum outlier_cause cause);

/* What has become of the attempts at a server; sums, or what has come since the last look. */
struct outlier_counts {
	uint64_t answers;        /* heads of responses */
	uint64_t gateway_errors; /* of these, with 502, 503 or 504 */
	uint64_t whole;          /* attempts that have ended well, whatever their status */
	uint64_t failures;       /* those that the server is to blame for */
	uint64_t timed, us;      /* first bytes whose time is known, and the sum of these times */
};

struct outlier {
	enum outlier_cause cause; /* why it is left out; OUTLIER_NONE: it is not */
	mono_time since;          /* left out, or in use */
	duration time;            /* left out for so long, or the last time it was */
	unsigned times;           /* how often, less one for each `time` that it was in use since */
	/* in use */
	uint64_t failures_in_row, gateway_errors_in_row;
	mono_time window_began; /* 0: none has */
	struct outlier_counts window;
	double mean_us; /* of the last whole window; 0: too few requests to say */
};

/* One server of an origin at a look. */
struct outlier_member {
	struct outlier *outlier;
	struct outlier_counts news; /* since the last look */
	bool is_up;                 /* but for what is found here */
};

enum outlier_event { OUTLIER_NOTHING, OUTLIER_LEFT_OUT, OUTLIER_TAKEN_BACK };

/* Looks at all servers of an origin, about once a second; events[i] is what has become of v[i]. */
void outlier_look(const struct cfg_outliers *settings, struct outlier_member *v, unsigned n,
		  mono_time now, enum outlier_event *events);
/* A check that has begun since then has found it up: when it was left out because it could not be
 * talked to, that is over. True: it is taken back. */
bool outlier_checked(struct outlier *o, mono_time now);
