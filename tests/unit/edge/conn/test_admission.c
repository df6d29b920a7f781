/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Admission: what becomes of a newcomer, by a table of who is there; the order in which others give
 * way; places among the handshakes; and places that many workers take and give at the same time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/conn/admission.h"

#define MAX_CONNS 32

struct worker {
	struct edge_admission admission;
	struct edge_conn conns[MAX_CONNS];
	unsigned n;
};

static const struct edge_limits wide = {1000, 1000, 1000};

static void worker_init(struct worker *w, struct edge_places *places, unsigned n_workers)
{
	*w = (struct worker){.n = 0};
	edge_admission_init(&w->admission, places, n_workers);
}

/* A connection in a stage, on the way that leads there. */
static struct edge_conn *add(struct worker *w, enum edge_stage stage)
{
	struct edge_conn *conn = &w->conns[w->n++], *other;

	CHECK(w->n <= MAX_CONNS);
	assert_int_equal(edge_admission_ask(&w->admission, &wide, conn, &other), EDGE_LET_IN);
	if (stage == EDGE_HANDSHAKING)
		assert_true(edge_admission_take_handshake(&w->admission, &wide, conn));
	else if (stage != EDGE_SILENT)
		edge_admission_move(&w->admission, conn, stage);
	return conn;
}

static void remove_all(struct worker *w)
{
	struct edge_conn *conn;

	for (enum edge_stage s = 0; s < EDGE_STAGES; s++) {
		while ((conn = edge_admission_oldest(&w->admission, s)) != NULL)
			edge_admission_remove(&w->admission, conn);
	}
	assert_int_equal(edge_admission_count(&w->admission), 0);
}

/* Who is there already, of this worker by stages and of another. */
struct newcomer_case {
	const char *name;
	unsigned mine[EDGE_STAGES];
	unsigned others[EDGE_STAGES];
	struct edge_limits limits;
	enum edge_verdict expect;
	enum edge_stage gives_way; /* with EDGE_DISPLACE */
};

static const struct newcomer_case newcomers[] = {
    {"nobody", {0}, {0}, {1, 1, 1}, EDGE_LET_IN, 0},
    {"the last place", {[EDGE_BUSY] = 1}, {[EDGE_BUSY] = 1}, {3, 9, 9}, EDGE_LET_IN, 0},
    {"full of busy ones", {[EDGE_BUSY] = 2}, {[EDGE_BUSY] = 1}, {3, 9, 9}, EDGE_TURN_AWAY, 0},
    {"full, and only others have one idle",
     {[EDGE_BUSY] = 2},
     {[EDGE_IDLE] = 1, [EDGE_SILENT] = 1},
     {4, 9, 9},
     EDGE_TURN_AWAY,
     0},
    {"full, with an idle one",
     {[EDGE_BUSY] = 1, [EDGE_IDLE] = 1, [EDGE_SILENT] = 1},
     {0},
     {3, 9, 9},
     EDGE_DISPLACE,
     EDGE_IDLE},
    {"full, with a silent one",
     {[EDGE_BUSY] = 2, [EDGE_SILENT] = 1},
     {0},
     {3, 9, 9},
     EDGE_DISPLACE,
     EDGE_SILENT},
    {"full of handshakes",
     {[EDGE_HANDSHAKING] = 2, [EDGE_WAITING] = 1},
     {0},
     {3, 9, 9},
     EDGE_TURN_AWAY,
     0},
    {"those that leave have no place",
     {[EDGE_BUSY] = 2, [EDGE_LEAVING] = 5},
     {0},
     {3, 9, 9},
     EDGE_LET_IN,
     0},
    {"more than the limit, which was lowered",
     {[EDGE_IDLE] = 5},
     {0},
     {3, 9, 9},
     EDGE_DISPLACE,
     EDGE_IDLE},
    {"as many silent as may be", {[EDGE_SILENT] = 2}, {0}, {9, 3, 9}, EDGE_LET_IN, 0},
    {"too many silent",
     {[EDGE_SILENT] = 2},
     {[EDGE_SILENT] = 1},
     {9, 3, 9},
     EDGE_DISPLACE,
     EDGE_SILENT},
    {"too many silent, all of others", {0}, {[EDGE_SILENT] = 3}, {9, 3, 9}, EDGE_LET_IN, 0},
    {"full, and too many silent: the idle one need not go",
     {[EDGE_IDLE] = 1, [EDGE_SILENT] = 2},
     {0},
     {3, 2, 9},
     EDGE_DISPLACE,
     EDGE_SILENT},
    {"waiting is not silent", {[EDGE_WAITING] = 3}, {0}, {9, 3, 9}, EDGE_LET_IN, 0},
};

