/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Slices and their owners, the operations of a filter that changes nothing, and what the filters of
 * tests/support promise to the tests that stand on them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "tests/support/flow_filters.h"
#include "tests/support/flow_party.h"

/* Slices */

static unsigned released;

static void count_release(struct slice_owner *owner)
{
	released++;
}

static void test_slice_with_an_owner(void **state)
{
	static const char text[] = "hello";
	struct slice_owner owner = {.refs = 1, .release = count_release};
	struct slice one = {text, 5, &owner}, other = one;

	released = 0;
	assert_true(slice_keep(&other));
	assert_ptr_equal(other.p, text);
	assert_int_equal(owner.refs, 2);
	slice_drop(&other);
	assert_null(other.p);
	assert_int_equal(other.n, 0);
	assert_int_equal(released, 0);
	slice_drop(&one);
	assert_int_equal(released, 1);
	/* What is empty can be dropped again. */
	slice_drop(&one);
	assert_int_equal(released, 1);
}

static void test_borrowed_slice_is_copied(void **state)
{
	char text[] = "hello";
	struct slice kept = {.p = text, .n = 5};
	struct slice again;

	assert_true(slice_keep(&kept));
	assert_non_null(kept.owner);
	memset(text, 'x', sizeof(text));
	assert_memory_equal(kept.p, "hello", 5);
	again = kept;
	assert_true(slice_keep(&again));
	assert_ptr_equal(again.p, kept.p);
	slice_drop(&kept);
	assert_memory_equal(again.p, "hello", 5);
	slice_drop(&again);
}

static void test_nothing_needs_no_owner(void **state)
{
	struct slice nothing = {0};

	assert_true(slice_keep(&nothing));
	assert_null(nothing.owner);
	slice_drop(&nothing);
}

/* An exchange of a client and an origin, with one filter and a seam on either side of it */

struct exchange {
	struct party client, origin;
	struct seam front, behind;
	struct http_head request, response;
};

static void begin(struct exchange *x, struct flow_filter *request, struct flow_filter *response)
{
	struct flow_ends ends = {&x->client.source, &x->client.sink};
	struct flow_leg leg = {&x->origin.sink, &x->origin.source};

	party_init(&x->client, false);
	party_init(&x->origin, true);
	seam_init(&x->front);
	seam_init(&x->behind);
	ends = filter_ends(&x->front.request.filter, &x->front.response.filter, &ends);
	ends = filter_ends(request, response, &ends);
	ends = filter_ends(&x->behind.request.filter, &x->behind.response.filter, &ends);
	x->origin.from = ends.request;
	x->origin.to = ends.response;
	leg = filter_leg(&x->behind.request.filter, &x->behind.response.filter, &leg);
	leg = filter_leg(request, response, &leg);
	leg = filter_leg(&x->front.request.filter, &x->front.response.filter, &leg);
	x->client.to = leg.request;
	x->client.from = leg.response;
	http_head_init(&x->request, NULL);
	http_head_init(&x->response, NULL);
	x->request.framing = x->response.framing = HTTP_FRAMING_CHUNKED;
	x->response.status = 200;
}

static void test_pass(void **state)
{
	struct http_head informational;
	struct flow_filter request, response;
	struct exchange x;

	pass_init(&request, &response);
	begin(&x, &request, &response);
	party_push_head(&x.client, &x.request, false);
	assert_int_equal(x.origin.in, PARTY_CONTENT);
	party_push_body(&x.client, 10, false, false);
	assert_int_equal(x.origin.received, 0); /* without credit nothing goes */
	party_grant(&x.origin, 15);
	party_push_body(&x.client, 10, false, false);
	party_push_body(&x.client, 10, true, false);
	assert_int_equal(x.origin.received, 15);
	party_push_trailers(&x.client);
	assert_true(x.origin.in_clean);
	assert_true(x.origin.in_trailers);

	http_head_init(&informational, NULL);
	informational.status = 103;
	party_push_informational(&x.origin, &informational);
	assert_int_equal(x.client.informational, 1);
	party_push_head(&x.origin, &x.response, false);
	assert_int_equal(x.client.status, 200);
	party_grant(&x.client, 5);
	party_push_body(&x.origin, 5, false, false);
	party_push_reset(&x.origin, REASON_ORIGIN_RESET);
	assert_int_equal(x.client.received, 5);
	assert_int_equal(x.client.in_reset, REASON_ORIGIN_RESET);
	assert_false(x.client.in_clean);
}

