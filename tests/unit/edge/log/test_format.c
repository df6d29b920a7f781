/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lines of the access log: exact text in each format, escaping of every byte, bounds.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <jansson.h>

#include "config/http.h"
#include "core/base/check.h"
#include "edge/facts/client.h"
#include "edge/log/format.h"
#include "edge/log/text.h"
#include "geo/places.h"

static struct arena arena;
static struct edge_client client;
static struct http_head request;
static struct geo_place place;
static struct edge_facts facts;
static struct edge_log_entry entry;

/* A request of which all is known. */
static int set_up(void **state)
{
	arena_init(&arena, 1 << 20);
	http_head_init(&request, &arena);
	request.method = SPAN("GET");
	request.scheme = SPAN("https");
	request.authority = SPAN("www.example.com");
	request.target = SPAN("/a?b");
	CHECK(http_fields_add(&request.fields, &arena, SPAN("User-Agent"), SPAN("curl/8")));
	client = (struct edge_client){
	    .ip = "192.0.2.1",
	    .sni = "www.example.com",
	    .protocol = "HTTP/1.1",
	    .tls = "TLS1.3",
	    .scheme = SPAN("https"),
	    .tls_suite = "TLS_AES_128_GCM_SHA256",
	    .tls_group = "X25519",
	    .ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1",
	    .handshake = DUR_US(2100),
	};
	place = (struct geo_place){.country = "DE", .continent = "EU", .asn = 64500};
	facts = (struct edge_facts){
	    .client = &client,
	    .request = &request,
	    .place = &place,
	    .site = SPAN("www"),
	    .route = SPAN("/"),
	    .origin = SPAN("app"),
	    .request_id = SPAN("id1"),
	    .trace_id = SPAN("t1"),
	};
	entry = (struct edge_log_entry){
	    .facts = &facts,
	    .time = {INT64_C(1767323045678000000)},
	    .status = 200,
	    .bytes_out = 12345678901,
	    .total = DUR_US(1500),
	    .first_byte = DUR_US(1200),
	    .end = REASON_DONE,
	    .asked = true,
	    .protocol = "HTTP/2",
	    .reused = true,
	    .queue = DUR_US(10),
	    .response = DUR_US(1100),
	};
	CHECK(net_addr_parse("192.0.2.80:8080", 0, &entry.server));
	return 0;
}

static int tear_down(void **state)
{
	arena_fini(&arena);
	return 0;
}

static size_t write_line(const char *format, char out[EDGE_LOG_LINE_MAX])
{
	struct edge_log_format *f = edge_log_format_create(format);
	size_t n = edge_log_format_write(f, &entry, out);

	edge_log_format_destroy(&f);
	return n;
}

static void assert_written(const char *format, const char *expected)
{
	char line[EDGE_LOG_LINE_MAX + 1];
	size_t n = write_line(format, line);

	line[n] = '\0';
	assert_string_equal(line, expected);
}

static void test_json(void **state)
{
	assert_written(
	    "json",
	    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"client\":\"192.0.2.1\",\"method\":\"GET\","
	    "\"host\":\"www.example.com\",\"target\":\"/a?b\",\"protocol\":\"HTTP/1.1\","
	    "\"tls\":\"TLS1.3\",\"status\":200,\"bytes_in\":0,\"bytes\":12345678901,"
	    "\"site\":\"www\",\"origin\":\"app\",\"server\":\"192.0.2.80:8080\",\"reused\":true,"
	    "\"origin_protocol\":\"HTTP/2\",\"queue_us\":10,\"connect_us\":0,\"origin_us\":1100,"
	    "\"duration_us\":1500,\"first_byte_us\":1200,\"route\":\"/\",\"request_id\":\"id1\","
	    "\"trace_id\":\"t1\",\"sni\":\"www.example.com\","
	    "\"tls_suite\":\"TLS_AES_128_GCM_SHA256\",\"tls_group\":\"X25519\","
	    "\"tls_ja4\":\"t13d1516h2_8daaf6152771_e5627efa2ab1\","
	    "\"tls_resumed\":false,\"handshake_us\":2100,\"country\":\"DE\",\"asn\":64500,"
	    "\"end\":\"done\"}");
}

static struct olink_try tries[] = {
    {.next = &tries[1],
     .end = OLINK_TRY_BROKE,
     .reason = REASON_ORIGIN_RESET,
     .time = DUR_US(1500)},
    {.next = &tries[2],
     .end = OLINK_TRY_STATUS,
     .reason = REASON_DONE,
     .status = 503,
     .time = DUR_US(7)},
    {.end = OLINK_TRY_LOST, .time = DUR_US(8)},
};

