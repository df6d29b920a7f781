/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The budget of file descriptors: what a daemon needs for itself comes first, with a reserve for
 * what must always work (health checks, control connections, reload, the resolver); the rest is
 * shared so that every connection that is let in can have what it needs to be served. A pure
 * computation, but for those functions that look at the process and the log. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct descriptor_needs {
	uint64_t open;      /* in the process already, before any of these are */
	unsigned loops;     /* with control's */
	unsigned listeners; /* sockets, of all loops together */
	unsigned checks;    /* health checks that may be under way at a time */
	unsigned clients;   /* connections that the configuration would let in */
	bool forwards;      /* each of them may need another one, to an origin */
};

struct descriptor_budget {
	uint64_t allowed; /* open files */
	uint64_t needed;  /* for all that the configuration would let in */
	unsigned clients; /* how many may be let in */
	unsigned closing; /* connections that may linger after their end, of all loops together */
	unsigned idle;    /* connections to origins that nobody uses, of all loops together */
};

/* False when there is not enough for a few connections, and `needed` is for so many; the rest is
 * for so many too, whatever is allowed. */
bool descriptors_share(const struct descriptor_needs *needs, uint64_t allowed,
		       struct descriptor_budget *budget);

/* The same with what is allowed now, said in the log: an error when it returns false, a warning
 * when fewer are let in than are configured. `clients` are words for them, "TCP connections";
 * `option` is what says how many, or NULL. */
bool descriptors_plan(const struct descriptor_needs *needs, const char *clients, const char *option,
		      struct descriptor_budget *budget);

/* Before anything is opened: whether any configuration at all could be run with; if not, the log
 * says so. `open`: as in descriptor_needs. */
bool descriptors_suffice(uint64_t open);

/* RLIMIT_NOFILE as it is now. */
uint64_t descriptors_allowed(void);
/* How many are open now. Opens one itself, for a moment. */
uint64_t descriptors_open(void);

/* For `perigeectl status`: what is used, allowed and needed, and the limits that follow. A new
 * reference. */
json_t *descriptors_status(const struct descriptor_budget *budget);
