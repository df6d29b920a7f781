/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The access log's line: exact text, escaping of every byte, bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "edge/log/access_log.h"

static struct edge_log_entry entry(void)
{
	struct edge_log_entry e = {
	    .time = {INT64_C(1767323045678000000)},
	    .client = "192.0.2.1",
	    .protocol = "HTTP/1.1",
	    .tls = "TLS1.3",
	    .method = SPAN("GET"),
	    .host = SPAN("www.example.com"),
	    .target = SPAN("/a?b"),
	    .status = 200,
	    .bytes_out = 12345678901,
	    .site = "www",
	    .origin = "app",
	    .reused = true,
	    .total = DUR_US(1500),
	    .first_byte = DUR_US(1200),
	    .end = REASON_DONE,
	};

	assert_true(net_addr_parse("192.0.2.80:8080", 0, &e.server));
	return e;
}

static void test_a_line(void **state)
{
	struct edge_log_entry e = entry();
	char line[EDGE_LOG_LINE_MAX];
	size_t n = edge_access_log_format(&e, line);
	const char *expected =
	    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"client\":\"192.0.2.1\",\"method\":\"GET\","
	    "\"host\":\"www.example.com\",\"target\":\"/a?b\",\"protocol\":\"HTTP/1.1\","
	    "\"tls\":\"TLS1.3\",\"status\":200,\"bytes_in\":0,\"bytes\":12345678901,"
	    "\"site\":\"www\",\"origin\":\"app\",\"server\":\"192.0.2.80:8080\",\"reused\":true,"
	    "\"duration_us\":1500,\"first_byte_us\":1200,\"end\":\"done\"}\n";

	assert_int_equal(n, strlen(expected));
	assert_memory_equal(line, expected, n);
}

/* Every byte at every place that a stranger can fill, at several lengths: always one line of JSON.
 */
static void test_hostile_bytes(void **state)
{
	static const size_t lengths[] = {0, 1, 32, 33, 255, 256, 1024, 1025, 5000};
	char bytes[5000];
	char line[EDGE_LOG_LINE_MAX];

	for (int b = 0; b < 256; b++) {
		memset(bytes, b, sizeof(bytes));
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			struct edge_log_entry e = entry();
			json_error_t error;
			json_t *json;
			size_t n;

			e.method = e.host = e.target = (struct span){bytes, lengths[i]};
			n = edge_access_log_format(&e, line);
			assert_true(n <= EDGE_LOG_LINE_MAX);
			assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
			for (size_t k = 0; k + 1 < n; k++)
				assert_in_range(line[k], 0x20, 0x7e);
			json = json_loadb(line, n, JSON_ALLOW_NUL, &error);
			assert_non_null(json);
			if (lengths[i] <= EDGE_LOG_HOST_MAX && b < 0x80) {
				json_t *host = json_object_get(json, "host");

				assert_int_equal(json_string_length(host), lengths[i]);
				assert_memory_equal(json_string_value(host), bytes, lengths[i]);
			}
			json_decref(json);
		}
	}
}

static void test_nothing_known(void **state)
{
	struct edge_log_entry e = {.client = "",
				   .protocol = "",
				   .tls = "",
				   .site = "",
				   .origin = "",
				   .first_byte = DUR_NS(-1),
				   .end = REASON_CLIENT_HEAD_TIMEOUT};
	char line[EDGE_LOG_LINE_MAX];
	size_t n = edge_access_log_format(&e, line);
	json_t *json = json_loadb(line, n, 0, NULL);

	assert_non_null(json);
	assert_null(json_object_get(json, "first_byte_us"));
	assert_string_equal(json_string_value(json_object_get(json, "server")), "");
	assert_string_equal(json_string_value(json_object_get(json, "end")), "client-head-timeout");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line),
	    cmocka_unit_test(test_hostile_bytes),
	    cmocka_unit_test(test_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
