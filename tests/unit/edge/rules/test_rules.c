/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All that a route changes, together: in which order, and what without a route; identities of
 * requests, and the fields of security.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/rules/identity.h"
#include "edge/rules/rules.h"
#include "tests/support/known_request.h"

static const struct cfg_http plain_http = {.alt_svc = ""};
static const struct cfg_site plain_site;

static const char *value_of(const struct http_head *head, const char *name)
{
	static char text[512];
	const struct http_field *field;
	unsigned from = 0;

	field = http_fields_find(&head->fields, span_of(name), &from);
	if (!field)
		return NULL;
	assert_null(http_fields_find(&head->fields, span_of(name), &from));
	snprintf(text, sizeof(text), SPAN_FMT, SPAN_ARG(field->value));
	return text;
}

static void test_nothing_is_nothing(void **state)
{
	static const struct cfg_route route;
	struct known_request k;

	assert_null(edge_rules_create(&plain_http, &plain_site, &route));
	assert_null(edge_rules_create(&plain_http, &plain_site, NULL));
	known_request_init(&k, "/");
	assert_int_equal(edge_rules_request(NULL, &k.facts, &k.request), 0);
	assert_int_equal(edge_rules_preflight(NULL, &k.request), EDGE_CORS_NONE);
	assert_true(edge_rules_response(NULL, &k.facts, &k.response));
	edge_rules_trailers(NULL, &k.request.fields);
	assert_int_equal(k.response.fields.n, 0);
	known_request_fini(&k);
}

/* The rules for fields have the last word; what an origin says of security stays, but for HSTS,
 * which is the edge's affair. */
static void test_order_in_responses(void **state)
{
	struct cfg_field_rule fields[] = {
	    {.name = "Referrer-Policy", .value = "unsafe-url"},
	    {.name = "X-Request-Id", .action = CFG_FIELD_REMOVE, .value = ""},
	};
	struct cfg_http http = {.alt_svc = "h3=\":443\"",
				.request_id = {true, "X-Request-Id", CFG_REQUEST_ID_TRUSTED, true}};
	struct cfg_site site = {.security = CFG_SECURITY_STRICT,
				.hsts = {.max_age = DUR_S(60), .subdomains = true}};
	struct cfg_route route = {.response_fields = fields, .n_response_fields = 2};
	struct edge_rules *rules = edge_rules_create(&http, &site, &route);
	struct known_request k;

	known_request_init(&k, "/");
	known_request_add(&k.response, "Strict-Transport-Security", "max-age=1");
	known_request_add(&k.response, "X-Frame-Options", "SAMEORIGIN");
	known_request_add(&k.response, "Server", "old/1.0");
	assert_true(edge_rules_response(rules, &k.facts, &k.response));
	assert_string_equal(value_of(&k.response, "Strict-Transport-Security"),
			    "max-age=60; includeSubDomains");
	assert_string_equal(value_of(&k.response, "Alt-Svc"), "h3=\":443\"");
	assert_string_equal(value_of(&k.response, "X-Frame-Options"), "SAMEORIGIN");
	assert_string_equal(value_of(&k.response, "X-Content-Type-Options"), "nosniff");
	assert_string_equal(value_of(&k.response, "Referrer-Policy"), "unsafe-url");
	assert_non_null(value_of(&k.response, "Content-Security-Policy"));
	assert_null(value_of(&k.response, "Server"));
	assert_null(value_of(&k.response, "X-Request-Id"));
	known_request_fini(&k);
	edge_rules_destroy(&rules);
	assert_null(rules);
}

/* What holds for a host is believed over TLS only. */
static void test_without_tls(void **state)
{
	struct cfg_http http = {.alt_svc = "h3=\":443\""};
	struct cfg_site site = {.security = CFG_SECURITY_BASIC, .hsts = {.max_age = DUR_S(60)}};
	struct edge_rules *rules = edge_rules_create(&http, &site, NULL);
	struct known_request k;

	known_request_init(&k, "/");
	k.client.tls = "";
	assert_true(edge_rules_response(rules, &k.facts, &k.response));
	assert_null(value_of(&k.response, "Strict-Transport-Security"));
	assert_null(value_of(&k.response, "Alt-Svc"));
	assert_string_equal(value_of(&k.response, "X-Frame-Options"), "SAMEORIGIN");
	known_request_fini(&k);
	edge_rules_destroy(&rules);
}

