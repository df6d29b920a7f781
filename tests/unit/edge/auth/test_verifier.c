/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The verifier: what is right is told once by the thread and then known, what is wrong never is,
 * and nobody who has gone is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/auth/verifier.h"

#define HASH "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" /* of "secret" */

static struct loop *loop;
static struct edge_verifier *verifier;
static unsigned n_right, n_wrong;

static int set_up(void **state)
{
	loop = loop_create("worker");
	verifier = edge_verifier_create(loop);
	n_right = n_wrong = 0;
	return 0;
}

static int tear_down(void **state)
{
	edge_verifier_destroy(&verifier);
	loop_destroy(&loop);
	return 0;
}

static struct net_prefix client_of(const char *text)
{
	struct net_prefix client;

	assert_true(net_prefix_parse(text, &client));
	return client;
}

static void told(void *arg, bool right)
{
	n_right += right;
	n_wrong += !right;
	if (n_right + n_wrong == *(unsigned *)arg)
		loop_stop_mt(loop);
}

static enum edge_verdict ask(const char *name, const char *password, const char *hash, bool known,
			     unsigned *wanted, struct edge_verification **one)
{
	struct edge_credentials c = {
	    .name = span_of(name),
	    .password = span_of(password),
	    .hash = hash,
	    .known = known,
	    .client = client_of("192.0.2.1"),
	};

	return edge_verify(verifier, &c, told, wanted, one);
}

static void test_what_was_right_is_known(void **state)
{
	struct edge_verification *one;
	unsigned wanted = 1;

	assert_int_equal(ask("ann", "secret", HASH, true, &wanted, &one), EDGE_VERDICT_WAITS);
	loop_run(loop);
	assert_int_equal(n_right, 1);
	assert_int_equal(ask("ann", "secret", HASH, true, &wanted, &one), EDGE_VERDICT_RIGHT);
	wanted = 5;
	/* Not of another name, password or hash; nor of one that is not known any more. */
	assert_int_equal(ask("annsec", "ret", HASH, true, &wanted, &one), EDGE_VERDICT_WAITS);
	assert_int_equal(ask("ann", "other", HASH, true, &wanted, &one), EDGE_VERDICT_WAITS);
	assert_int_equal(
	    ask("ann", "secret", "{SHA}6Z8x5en6G6MezRroT3XKqkdPOmY=", true, &wanted, &one),
	    EDGE_VERDICT_WAITS);
	assert_int_equal(ask("ann", "secret", HASH, false, &wanted, &one), EDGE_VERDICT_WAITS);
	loop_run(loop);
	assert_int_equal(n_right, 1);
	assert_int_equal(n_wrong, 4);
}

static void test_who_has_gone_is_not_told(void **state)
{
	struct edge_verification *gone, *one;
	unsigned wanted = 1;

	assert_int_equal(ask("ann", "secret", HASH, true, &wanted, &gone), EDGE_VERDICT_WAITS);
	assert_int_equal(ask("bob", "wrong", HASH, true, &wanted, &one), EDGE_VERDICT_WAITS);
	edge_verification_cancel(&gone);
	assert_null(gone);
	loop_run(loop);
	assert_int_equal(n_right, 0);
	assert_int_equal(n_wrong, 1);
}

static void test_ends_while_some_wait(void **state)
{
	struct edge_verification *one;
	unsigned wanted = 1, n = 0;
	char password[16];

	do
		snprintf(password, sizeof(password), "%u", n++);
	while (ask("ann", password, HASH, true, &wanted, &one) == EDGE_VERDICT_WAITS);
	/* A quarter of the places is one client's. */
	assert_int_equal(n, 17);
}

static enum edge_verdict guess(const char *client, unsigned *wanted)
{
	struct edge_verification *one;
	struct edge_credentials c = {
	    .name = SPAN("ann"),
	    .password = SPAN("guess"),
	    .hash = HASH,
	    .known = true,
	    .client = client_of(client),
	};

	return edge_verify(verifier, &c, told, wanted, &one);
}

static void test_one_client_that_stayed_and_guessed_held_all_places(void **state)
{
	unsigned wanted = 64;

	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(guess("192.0.2.1", &wanted), EDGE_VERDICT_WAITS);
	assert_int_equal(guess("192.0.2.1", &wanted), EDGE_VERDICT_BUSY);
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(guess("192.0.2.2", &wanted), EDGE_VERDICT_WAITS);
		assert_int_equal(guess("2001:db8::/64", &wanted), EDGE_VERDICT_WAITS);
		assert_int_equal(guess("2001:db8:0:1::/64", &wanted), EDGE_VERDICT_WAITS);
	}
	/* All are taken, but not for ever. */
	assert_int_equal(guess("192.0.2.3", &wanted), EDGE_VERDICT_BUSY);
	loop_run(loop);
	assert_int_equal(n_wrong, 64);
	wanted = 65;
	assert_int_equal(guess("192.0.2.1", &wanted), EDGE_VERDICT_WAITS);
	loop_run(loop);
}

/* What a decoy says counts for nothing. */
static void test_password_of_a_decoy_is_wrong(void **state)
{
	struct edge_verification *one;
	struct edge_credentials c = {
	    .name = SPAN("ann"),
	    .password = SPAN("secret"),
	    .hash = "{SHA}6Z8x5en6G6MezRroT3XKqkdPOmY=",
	    .decoy = HASH,
	    .known = true,
	};
	unsigned wanted = 1;

	assert_int_equal(edge_verify(verifier, &c, told, &wanted, &one), EDGE_VERDICT_WAITS);
	loop_run(loop);
	assert_int_equal(n_wrong, 1);
}

static void test_credentials_that_are_not_sane(void **state)
{
	static char text[EDGE_CREDENTIALS_MAX + 1];
	struct edge_credentials c = {
	    .name = SPAN("ann"), .password = SPAN("secret\0x"), .hash = HASH, .known = true};
	struct edge_verification *one;

	assert_int_equal(edge_verify(verifier, &c, told, NULL, &one), EDGE_VERDICT_WRONG);
	c.password = (struct span){text, sizeof(text)};
	assert_int_equal(edge_verify(verifier, &c, told, NULL, &one), EDGE_VERDICT_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_was_right_is_known, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_who_has_gone_is_not_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_ends_while_some_wait, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_client_that_stayed_and_guessed_held_all_places,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_password_of_a_decoy_is_wrong, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_credentials_that_are_not_sane, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