static void test_json_of_what_is_seldom(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(tries); i++)
		tries[i].addr = entry.server;
	client = (struct edge_client){.ip = "::1", .protocol = "HTTP/2", .tls = ""};
	facts = (struct edge_facts){.client = &client,
				    .request = &request,
				    .user = SPAN("ann"),
				    .refused_by = SPAN("burst")};
	entry.asked = true;
	entry.retries = 2;
	entry.tries = tries;
	entry.connect = DUR_MS(3);
	entry.response = DUR_NS(-1);
	entry.first_byte = DUR_NS(-1);
	entry.reused = false;
	entry.status = 429;
	entry.bytes_in = 7;
	assert_written(
	    "json", "{\"time\":\"2026-01-02T03:04:05.678Z\",\"client\":\"::1\",\"method\":\"GET\","
		    "\"host\":\"www.example.com\",\"target\":\"/a?b\",\"protocol\":\"HTTP/2\","
		    "\"tls\":\"\",\"status\":429,\"bytes_in\":7,\"bytes\":12345678901,"
		    "\"site\":\"\",\"origin\":\"\",\"server\":\"192.0.2.80:8080\",\"reused\":false,"
		    "\"origin_protocol\":\"HTTP/2\","
		    "\"retries\":2,\"tries\":["
		    "{\"server\":\"192.0.2.80:8080\",\"end\":\"origin-reset\",\"us\":1500},"
		    "{\"server\":\"192.0.2.80:8080\",\"end\":\"503\",\"us\":7},"
		    "{\"server\":\"192.0.2.80:8080\",\"end\":\"lost\",\"us\":8}],"
		    "\"queue_us\":10,\"connect_us\":3000,\"duration_us\":1500,"
		    "\"user\":\"ann\",\"refused_by\":\"burst\",\"end\":\"done\"}");
}

static void test_combined(void **state)
{
	assert_written("combined",
		       "192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] \"GET /a?b HTTP/1.1\" 200 "
		       "12345678901 \"-\" \"curl/8\"");
	facts.user = SPAN("a\" b");
	CHECK(http_fields_add(&request.fields, &arena, SPAN("referer"), SPAN("x\\y\"\xff")));
	request.target = SPAN("/\"\n");
	entry.bytes_out = 0;
	entry.status = 304;
	assert_written("combined",
		       "192.0.2.1 - a\\\" b [02/Jan/2026:03:04:05 +0000] \"GET /\\\"\\x0a "
		       "HTTP/1.1\" 304 - \"x\\\\y\\\"\\xff\" \"curl/8\"");
	/* Nothing of it could be read. */
	facts.user = SPAN("");
	http_head_init(&request, &arena);
	entry.status = 400;
	assert_written("combined", "192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] \"-\" 400 - \"-\" "
				   "\"-\"");
}

static void test_own(void **state)
{
	assert_written("{client.ip} {{x}} \"{method}\" {status} {bytes}/{bytes_in} {end}",
		       "192.0.2.1 {x}} \"GET\" 200 12345678901/0 done");
	assert_written("{time} {duration_us} {first_byte_us} {handshake_us} {queue_us} "
		       "{connect_us} {origin_us} {server} {reused} {retries}",
		       "2026-01-02T03:04:05.678Z 1500 1200 2100 10 0 1100 192.0.2.80:8080 yes 0");
	for (unsigned i = 0; i < ARRAY_SIZE(tries); i++)
		tries[i].addr = entry.server;
	entry.tries = tries;
	assert_written("{retries} {tries}", "0 192.0.2.80:8080 origin-reset, 192.0.2.80:8080 503, "
					    "192.0.2.80:8080 lost");
	assert_written("{client.country}{client.asn} {tls.version} {tls.suite} {tls.group} "
		       "{tls.sni} {tls.resumed} {protocol}",
		       "DE64500 TLS1.3 TLS_AES_128_GCM_SHA256 X25519 www.example.com no HTTP/1.1");
	assert_written("{site} {route} {origin} {request_id} {trace_id} {user}|{refused_by}|",
		       "www / app id1 t1 ||");
	assert_written("{field.User-Agent} {field.None} {target} {query} {host} {port}",
		       "curl/8  /a?b b www.example.com 443");
}

/* What is not known is empty; a status is the one that the client got. */
static void test_own_of_nothing(void **state)
{
	struct http_head response;

	http_head_init(&response, &arena);
	response.status = 200;
	facts.response = &response;
	entry.status = 0;
	entry.asked = false;
	entry.first_byte = DUR_NS(-1);
	entry.server.sa.sa_family = AF_UNSPEC;
	assert_written("{status}|{queue_us}|{connect_us}|{origin_us}|{first_byte_us}|{server}|",
		       "0||||||");
}

static void assert_one_line(const char *line, size_t n)
{
	assert_true(n <= EDGE_LOG_LINE_MAX);
	for (size_t i = 0; i < n; i++)
		assert_in_range(line[i], 0x20, 0x7e);
}