static void test_newcomers(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(newcomers); i++) {
		const struct newcomer_case *c = &newcomers[i];
		struct edge_conn newcomer = {0}, *other = NULL;
		struct edge_places places = {0};
		struct worker mine, others;
		enum edge_verdict got;

		worker_init(&mine, &places, 2);
		worker_init(&others, &places, 2);
		/* Nobody can take a place while others wait: so the latest stage first. */
		for (unsigned s = EDGE_STAGES; s-- > 0;) {
			for (unsigned n = 0; n < c->mine[s]; n++)
				add(&mine, s);
			for (unsigned n = 0; n < c->others[s]; n++)
				add(&others, s);
		}
		got = edge_admission_ask(&mine.admission, &c->limits, &newcomer, &other);
		if (got != c->expect)
			fail_msg("%s: %d", c->name, got);
		if (got == EDGE_DISPLACE && other->stage != c->gives_way)
			fail_msg("%s: one in stage %d gives way", c->name, other->stage);
		if (got == EDGE_LET_IN)
			assert_int_equal(newcomer.stage, EDGE_SILENT);
		remove_all(&mine);
		remove_all(&others);
		assert_int_equal(places.connections, 0);
		assert_int_equal(places.silent, 0);
		assert_int_equal(places.handshakes, 0);
	}
}

/* The one that has been idle for longest, since its last request, gives way first; and once it
 * was told, it is not told again. */
static void test_order_of_giving_way(void **state)
{
	const struct edge_limits limits = {3, 9, 9};
	struct edge_conn newcomers_[3] = {0}, *other;
	struct edge_places places = {0};
	struct worker w;
	struct edge_conn *a, *b, *c;

	worker_init(&w, &places, 1);
	a = add(&w, EDGE_IDLE);
	b = add(&w, EDGE_IDLE);
	c = add(&w, EDGE_IDLE);
	edge_admission_move(&w.admission, a, EDGE_BUSY);
	edge_admission_move(&w.admission, a, EDGE_IDLE);
	for (unsigned i = 0; i < 3; i++) {
		struct edge_conn *const order[] = {b, c, a};

		assert_int_equal(edge_admission_ask(&w.admission, &limits, &newcomers_[i], &other),
				 EDGE_DISPLACE);
		assert_ptr_equal(other, order[i]);
		edge_admission_move(&w.admission, other, EDGE_LEAVING);
		assert_int_equal(places.connections, 2);
		assert_int_equal(edge_admission_ask(&w.admission, &limits, &newcomers_[i], &other),
				 EDGE_LET_IN);
		edge_admission_move(&w.admission, &newcomers_[i], EDGE_BUSY);
	}
	assert_int_equal(edge_admission_count(&w.admission), 6);
	remove_all(&w);
	assert_int_equal(places.connections, 0);
}

static void test_handshakes_wait_their_turn(void **state)
{
	const struct edge_limits limits = {99, 99, 2}, more = {99, 99, 3};
	struct edge_places places = {0};
	struct edge_conn *conns[5];
	struct worker mine, others;

	worker_init(&mine, &places, 2);
	worker_init(&others, &places, 2);
	for (unsigned i = 0; i < 5; i++)
		conns[i] = add(&mine, EDGE_SILENT);
	add(&others, EDGE_HANDSHAKING);

	assert_true(edge_admission_take_handshake(&mine.admission, &limits, conns[0]));
	assert_false(edge_admission_take_handshake(&mine.admission, &limits, conns[1]));
	assert_false(edge_admission_take_handshake(&mine.admission, &limits, conns[2]));
	assert_null(edge_admission_next_handshake(&mine.admission, &limits));
	assert_int_equal(places.silent, 2);
	assert_int_equal(places.handshakes, 2);
	/* Behind those who came before, even when there is a place. */
	assert_false(edge_admission_take_handshake(&mine.admission, &more, conns[3]));
	assert_ptr_equal(edge_admission_next_handshake(&mine.admission, &more), conns[1]);
	assert_null(edge_admission_next_handshake(&mine.admission, &more));
	/* Its own ends; then one that waits gives up; then another worker's ends. */
	edge_admission_move(&mine.admission, conns[0], EDGE_IDLE);
	assert_null(edge_admission_next_handshake(&mine.admission, &limits));
	edge_admission_remove(&mine.admission, conns[2]);
	edge_admission_remove(&others.admission,
			      edge_admission_oldest(&others.admission, EDGE_HANDSHAKING));
	assert_ptr_equal(edge_admission_next_handshake(&mine.admission, &limits), conns[3]);
	assert_null(edge_admission_next_handshake(&mine.admission, &limits));
	remove_all(&mine);
	assert_int_equal(places.handshakes, 0);
}

