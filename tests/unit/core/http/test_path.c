/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Paths in normal form, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/path.h"

#define NORMAL(target, text)                                                                       \
	{                                                                                          \
		target, text, text, 0, ""                                                          \
	}
#define CLIMBS(target, text, climbed)                                                              \
	{                                                                                          \
		target, text, text, 0, climbed                                                     \
	}
#define UNSURE(target, text, sure, then, climbed)                                                  \
	{                                                                                          \
		target, text, sure, then, climbed                                                  \
	}
#define REFUSED(target)                                                                            \
	{                                                                                          \
		target, NULL, NULL, 0, NULL                                                        \
	}

static const struct {
	const char *target, *text, *sure;
	char then;
	const char *climbed;
} cases[] = {
    /* in normal form */
    NORMAL("/", "/"),
    NORMAL("/api", "/api"),
    NORMAL("/api/", "/api/"),
    NORMAL("/?x=//../%2f;\\", "/"),
    NORMAL("/api?", "/api"),
    NORMAL("/a.b/.well-known/..c/d../...", "/a.b/.well-known/..c/d../..."),
    NORMAL("/-._~!$&'()*+,=:@", "/-._~!$&'()*+,=:@"),
    NORMAL("/a|b^c`d{e}\"<>[]", "/a|b^c`d{e}\"<>[]"),
    NORMAL("*", "/"),
    /* percent-encoding */
    NORMAL("/%61pi", "/api"),
    NORMAL("/%41%7E%2D", "/A~-"),
    NORMAL("/%61%70%69/x", "/api/x"),
    NORMAL("/a%20b", "/a b"),
    NORMAL("/caf%c3%A9", "/caf\xc3\xa9"),
    NORMAL("/a%3fb%23c", "/a?b#c"),
    NORMAL("/%0a", "/\n"),
    NORMAL("/100%25", "/100%"),
    NORMAL("/100%25/x", "/100%/x"),
    NORMAL("/%25zz", "/%zz"),
    NORMAL("/%25%35", "/%5"),
    NORMAL("/%25%35/1", "/%5/1"),
    REFUSED("/%"),
    REFUSED("/%6"),
    REFUSED("/%g1"),
    REFUSED("/%u0061"),
    REFUSED("/%6?1"),
    REFUSED("/a%00b"),
    REFUSED("/%00"),
    /* slashes */
    NORMAL("//", "/"),
    NORMAL("//api", "/api"),
    NORMAL("///api//x///", "/api/x/"),
    NORMAL("/api//", "/api/"),
    NORMAL("//api%61", "/apia"),
    /* dot segments */
    NORMAL("/.", "/"),
    NORMAL("/./", "/"),
    NORMAL("/./api", "/api"),
    NORMAL("/api/.", "/api/"),
    NORMAL("/api/./x", "/api/x"),
    NORMAL("/%2e/api", "/api"),
    CLIMBS("/..", "/", "/"),
    CLIMBS("/../api", "/api", "/"),
    CLIMBS("/x/..", "/", "/x/"),
    CLIMBS("/x/../api", "/api", "/x/"),
    CLIMBS("/x/%2e%2E/api", "/api", "/x/"),
    CLIMBS("/x/.%2e/api", "/api", "/x/"),
    /* to who decodes late, the second is at /api */
    CLIMBS("/x/%2e%2e/api/%2e./y", "/y", "/x/"),
    REFUSED("/x/../api/%2e%2e/y"),
    REFUSED("/x/../api/%2e/../y"),
    REFUSED("/x/%2e/../y"),
    REFUSED("/x/%2e%2e/./y"),
    NORMAL("/x/%2e/./y", "/x/y"),
    CLIMBS("/%78/y/../../api", "/api", "/x/y/"),
    CLIMBS("/a/b/../c/../d", "/a/d", "/a/b/"),
    CLIMBS("/a/b/../../../../d", "/d", "/a/b/"),
    CLIMBS("/a/./b/..", "/a/", "/a/b/"),
    NORMAL("/...", "/..."),
    NORMAL("/..a/.b", "/..a/.b"),
    NORMAL("/.a%2e", "/.a."),
    REFUSED("/x//../api"),
    REFUSED("//x/../api"),
    CLIMBS("/x/..//api", "/api", "/x/"),
    /* what is read differently */
    UNSURE("/%2fapi", "/%2Fapi", "/", '/', ""),
    UNSURE("/api%2fx", "/api%2Fx", "/api", '/', ""),
    UNSURE("/api%2Fx%2fy/z", "/api%2Fx%2Fy/z", "/api", '/', ""),
    UNSURE("/a/../api%2fx", "/api%2Fx", "/api", '/', "/a/"),
    UNSURE("/api\\x", "/api\\x", "/api", '/', ""),
    UNSURE("/\\api", "/\\api", "/", '/', ""),
    UNSURE("/api%5cx", "/api%5Cx", "/api", '/', ""),
    UNSURE("/;x/api", "/;x/api", "/", '/', ""),
    UNSURE("/api;x=1/%79", "/api;x=1/y", "/api", '/', ""),
    UNSURE("/api%3bx", "/api%3Bx", "/api", '/', ""),
    UNSURE("/%61;//b/%63", "/a;/b/c", "/a", '/', ""),
    UNSURE("/%2561pi", "/%2561pi", "/", 'a', ""),
    UNSURE("/ap%2569", "/ap%2569", "/ap", 'i', ""),
    UNSURE("/ap%252569", "/ap%252569", "/ap", 'i', ""),
    UNSURE("/api%252fx", "/api%252fx", "/api", '/', ""),
    UNSURE("/a%2520b", "/a%2520b", "/a", ' ', ""),
    REFUSED("/a%25%36%31"),
    REFUSED("/a%256%31"),
    REFUSED("/a%25%361"),
    NORMAL("/50%25%20off", "/50% off"),
    REFUSED("/a%2500"),
    REFUSED("/a;%00"),
    REFUSED("/..;/api"),
    REFUSED("/x/..;y/api"),
    REFUSED("/x/.;/api"),
    REFUSED("/x;/../api"),
    REFUSED("/x;/%2e%2e/api"),
    REFUSED("/x;y/./api"),
    REFUSED("/x%2f..%2fapi"),
    REFUSED("/x%2f%2e%2e"),
    REFUSED("/x/..%2fapi"),
    REFUSED("/x\\..\\api"),
    REFUSED("/x/..\\api"),
    REFUSED("/x%5c..%5capi"),
    REFUSED("/x/%252e%252e/api"),
    REFUSED("/x/.%252e"),
    REFUSED("/x/%25252e%25252e/api"),
    REFUSED("/x%252f.."),
    UNSURE("/a;b..c/x", "/a;b..c/x", "/a", '/', ""),
    /* not in origin form */
    REFUSED(""),
    REFUSED("?x"),
    REFUSED("api"),
    REFUSED("**"),
};

