/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Accepting on loopback, with descriptors and without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/loop/deadline.h"
#include "core/net/acceptor.h"
#include "core/net/sock.h"
#include "tests/support/few_descriptors.h"

#define BACKLOG 128
/* More than are accepted in a turn. */
#define MANY 40

struct world {
	struct loop *loop;
	struct acceptor *acceptor;
	struct net_addr addr;
	unsigned n, expect; /* accepted; then the loop stops */
	unsigned stop_at;   /* accepts no more from then on; 0: never */
	uint64_t first_turn, last_turn;
	struct deadline patience;
	bool late;
};

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct world *w = arg;

	assert_int_equal(remote->sa.sa_family, AF_INET);
	assert_int_not_equal(net_addr_port(remote), 0);
	close(fd);
	if (w->n == 0)
		w->first_turn = loop_turn(w->loop);
	w->last_turn = loop_turn(w->loop);
	if (++w->n == w->expect)
		loop_stop_mt(w->loop);
	if (w->n == w->stop_at)
		acceptor_stop(w->acceptor);
}

static void patience_over(struct deadline *deadline)
{
	struct world *w = CONTAINER_OF(deadline, struct world, patience);

	w->late = true;
	loop_stop_mt(w->loop);
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	int fd;

	w->loop = loop_create("test");
	CHECK(net_addr_parse("127.0.0.1:0", 0, &w->addr));
	fd = sock_listen_tcp(&w->addr, BACKLOG);
	CHECK(fd >= 0 && sock_local_addr(fd, &w->addr) == 0);
	w->acceptor = acceptor_create(w->loop, fd, "connections of the test", accepted, w);
	deadline_init(&w->patience, w->loop, patience_over);
	alarm(30);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	acceptor_destroy(&w->acceptor);
	assert_null(w->acceptor);
	deadline_fini(&w->patience);
	loop_destroy(&w->loop);
	free(w);
	alarm(0);
	return 0;
}

static void connect_some(const struct world *w, int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(fds[i] >= 0);
		CHECK(connect(fds[i], &w->addr.sa, net_addr_len(&w->addr)) == 0);
	}
}

static void close_some(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* False when `expect` of them do not come: then it has waited for `patience`. */
static bool come(struct world *w, unsigned expect, duration patience)
{
	w->expect = expect;
	w->late = false;
	deadline_set(&w->patience, patience);
	loop_run(w->loop);
	deadline_clear(&w->patience);
	return !w->late;
}

static void test_a_flood_takes_several_turns(void **state)
{
	struct world *w = *state;
	int fds[MANY];

	connect_some(w, fds, MANY);
	acceptor_start(w->acceptor);
	assert_true(come(w, MANY, DUR_S(20)));
	assert_int_equal(w->n, MANY);
	assert_true(w->last_turn >= w->first_turn + 2);
	close_some(fds, MANY);
}

static void test_stopped_in_the_middle_of_a_batch(void **state)
{
	struct world *w = *state;
	int fds[6];

	connect_some(w, fds, 6);
	w->stop_at = 2;
	acceptor_start(w->acceptor);
	assert_false(come(w, 6, DUR_MS(100)));
	assert_int_equal(w->n, 2);
	acceptor_start(w->acceptor);
	assert_true(come(w, 6, DUR_S(20)));
	close_some(fds, 6);
}

static void test_drain_without_a_start(void **state)
{
	struct world *w = *state;
	int fds[5];

	connect_some(w, fds, 5);
	acceptor_drain(w->acceptor, 3);
	assert_int_equal(w->n, 3);
	acceptor_drain(w->acceptor, 100);
	assert_int_equal(w->n, 5);
	close_some(fds, 5);
}

static void test_out_of_descriptors_it_waits_and_goes_on_by_itself(void **state)
{
	struct world *w = *state;
	uint64_t before;
	rlim_t limit;
	int fds[3];

	connect_some(w, fds, 3);
	limit = descriptors_use_up();
	acceptor_start(w->acceptor);
	before = loop_turn(w->loop);
	assert_false(come(w, 3, DUR_S(1)));
	assert_int_equal(w->n, 0);
	/* Though the socket was readable all the time. */
	assert_true(loop_turn(w->loop) - before < 100);
	descriptors_allow(limit);
	assert_true(come(w, 3, DUR_S(20)));
	close_some(fds, 3);
}

static void test_destroyed_while_it_holds_back(void **state)
{
	struct world *w = *state;
	rlim_t limit;
	int fd;

	connect_some(w, &fd, 1);
	limit = descriptors_use_up();
	acceptor_start(w->acceptor);
	assert_false(come(w, 1, DUR_MS(50)));
	acceptor_drain(w->acceptor, 10);
	assert_int_equal(w->n, 0);
	descriptors_allow(limit);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_flood_takes_several_turns, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_stopped_in_the_middle_of_a_batch, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_drain_without_a_start, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_out_of_descriptors_it_waits_and_goes_on_by_itself,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_destroyed_while_it_holds_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
