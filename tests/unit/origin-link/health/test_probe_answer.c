/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What answers to probes are judged by, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/health/probe_answer.h"

static struct cfg_range ranges[] = {{200, 299}, {301, 301}};

static struct probe_question *question(const char *content, const char *regex)
{
	struct cfg_check check = {
	    .host = "",
	    .path = "/",
	    .service = "",
	    .statuses = {ranges, ARRAY_SIZE(ranges)},
	    .content = content,
	    .regex = regex,
	};

	return probe_question_create(&check, "www.example.com");
}

static const struct row {
	const char *name, *text, *regex;
	int status;
	const char *content;
	enum probe_cause cause;
} rows[] = {
    {"first of several ranges", NULL, NULL, 204, "", PROBE_OK},
    {"second of several ranges", NULL, NULL, 301, "", PROBE_OK},
    {"between ranges", NULL, NULL, 300, "", PROBE_WRONG_STATUS},
    {"text is there", "\"ready\"", NULL, 200, "{\"state\": \"ready\"}", PROBE_OK},
    {"text is not there", "\"ready\"", NULL, 200, "{\"state\": \"busy\"}", PROBE_WRONG_CONTENT},
    {"no content at all", "ready", NULL, 200, "", PROBE_WRONG_CONTENT},
    {"the status counts first", "ready", NULL, 503, "ready", PROBE_WRONG_STATUS},
    {"regex matches", NULL, "^lag: [0-9]$", 200, "lag: 7", PROBE_OK},
    {"regex does not", NULL, "^lag: [0-9]$", 200, "lag: 71", PROBE_WRONG_CONTENT},
    {"both are asked for", "lag", "^x", 200, "lag: 7", PROBE_WRONG_CONTENT},
    {"a regex that never ends", NULL, "^(a+)+$", 200, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
     PROBE_WRONG_CONTENT},
};

static void test_table(void **unused)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct probe_question *q = question(row->text, row->regex);
		struct probe_answer a;

		probe_answer_init(&a, q);
		/* Content is waited for only where it matters, and the status does not decide. */
		assert_int_equal(probe_answer_status(&a, row->status),
				 (!row->text && !row->regex) || row->cause == PROBE_WRONG_STATUS);
		assert_false(probe_answer_content(&a, span_of(row->content)));
		if (probe_answer_judge(&a) != row->cause)
			fail_msg("%s: %s", row->name, probe_cause_text(probe_answer_judge(&a)));
		probe_answer_fini(&a);
		probe_question_destroy(&q);
	}
}

/* What comes in pieces is one text, and no more is kept than is looked at. */
static void test_pieces_and_bound(void **unused)
{
	struct probe_question *q = question("here", NULL);
	static char much[PROBE_CONTENT_MAX];
	struct probe_answer a;

	memset(much, 'x', sizeof(much));
	probe_answer_init(&a, q);
	probe_answer_status(&a, 200);
	assert_false(probe_answer_content(&a, SPAN("he")));
	assert_int_equal(probe_answer_judge(&a), PROBE_WRONG_CONTENT);
	assert_false(probe_answer_content(&a, SPAN("re")));
	assert_int_equal(probe_answer_judge(&a), PROBE_OK);
	assert_true(probe_answer_content(&a, (struct span){much, sizeof(much)}));
	assert_int_equal(a.n, PROBE_CONTENT_MAX);
	assert_true(probe_answer_content(&a, SPAN("more")));
	assert_int_equal(a.n, PROBE_CONTENT_MAX);
	probe_answer_fini(&a);
	probe_question_destroy(&q);
}

