/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is known of each address of each edge. A verdict is about an edge's name and one of its
 * addresses, never about how that is checked: it outlives reloads. A table is what one
 * configuration sees of the verdicts, by edge id and index of the address; it keeps them alive, and
 * nothing else: who probes, and for how long, is fleet/checks.h.
 *
 * Control writes; any thread reads, by its own clock: a verdict that nobody has renewed for longer
 * than its patience is not believed, whatever it is that keeps those who should have renewed it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "origin-link/health/health.h"

struct cfg_check;
struct cfg_fleet;
struct diag;
struct fleet_ask;
struct fleet_pulse;
struct fleet_verdicts;

struct fleet_verdict {
	/* immutable */
	char *edge;
	struct net_addr addr;      /* port 0 */
	uint64_t hash;             /* of the two */
	struct fleet_pulse *pulse; /* once it is probed */
	/* any thread */
	_Atomic unsigned refs;
	/* control writes, any thread reads */
	struct health health;
	_Atomic int64_t last_ns;  /* of the monotonic clock: of the last word */
	_Atomic int64_t until_ns; /* it is believed until then */
	_Atomic int64_t took_ns;  /* the last probe */
	/* control */
	duration patience; /* for so long it is believed after a word */
	bool stale;        /* at the last look */
	bool failing;      /* when it was last renewed */
};

/* Reading. Any thread. */

/* HEALTH_UNKNOWN when there was no word yet, the last one is too old, or there is no route. */
enum health_state fleet_verdict_state(const struct fleet_verdict *v, mono_time now);
/* It is up, but the last probe failed. */
bool fleet_verdict_failing(const struct fleet_verdict *v);
enum probe_cause fleet_verdict_cause(const struct fleet_verdict *v);
/* Of the last word, whatever it was; before this program began, when it is of an earlier run. 0:
 * there was none. */
mono_time fleet_verdict_last(const struct fleet_verdict *v);
/* How long the last probe took; 0 before there was one. */
duration fleet_verdict_probe_time(const struct fleet_verdict *v);

/* The verdict on addresses.v[address] of that edge. As long as the table. */
struct fleet_verdict *fleet_verdicts_at(const struct fleet_verdicts *t, unsigned edge_id,
					unsigned address);
/* Of an edge's addresses of one family (AF_UNSPEC: of all): up when one of them is, else unknown
 * when one of them is, or there is none, else down. Those that this machine has no route to do not
 * count; when it has none to any of that family, the edge's other addresses tell whether it is up:
 * a name server without IPv6 still sends nobody to a dead edge, and all to one that serves. */
enum health_state fleet_verdicts_edge_state(const struct fleet_verdicts *t, unsigned edge_id,
					    sa_family_t family, mono_time now);

/* Moves whenever what a reader would be told changes: a state, `failing`, a verdict that has become
 * too old. Common to all tables of a program. */
uint64_t fleet_verdicts_epoch(const struct fleet_verdicts *t);
/* True when none of the verdicts can have become too old since the epoch last moved: what was
 * derived from them under this epoch still holds. False says nothing. */
bool fleet_verdicts_fresh(const struct fleet_verdicts *t, mono_time now);

/* Which active edges have an address without a verdict, be it of this run or of the last, though
 * there is a route to it: "edges sin1, gru1"; malloc'd. NULL: none. */
char *fleet_verdicts_unsettled(const struct fleet_verdicts *t);
bool fleet_verdicts_settled(const struct fleet_verdicts *t); /* there is none of them */

struct fleet_verdicts *fleet_verdicts_ref(struct fleet_verdicts *t);
void fleet_verdicts_unref(struct fleet_verdicts **t);

/* A table of this fleet's edges, all unknown until fleet_checks_watch() has them probed. NULL, with
 * the error in `diag`. Blocking. */
struct fleet_verdicts *fleet_verdicts_load(const struct cfg_fleet *fleet, struct diag *diag);
/* For tests, `perigeectl` and whoever has nobody that probes: the same, in which nothing grows old
 * and which is not to be watched. */
struct fleet_verdicts *fleet_verdicts_fixed(const struct cfg_fleet *fleet);
#define FLEET_ALL_ADDRESSES (~0u)
/* Of a fixed one: one of its verdicts, or those on all addresses of that edge. */
void fleet_verdicts_set(struct fleet_verdicts *t, unsigned edge_id, unsigned address,
			enum health_state state, bool failing);

/* For fleet/ alone. Control loop, but for what is done to a table that nobody else has yet. */

/* What all tables of a program share: its epoch, and until when it holds. */
struct fleet_pulse *fleet_pulse_create(void);
void fleet_pulse_unref(struct fleet_pulse **pulse);
void fleet_pulse_move(struct fleet_pulse *pulse);

struct fleet_verdict *fleet_verdict_ref(struct fleet_verdict *v);
void fleet_verdict_unref(struct fleet_verdict **v);
/* How it is come to and how long it is believed, from here on. */
void fleet_verdict_retune(struct fleet_verdict *v, const struct cfg_check *check);
/* A probe has ended that said something, which v->health has been told. `changed`: its state. */
void fleet_verdict_renewed(struct fleet_verdict *v, bool changed, duration took, mono_time now);
/* What an earlier run has found out at `last` is believed as if it had been now, and until a probe
 * says something, which then decides at once. */
void fleet_verdict_recall(struct fleet_verdict *v, enum health_state state, enum probe_cause cause,
			  mono_time last, mono_time now);

unsigned fleet_verdicts_n_edges(const struct fleet_verdicts *t);
unsigned fleet_verdicts_n_addresses(const struct fleet_verdicts *t, unsigned edge_id);
bool fleet_verdicts_is_active(const struct fleet_verdicts *t, unsigned edge_id);
/* NULL: of a fixed table. */
struct fleet_ask *fleet_verdicts_ask(const struct fleet_verdicts *t, unsigned edge_id);

/* Before it is published: it is one of those that share this pulse. */
void fleet_verdicts_join(struct fleet_verdicts *t, struct fleet_pulse *pulse);
/* Before it is published: the verdict of before takes the place of the unknown one. */
void fleet_verdicts_keep(struct fleet_verdicts *t, unsigned edge_id, unsigned address,
			 struct fleet_verdict *v);
/* Looks through all of them, to be called about once a second: moves the epoch when some have
 * become too old, and returns how many. */
unsigned fleet_verdicts_look(struct fleet_verdicts *t, mono_time now);