static void check_span(struct span s, const char *expected, const char *target)
{
	if (!span_equal(s, span_of(expected)))
		fail_msg("%s: \"" SPAN_FMT "\" instead of \"%s\"", target, SPAN_ARG(s), expected);
}

/* From a copy of its exact size, so that a sanitizer sees a read beyond it. */
static enum http_path_result parse(const char *target, struct arena *arena, struct http_path *path,
				   const char **why, char **copy)
{
	size_t n = strlen(target);

	*copy = memcpy(xmalloc(n + 1), target, n);
	return http_path_parse(path, (struct span){*copy, n}, arena, why);
}

static void test_normal_form(void **state)
{
	assert_true(ARRAY_SIZE(cases) >= 60);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *target = cases[i].target, *why = NULL;
		enum http_path_result result;
		struct http_path path;
		struct arena arena;
		char *copy;

		arena_init(&arena, 65536);
		result = parse(target, &arena, &path, &why, &copy);
		if (result != (cases[i].text ? HTTP_PATH_OK : HTTP_PATH_BAD))
			fail_msg("%s: %d (%s)", target, result, why ? why : "fine");
		if (!cases[i].text) {
			assert_non_null(why);
		} else {
			check_span(path.text, cases[i].text, target);
			check_span((struct span){path.text.p, path.sure}, cases[i].sure, target);
			if (path.sure < path.text.n)
				assert_int_equal(path.then, cases[i].then);
			check_span(path.climbed, cases[i].climbed, target);
		}
		free(copy);
		arena_fini(&arena);
	}
}

static void test_normal_paths_take_no_memory(void **state)
{
	struct http_path path;
	struct arena arena;
	const char *why;

	arena_init(&arena, 0);
	assert_int_equal(http_path_parse(&path, SPAN("/a/b.c/?q=%61//.."), &arena, &why),
			 HTTP_PATH_OK);
	assert_int_equal(http_path_parse(&path, SPAN("/.well-known/x"), &arena, &why),
			 HTTP_PATH_OK);
	assert_int_equal(http_path_parse(&path, SPAN("*"), &arena, &why), HTTP_PATH_OK);
	assert_int_equal(arena.used, 0);
	assert_int_equal(http_path_parse(&path, SPAN("/%61"), &arena, &why), HTTP_PATH_NO_ROOM);
	arena_fini(&arena);
}

static void test_room_for_one_copy_only(void **state)
{
	char target[8192];
	struct http_path path;
	struct arena arena;
	const char *why;

	memset(target, 'a', sizeof(target));
	memcpy(target, "/", 1);
	memcpy(target + sizeof(target) - 3, "/..", 3);
	arena_init(&arena, sizeof(target) + 2048);
	assert_int_equal(
	    http_path_parse(&path, (struct span){target, sizeof(target)}, &arena, &why),
	    HTTP_PATH_NO_ROOM);
	arena_fini(&arena);
	arena_init(&arena, 2 * sizeof(target) + 4096);
	assert_int_equal(
	    http_path_parse(&path, (struct span){target, sizeof(target)}, &arena, &why),
	    HTTP_PATH_OK);
	check_span(path.text, "/", "a long one");
	arena_fini(&arena);
}

static void test_under(void **state)
{
	assert_true(http_path_is_under(SPAN("/api"), SPAN("/api")));
	assert_true(http_path_is_under(SPAN("/api/x"), SPAN("/api")));
	assert_true(http_path_is_under(SPAN("/x"), SPAN("/")));
	assert_false(http_path_is_under(SPAN("/apix"), SPAN("/api")));
	assert_false(http_path_is_under(SPAN("/ap"), SPAN("/api")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_normal_form),
	    cmocka_unit_test(test_normal_paths_take_no_memory),
	    cmocka_unit_test(test_room_for_one_copy_only),
	    cmocka_unit_test(test_under),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