static void test_pass_stop(void **state)
{
	struct flow_filter request, response;
	struct exchange x;

	pass_init(&request, &response);
	begin(&x, &request, &response);
	party_push_head(&x.client, &x.request, false);
	party_stop(&x.origin, REASON_DONE);
	assert_true(x.client.out_stopped);
	assert_false(x.origin.out_stopped);
	party_push_head(&x.origin, &x.response, false);
	party_stop(&x.client, REASON_CLIENT_CLOSED);
	assert_true(x.origin.out_stopped);
}

/* What a digest must be, from the first bytes of a pattern. */
static void expect_sum(const uint8_t sum[32], const char *text)
{
	uint8_t expected[32];

	assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), expected), 0);
	assert_memory_equal(sum, expected, 32);
}

static void test_digest(void **state)
{
	static const uint8_t none[32];
	struct digest digest;
	struct exchange x;

	digest_init(&digest);
	begin(&x, &digest.request.filter, &digest.response.filter);
	party_push_head(&x.client, &x.request, false);
	party_grant(&x.origin, 100);
	party_push_body(&x.client, 2, false, false);
	party_push_body(&x.client, 3, true, true);
	expect_sum(digest.request.sum, "AHOV]");
	party_push_head(&x.origin, &x.response, false);
	party_grant(&x.client, 100);
	party_push_body(&x.origin, 2, false, false);
	party_push_reset(&x.origin, REASON_ORIGIN_TRUNCATED);
	assert_memory_equal(digest.response.sum, none, 32);
	digest_fini(&digest);
}

/* Rechunk */

static void turn(struct loop *loop)
{
	loop_stop_mt(loop);
	loop_run(loop);
}

static void test_rechunk(void **state)
{
	struct loop *loop = loop_create("test");
	struct rechunk rechunk;
	struct exchange x;

	rechunk_init(&rechunk, loop, 3, 3);
	begin(&x, &rechunk.request.filter, &rechunk.response.filter);
	party_push_head(&x.client, &x.request, false);
	turn(loop);
	/* It takes what it holds on its own account, and passes on what it is allowed to. */
	party_push_body(&x.client, 1000, false, false);
	assert_int_equal(x.client.sent, RECHUNK_WINDOW);
	turn(loop);
	assert_int_equal(x.origin.received, 0);
	party_grant(&x.origin, 10);
	turn(loop);
	assert_int_equal(x.origin.received, 10);
	assert_int_equal(x.client.credit, 10);
	/* The end waits for its turn. */
	party_push_trailers(&x.client);
	turn(loop);
	assert_int_equal(x.origin.in, PARTY_CONTENT);
	party_grant(&x.origin, 1000);
	turn(loop);
	assert_int_equal(x.origin.received, RECHUNK_WINDOW);
	assert_true(x.origin.in_trailers);
	rechunk_fini(&rechunk);
	assert_int_equal(party_owners(), 0);
	loop_destroy(&loop);
}

static void test_rechunk_is_broken_off(void **state)
{
	struct loop *loop = loop_create("test");
	struct rechunk rechunk;
	struct exchange x;

	rechunk_init(&rechunk, loop, 3, 3);
	begin(&x, &rechunk.request.filter, &rechunk.response.filter);
	party_push_head(&x.client, &x.request, false);
	party_push_head(&x.origin, &x.response, false);
	turn(loop);
	party_push_body(&x.client, 20, true, true);
	party_push_body(&x.origin, 20, true, false);
	assert_int_equal(party_owners(), 2);
	/* What has ended in front of it is not stopped any more; what it holds goes. */
	party_stop(&x.origin, REASON_DONE);
	assert_false(x.client.out_stopped);
	party_push_reset(&x.origin, REASON_ORIGIN_RESET);
	assert_int_equal(x.client.in_reset, REASON_ORIGIN_RESET);
	assert_int_equal(party_owners(), 0);
	turn(loop);
	rechunk_fini(&rechunk);
	loop_destroy(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slice_with_an_owner),
	    cmocka_unit_test(test_borrowed_slice_is_copied),
	    cmocka_unit_test(test_nothing_needs_no_owner),
	    cmocka_unit_test(test_pass),
	    cmocka_unit_test(test_pass_stop),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_rechunk),
	    cmocka_unit_test(test_rechunk_is_broken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
