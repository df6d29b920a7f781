/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cross-origin requests by table: whom a browser is told to let through, and that nobody else ever
 * is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/change.h"
#include "core/base/check.h"
#include "edge/rules/cors.h"
#include "tests/support/known_request.h"

#define LIST(...)                                                                                  \
	{                                                                                          \
		(const char *[]){__VA_ARGS__}, ARRAY_SIZE(((const char *[]){__VA_ARGS__}))         \
	}

/* What a response says of it, "name=value" by "|"; malloc'd. */
static char *answer(const struct cfg_cors *cfg, const char *const *request)
{
	struct edge_cors *cors = edge_cors_create(cfg);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct known_request k;

	known_request_init(&k, "/");
	for (; *request; request += 2) {
		if (strcmp(request[0], ":method") == 0) {
			k.request.method = span_of(request[1]);
			k.request.method_id = http_method_find(k.request.method);
		} else {
			known_request_add(&k.request, request[0], request[1]);
		}
	}
	known_request_add(&k.response, "Access-Control-Allow-Origin",
			  "https://what.the.origin.says");
	known_request_add(&k.response, "access-control-allow-credentials", "true");
	known_request_add(&k.response, "Vary", "Accept");
	assert_true(edge_cors_respond(cors, &k.request, &k.response));
	for (unsigned i = 0; i < k.response.fields.n; i++)
		fprintf(out, "%s" SPAN_FMT "=" SPAN_FMT, i > 0 ? "|" : "",
			SPAN_ARG(k.response.fields.v[i].name),
			SPAN_ARG(k.response.fields.v[i].value));
	assert_int_equal(fclose(out), 0);
	known_request_fini(&k);
	edge_cors_destroy(&cors);
	return text;
}

static void assert_answer(const struct cfg_cors *cfg, const char *const *request,
			  const char *expected)
{
	char *got = answer(cfg, request);

	assert_string_equal(got, expected);
	free(got);
}

static void test_origins(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("https://a.example", "https://*.b.example:8443",
					       "http://localhost:3000"),
			       .expose = LIST("ETag", "X-Total")};
	static const struct {
		const char *origin;
		bool listed;
	} cases[] = {
	    {"https://a.example", true},
	    {"HTTPS://A.example", true},
	    {"https://x.b.example:8443", true},
	    {"https://y.x.b.example:8443", true},
	    {"http://localhost:3000", true},
	    {"http://a.example", false},
	    {"https://a.example:443", false},
	    {"https://a.example.evil", false},
	    {"https://evila.example", false},
	    {"https://b.example:8443", false},
	    {"https://.b.example:8443", false},
	    {"https://x.b.example", false},
	    {"https://evil/.b.example:8443", false},
	    {"https://evil:1@x.b.example:8443", false},
	    {"https://evil#.b.example:8443", false},
	    {"https://evil?.b.example:8443", false},
	    {"null", false},
	    {"*", false},
	    {"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *request[] = {"Origin", cases[i].origin, NULL};
		char *expected =
		    cases[i].listed
			? xasprintf("Vary=Accept, Origin|Access-Control-Allow-Origin=%s|"
				    "Access-Control-Expose-Headers=ETag, X-Total",
				    cases[i].origin)
			: xstrdup("Vary=Accept, Origin");

		assert_answer(&cfg, request, expected);
		free(expected);
	}
}

static void test_no_or_two_origins(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("https://a.example")};
	static const char *const none[] = {NULL};
	static const char *const two[] = {"Origin", "https://a.example", "origin",
					  "https://evil.example", NULL};

	assert_answer(&cfg, none, "Vary=Accept, Origin");
	assert_answer(&cfg, two, "Vary=Accept, Origin");
}

static void test_all_origins(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("*")};
	static const char *const request[] = {"Origin", "https://any.example", NULL};

	assert_answer(&cfg, request, "Vary=Accept|Access-Control-Allow-Origin=*");
}

