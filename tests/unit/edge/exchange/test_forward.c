/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rewriting of heads, by table: fields in, fields out.
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
#include "core/base/addr.h"
#include "core/base/check.h"
#include "edge/exchange/forward.h"

static const char *trusted_fields[] = {"X-Real-IP", "CF-Connecting-IP", "Proxy"};
static const struct cfg_strings for_proxies = {trusted_fields, ARRAY_SIZE(trusted_fields)};

static const struct edge_forward stranger = {
    .trusted_fields = &for_proxies, .client_ip = "192.0.2.1", .pseudonym = {"perigee-fra1", 12}};
/* Whose fields with underscores pass. */
static const struct edge_forward old_fashioned = {.client_ip = "192.0.2.1",
						  .trusted_fields = &for_proxies,
						  .underscores = CFG_UNDERSCORES_PASS,
						  .pseudonym = {"perigee-fra1", 12}};
static const struct edge_forward modern = {.trusted_fields = &for_proxies,
					   .client_ip = "192.0.2.1",
					   .client_speaks_http2 = true,
					   .pseudonym = {"perigee-fra1", 12}};
static const struct edge_forward proxy = {.trusted_fields = &for_proxies,
					  .client_ip = "2001:db8::1",
					  .client_is_ipv6 = true,
					  .client_is_trusted = true,
					  .pseudonym = {"perigee-fra1", 12}};

static const struct edge_forward early = {.trusted_fields = &for_proxies,
					  .client_ip = "192.0.2.1",
					  .is_early = true,
					  .pseudonym = {"perigee-fra1", 12}};

/* "Name: value" lines to fields and back. */
static void add_lines(struct http_head *head, const char *lines)
{
	while (*lines != '\0') {
		const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');

		assert_true(http_fields_add(&head->fields, head->arena,
					    (struct span){lines, (size_t)(colon - lines)},
					    (struct span){colon + 2, (size_t)(end - colon - 2)}));
		lines = end + 1;
	}
}

static void assert_lines(const struct http_head *head, const char *expected)
{
	char got[4096] = "";

	for (unsigned i = 0; i < head->fields.n; i++) {
		const struct http_field *f = &head->fields.v[i];

		snprintf(got + strlen(got), sizeof(got) - strlen(got), SPAN_FMT ": " SPAN_FMT "\n",
			 SPAN_ARG(f->name), SPAN_ARG(f->value));
	}
	assert_string_equal(got, expected);
}

static struct http_head request(struct arena *a, const char *lines)
{
	struct http_head head;

	http_head_init(&head, a);
	head.method_id = HTTP_METHOD_GET;
	head.method = SPAN("GET");
	head.target = SPAN("/");
	head.scheme = SPAN("https");
	head.authority = SPAN("www.example.com");
	add_lines(&head, lines);
	return head;
}

#define OURS                                                                                       \
	"X-Forwarded-For: 192.0.2.1\n"                                                             \
	"X-Forwarded-Proto: https\n"                                                               \
	"X-Forwarded-Host: www.example.com\n"                                                      \
	"Forwarded: for=192.0.2.1;host=www.example.com;proto=https\n"

#define LOOP "CDN-Loop: perigee-fra1\n"
#define BY_US "Via: 1.1 perigee-fra1\n" LOOP

