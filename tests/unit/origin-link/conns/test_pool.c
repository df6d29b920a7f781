/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pool with a clock of the test's own: order, limits, expiry, the fullness of the key, and two
 * threads at once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/conns/pool.h"

static struct pool_key key_of(const char *text)
{
	struct net_addr addr;

	assert_true(net_addr_parse(text, 80, &addr));
	return pool_key_http(&addr);
}

static mono_time at(int64_t seconds)
{
	return (mono_time){DUR_S(seconds).ns};
}

static unsigned expire(struct pool *pool, int64_t seconds)
{
	struct pool_items out = TAILQ_HEAD_INITIALIZER(out);
	struct pool_item *item;
	unsigned n = 0;

	pool_expire(pool, at(seconds), &out);
	TAILQ_FOREACH (item, &out, link)
		n++;
	return n;
}

static void drain_and_destroy(struct pool **pool)
{
	struct pool_items out = TAILQ_HEAD_INITIALIZER(out);

	pool_drain(*pool, &out);
	pool_destroy(pool);
	assert_null(*pool);
}

static void test_newest_first(void **unused)
{
	struct pool *pool = pool_create();
	struct pool_key key = key_of("192.0.2.1");
	struct pool_item items[3];

	assert_null(pool_take(pool, &key, at(0)));
	for (int i = 0; i < 3; i++)
		assert_true(pool_give(pool, &key, &items[i], 8, at(10 + i)));
	assert_int_equal(pool_count(pool, &key), 3);
	for (int i = 2; i >= 0; i--)
		assert_ptr_equal(pool_take(pool, &key, at(1)), &items[i]);
	assert_null(pool_take(pool, &key, at(1)));
	drain_and_destroy(&pool);
}

static void test_limit_is_per_key(void **unused)
{
	struct pool *pool = pool_create();
	struct pool_key a = key_of("192.0.2.1"), b = key_of("192.0.2.2");
	struct pool_item items[4];

	assert_true(pool_give(pool, &a, &items[0], 2, at(10)));
	assert_true(pool_give(pool, &a, &items[1], 2, at(10)));
	assert_false(pool_give(pool, &a, &items[2], 2, at(10)));
	assert_true(pool_give(pool, &b, &items[2], 2, at(10)));
	assert_false(pool_give(pool, &b, &items[3], 0, at(10)));
	assert_int_equal(pool_count(pool, &a), 2);
	assert_int_equal(pool_count(pool, &b), 1);
	drain_and_destroy(&pool);
}

static void test_expiry(void **unused)
{
	struct pool *pool = pool_create();
	struct pool_key key = key_of("192.0.2.1");
	struct pool_item items[3];

	for (int i = 0; i < 3; i++)
		assert_true(pool_give(pool, &key, &items[i], 8, at(10 + i)));
	assert_int_equal(expire(pool, 9), 0);
	assert_int_equal(expire(pool, 10), 1); /* reached is expired */
	assert_int_equal(pool_count(pool, &key), 2);
	/* Not handed out even when the timer is late. */
	assert_null(pool_take(pool, &key, at(12)));
	assert_int_equal(expire(pool, 12), 2);
	assert_int_equal(pool_count(pool, &key), 0);

	/* A shorter timeout after a reload: the newest has expired, the older one has not. */
	assert_true(pool_give(pool, &key, &items[0], 8, at(60)));
	assert_true(pool_give(pool, &key, &items[1], 8, at(20)));
	assert_ptr_equal(pool_take(pool, &key, at(30)), &items[0]);
	assert_int_equal(expire(pool, 30), 1);
	drain_and_destroy(&pool);
}

/* Every part of the key alone keeps two connections apart. */
static void test_key_is_compared_in_full(void **unused)
{
	struct pool *pool = pool_create();
	struct pool_key base = key_of("192.0.2.1"), other[8];
	struct pool_item item;

	for (unsigned i = 0; i < ARRAY_SIZE(other); i++)
		other[i] = base;
	other[0] = key_of("192.0.2.2");
	net_addr_set_port(&other[1].addr, 81);
	other[2].scheme = POOL_HTTPS;
	other[3].verify = POOL_VERIFY_FULL;
	other[4].client_certificate = 1;
	other[5].sni = "www.example.com";
	other[6].alpn = "h2";
	other[7].proxy_header = "PROXY TCP4 192.0.2.9 192.0.2.1 1 80";
	assert_true(pool_give(pool, &base, &item, 1, at(10)));
	for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
		assert_false(pool_key_equal(&base, &other[i]));
		assert_null(pool_take(pool, &other[i], at(0)));
	}
	/* Equal by content, not by pointer. */
	struct pool_key same = base;
	char empty[] = "";

	same.sni = empty;
	assert_ptr_equal(pool_take(pool, &same, at(0)), &item);
	drain_and_destroy(&pool);
}

#define N_ROUNDS 20000
#define N_OWN 8

struct user {
	struct pool *pool;
	struct stressed {
		struct pool_item item;
		unsigned owner_writes; /* not atomic: TSan sees two owners at once */
	} own[N_OWN];
};

static void *use(void *arg)
{
	struct user *user = arg;
	struct net_addr addr;
	struct pool_item *held[4] = {0};

	CHECK(net_addr_parse("192.0.2.1", 80, &addr));
	struct pool_key key = pool_key_http(&addr);

	for (unsigned i = 0; i < N_OWN; i++)
		CHECK(pool_give(user->pool, &key, &user->own[i].item, 2 * N_OWN, at(1000000)));
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		unsigned slot = i % ARRAY_SIZE(held);

		if (held[slot])
			CHECK(pool_give(user->pool, &key, held[slot], 2 * N_OWN, at(1000000)));
		held[slot] = pool_take(user->pool, &key, at(i));
		if (held[slot])
			CONTAINER_OF(held[slot], struct stressed, item)->owner_writes++;
		if (i % 1000 == 0)
			CHECK(expire(user->pool, i) == 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++) {
		if (held[i])
			CHECK(pool_give(user->pool, &key, held[i], 2 * N_OWN, at(1000000)));
	}
	return NULL;
}

static void test_two_threads(void **unused)
{
	struct pool *pool = pool_create();
	struct pool_key key = key_of("192.0.2.1");
	struct user users[2] = {{.pool = pool}, {.pool = pool}};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(pool_count(pool, &key), 2 * N_OWN);
	assert_int_equal(expire(pool, 1000000), 2 * N_OWN);
	drain_and_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newest_first), cmocka_unit_test(test_limit_is_per_key),
	    cmocka_unit_test(test_expiry),       cmocka_unit_test(test_key_is_compared_in_full),
	    cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
