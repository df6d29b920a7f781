/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The response field rules of a route as a filter: which heads they change, what passes, and what
 * becomes of a response that there is no room to change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/rules/response_rules.h"

/* A neighbour on either side that notes what it is told. */
static struct {
	struct flow_sink sink;
	struct flow_source source;
	unsigned heads, ends, resets, stops;
	size_t bytes, granted;
	enum reason reason;
} seen;

static void note_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	seen.heads++;
	seen.ends += end;
}

static void note_body(struct flow_sink *sink, struct slice slice, bool end)
{
	seen.bytes += slice.n;
	seen.ends += end;
}

static void note_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	seen.ends++;
}

static void note_reset(struct flow_sink *sink, enum reason reason)
{
	seen.resets++;
	seen.reason = reason;
}

static void note_grant(struct flow_source *source, size_t n)
{
	seen.granted += n;
}

static void note_stop(struct flow_source *source, enum reason reason)
{
	seen.stops++;
}

static const struct flow_sink_ops sink_ops = {note_head, note_body, note_trailers, note_reset};
static const struct flow_source_ops source_ops = {note_grant, note_stop};

static struct cfg_field_rule rules[] = {
    {.name = "X-Frame-Options", .action = CFG_FIELD_SET, .value = "DENY"},
    {.name = "Server", .action = CFG_FIELD_REMOVE, .value = ""},
    {.name = "X-Added", .action = CFG_FIELD_ADD, .value = "a"},
};
static const struct cfg_route route = {.response_fields = rules, .n_response_fields = 3};

static void begin(struct response_rules *r, struct arena *a)
{
	seen.sink.ops = &sink_ops;
	seen.source.ops = &source_ops;
	seen.heads = seen.ends = seen.resets = seen.stops = 0;
	seen.bytes = seen.granted = 0;
	response_rules_init(r, &route, a, &seen.source, &seen.sink);
}

static struct http_head response(struct arena *a, int status)
{
	struct http_head head;

	http_head_init(&head, a);
	head.status = status;
	assert_true(http_fields_add(&head.fields, a, SPAN("server"), SPAN("x")));
	assert_true(http_fields_add(&head.fields, a, SPAN("x-frame-options"), SPAN("SAMEORIGIN")));
	return head;
}

static bool has(const struct http_head *head, struct span name)
{
	return http_fields_find(&head->fields, name, NULL) != NULL;
}

static void test_the_final_head_is_changed_and_all_passes(void **state)
{
	struct response_rules r;
	struct http_head hint, head;
	struct flow_sink *in = &r.filter.sink;
	struct arena a;

	arena_init(&a, 65536);
	begin(&r, &a);
	hint = response(&a, 103);
	head = response(&a, 200);
	in->ops->head(in, &hint, false);
	assert_true(has(&hint, SPAN("Server")) && !has(&hint, SPAN("X-Added")));
	in->ops->head(in, &head, false);
	assert_true(!has(&head, SPAN("Server")) && has(&head, SPAN("X-Added")));
	assert_true(span_equal(http_fields_find(&head.fields, SPAN("X-Frame-Options"), NULL)->value,
			       SPAN("DENY")));
	r.filter.source.ops->grant(&r.filter.source, 7);
	in->ops->body(in, (struct slice){.p = "abc", .n = 3}, false);
	in->ops->trailers(in, &head.fields);
	r.filter.source.ops->stop(&r.filter.source, REASON_DONE);
	assert_int_equal(seen.heads, 2);
	assert_int_equal(seen.bytes, 3);
	assert_int_equal(seen.ends, 1);
	assert_int_equal(seen.granted, 7);
	assert_int_equal(seen.stops, 1);
	assert_int_equal(seen.resets, 0);
	arena_fini(&a);
}

static void test_a_response_without_room_for_the_rules_does_not_go_out(void **state)
{
	struct response_rules r;
	struct http_head head;
	struct flow_sink *in = &r.filter.sink;
	struct arena a, none;

	arena_init(&a, 65536);
	arena_init(&none, 0);
	begin(&r, &none);
	http_head_init(&head, &a);
	head.status = 200;
	in->ops->head(in, &head, false);
	in->ops->body(in, (struct slice){.p = "abc", .n = 3}, true);
	assert_int_equal(seen.heads, 0);
	assert_int_equal(seen.bytes, 0);
	assert_int_equal(seen.ends, 0);
	assert_int_equal(seen.resets, 1);
	assert_int_equal(seen.reason, REASON_LIMIT);
	assert_int_equal(seen.stops, 1);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_final_head_is_changed_and_all_passes),
	    cmocka_unit_test(test_a_response_without_room_for_the_rules_does_not_go_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