static void test_requests(void **state)
{
	static const struct {
		const struct edge_forward *from;
		const char *in, *out;
	} cases[] = {
	    {&stranger, "", OURS BY_US},
	    /* Of HTTP/2 it said that it had been HTTP/1.1. */
	    {&modern, "", OURS "Via: 2.0 perigee-fra1\n" LOOP},
	    {&stranger, "A: b\nVia: 1.0 x\nvia: 1.1 y (z)\nC: d\n",
	     "A: b\nC: d\n" OURS "Via: 1.0 x, 1.1 y (z), 1.1 perigee-fra1\n" LOOP},
	    {&stranger,
	     "Connection: close, X-One\nX-One: 1\nKeep-Alive: 3\nTE: gzip\nUpgrade: h2c\n"
	     "Proxy-Connection: keep-alive\nX-Two: 2\nTrailer: X-Sum\n",
	     "X-Two: 2\nTrailer: X-Sum\n" OURS BY_US},
	    {&stranger, "TE: deflate\nConnection: TE\nTE: gzip, Trailers\n",
	     "TE: trailers\n" OURS BY_US},
	    {&stranger, "TE: trailers;q=1, \"trailers\"\n", OURS BY_US},
	    {&stranger,
	     "X-Forwarded-For: 6.6.6.6\nx-forwarded-anything: 1\nFORWARDED: for=6.6.6.6\n"
	     "X-Forwarded-Proto: http\nX-Forwardedness: stays\n",
	     "X-Forwardedness: stays\n" OURS BY_US},
	    {&stranger,
	     "x-real-ip: 6.6.6.6\nCF-Connecting-IP: 6.6.6.6\nPROXY: evil\nX-Real-IPs: stays\n"
	     "Proxyless: stays\nX-Real: stays\n",
	     "X-Real-IPs: stays\nProxyless: stays\nX-Real: stays\n" OURS BY_US},
	    {&proxy, "X-Real-IP: 192.0.2.7\nProxy: it\nX_Other: goes\n",
	     "X-Real-IP: 192.0.2.7\nProxy: it\nX-Forwarded-For: 2001:db8::1\n"
	     "X-Forwarded-Proto: https\nX-Forwarded-Host: www.example.com\n"
	     "Forwarded: for=\"[2001:db8::1]\";host=www.example.com;proto=https\n" BY_US},
	    /* CGI and its kind take an underscore for a hyphen */
	    {&stranger,
	     "X_Forwarded_For: 6.6.6.6\nContent_Length: 5\nMy_Own: 1\nForwarded_: 1\nX: 1\n_: 1\n",
	     "X: 1\n" OURS BY_US},
	    {&old_fashioned,
	     "X_Forwarded_For: 6.6.6.6\nX-FORWARDED_proto: http\nx_real-ip: 6.6.6.6\n"
	     "Content_Length: 5\nTransfer_encoding: chunked\nMy_Own: 1\nForwarded_: stays\n",
	     "My_Own: 1\nForwarded_: stays\n" OURS BY_US},
	    /* and some of it every other sign */
	    {&stranger,
	     "X.Forwarded.For: 6.6.6.6\nX!Real'IP: 6.6.6.6\nContent.Length: 5\n"
	     "Transfer~Encoding: chunked\nx+forwarded|port: 1\nMy.Own: stays\n",
	     "My.Own: stays\n" OURS BY_US},
	    {&proxy, "X.Real.IP: 192.0.2.7\nContent.Length: 5\n",
	     "X.Real.IP: 192.0.2.7\nX-Forwarded-For: 2001:db8::1\n"
	     "X-Forwarded-Proto: https\nX-Forwarded-Host: www.example.com\n"
	     "Forwarded: for=\"[2001:db8::1]\";host=www.example.com;proto=https\n" BY_US},
	    {&proxy,
	     "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\n"
	     "X-Forwarded-For: 192.0.2.8\nForwarded: for=192.0.2.7\n",
	     "X-Forwarded-Proto: http\nX-Forwarded-Port: 80\n"
	     "X-Forwarded-For: 192.0.2.7, 192.0.2.8, 2001:db8::1\n"
	     "X-Forwarded-Host: www.example.com\n"
	     "Forwarded: for=192.0.2.7, "
	     "for=\"[2001:db8::1]\";host=www.example.com;proto=https\n" BY_US},
	    {&proxy, "X-Forwarded-For: \n",
	     "X-Forwarded-For: 2001:db8::1\nX-Forwarded-Proto: https\n"
	     "X-Forwarded-Host: www.example.com\n"
	     "Forwarded: for=\"[2001:db8::1]\";host=www.example.com;proto=https\n" BY_US},
	    /* Once, and where a client has it removed too. */
	    {&early, "A: b\n", "A: b\n" OURS BY_US "Early-Data: 1\n"},
	    {&early, "Early-Data: yes\nConnection: Early-Data\nEarly-Data: 0\n",
	     OURS BY_US "Early-Data: 1\n"},
	    {&stranger, "Max-Forwards: 0\n",
	     "Max-Forwards: 0\n" OURS BY_US}, /* for OPTIONS and TRACE only */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a;
		struct http_head head;

		arena_init(&a, 65536);
		head = request(&a, cases[i].in);
		assert_int_equal(edge_forward_request(&head, cases[i].from), 0);
		assert_lines(&head, cases[i].out);
		arena_fini(&a);
	}
}

