/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Admission: lists, counts and verdicts. The places of the node are atomic numbers and guard
 * nothing else, so relaxed order will do; each stage that has places takes and gives them here and
 * nowhere else.
 */
#include "edge/conn/admission.h"

#include "core/base/check.h"

void edge_admission_init(struct edge_admission *a, struct edge_places *places, unsigned n_workers)
{
	a->places = places;
	a->n_workers = n_workers;
	atomic_init(&a->yielding, 0);
	for (unsigned s = 0; s < EDGE_STAGES; s++) {
		TAILQ_INIT(&a->conns[s]);
		a->n[s] = 0;
	}
}

/* Places */

static unsigned taken(_Atomic unsigned *places)
{
	return atomic_load_explicit(places, memory_order_relaxed);
}

static bool take_below(_Atomic unsigned *places, unsigned limit)
{
	unsigned n = taken(places);

	while (n < limit) {
		if (atomic_compare_exchange_weak_explicit(places, &n, n + 1, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

static void take(_Atomic unsigned *places)
{
	atomic_fetch_add_explicit(places, 1, memory_order_relaxed);
}

static void give(_Atomic unsigned *places)
{
	CHECK(atomic_fetch_sub_explicit(places, 1, memory_order_relaxed) > 0);
}

/* The lists */

/* Who gives way when there is no place for a newcomer. */

static unsigned count_yielding(const struct edge_admission *a)
{
	return a->n[EDGE_IDLE] + a->n[EDGE_SILENT];
}

static struct edge_conn *first_to_yield(const struct edge_admission *a)
{
	struct edge_conn *idle = edge_admission_oldest(a, EDGE_IDLE);

	return idle != NULL ? idle : edge_admission_oldest(a, EDGE_SILENT);
}

static void say_who_yields(struct edge_admission *a)
{
	atomic_store_explicit(&a->yielding, count_yielding(a), memory_order_relaxed);
}

static void enlist(struct edge_admission *a, struct edge_conn *conn, enum edge_stage stage)
{
	conn->stage = stage;
	TAILQ_INSERT_TAIL(&a->conns[stage], conn, link);
	a->n[stage]++;
	say_who_yields(a);
}

/* Gives back what belongs to the stage itself. */
static void delist(struct edge_admission *a, struct edge_conn *conn)
{
	TAILQ_REMOVE(&a->conns[conn->stage], conn, link);
	a->n[conn->stage]--;
	say_who_yields(a);
	if (conn->stage == EDGE_SILENT)
		give(&a->places->silent);
	else if (conn->stage == EDGE_HANDSHAKING)
		give(&a->places->handshakes);
}

struct edge_conn *edge_admission_oldest(const struct edge_admission *a, enum edge_stage stage)
{
	return TAILQ_FIRST(&a->conns[stage]);
}

unsigned edge_admission_count(const struct edge_admission *a)
{
	unsigned n = 0;

	for (unsigned s = 0; s < EDGE_STAGES; s++)
		n += a->n[s];
	return n;
}

/* Newcomers */

bool edge_admission_is_full(const struct edge_admission *a, const struct edge_limits *limits)
{
	return taken(&a->places->connections) >= limits->connections && count_yielding(a) == 0;
}

enum edge_verdict edge_admission_ask(struct edge_admission *a, const struct edge_limits *limits,
				     struct edge_conn *newcomer, struct edge_conn **other)
{
	struct edge_conn *silent = edge_admission_oldest(a, EDGE_SILENT);

	/* Workers that look at the same time may go over this one together, by one each. */
	if (silent != NULL && taken(&a->places->silent) >= limits->silent) {
		*other = silent;
		return EDGE_DISPLACE;
	}
	if (take_below(&a->places->connections, limits->connections)) {
		take(&a->places->silent);
		enlist(a, newcomer, EDGE_SILENT);
		return EDGE_LET_IN;
	}
	*other = first_to_yield(a);
	return *other != NULL ? EDGE_DISPLACE : EDGE_TURN_AWAY;
}

void edge_admission_move(struct edge_admission *a, struct edge_conn *conn, enum edge_stage stage)
{
	CHECK(stage != EDGE_SILENT && stage != EDGE_HANDSHAKING && conn->stage != EDGE_LEAVING);
	delist(a, conn);
	if (stage == EDGE_LEAVING)
		give(&a->places->connections);
	enlist(a, conn, stage);
}

void edge_admission_remove(struct edge_admission *a, struct edge_conn *conn)
{
	if (conn->stage != EDGE_LEAVING)
		give(&a->places->connections);
	delist(a, conn);
}

/* Handshakes */

static bool begin_handshake(struct edge_admission *a, const struct edge_limits *limits,
			    struct edge_conn *conn)
{
	if (!take_below(&a->places->handshakes, limits->handshakes))
		return false;
	delist(a, conn);
	enlist(a, conn, EDGE_HANDSHAKING);
	return true;
}

bool edge_admission_take_handshake(struct edge_admission *a, const struct edge_limits *limits,
				   struct edge_conn *conn)
{
	if (a->n[EDGE_WAITING] == 0 && begin_handshake(a, limits, conn))
		return true;
	edge_admission_move(a, conn, EDGE_WAITING);
	return false;
}

struct edge_conn *edge_admission_next_handshake(struct edge_admission *a,
						const struct edge_limits *limits)
{
	struct edge_conn *conn = edge_admission_oldest(a, EDGE_WAITING);

	return conn != NULL && begin_handshake(a, limits, conn) ? conn : NULL;
}

bool edge_admission_goes_on(const struct edge_admission *a, const struct edge_limits *limits)
{
	return a->n[EDGE_WAITING] > 0 &&
	       a->n[EDGE_HANDSHAKING] < MAX(limits->handshakes / a->n_workers, 1);
}