static void test_preset_of_a_route(void **state)
{
	static const struct {
		enum cfg_security site;
		enum cfg_route_security route;
		const char *frames;
	} cases[] = {
	    {CFG_SECURITY_BASIC, CFG_ROUTE_SECURITY_SITE, "SAMEORIGIN"},
	    {CFG_SECURITY_BASIC, CFG_ROUTE_SECURITY_STRICT, "DENY"},
	    {CFG_SECURITY_STRICT, CFG_ROUTE_SECURITY_BASIC, "SAMEORIGIN"},
	    {CFG_SECURITY_STRICT, CFG_ROUTE_SECURITY_NONE, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_site site = {.security = cases[i].site};
		struct cfg_route route = {.security = cases[i].route};
		struct edge_rules *rules = edge_rules_create(&plain_http, &site, &route);
		struct known_request k;

		known_request_init(&k, "/");
		assert_true(edge_rules_response(rules, &k.facts, &k.response));
		if (cases[i].frames)
			assert_string_equal(value_of(&k.response, "X-Frame-Options"),
					    cases[i].frames);
		else
			assert_int_equal(k.response.fields.n, 0);
		known_request_fini(&k);
		edge_rules_destroy(&rules);
	}
}

/* A tunnel is no page. */
static void test_tunnel(void **state)
{
	struct cfg_field_rule field = {.name = "X", .value = "1"};
	struct cfg_site site = {.security = CFG_SECURITY_STRICT, .hsts = {.max_age = DUR_S(60)}};
	struct cfg_route route = {.response_fields = &field, .n_response_fields = 1};
	struct edge_rules *rules = edge_rules_create(&plain_http, &site, &route);
	struct known_request k;

	known_request_init(&k, "/");
	k.response.status = 101;
	k.response.framing = HTTP_FRAMING_TUNNEL;
	assert_true(edge_rules_response(rules, &k.facts, &k.response));
	assert_int_equal(k.response.fields.n, 1);
	assert_string_equal(value_of(&k.response, "X"), "1");
	known_request_fini(&k);
	edge_rules_destroy(&rules);
}

/* Target, then identity, then fields. */
static void test_order_in_requests(void **state)
{
	struct cfg_field_rule fields[] = {
	    {.name = "X-Copy", .value = "{request_id} {path}"},
	    {.name = "X-Request-Id", .action = CFG_FIELD_REMOVE, .value = ""},
	};
	struct cfg_http http = {.alt_svc = "",
				.request_id = {true, "X-Request-Id", CFG_REQUEST_ID_TRUSTED}};
	struct cfg_route route = {
	    .rewrite = {.strip_prefix = "/api"}, .request_fields = fields, .n_request_fields = 2};
	struct edge_rules *rules = edge_rules_create(&http, &plain_site, &route);
	struct http_head head;
	struct known_request k;

	known_request_init(&k, "/api/x");
	assert_true(http_head_copy(&head, &k.request, &k.arena));
	assert_int_equal(edge_rules_request(rules, &k.facts, &head), 0);
	assert_true(span_equal(head.target, SPAN("/x")));
	assert_string_equal(value_of(&head, "X-Copy"), "0190-1 /api/x");
	assert_null(value_of(&head, "X-Request-Id"));
	known_request_fini(&k);
	edge_rules_destroy(&rules);
}

static void test_request_ids(void **state)
{
	static const struct {
		const char *sent;
		bool trusted;
		enum cfg_request_id_from from;
		bool kept;
	} cases[] = {
	    {"abc-123", true, CFG_REQUEST_ID_TRUSTED, true},
	    {"abc-123", false, CFG_REQUEST_ID_TRUSTED, false},
	    {"abc-123", true, CFG_REQUEST_ID_NOBODY, false},
	    {"", true, CFG_REQUEST_ID_TRUSTED, false},
	    {"a b", true, CFG_REQUEST_ID_TRUSTED, false},
	    {"a\"b", true, CFG_REQUEST_ID_TRUSTED, false},
	    {"a,b", true, CFG_REQUEST_ID_TRUSTED, false},
	    {"a\xc3\xbc", true, CFG_REQUEST_ID_TRUSTED, false},
	    {NULL, true, CFG_REQUEST_ID_TRUSTED, false},
	};
	struct edge_randomness randomness = {0};
	char last[64] = "";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_http http = {.request_id = {true, "X-Request-Id", cases[i].from}};
		char text[64];
		struct known_request k;

		known_request_init(&k, "/");
		k.facts.request_id = (struct span){0};
		if (cases[i].sent)
			known_request_add(&k.request, "x-request-id", cases[i].sent);
		assert_true(edge_identify(&http, cases[i].trusted,
					  (wall_time){INT64_C(0x0123456789ab) * 1000000},
					  &randomness, &k.facts, &k.arena));
		snprintf(text, sizeof(text), SPAN_FMT, SPAN_ARG(k.facts.request_id));
		if (cases[i].kept) {
			assert_string_equal(text, cases[i].sent);
		} else {
			assert_int_equal(strlen(text), 36);
			assert_memory_equal(text, "01234567-89ab-7", 15);
			assert_non_null(strchr("89ab", text[19]));
			assert_string_not_equal(text, last);
			strcpy(last, text);
		}
		assert_int_equal(k.facts.traceparent.n, 0);
		known_request_fini(&k);
	}
}

