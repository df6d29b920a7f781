/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What became of an attempt, as it is told to the endpoint that it was made at (endpoint_report()),
 * and what a loop keeps of that: counts, and a histogram for each stage. A loop writes its own
 * counts, whoever reads sums them up, a moment behind.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/reason.h"

/* In this order, though an idle connection skips the second. */
enum outcome_stage {
	OUTCOME_QUEUE,      /* for a place, or for a connection that another loop has */
	OUTCOME_CONNECT,    /* TCP, PROXY header, TLS */
	OUTCOME_FIRST_BYTE, /* there is a connection, and no byte of a response */
	OUTCOME_CONTENT,    /* some of a response has come */
	OUTCOME_WHOLE,
};

/* Told when the final head of a response has come (not `ended`), and when the attempt has ended:
 * once for each attempt, at any stage. */
struct outcome {
	bool ended;
	enum outcome_stage stage; /* where it is, or where it ended */
	/* Of one that has ended: REASON_DONE: as it should; REASON_ORIGIN_*, or our own shortage;
	 * REASON_NONE: it was not wanted any more, which says nothing about the server. */
	enum reason reason;
	int status;  /* of the final head; 0: none has come */
	bool reused; /* by a connection that was open before */
	bool again;  /* the request was tried before, here or elsewhere */
	bool warm;   /* opened ahead of need: nothing was asked, and it ends before FIRST_BYTE */
	/* How long each stage took; < 0: it did not come to an end, or was skipped. */
	duration queue; /* also < 0: it did not have to wait */
	duration connect, tls;
	duration first_byte; /* from when the connection was there and all of the request given to
				it, or from the first alone if the response did not wait for that */
	duration whole;      /* from when the connection was there */
};

static inline struct outcome outcome_init(void)
{
	const duration none = DUR_NS(-1);

	return (struct outcome){
	    .queue = none, .connect = none, .tls = none, .first_byte = none, .whole = none};
}

/* It has ended, and the server is to blame: it cannot be reached, broke off, or took too long.
 * What it answers is no failure here, whatever its status; nor is what waited for a place, or what
 * we were short of. */
bool outcome_is_failure(const struct outcome *o);

/* Histograms */

enum outcome_time {
	OUTCOME_TIME_QUEUE,
	OUTCOME_TIME_CONNECT,
	OUTCOME_TIME_TLS,
	OUTCOME_TIME_FIRST_BYTE,
	OUTCOME_TIME_WHOLE,
	OUTCOME_TIMES,
};

const char *outcome_time_text(enum outcome_time time);

/* Each bound is twice the one before, from 250 us, which is less than most servers need in the same
 * room, to 33 s, which is longer than most clients wait; the last bucket has none. */
#define OUTCOME_BUCKETS 19
/* What is less than or equal to it is in bucket `i` or before; not for the last. */
duration outcome_bound(unsigned i);

struct outcome_histogram {
	uint64_t n[OUTCOME_BUCKETS];
	uint64_t us; /* the sum of all */
};

uint64_t outcome_histogram_count(const struct outcome_histogram *h);
/* The time that `share` of all (0 to 1) took at most, as if they were spread evenly in each bucket;
 * < 0: there are none. */
duration outcome_quantile(const struct outcome_histogram *h, double share);

/* Counts */

/* Failures are told apart by these, all of the server's doing. */
#define OUTCOME_REASON_FIRST REASON_ORIGIN_CONNECT_REFUSED
#define OUTCOME_REASON_LAST REASON_ORIGIN_STALLED
#define OUTCOME_REASONS (OUTCOME_REASON_LAST - OUTCOME_REASON_FIRST + 1)

struct outcome_sums {
	uint64_t attempts;       /* that have ended, for requests */
	uint64_t retries;        /* of these, those whose request was tried before */
	uint64_t opened, warm;   /* connections; those of them that nobody had asked for yet */
	uint64_t fresh, reused;  /* attempts that were given a new one, or one that was open */
	uint64_t answers[6];     /* by class of status: [2] is 2xx */
	uint64_t gateway_errors; /* of these, with 502, 503 or 504 */
	uint64_t shortages;      /* attempts that came to nothing for want of something of ours */
	uint64_t abandoned;      /* attempts that were not wanted any more */
	uint64_t failures[OUTCOME_REASONS]; /* by reason, from OUTCOME_REASON_FIRST */
	struct outcome_histogram times[OUTCOME_TIMES];
};

/* One loop's, written by it alone. About 1 KiB, made when the loop first has to do with the
 * endpoint: 1,000 servers that 64 workers have all used take 64 MB, and those that they have not
 * used nothing. */
struct outcome_counts;

struct outcome_counts *outcome_counts_create(void);
void outcome_counts_destroy(struct outcome_counts **counts);
void outcome_count(struct outcome_counts *counts, const struct outcome *o);
void outcome_count_opened(struct outcome_counts *counts);
void outcome_count_held(struct outcome_counts *counts, bool reused);
/* Any thread. */
void outcome_counts_sum(const struct outcome_counts *counts, struct outcome_sums *sums);
