/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The response field rules of a route: what they change in a head, and that it is told when there
 * is no room for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "edge/rules/response_rules.h"

static struct cfg_field_rule rules[] = {
    {.name = "X-Frame-Options", .action = CFG_FIELD_SET, .value = "DENY"},
    {.name = "Server", .action = CFG_FIELD_REMOVE, .value = ""},
    {.name = "X-Added", .action = CFG_FIELD_ADD, .value = "a"},
};
static const struct cfg_route route = {.response_fields = rules, .n_response_fields = 3};

static struct http_head response(struct arena *a)
{
	struct http_head head;

	http_head_init(&head, a);
	head.status = 200;
	assert_true(http_fields_add(&head.fields, a, SPAN("server"), SPAN("x")));
	assert_true(http_fields_add(&head.fields, a, SPAN("x-frame-options"), SPAN("SAMEORIGIN")));
	return head;
}

static bool has(const struct http_head *head, struct span name)
{
	return http_fields_find(&head->fields, name, NULL) != NULL;
}

static void test_the_head_is_changed(void **state)
{
	struct http_head head;
	struct arena a;

	arena_init(&a, 65536);
	head = response(&a);
	assert_true(response_rules_apply(&route, &head));
	assert_true(!has(&head, SPAN("Server")) && has(&head, SPAN("X-Added")));
	assert_true(span_equal(http_fields_find(&head.fields, SPAN("X-Frame-Options"), NULL)->value,
			       SPAN("DENY")));
	arena_fini(&a);
}

static void test_no_room_is_told(void **state)
{
	struct http_head head;
	struct arena none;

	arena_init(&none, 0);
	http_head_init(&head, &none);
	assert_false(response_rules_apply(&route, &head));
	arena_fini(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_head_is_changed),
	    cmocka_unit_test(test_no_room_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
