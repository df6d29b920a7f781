/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What edges tell each other: by tables, there and back, and what is made of anything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/relay_field.h"

static const struct order_row {
	const char *text;
	bool ok;
	const char *origin;
	int64_t response, idle; /* ms */
	unsigned retries;
} orders[] = {
    {"app;response=30000;idle=15000;retries=2", true, "app", 30000, 15000, 2},
    {"app", true, "app", 0, 0, 1},
    {" app ; response=1 ", true, "app", 1, 0, 1},
    {"app;retries=0", true, "app", 0, 0, 0},
    {"app;later=1;response=7", true, "app", 7, 0, 1},
    {"app;response=x", true, "app", 0, 0, 1},
    {"app;response=", true, "app", 0, 0, 1},
    {"app;response=1234567890", true, "app", 0, 0, 1},
    {"app;responses=5", true, "app", 0, 0, 1},
    {"app;server=0123", true, "app", 0, 0, 1},
    {"app;server=0123456789abcdeg", true, "app", 0, 0, 1},
    {"", false, "", 0, 0, 1},
    {";response=1", false, "", 0, 0, 1},
};

static void test_orders(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
		const struct order_row *row = &orders[i];
		struct relay_order order;

		if (relay_order_parse(span_of(row->text), &order) != row->ok)
			fail_msg("\"%s\": not %d", row->text, row->ok);
		if (!row->ok)
			continue;
		if (!span_equal(order.origin, span_of(row->origin)) ||
		    dur_to_ms(order.response) != row->response ||
		    dur_to_ms(order.idle) != row->idle || order.retries != row->retries)
			fail_msg("\"%s\": read as " SPAN_FMT " %lld %lld %u", row->text,
				 SPAN_ARG(order.origin), (long long)dur_to_ms(order.response),
				 (long long)dur_to_ms(order.idle), order.retries);
	}
}

/* The longest that the configuration lets in. */
static void test_order_there_and_back(void **state)
{
	static const char name[] =
	    "n2345678901234567890123456789012345678901234567890123456789012_";
	const struct relay_order order = {span_of(name), DUR_S(86400), DUR_S(86400),
					  4294967295,    true,         0x0123456789abcdef};
	char text[RELAY_ORDER_MAX];
	size_t n = relay_order_write(&order, text);
	struct relay_order back;

	assert_true(relay_order_parse((struct span){text, n}, &back));
	assert_true(span_equal(back.origin, order.origin));
	assert_int_equal(back.response.ns, order.response.ns);
	assert_int_equal(back.idle.ns, order.idle.ns);
	assert_true(back.has_server);
	assert_int_equal(back.server, order.server);
}

static void test_answers(void **state)
{
	for (unsigned i = 0; i < 2 * REASON_COUNT; i++) {
		const struct relay_answer answer = {(enum reason)(i / 2), i % 2 == 1};
		char text[RELAY_ANSWER_MAX];
		size_t n = relay_answer_write(&answer, text);
		struct relay_answer back = relay_answer_parse((struct span){text, n});

		assert_int_equal(back.reason, answer.reason);
		assert_int_equal(back.unacted, answer.unacted);
	}
}

/* What is not said is not taken for granted. */
static void test_strange_answers(void **state)
{
	static const char *const texts[] = {"", "origin-eaten", "unacted", "origin-eaten;acted",
					    "origin-closed-unacted"};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		struct relay_answer answer = relay_answer_parse(span_of(texts[i]));

		assert_int_equal(answer.reason, REASON_ORIGIN_MALFORMED);
		assert_false(answer.unacted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_orders),
	    cmocka_unit_test(test_order_there_and_back),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_strange_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