static void test_even_share(void **state)
{
	const struct edge_limits four = {99, 99, 4}, one = {99, 99, 1};
	struct edge_places places = {0};
	struct worker w;

	for (unsigned handshakes = 0; handshakes < 3; handshakes++) {
		worker_init(&w, &places, 2);
		for (unsigned i = 0; i < handshakes; i++)
			add(&w, EDGE_HANDSHAKING);
		assert_false(edge_admission_goes_on(&w.admission, &four));
		add(&w, EDGE_WAITING);
		assert_int_equal(edge_admission_goes_on(&w.admission, &four), handshakes < 2);
		assert_int_equal(edge_admission_goes_on(&w.admission, &one), handshakes < 1);
		remove_all(&w);
	}
}

/* Workers that come and go at the same time never have more than the limit together, and no place
 * is lost. */

#define N_WORKERS 4
#define ROUNDS 50000
#define CONNECTIONS 6
#define HANDSHAKES 2

static struct edge_places shared;
static _Atomic unsigned inside, in_handshake, worst, worst_handshakes, let_in;

static void note(_Atomic unsigned *n, _Atomic unsigned *most)
{
	unsigned now = atomic_fetch_add(n, 1) + 1, old = atomic_load(most);

	while (now > old && !atomic_compare_exchange_weak(most, &old, now))
		;
}

static void come_and_go(struct edge_admission *a, struct edge_conn *conn)
{
	const struct edge_limits limits = {CONNECTIONS, 1000, HANDSHAKES};
	struct edge_conn *other;

	if (conn->stage != EDGE_STAGES) {
		if (conn->stage == EDGE_HANDSHAKING)
			atomic_fetch_sub(&in_handshake, 1);
		atomic_fetch_sub(&inside, 1);
		edge_admission_remove(a, conn);
		conn->stage = EDGE_STAGES;
		return;
	}
	if (edge_admission_ask(a, &limits, conn, &other) != EDGE_LET_IN)
		return;
	note(&inside, &worst);
	atomic_fetch_add(&let_in, 1);
	if (edge_admission_take_handshake(a, &limits, conn))
		note(&in_handshake, &worst_handshakes);
	else
		edge_admission_move(a, conn, EDGE_BUSY);
}

static void *run_worker(void *arg)
{
	struct edge_conn conns[3];
	struct edge_admission a;
	unsigned seed = *(unsigned *)arg;

	edge_admission_init(&a, &shared, N_WORKERS);
	for (unsigned i = 0; i < ARRAY_SIZE(conns); i++)
		conns[i] = (struct edge_conn){.stage = EDGE_STAGES};
	for (unsigned i = 0; i < ROUNDS; i++)
		come_and_go(&a, &conns[rand_r(&seed) % ARRAY_SIZE(conns)]);
	for (unsigned i = 0; i < ARRAY_SIZE(conns); i++) {
		if (conns[i].stage != EDGE_STAGES)
			come_and_go(&a, &conns[i]);
	}
	return NULL;
}

static void test_many_workers(void **state)
{
	unsigned seeds[N_WORKERS];
	pthread_t threads[N_WORKERS];

	for (unsigned i = 0; i < N_WORKERS; i++) {
		seeds[i] = i + 1;
		assert_int_equal(pthread_create(&threads[i], NULL, run_worker, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < N_WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(shared.connections, 0);
	assert_int_equal(shared.silent, 0);
	assert_int_equal(shared.handshakes, 0);
	assert_true(worst <= CONNECTIONS && worst_handshakes <= HANDSHAKES);
	assert_true(let_in > ROUNDS / 10);
}

static void test_stages_have_names(void **state)
{
	for (enum edge_stage s = 0; s <= EDGE_STAGES; s++)
		assert_non_null(edge_stage_text(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newcomers),
	    cmocka_unit_test(test_order_of_giving_way),
	    cmocka_unit_test(test_handshakes_wait_their_turn),
	    cmocka_unit_test(test_even_share),
	    cmocka_unit_test(test_many_workers),
	    cmocka_unit_test(test_stages_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