/* More than the bytes that are taken at once give. */
static void test_request_ids_do_not_repeat(void **state)
{
	struct cfg_http http = {.request_id = {true, "X-Request-Id", CFG_REQUEST_ID_NOBODY}};
	struct edge_randomness randomness = {0};
	static char ids[500][37];

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct known_request k;

		known_request_init(&k, "/");
		assert_true(
		    edge_identify(&http, false, (wall_time){0}, &randomness, &k.facts, &k.arena));
		memcpy(ids[i], k.facts.request_id.p, 36);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
		known_request_fini(&k);
	}
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ZEROS "00000000000000000000000000000000"

static const struct trace_case {
	const char *sent;
	bool is_valid;
} traces[] = {
    {"00-" TRACE "-" PARENT "-01", true},
    {"00-" TRACE "-" PARENT "-ff", true},
    {"01-" TRACE "-" PARENT "-01", true},
    {"cc-" TRACE "-" PARENT "-01-what-comes-later", true},
    {"cc-" TRACE "-" PARENT "-01.what", false},
    {"00-" TRACE "-" PARENT "-01-x", false},
    {"ff-" TRACE "-" PARENT "-01", false},
    {"00-" ZEROS "-" PARENT "-01", false},
    {"00-" TRACE "-0000000000000000-01", false},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false},
    {"00-" TRACE "-" PARENT "-0", false},
    {"00-" TRACE "-" PARENT, false},
    {"00_" TRACE "-" PARENT "-01", false},
    {"0", false},
    {"", false},
    {NULL, false},
};

/* What the origin gets of a trace; malloc'd. */
static char *forwarded(const struct trace_case *c, enum cfg_trace_start start, bool trusted,
		       bool *has_state)
{
	struct cfg_http http = {.trace = {start, true}};
	struct edge_randomness randomness = {0};
	const char *value;
	struct known_request k;
	char *text;

	known_request_init(&k, "/");
	k.facts.trace_id = (struct span){0};
	if (c->sent)
		known_request_add(&k.request, "traceparent", c->sent);
	known_request_add(&k.request, "tracestate", "a=1");
	assert_true(edge_identify(&http, trusted, (wall_time){0}, &randomness, &k.facts, &k.arena));
	assert_true(edge_identity_forward(&http, &k.facts, &k.request));
	value = value_of(&k.request, "traceparent");
	text = value ? xstrdup(value) : NULL;
	if (k.facts.trace_id.n > 0)
		assert_memory_equal(k.facts.trace_id.p, text + 3, 32);
	assert_int_equal(k.facts.trace_id.n > 0, c->is_valid || start != CFG_TRACE_NEVER);
	*has_state = value_of(&k.request, "tracestate") != NULL;
	known_request_fini(&k);
	return text;
}

/* As they came, whatever they are. */
static void test_traces_that_pass(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		bool has_state;
		char *got = forwarded(&traces[i], CFG_TRACE_NEVER, false, &has_state);

		if (traces[i].sent)
			assert_string_equal(got, traces[i].sent);
		else
			assert_null(got);
		assert_true(has_state);
		free(got);
	}
}

static void test_traces_that_begin_here(void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(traces); i++) {
		const struct trace_case *c = &traces[i / 2];
		enum cfg_trace_start start = i % 2 ? CFG_TRACE_UNTRUSTED : CFG_TRACE_MISSING;
		bool has_state;
		char *got = forwarded(c, start, false, &has_state);

		if (c->is_valid && start == CFG_TRACE_MISSING) {
			assert_string_equal(got, c->sent);
		} else {
			assert_int_equal(strlen(got), 55);
			assert_memory_equal(got, "00-", 3);
			assert_string_equal(got + 52, "-01");
			assert_true(!c->sent || strcmp(got, c->sent) != 0);
		}
		assert_int_equal(has_state, c->is_valid && start == CFG_TRACE_MISSING);
		free(got);
	}
}

static void test_trace_of_a_trusted_proxy(void **state)
{
	bool has_state;
	char *got = forwarded(&traces[0], CFG_TRACE_UNTRUSTED, true, &has_state);

	assert_string_equal(got, traces[0].sent);
	assert_true(has_state);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_nothing),
	    cmocka_unit_test(test_order_in_responses),
	    cmocka_unit_test(test_without_tls),
	    cmocka_unit_test(test_preset_of_a_route),
	    cmocka_unit_test(test_tunnel),
	    cmocka_unit_test(test_order_in_requests),
	    cmocka_unit_test(test_request_ids),
	    cmocka_unit_test(test_request_ids_do_not_repeat),
	    cmocka_unit_test(test_traces_that_pass),
	    cmocka_unit_test(test_traces_that_begin_here),
	    cmocka_unit_test(test_trace_of_a_trusted_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
