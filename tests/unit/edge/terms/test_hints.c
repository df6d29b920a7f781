/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Early hints: which links are taken, and a table that forgets, and that many threads use at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/terms/hints.h"

static mono_time at(int64_t seconds)
{
	return (mono_time){(seconds + 1) * INT64_C(1000000000)};
}

static void test_links(void **state)
{
	static const struct {
		const char *link, *hint;
	} cases[] = {
	    {"</a.css>; rel=preload; as=style", "</a.css>; rel=preload; as=style"},
	    {"</a>;as=x;rel=\"preload\"", "</a>;as=x;rel=\"preload\""},
	    {"<https://cdn.example>; rel=preconnect", "<https://cdn.example>; rel=preconnect"},
	    {"</m.js>; rel=modulepreload", "</m.js>; rel=modulepreload"},
	    {"</a>; REL = preload", ""},
	    {"</a>; REL=Preload", "</a>; REL=Preload"},
	    {"</a>; rel=next, </b>; rel=preload; title=\"x, y\", </c>; rel=preload",
	     "</b>; rel=preload; title=\"x, y\", </c>; rel=preload"},
	    {"</a>; rel=prefetch; rel=preload", ""},
	    {"</a>; xrel=preload", ""},
	    {"/a; rel=preload", ""},
	    {"</a; rel=preload", ""},
	    {"</a>", ""},
	    {"", ""},
	    {";;,,", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_field field = {SPAN("link"), span_of(cases[i].link)};
		struct http_fields fields = {.v = &field, .n = 1};
		char out[EDGE_HINT_MAX];
		size_t n = edge_hints_links(&fields, out);

		if (!span_equal((struct span){out, n}, span_of(cases[i].hint)))
			fail_msg("%s: %.*s", cases[i].link, (int)n, out);
	}
}

static void test_what_does_not_fit_is_left_out(void **state)
{
	char big[EDGE_HINT_MAX + 1], out[EDGE_HINT_MAX];
	struct http_field list[3] = {
	    {SPAN("Link"), SPAN("</a>; rel=preload")},
	    {SPAN("Link"), {big, sizeof(big)}},
	    {SPAN("Link"), SPAN("</b>; rel=preload")},
	};
	struct http_fields fields = {.v = list, .n = 3};
	size_t n;

	memset(big, 'x', sizeof(big));
	memcpy(big, "</>; rel=preload;", 17);
	n = edge_hints_links(&fields, out);
	assert_true(
	    span_equal((struct span){out, n}, SPAN("</a>; rel=preload, </b>; rel=preload")));
}

static void assert_known(struct edge_hints *hints, uint64_t key, int64_t second, const char *text)
{
	char out[EDGE_HINT_MAX];
	size_t n = edge_hints_find(hints, key, at(second), out);

	assert_true(span_equal((struct span){out, n}, span_of(text)));
}

static void test_learns_and_forgets(void **state)
{
	struct edge_hints *hints = edge_hints_create();

	assert_known(hints, 7, 0, "");
	edge_hints_learn(hints, 7, SPAN("</a>; rel=preload"), at(0));
	assert_known(hints, 7, 0, "</a>; rel=preload");
	assert_known(hints, 8, 0, "");
	edge_hints_learn(hints, 7, SPAN("</b>"), at(1));
	assert_known(hints, 7, 1, "</b>");
	assert_known(hints, 7, 3600, "</b>");
	assert_known(hints, 7, 3602, "");
	edge_hints_learn(hints, 7, SPAN("</b>"), at(4000));
	assert_known(hints, 7, 4000, "</b>");
	edge_hints_learn(hints, 7, SPAN(""), at(4001));
	assert_known(hints, 7, 4001, "");
	edge_hints_destroy(&hints);
}

static void test_the_oldest_gives_way(void **state)
{
	struct edge_hints *hints = edge_hints_create();

	/* All in one set. */
	for (uint64_t i = 1; i <= 5; i++)
		edge_hints_learn(hints, i << 32, SPAN("</a>"), at((int64_t)i));
	assert_known(hints, UINT64_C(1) << 32, 6, "");
	for (uint64_t i = 2; i <= 5; i++)
		assert_known(hints, i << 32, 6, "</a>");
	edge_hints_destroy(&hints);
}

/* What is read is whole: all letters of one text are the same. */
static void *use(void *arg)
{
	struct edge_hints *hints = arg;
	char text[EDGE_HINT_MAX], out[EDGE_HINT_MAX];
	unsigned seed = (unsigned)(uintptr_t)&text;
	size_t mixed = 0;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t key = (uint64_t)(rand_r(&seed) % 6) << 32;
		size_t n = (size_t)rand_r(&seed) % EDGE_HINT_MAX;

		memset(text, 'a' + rand_r(&seed) % 26, sizeof(text));
		edge_hints_learn(hints, key, (struct span){text, n}, at(i));
		n = edge_hints_find(hints, key, at(i), out);
		for (size_t k = 1; k < n; k++)
			mixed += out[k] != out[0];
	}
	return (void *)mixed;
}

static void test_nobody_reads_what_is_half_written(void **state)
{
	struct edge_hints *hints = edge_hints_create();
	pthread_t threads[4];
	void *mixed;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, hints), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &mixed), 0);
		assert_null(mixed);
	}
	edge_hints_destroy(&hints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_what_does_not_fit_is_left_out),
	    cmocka_unit_test(test_learns_and_forgets),
	    cmocka_unit_test(test_the_oldest_gives_way),
	    cmocka_unit_test(test_nobody_reads_what_is_half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
