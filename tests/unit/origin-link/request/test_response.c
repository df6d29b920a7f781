/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses of every kind, good and broken, as they come in one segment or byte by byte; heads up
 * to their limits and beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/rig.h"

/* Responses, by table */

struct answer {
	const char *name;
	const char *method;
	const char *text;
	bool then_reset; /* else close */
	/* expected */
	int status;
	const char *body;
	enum reason reset;
	bool head_end;
	unsigned n_informational;
	const char *trailers;
};

static const struct answer answers[] = {
    {.name = "chunked",
     .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
     .status = 200,
     .body = "hello"},
    {.name = "chunked with trailers",
     .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "5\r\nhello\r\n0\r\nDigest: abc\r\n\r\n",
     .status = 200,
     .body = "hello",
     .trailers = "Digest: abc\n"},
    {.name = "to the close",
     .text = "HTTP/1.1 200 OK\r\n\r\nhello",
     .status = 200,
     .body = "hello"},
    {.name = "empty to the close", .text = "HTTP/1.1 200 OK\r\n\r\n", .status = 200, .body = ""},
    {.name = "length 0",
     .text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     .status = 200,
     .head_end = true},
    {.name = "204", .text = "HTTP/1.1 204 No Content\r\n\r\n", .status = 204, .head_end = true},
    {.name = "304 with a length",
     .text = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
     .status = 304,
     .head_end = true},
    {.name = "HEAD",
     .method = "HEAD",
     .text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     .status = 200,
     .head_end = true},
    {.name = "informational",
     .text =
	 "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" OK_HELLO,
     .status = 200,
     .body = "hello",
     .n_informational = 2},
    {.name = "switching protocols unasked",
     .text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
     .reset = REASON_ORIGIN_MALFORMED},
    {.name = "not HTTP", .text = "SSH-2.0\r\n", .reset = REASON_ORIGIN_MALFORMED},
    {.name = "two lengths",
     .text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     .reset = REASON_ORIGIN_MALFORMED},
    {.name = "bad chunk",
     .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nzz\r\n",
     .status = 200,
     .body = "hel",
     .reset = REASON_ORIGIN_MALFORMED},
    {.name = "cut in the content",
     .text = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
     .status = 200,
     .body = "hello",
     .reset = REASON_ORIGIN_TRUNCATED},
    {.name = "cut in a chunked content",
     .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
     .status = 200,
     .body = "hello",
     .reset = REASON_ORIGIN_TRUNCATED},
    {.name = "cut in the head", .text = "HTTP/1.1 200 O", .reset = REASON_ORIGIN_TRUNCATED},
    {.name = "nothing", .text = "", .reset = REASON_ORIGIN_CLOSED},
    {.name = "reset", .text = "", .then_reset = true, .reset = REASON_ORIGIN_RESET},
};

static void give_answer(struct scripted_origin *o, void *arg)
{
	const struct answer *a = arg;

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, a->text);
	if (a->then_reset)
		origin_reset(o);
	else
		origin_close(o);
}

/* The same byte by byte: every place where a read can end. */
static void give_answer_slowly(struct scripted_origin *o, void *arg)
{
	const struct answer *a = arg;

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	for (const char *p = a->text; *p; p++) {
		/* A bad answer may be refused before its last byte. */
		if (!origin_try_send(o, p, 1)) {
			CHECK(a->reset != REASON_NONE);
			break;
		}
	}
	if (a->then_reset)
		origin_reset(o);
	else
		origin_close(o);
}

static void check_answer(const struct answer *a, const struct call *c)
{
	if (c->status != a->status || c->reset != a->reset)
		fail_msg("%s: status %d and %s, not %d and %s", a->name, c->status,
			 reason_text(c->reset), a->status, reason_text(a->reset));
	if (strcmp(c->body ? c->body : "", a->body ? a->body : "") != 0)
		fail_msg("%s: content '%s'", a->name, c->body);
	if (c->head_end != a->head_end || c->n_informational != a->n_informational)
		fail_msg("%s: end in head %d, %u informational", a->name, c->head_end,
			 c->n_informational);
	assert_string_equal(c->trailers, a->trailers ? a->trailers : "");
}

static void test_answers(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(answers); i++) {
		const struct answer *a = &answers[i / 2];
		struct scripted_origin *o =
		    rig_start(rig, i % 2 ? give_answer_slowly : give_answer, a);
		struct call c;

		call_init(&c, rig, a->method ? a->method : "GET", "/");
		call_run(&c);
		check_answer(a, &c);
		call_fini(&c);
		assert_null(origin_finish(&o));
	}
}

static void reset_in_content(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
	origin_wait(o); /* a reset may overtake what was sent before */
	origin_reset(o);
}

static void go_on(struct call *c)
{
	origin_go(c->arg);
}

