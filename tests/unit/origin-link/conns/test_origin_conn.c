/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which of the idle connections of a loop is taken: by what they have carried, where the path is
 * long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/lease_rig.h"

#define PAGE (20 * 1024)
#define PICTURE (1024 * 1024)

static void set_far(struct lease_rig *t, bool is_far)
{
	atomic_store(&t->e->is_far, is_far);
}

/* So many new connections, each of which carries so much, and becomes idle after the one before. */
static void leave(struct lease_rig *t, unsigned n, const size_t *carried,
		  struct origin_conn **conns)
{
	struct taker v[8];

	for (unsigned i = 0; i < n; i++) {
		taker_init(&v[i], &t->rig, t->e);
		v[i].order.fresh = true;
		taker_get(&v[i]);
		conns[i] = v[i].lease.conn;
	}
	set_far(t, true);
	for (unsigned i = 0; i < n; i++) {
		taker_exchange(&v[i], carried[i]);
		lease_end(&v[i].lease, true);
	}
}

static void assert_taken(struct lease_rig *t, unsigned n, struct origin_conn *const *conns)
{
	struct taker v[8];

	for (unsigned i = 0; i < n; i++) {
		taker_init(&v[i], &t->rig, t->e);
		assert_int_equal(taker_take(&v[i]), LEASE_READY);
		assert_ptr_equal(v[i].lease.conn, conns[i]);
	}
	for (unsigned i = 0; i < n; i++)
		lease_end(&v[i].lease, true);
}

/* A response had to wait for the window of a connection that had carried nothing, while one with a
 * wide window was idle. */
static void test_on_a_long_path_the_widest_comes_first(void **state)
{
	const size_t carried[] = {PICTURE, PAGE, PAGE, 100};
	struct lease_rig *t = *state;
	struct origin_conn *c[4];

	leave(t, 4, carried, c);
	assert_int_equal(atomic_load(&t->e->slots[0].n_wide), 3);
	/* Of the same width the one that was used last. */
	assert_taken(t, 4, (struct origin_conn *[]){c[0], c[2], c[1], c[3]});
	/* What it has carried once counts, though the last response was short. */
	assert_taken(t, 4, (struct origin_conn *[]){c[0], c[1], c[2], c[3]});
	assert_int_equal(atomic_load(&t->e->slots[0].n_wide), 3);
}

static void test_on_a_short_path_the_newest_comes_first(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b;
	struct origin_conn *newest;

	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_get(&a);
	taker_get(&b);
	set_far(t, false);
	taker_exchange(&a, PICTURE);
	newest = b.lease.conn;
	lease_end(&a.lease, true);
	lease_end(&b.lease, true);
	assert_int_equal(atomic_load(&t->e->slots[0].n_wide), 0);
	assert_taken(t, 1, &newest);
}

/* What was idle when the path became short, or long, is still found. */
static void test_what_is_wide_is_used_after_the_path_became_short(void **state)
{
	struct lease_rig *t = *state;
	struct origin_conn *c[2];

	leave(t, 2, (const size_t[]){PAGE, PICTURE}, c);
	set_far(t, false);
	assert_taken(t, 2, (struct origin_conn *[]){c[1], c[0]});
}

static void expires_soon(struct lease_rig *t, struct origin_conn *conn)
{
	mono_time now = loop_now(t->rig.group->control);

	conn->expiry.freed = mono_add(now, DUR_S(-50));
	conn->expiry.idle_end = mono_add(now, DUR_S(5));
	assert_true(expiry_can_be_put_off(&conn->expiry, now));
}

/* After a pause each request had another connection, which was used so that it did not expire, and
 * had carried nothing. */
static void test_a_narrow_one_is_not_kept_by_use(void **state)
{
	struct lease_rig *t = *state;
	struct origin_conn *c[3];

	leave(t, 3, (const size_t[]){100, PAGE, PAGE}, c);
	expires_soon(t, c[0]);
	atomic_store(&t->e->target, 3);
	assert_taken(t, 1, (struct origin_conn *[]){c[2]});
	/* One that is as wide is. */
	expires_soon(t, c[1]);
	assert_taken(t, 1, (struct origin_conn *[]){c[1]});
	atomic_store(&t->e->target, 0);
}

static void test_wide_ones_expire_and_are_closed_like_others(void **state)
{
	struct lease_rig *t = *state;
	struct origin_conn *c[3];

	leave(t, 3, (const size_t[]){PICTURE, PAGE, 100}, c);
	c[0]->expiry.idle_end = loop_now(t->rig.group->control);
	conns_rig_await(&t->rig, OLINK_EXPIRED, 1);
	assert_int_equal(atomic_load(&t->e->slots[0].n_wide), 1);
	c[1]->expiry.idle_end = loop_now(t->rig.group->control);
	assert_taken(t, 1, (struct origin_conn *[]){c[2]});
	assert_int_equal(lease_rig_count(t, OLINK_EXPIRED), 2);
	leave(t, 2, (const size_t[]){PICTURE, PAGE}, c);
	endpoint_suspect(t->e, t->rig.group->control);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	assert_int_equal(atomic_load(&t->e->slots[0].n_wide), 0);
}

static void test_of_too_many_the_narrowest_goes(void **state)
{
	struct lease_rig *t = *state;
	struct origin_conn *c[3];

	t->rig.terms.max_idle = 2;
	leave(t, 3, (const size_t[]){100, PAGE, PICTURE}, c);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_FULL), 1);
	assert_taken(t, 2, (struct origin_conn *[]){c[2], c[1]});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEASE_TEST(test_on_a_long_path_the_widest_comes_first),
	    LEASE_TEST(test_on_a_short_path_the_newest_comes_first),
	    LEASE_TEST(test_what_is_wide_is_used_after_the_path_became_short),
	    LEASE_TEST(test_a_narrow_one_is_not_kept_by_use),
	    LEASE_TEST(test_wide_ones_expire_and_are_closed_like_others),
	    LEASE_TEST(test_of_too_many_the_narrowest_goes),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
