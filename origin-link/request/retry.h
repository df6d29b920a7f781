/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one rule of what is tried again. Pure: what has happened in, what follows out.
 *
 * What the server has surely not acted upon may be sent again, whatever it is. Anything else only
 * if doing it twice is as good as once (RFC 9110 section 9.2.2), nothing of an answer has come, or
 * one with a status that is listed, and all that was given of it is still there.
 */
#pragma once

#include "config/origin.h"
#include "core/base/reason.h"

#define RETRY_STATUSES_MAX 8

struct retry_rule {
	unsigned attempts; /* most that may follow the first one */
	unsigned on;       /* 1 << enum cfg_retry_after, or'ed */
	struct cfg_range statuses[RETRY_STATUSES_MAX];
	unsigned n_statuses;
};

/* How an attempt came to nothing. */
enum retry_cause {
	RETRY_BROKE,     /* the connection, or the server has refused this one request */
	RETRY_VANISHED,  /* the server acknowledges nothing any more */
	RETRY_TOOK_LONG, /* longer than per_try_timeout */
	RETRY_STATUS,    /* it has answered, with this status */
};
const char *retry_cause_text(enum retry_cause cause);

struct retry_case {
	enum retry_cause cause;
	enum reason reason; /* BROKE: why */
	int status;         /* STATUS */
	bool unacted;       /* the server has surely not acted upon it */
	bool idempotent;    /* its method */
	bool whole;         /* what was given of it can be given again */
	bool answered;      /* some byte of an answer has come */
	bool reused;        /* by a connection that was open before */
	unsigned n;         /* how often it was sent again already */
};

enum retry_verdict {
	RETRY_NO,
	RETRY_SAME, /* by a new connection to the same server, which has just closed an idle one */
	RETRY_NEXT, /* by the next server; the same again if there is no other */
	RETRY_ONLY_OTHER, /* by the next server; not if there is no other */
};
/* How it is accounted for: see budget.h. */
enum retry_cost {
	RETRY_FREE,    /* the server has had no work with it */
	RETRY_COUNTED, /* it counts, and is not refused: there is one for each idle connection */
	RETRY_ASKED,   /* if the budget lets it */
};

struct retry_decision {
	enum retry_verdict verdict;
	enum retry_cost cost;
};

struct retry_decision retry_decide(const struct retry_rule *rule, const struct retry_case *c);
/* Whether a response with that status may be held back to try again. */
bool retry_is_listed(const struct retry_rule *rule, int status);