static const struct grpc_row {
	const char *name;
	int status, grpc_status;
	const char *content;
	size_t n;
	enum probe_cause cause;
} grpc_rows[] = {
    {"serving", 200, 0, "\0\0\0\0\2\x08\1", 7, PROBE_OK},
    {"not serving", 200, 0, "\0\0\0\0\2\x08\2", 7, PROBE_NOT_SERVING},
    {"unknown is the default", 200, 0, "\0\0\0\0\0", 5, PROBE_NOT_SERVING},
    {"a message that is longer than it says", 200, 0,
     "\0\0\0\0\x0b\x12\2hi\x18\5\x25\1\2\3\4\x08\1", 18, PROBE_BAD_RESPONSE},
    {"fields of later versions, all of them", 200, 0,
     "\0\0\0\0\x0d\x12\2hi\x18\5\x25\1\2\3\4\x08\1", 18, PROBE_OK},
    {"service not known", 200, 5, "", 0, PROBE_WRONG_STATUS},
    {"no grpc-status", 200, -1, "\0\0\0\0\2\x08\1", 7, PROBE_BAD_RESPONSE},
    {"another HTTP status", 404, 0, "\0\0\0\0\2\x08\1", 7, PROBE_WRONG_STATUS},
    {"compressed", 200, 0, "\1\0\0\0\2\x08\1", 7, PROBE_BAD_RESPONSE},
    {"cut off", 200, 0, "\0\0\0\0\2\x08", 6, PROBE_BAD_RESPONSE},
    {"no message", 200, 0, "", 0, PROBE_BAD_RESPONSE},
    {"a length beyond its end", 200, 0, "\0\0\0\0\3\x12\x7f\1", 8, PROBE_BAD_RESPONSE},
    {"a length without an end", 200, 0, "\0\0\0\0\2\x12\xff", 7, PROBE_BAD_RESPONSE},
    {"a group, which nobody uses", 200, 0, "\0\0\0\0\1\x13", 6, PROBE_BAD_RESPONSE},
};

static void test_grpc_table(void **unused)
{
	struct cfg_check check = {.kind = CFG_CHECK_GRPC, .host = "", .path = "/", .service = "x"};
	struct probe_question *q = probe_question_create(&check, "a.test");

	assert_string_equal(probe_question_method(q), "POST");
	for (unsigned i = 0; i < ARRAY_SIZE(grpc_rows); i++) {
		const struct grpc_row *row = &grpc_rows[i];
		struct probe_answer a;
		enum probe_cause cause;

		probe_answer_init(&a, q);
		probe_answer_status(&a, row->status);
		probe_answer_content(&a, (struct span){row->content, row->n});
		cause = probe_grpc_judge(&a, row->grpc_status);
		if (cause != row->cause)
			fail_msg("%s: %s", row->name, probe_cause_text(cause));
		probe_answer_fini(&a);
	}
	probe_question_destroy(&q);
}

static void test_grpc_request(void **unused)
{
	char *text, name[201] = "";
	size_t n;

	text = probe_grpc_request("", &n);
	assert_int_equal(n, 5);
	assert_memory_equal(text, "\0\0\0\0\0", 5);
	free(text);
	text = probe_grpc_request("db", &n);
	assert_int_equal(n, 9);
	assert_memory_equal(text, "\0\0\0\0\4\x0a\2db", 9);
	free(text);
	memset(name, 'n', 200);
	text = probe_grpc_request(name, &n);
	assert_int_equal(n, 5 + 3 + 200);
	assert_memory_equal(text, "\0\0\0\0\xcb\x0a\xc8\1nnn", 11);
	free(text);
}

/* HEAD has no content. */
static void test_content_is_asked_for_by_get(void **unused)
{
	struct probe_question *q = question("ok", NULL), *plain = question(NULL, NULL);

	assert_string_equal(probe_question_method(q), "GET");
	assert_string_equal(probe_question_method(plain), "HEAD");
	probe_question_destroy(&plain);
	probe_question_destroy(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_pieces_and_bound),
	    cmocka_unit_test(test_grpc_table),
	    cmocka_unit_test(test_grpc_request),
	    cmocka_unit_test(test_content_is_asked_for_by_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