/* Days around the ends of months, of leap years and of centuries. */
static void test_times_are_those_of_the_calendar(void **state)
{
	const int64_t day = INT64_C(86400) * 1000000000;

	for (int64_t i = 0; i < 366 * 200; i++) {
		wall_time t = {i * day + i * INT64_C(1009) * 1000000000 % day + 7000000};
		time_t second = (time_t)(t.ns / 1000000000);
		char got[64], expected[64];
		struct tm tm;

		assert_non_null(gmtime_r(&second, &tm));
		*log_put_time(got, t) = '\0';
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
		assert_string_equal(got, expected);
		*log_put_common_time(got, t) = '\0';
		strftime(expected, sizeof(expected), "%d/%b/%Y:%H:%M:%S +0000", &tm);
		assert_string_equal(got, expected);
	}
}

static void test_numbers_of_each_length(void **state)
{
	char got[32], expected[32];

	for (uint64_t n = 1, before = 0; n > before;
	     before = n, n = n > UINT64_MAX / 10 ? 0 : n * 10) {
		const uint64_t numbers[] = {n - 1, n, n + 1, n / 9 * 8, UINT64_MAX - n};

		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			*log_put_number(got, numbers[i]) = '\0';
			snprintf(expected, sizeof(expected), "%" PRIu64, numbers[i]);
			assert_string_equal(got, expected);
		}
	}
}

/* Every byte at every place that a stranger can fill, at several lengths: always one line, and of
 * JSON if it is to be. */
static void test_hostile_bytes(void **state)
{
	static const char *const formats[] = {
	    "json", "combined",
	    "{method} {target} {host} {request_id} {field.Referer} {tls.sni} {user} {cookie.a}"};
	static const size_t lengths[] = {0, 1, 32, 33, 128, 255, 256, 512, 513, 1024, 1025, 5000};
	static char bytes[5001], line[EDGE_LOG_LINE_MAX];

	for (int b = 0; b < 256; b++) {
		memset(bytes, b, sizeof(bytes) - 1);
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			struct span s = {bytes, lengths[i]};

			request.method = request.authority = request.target = s;
			facts.user = facts.request_id = facts.trace_id = facts.refused_by = s;
			client.sni = bytes + sizeof(bytes) - 1 - lengths[i];
			request.fields.n = 0;
			CHECK(http_fields_add(&request.fields, &arena, SPAN("Referer"), s));
			CHECK(http_fields_add(&request.fields, &arena, SPAN("Cookie"), s));
			for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
				size_t n = write_line(formats[f], line);
				json_t *json;

				assert_one_line(line, n);
				if (f > 0)
					continue;
				json = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
				assert_non_null(json);
				json_decref(json);
			}
		}
		arena_reset(&arena, 1 << 20);
		http_head_init(&request, &arena);
	}
}

/* What a JSON string says is what was sent. */
static void test_json_strings_read_back(void **state)
{
	char line[EDGE_LOG_LINE_MAX], bytes[127];
	json_t *json, *host;

	for (int i = 0; i < 127; i++)
		bytes[i] = (char)(i + 1);
	request.authority = (struct span){bytes, sizeof(bytes)};
	json = json_loadb(line, write_line("json", line), 0, NULL);
	host = json_object_get(json, "host");
	assert_int_equal(json_string_length(host), sizeof(bytes));
	assert_memory_equal(json_string_value(host), bytes, sizeof(bytes));
	json_decref(json);
}

/* Texts of the operator's have no other bound. */
static void test_a_long_line_is_cut(void **state)
{
	static const char part[] = "{target}", mark[] = "...";
	static char format[CFG_LOG_FORMAT_MAX + 1], target[2000], line[EDGE_LOG_LINE_MAX];
	size_t n;

	memset(target, '\xff', sizeof(target));
	request.target = (struct span){target, sizeof(target)};
	for (size_t i = 0; i + sizeof(part) <= sizeof(format); i += sizeof(part) - 1)
		memcpy(format + i, part, sizeof(part));
	n = write_line(format, line);
	assert_one_line(line, n);
	assert_memory_equal(line + n - strlen(mark), mark, strlen(mark));
	memset(format, 'x', sizeof(format) - 1);
	memcpy(format, part, sizeof(part) - 1);
	n = write_line(format, line);
	assert_one_line(line, n);
	assert_int_equal(line[n - 1], 'x');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_json),
	    TEST(test_json_of_what_is_seldom),
	    TEST(test_combined),
	    TEST(test_own),
	    TEST(test_own_of_nothing),
	    TEST(test_times_are_those_of_the_calendar),
	    TEST(test_numbers_of_each_length),
	    TEST(test_hostile_bytes),
	    TEST(test_json_strings_read_back),
	    TEST(test_a_long_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