/* Only a clean close ends content that has no length. */
static void test_reset_is_no_end(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, reset_in_content, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.arg = o;
	c.at_head = go_on;
	call_run(&c);
	assert_int_equal(c.status, 200);
	assert_int_equal(c.reset, REASON_ORIGIN_RESET);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* TLS tells an end from a cut. */
static void cut_in_content(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\nhello");
	if (arg)
		origin_close(o);
	else
		origin_cut(o);
}

static void test_cut_is_no_end(void **state)
{
	static const struct {
		const char *closes;
		enum reason reset;
	} cases[] = {{"yes", REASON_NONE}, {NULL, REASON_ORIGIN_TRUNCATED}};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scripted_origin *o = rig_start(rig, cut_in_content, cases[i].closes);
		struct call c;

		call_get(&c, rig);
		assert_int_equal(c.status, 200);
		assert_string_equal(c.body, "hello");
		assert_int_equal(c.reset, cases[i].reset);
		call_fini(&c);
		rig_finish(rig, o);
	}
}

/* Heads */

/* A head of so many lines, each of so many bytes, and "hello". */
struct large {
	unsigned n_lines;
	size_t line;
	bool fits;
};

static void give_large_head(struct scripted_origin *o, void *arg)
{
	const struct large *large = arg;
	char *line = xmalloc(large->line + 1);

	memset(line, 'x', large->line);
	memcpy(line, "X: ", 3);
	memcpy(line + large->line - 2, "\r\n", 3);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n");
	for (unsigned i = 0; i < large->n_lines; i++) {
		if (!origin_try_send(o, line, large->line)) {
			CHECK(!large->fits);
			break;
		}
	}
	origin_try_send(o, "\r\nhello", 7);
	free(line);
	origin_expect_end(o);
}

static void test_large_heads(void **state)
{
	/* With 64 KiB and 200 fields. Lines of a little more than half a block of the arena waste
	 * most of it. */
	static const struct large cases[] = {
	    {.n_lines = 190, .line = 300, .fits = true},
	    {.n_lines = 30, .line = 2100, .fits = true},
	    {.n_lines = 1, .line = 65000, .fits = true},
	    {.n_lines = 199, .line = 8, .fits = true},
	    {.n_lines = 200, .line = 8, .fits = false},
	    {.n_lines = 190, .line = 350, .fits = false},
	    {.n_lines = 1, .line = 66000, .fits = false},
	    {.n_lines = 1, .line = 1000000, .fits = false},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scripted_origin *o = rig_start(rig, give_large_head, &cases[i]);
		struct call c;

		call_get(&c, rig);
		if (cases[i].fits)
			assert_hello(&c);
		else
			assert_int_equal(c.reset, REASON_ORIGIN_MALFORMED);
		assert_int_equal(c.status, cases[i].fits ? 200 : 0);
		call_fini(&c);
		rig_finish(rig, o);
	}
}

/* A limit above what can be read at once: it is refused, whatever the limit. */
static void test_line_larger_than_the_buffer(void **state)
{
	static const struct large line = {.n_lines = 1, .line = 1000000, .fits = false};
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.limit.head_bytes = 2 * 1024 * 1024;
	o = rig_start(rig, give_large_head, &line);
	call_get(&c, rig);
	assert_int_equal(c.reset, REASON_ORIGIN_MALFORMED);
	call_fini(&c);
	rig_finish(rig, o);
}

struct informational {
	unsigned n;
	size_t size;
	bool fits;
};

static void give_informational(struct scripted_origin *o, void *arg)
{
	const struct informational *in = arg;
	char *filler = xcalloc(1, in->size + 1);

	memset(filler, 'x', in->size);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	for (unsigned i = 0; i < in->n; i++) {
		char *head = xasprintf("HTTP/1.1 103 Early Hints\r\nLink: <%s>\r\n\r\n", filler);

		origin_try_send(o, head, strlen(head));
		free(head);
	}
	origin_try_send(o, OK_HELLO, strlen(OK_HELLO));
	free(filler);
	origin_expect_end(o);
}

static void test_informational(void **state)
{
	static const struct informational cases[] = {
	    {.n = 32, .size = 10, .fits = true},
	    {.n = 33, .size = 10, .fits = false},
	    {.n = 30, .size = 2000, .fits = true},
	    {.n = 30, .size = 3000, .fits = false},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scripted_origin *o = rig_start(rig, give_informational, &cases[i]);
		struct call c;

		call_get(&c, rig);
		if (cases[i].fits) {
			assert_hello(&c);
			assert_int_equal(c.n_informational, cases[i].n);
		} else {
			assert_int_equal(c.reset, REASON_ORIGIN_MALFORMED);
		}
		call_fini(&c);
		rig_finish(rig, o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST_TLS(test_cut_is_no_end),
	    RIG_TEST(test_answers),
	    RIG_TEST(test_reset_is_no_end),
	    RIG_TEST(test_large_heads),
	    RIG_TEST(test_line_larger_than_the_buffer),
	    RIG_TEST(test_informational),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