/* Who asks for another protocol, or agrees to it, says so to the next hop too; nobody else does. */
static void test_upgrade_goes_on_in_a_tunnel_only(void **state)
{
	const struct {
		enum http_framing framing;
		bool goes_on;
	} cases[] = {{HTTP_FRAMING_TUNNEL, true}, {HTTP_FRAMING_NONE, false}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a;
		struct http_head head;
		const struct http_field *f;

		arena_init(&a, 65536);
		head =
		    request(&a, "Connection: upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\n");
		head.framing = cases[i].framing;
		assert_int_equal(edge_forward_request(&head, &stranger), 0);
		assert_null(http_fields_find(&head.fields, SPAN("Connection"), NULL));
		assert_non_null(http_fields_find(&head.fields, SPAN("Sec-WebSocket-Key"), NULL));
		f = http_fields_find(&head.fields, SPAN("Upgrade"), NULL);
		assert_int_equal(f != NULL, cases[i].goes_on);
		assert_true(f == NULL || span_equal(f->value, SPAN("websocket")));

		head = request(&a, "Connection: upgrade\nUpgrade: websocket\n");
		head.framing = cases[i].framing;
		assert_true(edge_forward_response(&head, &stranger, SPAN("today")));
		assert_int_equal(http_fields_find(&head.fields, SPAN("Upgrade"), NULL) != NULL,
				 cases[i].goes_on);
		arena_fini(&a);
	}
}

static void test_host_is_quoted_where_needed(void **state)
{
	struct arena a;
	struct http_head head;
	const struct http_field *f;

	arena_init(&a, 65536);
	head = request(&a, "");
	head.authority = SPAN("www.example.com:8443");
	assert_int_equal(edge_forward_request(&head, &stranger), 0);
	f = http_fields_find(&head.fields, SPAN("Forwarded"), NULL);
	assert_true(
	    span_equal(f->value, SPAN("for=192.0.2.1;host=\"www.example.com:8443\";proto=https")));
	arena_fini(&a);
}

static void test_expectation_of_1_0_is_dropped(void **state)
{
	struct arena a;
	struct http_head head;

	arena_init(&a, 65536);
	head = request(&a, "Expect: 100-continue\n");
	head.minor = 0;
	assert_int_equal(edge_forward_request(&head, &stranger), 0);
	assert_lines(&head, OURS "Via: 1.0 perigee-fra1\n" LOOP);
	head = request(&a, "Expect: 100-continue\n");
	assert_int_equal(edge_forward_request(&head, &stranger), 0);
	assert_lines(&head, "Expect: 100-continue\n" OURS BY_US);
	arena_fini(&a);
}

static void test_loops(void **state)
{
	static const struct {
		const char *in;
		int status;
	} cases[] = {
	    {"Via: 1.1 perigee-fra1\n", 0},
	    {"Via: 1.1 perigee-fra1, 1.1 x, 1.1 perigee-fra1\n", 508},
	    {"Via: 1.1 PERIGEE-FRA1 (c, d)\nA: b\nVia: 1.1\t perigee-fra1\n", 508},
	    {"Via: 1.1 perigee-fra10, 1.1 perigee-fra1, 1.1 xperigee-fra1\n", 0},
	    /* what a stranger opened hid the rest */
	    {"Via: 1.0 \"x, 1.1 perigee-fra1, 1.1 perigee-fra1\n", 508},
	    {"Via: 1.0 x (\\, 1.1 perigee-fra1,,1.1 perigee-fra1\n", 508},
	    /* RFC 8586 */
	    {"CDN-Loop: perigee-fra1\n", 0},
	    {"CDN-Loop: perigee-fra1, perigee-fra1\n", 508},
	    {"cdn-loop: Perigee-FRA1;v=1 , x\nA: b\nCDN-Loop: x,\t perigee-fra1 ;a=\"b,c\"\n", 508},
	    {"CDN-Loop: perigee-fra10, perigee-fra1.x, xperigee-fra1;perigee-fra1\n", 0},
	    {"CDN-Loop: \"perigee-fra1, x\"\n", 0},
	    {"CDN-Loop: x;a=\"perigee-fra1,perigee-fra1 , perigee-fra1\n", 508},
	    {"CDN-Loop: a, b, c, d, e, f, g, ,,\n", 0},
	    {"CDN-Loop: a, b, c, d, e, f, g, h\n", 508},
	    {"Via: 1.1 perigee-fra1\nCDN-Loop: perigee-fra1\n", 0},
	    {"Via: ,\n", 0},
	    {"Via: perigee-fra1, perigee-fra1\n", 0}, /* no protocol: not what we write */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a;
		struct http_head head;

		arena_init(&a, 65536);
		head = request(&a, cases[i].in);
		assert_int_equal(edge_forward_request(&head, &stranger), cases[i].status);
		arena_fini(&a);
	}
}