/* A browser that has it by a link uses it for a page of another origin as well. */
static void test_kept_response_is_for_all_origins(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("*")};
	static const char *const none[] = {NULL};

	assert_answer(&cfg, none, "Vary=Accept|Access-Control-Allow-Origin=*");
}

static void test_credentials(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("https://a.example"), .credentials = true};
	static const char *const listed[] = {"Origin", "https://a.example", NULL};
	static const char *const other[] = {"Origin", "https://b.example", NULL};

	assert_answer(&cfg, listed,
		      "Vary=Accept, Origin|Access-Control-Allow-Origin=https://a.example|"
		      "Access-Control-Allow-Credentials=true");
	assert_answer(&cfg, other, "Vary=Accept, Origin");
}

static void test_preflights(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("https://a.example"),
			       .methods = LIST("PUT"),
			       .fields = LIST("X-A", "Content-Type"),
			       .max_age = DUR_S(60)};
	static const struct {
		const char *method, *origin, *asked, *fields;
		enum edge_cors_result result;
	} cases[] = {
	    {"OPTIONS", "https://a.example", "PUT", "x-a,content-type", EDGE_CORS_ALLOWED},
	    {"OPTIONS", "https://a.example", "GET", NULL, EDGE_CORS_ALLOWED},
	    {"OPTIONS", "https://a.example", "DELETE", NULL, EDGE_CORS_REFUSED},
	    {"OPTIONS", "https://a.example", "put", NULL, EDGE_CORS_REFUSED},
	    {"OPTIONS", "https://a.example", "PUT", "x-b", EDGE_CORS_REFUSED},
	    {"OPTIONS", "https://evil.example", "GET", NULL, EDGE_CORS_REFUSED},
	    {"OPTIONS", "https://a.example", NULL, NULL, EDGE_CORS_NONE},
	    {"OPTIONS", NULL, "PUT", NULL, EDGE_CORS_NONE},
	    {"GET", "https://a.example", "PUT", NULL, EDGE_CORS_NONE},
	};
	struct edge_cors *cors = edge_cors_create(&cfg);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct known_request k;

		known_request_init(&k, "/");
		k.request.method = span_of(cases[i].method);
		k.request.method_id = http_method_find(k.request.method);
		if (cases[i].origin)
			known_request_add(&k.request, "Origin", cases[i].origin);
		if (cases[i].asked)
			known_request_add(&k.request, "Access-Control-Request-Method",
					  cases[i].asked);
		if (cases[i].fields)
			known_request_add(&k.request, "Access-Control-Request-Headers",
					  cases[i].fields);
		assert_int_equal(edge_cors_preflight(cors, &k.request), cases[i].result);
		known_request_fini(&k);
	}
	edge_cors_destroy(&cors);
}

static void test_answer_to_a_preflight(void **state)
{
	struct cfg_cors cfg = {.origins = LIST("https://a.example"),
			       .methods = LIST("GET", "PUT"),
			       .fields = LIST("X-A"),
			       .expose = LIST("ETag"),
			       .max_age = DUR_S(600)};
	static const char *const request[] = {
	    ":method", "OPTIONS", "Origin", "https://a.example", "Access-Control-Request-Method",
	    "PUT",     NULL};

	assert_answer(&cfg, request,
		      "Access-Control-Allow-Origin=https://a.example|"
		      "Access-Control-Allow-Methods=GET, PUT|Access-Control-Allow-Headers=X-A|"
		      "Access-Control-Max-Age=600|Vary=Accept, Origin, "
		      "Access-Control-Request-Method, Access-Control-Request-Headers");
}

static void test_left_to_the_origin(void **state)
{
	static const struct cfg_cors none;

	assert_null(edge_cors_create(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_origins),
	    cmocka_unit_test(test_no_or_two_origins),
	    cmocka_unit_test(test_all_origins),
	    cmocka_unit_test(test_kept_response_is_for_all_origins),
	    cmocka_unit_test(test_credentials),
	    cmocka_unit_test(test_preflights),
	    cmocka_unit_test(test_answer_to_a_preflight),
	    cmocka_unit_test(test_left_to_the_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
