/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all versions of HTTP share: spans, methods, authorities, lists, fields, status codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/message.h"

static void test_spans(void **state)
{
	assert_true(span_equal(SPAN("a"), span_of("a")));
	assert_true(span_equal(SPAN(""), (struct span){NULL, 0}));
	assert_false(span_equal(SPAN("a"), SPAN("A")));
	assert_false(span_equal(SPAN("a"), SPAN("ab")));
	assert_true(span_equal_nocase(SPAN("Host-[`{@Z"), SPAN("hOST-[`{@z")));
	/* Differ by 0x20 without being letters. */
	assert_false(span_equal_nocase(SPAN("["), SPAN("{")));
	assert_false(span_equal_nocase(SPAN("@"), SPAN("`")));
	assert_false(span_equal_nocase(SPAN("\xc0"), SPAN("\xe0")));
}

/* Every byte at every place of values of every length up to three words, beside the bytes that
 * arithmetic on words could confuse with it. */
static void test_value_characters(void **state)
{
	static const char around[] = {'a', ' ', '\t', '\x7e', '\x80', '\xff', '!'};

	for (size_t i = 0; i < sizeof(around); i++) {
		for (size_t n = 1; n <= 24; n++) {
			for (size_t at = 0; at < n; at++) {
				for (int c = 0; c < 256; c++) {
					bool allowed = c == '\t' || (c >= ' ' && c != 0x7f);
					char value[24];

					memset(value, around[i], n);
					value[at] = c;
					if (http_chars_are_value((struct span){value, n}) !=
					    allowed)
						fail_msg("0x%02x at %zu of %zu: %s", c, at, n,
							 allowed ? "refused" : "accepted");
				}
			}
		}
	}
	assert_true(http_chars_are_value((struct span){NULL, 0}));
}

