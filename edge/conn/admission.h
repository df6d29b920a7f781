/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is let in, and who gives way: the connections of one worker by their stages, and the places
 * that all workers of the node share. It only counts and decides; what it says is done by conn.c.
 * Limits are parameters: they change with the configuration. Worker's loop only, but for the
 * places.
 *
 *  - A newcomer takes a place among the connections of the node. Is there none, the worker's
 *    connection that has been IDLE for longest gives way; has it none, its oldest SILENT one; has
 *    it none of them, the newcomer goes to a worker that has one, or is turned away.
 *  - IDLE begins anew with every request that was served, and not with a request's first bytes: who
 *    is slow with a head is like who sends nothing, and gives way before who has just come.
 *  - A newcomer is SILENT. Over the limit of those the worker's oldest SILENT one gives way; a
 *    worker that has none itself lets the newcomer in all the same, or the others could shut it.
 *  - A handshake takes a place when its ClientHello has come, else it is WAITING, behind those of
 *    the worker that came before.
 *  - Who has given way is LEAVING and has no place any more.
 */
#pragma once

#include "edge/conn/conn.h"

/* Of the node: http.limit. */
struct edge_limits {
	unsigned connections, silent, handshakes;
};

TAILQ_HEAD(edge_conn_list, edge_conn);

struct edge_admission {
	struct edge_places *places; /* shared */
	unsigned n_workers;
	/* Of this worker, oldest in its stage first. */
	struct edge_conn_list conns[EDGE_STAGES];
	unsigned n[EDGE_STAGES];
	/* Those of it that would give way: other workers read it. */
	_Atomic unsigned yielding;
};

void edge_admission_init(struct edge_admission *a, struct edge_places *places, unsigned n_workers);

enum edge_verdict {
	EDGE_LET_IN,    /* the newcomer is among the SILENT */
	EDGE_DISPLACE,  /* first *other must give way: then ask again */
	EDGE_TURN_AWAY, /* the newcomer is nowhere */
};
enum edge_verdict edge_admission_ask(struct edge_admission *a, const struct edge_limits *limits,
				     struct edge_conn *newcomer, struct edge_conn **other);

/* Whether there is no place for a newcomer, and nobody of this worker's that would give way. */
bool edge_admission_is_full(const struct edge_admission *a, const struct edge_limits *limits);

/* To any stage but HANDSHAKING; at the end of its list. */
void edge_admission_move(struct edge_admission *a, struct edge_conn *conn, enum edge_stage stage);
/* `conn`, which is SILENT, is HANDSHAKING: true; or WAITING. */
bool edge_admission_take_handshake(struct edge_admission *a, const struct edge_limits *limits,
				   struct edge_conn *conn);
/* The first of the WAITING, now HANDSHAKING; NULL: none, or no place. */
struct edge_conn *edge_admission_next_handshake(struct edge_admission *a,
						const struct edge_limits *limits);
/* A handshake has ended: whether the next one may take its place at once. A worker with its even
 * share or more leaves that to the timer, by which all workers come to places that became free. */
bool edge_admission_goes_on(const struct edge_admission *a, const struct edge_limits *limits);
void edge_admission_remove(struct edge_admission *a, struct edge_conn *conn);

/* The one that has been in a stage for longest; NULL: none. */
struct edge_conn *edge_admission_oldest(const struct edge_admission *a, enum edge_stage stage);
/* Connections of the worker, in whatever stage. */
unsigned edge_admission_count(const struct edge_admission *a);
