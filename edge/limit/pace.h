/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a client keeps pace: sends the content that is awaited of it, or takes the response that
 * waits for it, at a least rate. A client that trickles would else hold its connection for as long
 * as it likes, since each byte is progress to a timeout. Pure, on a clock that it is told; one for
 * each direction of a message, on the loop of its connection.
 *
 * What is counted is how far it is behind. It may be behind by `slack` at most; time takes from
 * that, while it is the client's turn only, and each byte gives back what one may take at the least
 * rate. Nobody can save up more than `slack`: what was fast once must not be slow for ever after.
 * So silence is ended after `slack`, as by a timeout, and without a rate nothing else is.
 */
#pragma once

#include "core/base/clock.h"

struct pace_terms {
	uint64_t rate;  /* bytes a second; 0: every byte gives back all */
	duration slack; /* a timeout of the configuration */
};

struct pace {
	bool runs;       /* it is the client's turn */
	duration left;   /* that it may take yet, as of `since` */
	mono_time since; /* while it runs */
	mono_time heard; /* the last progress, or the beginning of its turn */
};

/* At the beginning; it is not the client's turn. */
void pace_init(struct pace *pace, const struct pace_terms *terms);
/* Whose turn it is, from now on; may be said again. Without a rate each turn is a new one. */
void pace_turn(struct pace *pace, const struct pace_terms *terms, bool its, mono_time now);
/* So many bytes were sent, or taken; 0 is no progress. */
void pace_progress(struct pace *pace, const struct pace_terms *terms, uint64_t bytes,
		   mono_time now);
/* How long it may take until the next progress; zero or less: it is too slow. */
duration pace_left(const struct pace *pace, mono_time now);
/* Of one that is too slow: it gave nothing at all for all its slack. */
bool pace_is_silent(const struct pace *pace, const struct pace_terms *terms, mono_time now);
