/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The register of tickets that may carry early data: each is taken once, whoever tries how often
 * and at the same time, and no number of tickets makes it grow.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/tls/early.h"

static const gnutls_datum_t h1 = {(unsigned char *)"http/1.1", 8};
static const gnutls_datum_t h2 = {(unsigned char *)"h2", 2};

static uint64_t key_of(const struct tls_early *early, unsigned ticket)
{
	return tls_early_key(early, &ticket, sizeof(ticket), NULL);
}

static void test_each_is_taken_once(void **state)
{
	struct tls_early *early = tls_early_create();
	uint64_t one = key_of(early, 1), other = key_of(early, 2);

	assert_false(tls_early_take(early, one));
	tls_early_put(early, one);
	tls_early_put(early, other);
	assert_true(tls_early_take(early, one));
	assert_false(tls_early_take(early, one));
	assert_true(tls_early_take(early, other));
	assert_false(tls_early_take(early, other));
	tls_early_destroy(&early);
	assert_null(early);
}

static void test_a_ticket_is_of_one_protocol_and_one_process(void **state)
{
	struct tls_early *early = tls_early_create(), *other = tls_early_create();
	uint64_t none = tls_early_key(early, "ticket", 6, NULL);

	assert_int_equal(tls_early_key(early, "ticket", 6, NULL), none);
	assert_int_not_equal(tls_early_key(early, "tickets", 7, NULL), none);
	assert_int_not_equal(tls_early_key(early, "ticket", 6, &h1), none);
	assert_int_not_equal(tls_early_key(early, "ticket", 6, &h1),
			     tls_early_key(early, "ticket", 6, &h2));
	assert_int_not_equal(tls_early_key(other, "ticket", 6, NULL), none);
	tls_early_destroy(&early);
	tls_early_destroy(&other);
}

static void test_old_ones_give_way_when_there_are_too_many(void **state)
{
	struct tls_early *early = tls_early_create();
	const unsigned n = 4 * TLS_EARLY_TICKETS;
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		tls_early_put(early, key_of(early, i));
	assert_true(tls_early_take(early, key_of(early, n - 1)));
	for (unsigned i = 0; i < n; i++)
		found += tls_early_take(early, key_of(early, i));
	assert_true(found < TLS_EARLY_TICKETS && found > TLS_EARLY_TICKETS / 2);
	for (unsigned i = 0; i < n; i++)
		assert_false(tls_early_take(early, key_of(early, i)));
	tls_early_destroy(&early);
}

#define THREADS 4
#define TICKETS 10000

static struct tls_early *shared;
static _Atomic unsigned taken;

static void *take_all(void *arg)
{
	for (unsigned i = 0; i < TICKETS; i++) {
		if (tls_early_take(shared, key_of(shared, i)))
			atomic_fetch_add(&taken, 1);
	}
	return NULL;
}

static void test_two_never_take_the_same(void **state)
{
	pthread_t threads[THREADS];

	shared = tls_early_create();
	for (unsigned i = 0; i < TICKETS; i++)
		tls_early_put(shared, key_of(shared, i));
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, take_all, NULL) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	assert_true(atomic_load(&taken) <= TICKETS && atomic_load(&taken) > TICKETS * 9 / 10);
	tls_early_destroy(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_is_taken_once),
	    cmocka_unit_test(test_a_ticket_is_of_one_protocol_and_one_process),
	    cmocka_unit_test(test_old_ones_give_way_when_there_are_too_many),
	    cmocka_unit_test(test_two_never_take_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
