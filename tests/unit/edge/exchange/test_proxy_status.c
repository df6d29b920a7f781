/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Proxy-Status: every reason has an error type of the registry, and members are what RFC 9209 and
 * RFC 8941 allow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/exchange/proxy_status.h"

/* RFC 9209 section 2.3, all of it. */
static const char *const registered[] = {
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
    "destination_ip_unroutable",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
    "tls_certificate_error",
    "tls_alert_received",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_header_size",
    "http_response_body_size",
    "http_response_trailer_section_size",
    "http_response_trailer_size",
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_internal_response",
    "proxy_internal_error",
    "proxy_configuration_error",
    "proxy_loop_detected",
};

static void assert_registered(const char *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(registered); i++) {
		if (strcmp(registered[i], error) == 0)
			return;
	}
	fail_msg("%s is not in the registry", error);
}

static void test_every_reason_has_an_error(void **state)
{
	for (int reason = 0; reason < REASON_COUNT; reason++) {
		const char *error = edge_proxy_error((enum reason)reason);

		if (reason == REASON_NONE || reason == REASON_DONE) {
			assert_null(error);
			continue;
		}
		if (error == NULL)
			fail_msg("%s has no error type", reason_text((enum reason)reason));
		assert_registered(error);
	}
}

static void test_every_status_that_fails_has_an_error(void **state)
{
	for (int status = 100; status < 600; status++) {
		const char *error = edge_proxy_error_of_status(status);

		assert_int_equal(error != NULL, status >= 400);
		if (error != NULL)
			assert_registered(error);
	}
}

static void assert_added(int status, struct edge_proxy_status what, const char *expected)
{
	const struct http_field *field;
	struct http_head head;
	struct arena a;
	unsigned from = 0;

	arena_init(&a, 4096);
	http_head_init(&head, &a);
	head.status = status;
	what.proxy = SPAN("perigee-fra1");
	assert_true(http_fields_add(&head.fields, &a, SPAN("Proxy-Status"), SPAN("other; x=1")));
	assert_true(edge_proxy_status_add(&head, &what));
	field = http_fields_find(&head.fields, SPAN("proxy-status"), &from);
	assert_true(span_equal(field->value, SPAN("other; x=1")));
	field = http_fields_find(&head.fields, SPAN("proxy-status"), &from);
	assert_non_null(field);
	assert_int_equal(field->value.n, strlen(expected));
	assert_memory_equal(field->value.p, expected, field->value.n);
	assert_null(http_fields_find(&head.fields, SPAN("proxy-status"), &from));
	arena_fini(&a);
}

static void test_members(void **state)
{
	assert_added(502,
		     (struct edge_proxy_status){.next_hop = SPAN("app"),
						.own = true,
						.reason = REASON_ORIGIN_CONNECT_REFUSED},
		     "perigee-fra1; error=connection_refused; details=\"origin-connect-refused\"; "
		     "next-hop=\"app\"");
	assert_added(
	    502,
	    (struct edge_proxy_status){
		.next_hop = SPAN("app"), .own = true, .reason = REASON_LIMIT, .received = 200},
	    "perigee-fra1; error=proxy_internal_error; details=\"limit\"; "
	    "next-hop=\"app\"; received-status=200");
	assert_added(200, (struct edge_proxy_status){.next_hop = SPAN("app"), .received = 200},
		     "perigee-fra1; next-hop=\"app\"; received-status=200");
	assert_added(404, (struct edge_proxy_status){.own = true, .reason = REASON_DONE},
		     "perigee-fra1; error=destination_not_found");
	assert_added(508, (struct edge_proxy_status){.own = true, .reason = REASON_DONE},
		     "perigee-fra1; error=proxy_loop_detected");
	assert_added(200, (struct edge_proxy_status){.own = true, .reason = REASON_DONE},
		     "perigee-fra1");
	/* An origin's own error is none of ours. */
	assert_added(503, (struct edge_proxy_status){.received = 503},
		     "perigee-fra1; received-status=503");
}

/* The longest of everything has room; and where there is none, it says so. */
static void test_bounds(void **state)
{
	char name[64];
	struct http_head head;
	struct arena a;

	memset(name, 'n', sizeof(name));
	for (int reason = 0; reason < REASON_COUNT; reason++) {
		struct edge_proxy_status what = {
		    .proxy = {name, sizeof(name)},
		    .next_hop = {name, sizeof(name)},
		    .own = true,
		    .reason = (enum reason)reason,
		    .received = 599,
		};

		arena_init(&a, 4096);
		http_head_init(&head, &a);
		head.status = 502;
		assert_true(edge_proxy_status_add(&head, &what));
		arena_fini(&a);
	}
	arena_init(&a, 64);
	http_head_init(&head, &a);
	assert_false(edge_proxy_status_add(
	    &head, &(struct edge_proxy_status){.proxy = SPAN("perigee-fra1")}));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_reason_has_an_error),
	    cmocka_unit_test(test_every_status_that_fails_has_an_error),
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
