/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many connections are to be opened ahead of need at one endpoint, and when: a pure machine.
 * What is seen, time and chance are parameters. Who counts and connects is warm.c.
 *
 * Kept open are as many as were in use at a time lately, and so many more (`spare`): a request
 * finds one even when more come than before, and each that takes one of the spare ones has another
 * opened. What ends soon counts as gone, so that it is replaced before. After a failure the next
 * attempt is one, after a while that doubles with each failure.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"

/* An unused connection that ends earlier than this was never any good; no server has such a short
 * idle timeout on purpose. */
#define WARMTH_BROKEN DUR_S(1)

enum warmth_state {
	WARMTH_UNWANTED, /* nobody wants any, or the server is down */
	WARMTH_COLD, /* not all that are wanted have been there yet, or there are none any more */
	WARMTH_READY,
};

const char *warmth_state_text(enum warmth_state state);

struct warmth {
	enum warmth_state state;
	unsigned n_failed;        /* attempts in a row */
	unsigned n_failed_before; /* before those that were opened lately */
	mono_time opened_at;      /* the last one */
	bool is_prevented;        /* the last one was not made, for want of room of ours */
	mono_time rests_until;
	/* The most that were in use at a time: in this period, and in the one before. */
	unsigned most, most_before;
	mono_time period_began;
};

struct warmth_sight {
	unsigned spare;    /* wanted beyond what was in use; 0: none are wanted at all */
	unsigned idle_max; /* that may be idle, and so be open ahead of need */
	unsigned in_use;   /* the most at a time since the last look */
	unsigned open;     /* connections, also those that are being made */
	unsigned dialling; /* of these, those that are being made, for whomever */
	unsigned leaving;  /* of these, idle ones that end soon */
	unsigned ordered;  /* to be opened ahead of need, and not in `open` yet */
	unsigned opening;  /* ahead of need: ordered, and not there yet */
};

/* How many to open now. Call it often: at least every second, and after each of the below. */
unsigned warmth_look(struct warmth *w, const struct warmth_sight *sight, mono_time now);
/* The server has ended the last one that was idle: it may have ended itself. */
void warmth_lost(struct warmth *w);
/* How many there should be, open. */
unsigned warmth_target(const struct warmth *w, const struct warmth_sight *sight);
/* An attempt has come to a connection, or failed, or was not made for want of room of ours. */
void warmth_opened(struct warmth *w, mono_time now);
void warmth_failed(struct warmth *w, mono_time now, unsigned random);
void warmth_prevented(struct warmth *w, mono_time now);
/* A connection that nobody has used was ended by the server right after it was made: as good as a
 * failure, and more would end likewise. */
void warmth_broken(struct warmth *w, mono_time now, unsigned random);
/* The most that were in use at a time in the last minutes. */
unsigned warmth_most(const struct warmth *w);
