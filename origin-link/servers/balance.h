/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which of an origin's servers a request goes to. A table is prepared whenever something has become
 * known of the servers (balance_table.c), so that a request looks at a few of them only, however
 * many there are (balance.c). Pure: time, random numbers and what is known of servers are given.
 *
 * Servers stand in tiers: by priority, and within that by how far away they are. A tier takes all
 * requests as long as enough of it is up, and what it does not take goes to the next. In a tier the
 * method chooses. Of the servers of a table all are used alike whatever state they have: those that
 * are up, if any is; else those that nothing is known of; else those that are down.
 *
 * A table is immutable but for what each loop keeps in it for itself.
 */
#pragma once

#include "config/origin.h"
#include "core/base/clock.h"

struct balance_table;

/* Of a request: as many as are tried one after the other. */
#define BALANCE_LIST_MAX 16

enum balance_state { BALANCE_UP, BALANCE_UNPROVEN, BALANCE_DOWN, BALANCE_STATES };

struct balance_server {
	void *what;        /* the caller's; the same twice is one server of both weights */
	uint64_t id;       /* what keys find it by: the same at every edge, after every reload */
	unsigned weight;   /* > 0 */
	unsigned priority; /* 0 first */
	double km;         /* from here; < 0: not known, which counts as the farthest */
	enum balance_state state;
	mono_time up_since; /* for its slow start; 0: it has been up for long */
};

struct balance_settings {
	enum cfg_balance_method method;
	double spill;    /* share of a tier that must be up for it to take all: 0 < spill <= 1 */
	double bound;    /* of a hash: the most that a server gets, beside its share; >= 1 */
	unsigned subset; /* of each tier so many at most; 0: all */
	uint64_t self;   /* who chooses, so that not all choose the same subset */
	duration slow_start; /* 0: none */
	bool finds_servers;  /* by their ids */
};

/* `n_loops`: who will choose by it. The servers are copied. */
struct balance_table *balance_table_create(const struct balance_settings *settings,
					   const struct balance_server *servers, unsigned n,
					   unsigned n_loops);
void balance_table_destroy(struct balance_table **table);
/* How many servers a request may go to, and each of them. */
unsigned balance_table_size(const struct balance_table *t);
void *balance_table_what(const struct balance_table *t, unsigned i);
/* Of those that `what` stands for; BALANCE_UP when there are none. */
enum balance_state balance_table_state(const struct balance_table *t);

/* What can be seen of a server when a request comes. */
struct balance_eyes {
	/* Others are to be asked first: it has just been found not to answer. */
	bool (*is_avoided)(const void *arg, const void *what);
	/* Not `closely`: as it was last seen, which costs less. */
	unsigned (*in_flight)(const void *arg, void *what, bool closely);
	duration (*latency)(const void *arg, const void *what); /* 0: not known */
	const void *arg;
};

struct balance_request {
	mono_time now;
	unsigned loop;
	uint64_t random;
	unsigned turn; /* one more with each request of the loop */
	bool has_key, has_server;
	uint64_t key;    /* with a hash: requests that have the same go to the same server */
	uint64_t server; /* id of the one that it is to go to, if that can be */
	struct balance_eyes eyes;
};

/* The chosen one, then those to be tried after it in their order. */
struct balance_list {
	unsigned n;
	void *v[BALANCE_LIST_MAX];
	bool is_server; /* the first is the one that was asked for */
};
/* At least one, when the table has any. */
void balance_choose(const struct balance_table *t, const struct balance_request *r,
		    struct balance_list *list);

/* What share of its requests a server takes whose slow start has begun at `since`. */
double balance_slow_share(mono_time since, mono_time now, duration slow_start);
