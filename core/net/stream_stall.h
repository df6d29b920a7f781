/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The streams of one loop that hold memory for somebody who does not take it, in the order in which
 * they were last relieved of some of it; and whom to cut off when the node holds too much. Pure: it
 * knows no stream, only what each holds. One loop; only the budget is shared with others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct stream_budget;

/* Embedded in a stream; zero: holds nothing. */
struct stall {
	TAILQ_ENTRY(stall) link;
	size_t held; /* bytes; 0: not in the list */
};

struct stalls {
	struct stream_budget *budget;       /* NULL: counted nowhere */
	size_t held;                        /* by all of them */
	TAILQ_HEAD(stall_list, stall) list; /* oldest progress first */
};

void stalls_init(struct stalls *stalls);
void stalls_set_budget(struct stalls *stalls, struct stream_budget *budget);

/* What it holds from now on. */
void stall_set_held(struct stalls *stalls, struct stall *stall, size_t held);
void stall_progressed(struct stalls *stalls, struct stall *stall);
/* After `asker` came to hold more: who is to be cut off, first all others by age, then itself.
 * NULL: the node is within its limit, or nobody here holds anything. */
struct stall *stalls_to_cut(const struct stalls *stalls, const struct stall *asker);