static void test_methods(void **state)
{
	assert_int_equal(http_method_find(SPAN("GET")), HTTP_METHOD_GET);
	assert_int_equal(http_method_find(SPAN("PATCH")), HTTP_METHOD_PATCH);
	assert_int_equal(http_method_find(SPAN("get")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_find(SPAN("GETT")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_find(SPAN("")), HTTP_METHOD_OTHER);
	assert_true(http_method_is_idempotent(HTTP_METHOD_DELETE));
	assert_false(http_method_is_idempotent(HTTP_METHOD_POST));
	assert_false(http_method_is_idempotent(HTTP_METHOD_OTHER));
}

static void test_authorities(void **state)
{
	static const struct {
		const char *text, *host, *port; /* host NULL: not valid */
	} cases[] = {
	    {"example.com", "example.com", ""},
	    {"example.com:443", "example.com", "443"},
	    {"example.com:", "example.com", ""},
	    {"EXAMPLE.com:0", "EXAMPLE.com", "0"},
	    {"a:65535", "a", "65535"},
	    {"192.0.2.1:80", "192.0.2.1", "80"},
	    {"[2001:db8::1]", "[2001:db8::1]", ""},
	    {"[::1]:8443", "[::1]", "8443"},
	    {"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", ""},
	    {"a_b-c.d~e", "a_b-c.d~e", ""},
	    {"a%2db", "a%2db", ""},
	    {"a!$&'()*+,;=b", "a!$&'()*+,;=b", ""},
	    {"", NULL, NULL},
	    {":80", NULL, NULL},
	    {"a:65536", NULL, NULL},
	    {"a:000080", NULL, NULL},
	    {"a:8x", NULL, NULL},
	    {"a:-1", NULL, NULL},
	    {"a:80:80", NULL, NULL},
	    {"::1", NULL, NULL},
	    {"user@a", NULL, NULL},
	    {"a b", NULL, NULL},
	    {"a/b", NULL, NULL},
	    {"a?b", NULL, NULL},
	    {"a#b", NULL, NULL},
	    {"a\\b", NULL, NULL},
	    {"a\"b", NULL, NULL},
	    {"a%2", NULL, NULL},
	    {"a%", NULL, NULL},
	    {"a%zz", NULL, NULL},
	    {"a%2%41", NULL, NULL},
	    {"b\xc3\xbc", NULL, NULL},
	    {"[::1", NULL, NULL},
	    {"[]", NULL, NULL},
	    {"[::1]x", NULL, NULL},
	    {"[::1]80", NULL, NULL},
	    {"[fe80::1%25eth0]", NULL, NULL},
	    {"[192.0.2.1]", NULL, NULL},
	    {"[v1.a]", NULL, NULL},
	    {"[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20]", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span host, port;
		bool ok = http_authority_split(span_of(cases[i].text), &host, &port);

		if (ok != (cases[i].host != NULL))
			fail_msg("'%s': %s", cases[i].text, ok ? "accepted" : "refused");
		if (!ok)
			continue;
		assert_true(span_equal(host, span_of(cases[i].host)));
		assert_true(span_equal(port, span_of(cases[i].port)));
	}
	/* A NUL inside, which C strings cannot say. */
	{
		struct span host, port;

		assert_false(http_authority_split(SPAN("a\0b"), &host, &port));
		assert_false(http_authority_split(SPAN("[::1\0]"), &host, &port));
	}
}

static void test_lists(void **state)
{
	static const struct {
		const char *list, *members; /* each followed by '|' */
	} cases[] = {
	    {"", ""},
	    {" ", ""},
	    {",", ""},
	    {" , ,\t,", ""},
	    {"a", "a|"},
	    {"a,b", "a|b|"},
	    {" a , b\t,", "a|b|"},
	    {",,a,,b,,", "a|b|"},
	    {"a b, c", "a b|c|"},
	    {"a=\"x,y\", b", "a=\"x,y\"|b|"},
	    {"a=\"x\\\",y\", b", "a=\"x\\\",y\"|b|"},
	    {"a=\"x\\\\\", b", "a=\"x\\\\\"|b|"},
	    {"a\\, b", "a\\|b|"},
	    {"\"open, b", "\"open, b|"},
	    {"\"open\\", "\"open\\|"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span rest = span_of(cases[i].list), member;
		char got[100] = "";

		while (http_list_next(&rest, &member)) {
			strncat(got, member.p, member.n);
			strcat(got, "|");
		}
		assert_string_equal(got, cases[i].members);
		assert_int_equal(rest.n, 0);
	}
}

/* "Name: value" lines into fields, and back. */
static void add_fields(struct http_fields *f, struct arena *a, const char *const *pairs, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		assert_true(http_fields_add(f, a, span_of(pairs[i]), span_of(pairs[i + 1])));
}

static void assert_fields(const struct http_fields *f, const char *expected)
{
	char got[2000];
	size_t at = 0;

	got[0] = '\0';
	for (unsigned i = 0; i < f->n; i++)
		at += snprintf(got + at, sizeof(got) - at, SPAN_FMT "=" SPAN_FMT ";",
			       SPAN_ARG(f->v[i].name), SPAN_ARG(f->v[i].value));
	assert_string_equal(got, expected);
}

static void test_fields(void **state)
{
	static const char *const pairs[] = {"A", "1", "b", "2", "a", "3", "C", "4"};
	struct http_fields f = {0};
	const struct http_field *found;
	unsigned from = 0;
	struct arena a;

	arena_init(&a, 1 << 16);
	add_fields(&f, &a, pairs, ARRAY_SIZE(pairs));
	found = http_fields_find(&f, SPAN("a"), NULL);
	assert_ptr_equal(found, &f.v[0]);
	assert_ptr_equal(http_fields_find(&f, SPAN("a"), &from), &f.v[0]);
	assert_ptr_equal(http_fields_find(&f, SPAN("a"), &from), &f.v[2]);
	assert_null(http_fields_find(&f, SPAN("a"), &from));
	assert_null(http_fields_find(&f, SPAN("d"), NULL));
	http_fields_remove(&f, SPAN("A"));
	assert_fields(&f, "b=2;C=4;");
	/* Growth keeps what was there. */
	for (int i = 0; i < 100; i++)
		assert_true(http_fields_add(&f, &a, SPAN("x"), SPAN("y")));
	http_fields_remove(&f, SPAN("X"));
	assert_fields(&f, "b=2;C=4;");
	arena_fini(&a);
}

static void test_set_replaces_all_of_a_name(void **state)
{
	struct http_fields f = {0};
	struct arena arena;
	unsigned from = 0;

	arena_init(&arena, 4096);
	assert_true(http_fields_add(&f, &arena, SPAN("A"), SPAN("1")));
	assert_true(http_fields_add(&f, &arena, SPAN("B"), SPAN("2")));
	assert_true(http_fields_add(&f, &arena, SPAN("a"), SPAN("3")));
	assert_true(http_fields_set(&f, &arena, SPAN("A"), SPAN("4")));
	assert_int_equal(f.n, 2);
	assert_true(span_equal(http_fields_find(&f, SPAN("a"), &from)->value, SPAN("4")));
	assert_null(http_fields_find(&f, SPAN("a"), &from));
	arena_fini(&arena);
}

static void test_trim(void **state)
{
	assert_true(span_equal(http_trim(SPAN(" \ta b\t ")), SPAN("a b")));
	assert_int_equal(http_trim(SPAN(" \t")).n, 0);
	assert_int_equal(http_trim((struct span){NULL, 0}).n, 0);
}

static void test_members_of_lists(void **state)
{
	struct http_fields f = {0};
	struct arena arena;

	arena_init(&arena, 4096);
	assert_false(http_fields_list_has(&f, SPAN("Vary"), SPAN("Cookie")));
	assert_true(http_fields_add(&f, &arena, SPAN("Vary"), SPAN("")));
	assert_true(http_fields_add(&f, &arena, SPAN("Vary"), SPAN("Accept, cookie")));
	assert_true(http_fields_add(&f, &arena, SPAN("VARY"), SPAN("Origin")));
	assert_true(http_fields_add(&f, &arena, SPAN("Cache-Control"),
				    SPAN("private =\"a, no-store\", max-age=3")));
	assert_true(http_fields_add(&f, &arena, SPAN("Cache-Control"), SPAN("public")));
	assert_true(http_fields_list_has(&f, SPAN("vary"), SPAN("COOKIE")));
	assert_true(http_fields_list_has(&f, SPAN("Vary"), SPAN("Origin")));
	assert_false(http_fields_list_has(&f, SPAN("Vary"), SPAN("Cook")));
	assert_false(http_fields_list_has(&f, SPAN("Vary"), SPAN("")));
	/* What the quote holds is no member. */
	assert_false(http_fields_list_has(&f, SPAN("Cache-Control"), SPAN("no-store")));
	assert_true(http_fields_list_has(&f, SPAN("Cache-Control"), SPAN("private")));
	assert_true(http_fields_list_has(&f, SPAN("Cache-Control"), SPAN("max-age")));
	assert_true(http_fields_list_has(&f, SPAN("Cache-Control"), SPAN("Public")));
	assert_false(http_fields_list_has(&f, SPAN("Cache-Control"), SPAN("max")));
	assert_false(http_fields_list_has(&f, SPAN("L"), SPAN("Cookie")));
	arena_fini(&arena);
}

static void test_append_makes_one_list(void **state)
{
	struct http_fields fields = {0};
	struct arena arena;

	arena_init(&arena, 4096);
	assert_true(http_fields_append(&fields, &arena, SPAN("Vary"), SPAN("a")));
	assert_true(http_fields_add(&fields, &arena, SPAN("X"), SPAN("1")));
	assert_true(http_fields_add(&fields, &arena, SPAN("vary"), SPAN("")));
	assert_true(http_fields_append(&fields, &arena, SPAN("Vary"), SPAN("b")));
	assert_int_equal(fields.n, 2);
	assert_true(span_equal(fields.v[0].name, SPAN("X")));
	assert_true(span_equal(fields.v[1].value, SPAN("a, b")));
	/* A member of nothing left ", " at the end. */
	assert_true(http_fields_append(&fields, &arena, SPAN("Vary"), SPAN("")));
	assert_true(span_equal(fields.v[1].value, SPAN("a, b")));
	arena_fini(&arena);
	arena_init(&arena, 0);
	fields = (struct http_fields){0};
	assert_false(http_fields_append(&fields, &arena, SPAN("X"), SPAN("2")));
	arena_fini(&arena);
}

static void test_only(void **state)
{
	struct http_field v[] = {
	    {SPAN("A"), SPAN("1")}, {SPAN("b"), SPAN("2")}, {SPAN("a"), SPAN("")}};
	struct http_fields fields = {.v = v, .n = 3};

	assert_null(http_fields_only(&fields, SPAN("A")));
	assert_ptr_equal(http_fields_only(&fields, SPAN("B")), &v[1]);
	assert_null(http_fields_only(&fields, SPAN("C")));
}

static void test_vary(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
	    {NULL, "Origin"},
	    {"a", "a, Origin"},
	    {"a, origin", "a, origin"},
	    {"a, *", "a, *"},
	};
	struct arena arena;

	arena_init(&arena, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields f = {0};

		if (cases[i].before)
			assert_true(
			    http_fields_add(&f, &arena, SPAN("Vary"), span_of(cases[i].before)));
		assert_true(http_fields_vary(&f, &arena, SPAN("Origin")));
		assert_int_equal(f.n, 1);
		assert_true(span_equal(f.v[0].value, span_of(cases[i].after)));
	}
	arena_fini(&arena);
}

static void test_fields_add_fails_when_the_arena_is_full(void **state)
{
	struct http_fields f = {0};
	struct arena a;
	unsigned n = 0;

	arena_init(&a, 1000);
	while (http_fields_add(&f, &a, SPAN("a"), SPAN("b")))
		n++;
	assert_int_equal(n, 16);
	assert_int_equal(f.n, 16);
	arena_fini(&a);
}

static void assert_same_but_fields(const struct http_head *a, const struct http_head *b)
{
	assert_int_equal(a->method_id, b->method_id);
	assert_ptr_equal(a->method.p, b->method.p);
	assert_ptr_equal(a->scheme.p, b->scheme.p);
	assert_ptr_equal(a->authority.p, b->authority.p);
	assert_ptr_equal(a->target.p, b->target.p);
	assert_int_equal(a->status, b->status);
	assert_ptr_equal(a->reason_phrase.p, b->reason_phrase.p);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->keep_alive, b->keep_alive);
	assert_int_equal(a->expect_continue, b->expect_continue);
	assert_int_equal(a->framing, b->framing);
	assert_int_equal(a->content_length, b->content_length);
	assert_int_equal(a->length_declared, b->length_declared);
}

static void test_head_copy_has_its_own_fields(void **state)
{
	static const char *const pairs[] = {"A", "1", "b", "2", "C", "3"};
	struct arena a, b;
	struct http_head head, copy;

	arena_init(&a, 1 << 16);
	arena_init(&b, 1 << 16);
	head = (struct http_head){
	    .arena = &a,
	    .method_id = HTTP_METHOD_PUT,
	    .method = SPAN("PUT"),
	    .scheme = SPAN("https"),
	    .authority = SPAN("a"),
	    .target = SPAN("/t"),
	    .status = 200,
	    .reason_phrase = SPAN("Fine"),
	    .minor = 1,
	    .keep_alive = true,
	    .expect_continue = true,
	    .framing = HTTP_FRAMING_LENGTH,
	    .content_length = 7,
	    .length_declared = true,
	};
	add_fields(&head.fields, &a, pairs, ARRAY_SIZE(pairs));
	assert_true(http_head_copy(&copy, &head, &b));
	assert_ptr_equal(copy.arena, &b);
	assert_same_but_fields(&copy, &head);
	assert_fields(&copy.fields, "A=1;b=2;C=3;");
	assert_ptr_equal(copy.fields.v[1].value.p, head.fields.v[1].value.p);
	/* Neither notices what is done to the other. */
	http_fields_remove(&copy.fields, SPAN("A"));
	assert_true(http_fields_add(&copy.fields, copy.arena, SPAN("D"), SPAN("4")));
	head.fields.v[1].value = SPAN("new");
	assert_fields(&head.fields, "A=1;b=new;C=3;");
	assert_fields(&copy.fields, "b=2;C=3;D=4;");
	for (int i = 0; i < 100; i++)
		assert_true(http_fields_add(&copy.fields, copy.arena, SPAN("x"), SPAN("y")));
	assert_fields(&head.fields, "A=1;b=new;C=3;");
	/* The vector of the copy is not of the arena of the original. */
	arena_fini(&a);
	http_fields_remove(&copy.fields, SPAN("x"));
	assert_fields(&copy.fields, "b=2;C=3;D=4;");
	arena_fini(&b);
}

static void test_head_without_fields_is_copied(void **state)
{
	struct http_head head, copy;
	struct arena a, full;

	arena_init(&a, 1 << 16);
	arena_init(&full, 0);
	http_head_init(&head, &a);
	assert_true(http_head_copy(&copy, &head, &full));
	assert_int_equal(copy.fields.n, 0);
	assert_true(http_head_copy(&copy, &head, &a));
	assert_true(http_fields_add(&copy.fields, copy.arena, SPAN("A"), SPAN("1")));
	assert_int_equal(head.fields.n, 0);
	arena_fini(&a);
}

static void test_head_copy_fails_when_the_arena_is_full(void **state)
{
	struct http_head head, copy;
	struct arena a, full;

	arena_init(&a, 1 << 16);
	arena_init(&full, 100);
	http_head_init(&head, &a);
	http_head_init(&copy, &full);
	copy.status = 299;
	assert_true(http_fields_add(&head.fields, &a, SPAN("A"), SPAN("1")));
	assert_false(http_head_copy(&copy, &head, &full));
	assert_int_equal(copy.status, 299);
	assert_ptr_equal(copy.arena, &full);
	assert_int_equal(copy.fields.n, 0);
	assert_fields(&head.fields, "A=1;");
	arena_fini(&full);
	arena_fini(&a);
}

static void test_hop_by_hop(void **state)
{
	static const char *const pairs[] = {
	    "Host",
	    "a",
	    "Connection",
	    "close, X-One",
	    "x-one",
	    "1",
	    "TE",
	    "trailers",
	    "Keep-Alive",
	    "timeout=5",
	    "Trailer",
	    "X-Sum",
	    "X-ONE",
	    "again",
	    "Proxy-Connection",
	    "keep-alive",
	    "X-Two",
	    "2",
	    "Upgrade",
	    "h2c",
	    "Transfer-Encoding",
	    "chunked",
	    "X-Three",
	    "3",
	    "connection",
	    "te, ,connection,X-TWO, absent",
	    "Close",
	    "named by Connection",
	    "Via",
	    "v",
	};
	struct http_fields f = {0};
	struct arena a;

	arena_init(&a, 1 << 16);
	add_fields(&f, &a, pairs, ARRAY_SIZE(pairs));
	http_fields_remove_hop_by_hop(&f);
	assert_fields(&f, "Host=a;Trailer=X-Sum;X-Three=3;Via=v;");
	http_fields_remove_hop_by_hop(&f);
	assert_fields(&f, "Host=a;Trailer=X-Sum;X-Three=3;Via=v;");
	arena_fini(&a);
}

/* A password stood in the memory of its request after that had ended. */
static void test_wiped_values_stood_in_memory(void **state)
{
	static const char zeros[16];
	struct http_fields f = {0};
	struct arena a;
	char *first, *second, *other;

	arena_init(&a, 1 << 16);
	first = arena_copy(&a, "Basic dXNlcg==", 14);
	second = arena_copy(&a, "Basic x", 7);
	other = arena_copy(&a, "kept", 4);
	assert_true(http_fields_add(&f, &a, SPAN("Authorization"), (struct span){first, 14}));
	assert_true(http_fields_add(&f, &a, SPAN("Other"), (struct span){other, 4}));
	assert_true(http_fields_add(&f, &a, SPAN("Authorization"), SPAN("")));
	assert_true(http_fields_add(&f, &a, SPAN("authorization"), (struct span){second, 7}));
	http_fields_wipe(&f, SPAN("Authorization"));
	assert_memory_equal(first, zeros, 14);
	assert_memory_equal(second, zeros, 7);
	assert_string_equal(other, "kept");
	arena_fini(&a);
}

static void test_status(void **state)
{
	assert_string_equal(http_status_text(200), "OK");
	assert_string_equal(http_status_text(431), "Request Header Fields Too Large");
	assert_string_equal(http_status_text(511), "Network Authentication Required");
	assert_string_equal(http_status_text(299), "");
	assert_string_equal(http_status_text(512), "");
	assert_string_equal(http_status_text(-1), "");
	assert_string_equal(http_status_text(999), "");
	assert_true(http_status_has_no_content(100));
	assert_true(http_status_has_no_content(199));
	assert_true(http_status_has_no_content(204));
	assert_true(http_status_has_no_content(304));
	assert_false(http_status_has_no_content(200));
	assert_false(http_status_has_no_content(205));
}

static void test_digits(void **state)
{
	static const struct {
		uint64_t value;
		struct span digits;
	} cases[] = {
	    {0, SPAN("0")},
	    {9, SPAN("9")},
	    {10, SPAN("10")},
	    {UINT64_MAX, SPAN("18446744073709551615")},
	};
	char space[HTTP_DIGITS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(span_equal(http_digits(cases[i].value, space), cases[i].digits));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_spans),
	    cmocka_unit_test(test_value_characters),
	    cmocka_unit_test(test_methods),
	    cmocka_unit_test(test_authorities),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_set_replaces_all_of_a_name),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_members_of_lists),
	    cmocka_unit_test(test_append_makes_one_list),
	    cmocka_unit_test(test_only),
	    cmocka_unit_test(test_vary),
	    cmocka_unit_test(test_fields_add_fails_when_the_arena_is_full),
	    cmocka_unit_test(test_head_copy_has_its_own_fields),
	    cmocka_unit_test(test_head_without_fields_is_copied),
	    cmocka_unit_test(test_head_copy_fails_when_the_arena_is_full),
	    cmocka_unit_test(test_hop_by_hop),
	    cmocka_unit_test(test_wiped_values_stood_in_memory),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