static void test_max_forwards(void **state)
{
	static const struct {
		const char *in, *value;
		int status;
	} cases[] = {
	    {"Max-Forwards: 0\n", NULL, 200},
	    {"Max-Forwards: 1\n", "0", 0},
	    {"Max-Forwards: 10\n", "9", 0},
	    {"Max-Forwards: 1000000\n", "999999", 0},
	    {"Max-Forwards: x\n", "x", 0},
	    {"Max-Forwards: \n", "", 0},
	    {"Max-Forwards: 999999999\n", "999999999", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct http_field *f;
		struct arena a;
		struct http_head head;

		arena_init(&a, 65536);
		head = request(&a, cases[i].in);
		head.method_id = HTTP_METHOD_OPTIONS;
		assert_int_equal(edge_forward_request(&head, &stranger), cases[i].status);
		f = http_fields_find(&head.fields, SPAN("Max-Forwards"), NULL);
		if (cases[i].value != NULL)
			assert_true(span_equal(f->value, span_of(cases[i].value)));
		arena_fini(&a);
	}
}

static void test_responses(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"", "Date: now\nVia: 1.1 perigee-fra1\n"},
	    {"Date: then\nConnection: X-A\nX-A: 1\nVia: 1.1 b\nServer: s\n",
	     "Date: then\nServer: s\nVia: 1.1 b, 1.1 perigee-fra1\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a;
		struct http_head head;

		arena_init(&a, 65536);
		http_head_init(&head, &a);
		head.status = 200;
		add_lines(&head, cases[i].in);
		assert_true(edge_forward_response(&head, &stranger, SPAN("now")));
		assert_lines(&head, cases[i].out);
		arena_fini(&a);
	}
}

/* Whatever the arena has room for: it is done, or refused, never half done without a word. */
static void test_every_size_of_arena(void **state)
{
	bool done = false;

	for (size_t cap = 1; !done; cap += 7) {
		struct arena full;
		struct arena a;
		struct http_head head;
		int status;

		arena_init(&full, 65536);
		head = request(&full, "Via: 1.1 x\nA: b\n");
		arena_init(&a, cap);
		head.arena = &a;
		status = edge_forward_request(&head, &proxy);
		assert_true(status == 0 || status == 431);
		done = status == 0;
		arena_fini(&a);
		arena_fini(&full);
	}
}

static void test_trailers_told_who_the_client_is(void **state)
{
	struct arena a;
	struct http_head head;

	arena_init(&a, 65536);
	head = request(&a, "X-Sum: 1\nX-Forwarded-For: 6.6.6.6\nX-Real-IP: 6.6.6.6\nA_b: c\n");
	edge_forward_trailers(&head.fields, &stranger);
	assert_lines(&head, "X-Sum: 1\n");
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_upgrade_goes_on_in_a_tunnel_only),
	    cmocka_unit_test(test_host_is_quoted_where_needed),
	    cmocka_unit_test(test_expectation_of_1_0_is_dropped),
	    cmocka_unit_test(test_loops),
	    cmocka_unit_test(test_max_forwards),
	    cmocka_unit_test(test_trailers_told_who_the_client_is),
	    cmocka_unit_test(test_responses),
	    cmocka_unit_test(test_every_size_of_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
