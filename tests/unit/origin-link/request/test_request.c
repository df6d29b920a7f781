/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request at a time against an origin that follows a script: framing, reuse, retry, early and
 * broken responses, time limits, back-pressure.
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

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct rig));
	rig_init(*state, 0);
	return 0;
}

static int teardown(void **state)
{
	rig_fini(*state);
	free(*state);
	return 0;
}

static struct scripted_origin *
start(struct rig *rig, void (*script)(struct scripted_origin *o, void *arg), const void *arg)
{
	struct scripted_origin *o = origin_start(script, (void *)arg);

	rig_add_server(rig, &o->addr);
	rig_open(rig);
	return o;
}

static void get(struct rig *rig, struct call *c)
{
	call_init(c, rig, "GET", "/x?y");
	call_run(c);
}

static void assert_hello(const struct call *c)
{
	assert_int_equal(c->reset, REASON_NONE);
	assert_int_equal(c->status, 200);
	assert_string_equal(c->body, "hello");
}

/* Reuse */

static void two_on_one_connection(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	for (int i = 0; i < 2; i++) {
		origin_read_until(o, "\r\n\r\n");
		origin_expect(o, "GET /x?y HTTP/1.1\r\nHost: www.example.com\r\n"
				 "X-Test: yes\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_expect_end(o);
}

static void test_keep_alive(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, two_on_one_connection, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/x?y");
	c.head.keep_alive = false; /* the client's wish, not ours */
	call_run(&c);
	assert_hello(&c);
	assert_false(c.facts.reused);
	assert_true(net_addr_equal(&c.facts.addr, &o->addr));
	assert_true(c.facts.first_byte.ns > 0);
	assert_int_equal(c.facts.bytes_received, strlen(OK_HELLO));
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 1);

	get(rig, &c);
	assert_hello(&c);
	assert_true(c.facts.reused);
	assert_int_equal(c.facts.connect.ns, 0);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_LEASES_FRESH), 1);
	assert_int_equal(rig_count(rig, OLINK_LEASES_REUSED), 1);
	assert_int_equal(rig_count(rig, OLINK_REQUESTS), 2);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);

	rig_close_idle(rig);
	assert_null(origin_finish(&o));
}

/* What makes a connection unfit for another request, though the response is good. */
static const char *const last_words[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 Smuggled\r\n",
};

static void answer_and_expect_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, arg);
	origin_expect_end(o);
}

static void test_not_reused(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(last_words); i++) {
		struct scripted_origin *o =
		    origin_start(answer_and_expect_end, (void *)last_words[i]);
		struct rig own;
		struct call c;

		rig_init(&own, 0);
		rig_add_server(&own, &o->addr);
		rig_open(&own);
		get(&own, &c);
		assert_hello(&c);
		assert_int_equal(rig_count(&own, OLINK_IDLE), 0);
		assert_null(origin_finish(&o));
		call_fini(&c);
		rig_fini(&own);
	}
	rig_open(rig);
}

/* The sink makes the head its own before the content has come: what it says about the client's
 * connection must not decide about the origin's. */
static void test_head_rewritten_for_the_client(void **state)
{
	static const struct {
		const char *answer;
		int kept;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 0},
	    {OK_HELLO, 1},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scripted_origin *o =
		    origin_start(answer_and_expect_end, (void *)cases[i].answer);
		struct rig own;
		struct call c;

		rig_init(&own, 0);
		rig_add_server(&own, &o->addr);
		rig_open(&own);
		call_init(&c, &own, "GET", "/");
		c.rewrites = true;
		call_run(&c);
		assert_hello(&c);
		assert_int_equal(rig_count(&own, OLINK_IDLE), cases[i].kept);
		call_fini(&c);
		rig_fini(&own);
		assert_null(origin_finish(&o));
	}
	rig_open(rig);
}

static void close_idle_then_serve(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_wait(o);
	origin_close(o);
	origin_tell(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
}

/* The origin closed it while it was idle: seen at once, no retry needed. */
static void test_dead_idle_connection_is_discarded(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, close_idle_then_serve, NULL);
	struct call c;

	get(rig, &c);
	call_fini(&c);
	origin_go(o);
	origin_await(o);
	while (rig_count(rig, OLINK_CLOSED_IDLE) == 0)
		event_base_loop(loop_base(rig->group->control), EVLOOP_ONCE);
	get(rig, &c);
	assert_hello(&c);
	assert_false(c.facts.reused);
	assert_false(c.facts.retried);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* Serves one request, drops the second on the same connection, and serves it on a new one when
 * `arg` says that it will come. */
static void drop_second(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_close(o);
	if (!arg)
		return;
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
}

static void test_retry_of_a_get(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, drop_second, "again");
	struct call c;

	get(rig, &c);
	call_fini(&c);
	get(rig, &c);
	assert_hello(&c);
	assert_true(c.facts.retried);
	assert_false(c.facts.reused);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_RETRIES), 1);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
	assert_null(origin_finish(&o));
}

static void test_no_retry_of_a_post(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, drop_second, NULL);
	struct call c;

	get(rig, &c);
	call_fini(&c);
	call_init(&c, rig, "POST", "/");
	call_set_body(&c, "x", 1);
	call_run(&c);
	assert_true(c.facts.reused);
	assert_false(c.facts.retried);
	/* Closing with our content unread may have sent a reset. */
	assert_true(c.reset == REASON_ORIGIN_CLOSED || c.reset == REASON_ORIGIN_RESET);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_RETRIES), 0);
	assert_null(origin_finish(&o));
}

/* Nor one without content: not idempotent is not idempotent. */
static void test_no_retry_of_an_empty_post(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, drop_second, NULL);
	struct call c;

	get(rig, &c);
	call_fini(&c);
	call_init(&c, rig, "POST", "/");
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_CLOSED);
	assert_false(c.facts.retried);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void drop_first(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_close(o);
}

static void test_no_retry_on_a_fresh_connection(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, drop_first, NULL);
	struct call c;

	get(rig, &c);
	assert_int_equal(c.reset, REASON_ORIGIN_CLOSED);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 1);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

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
		    origin_start(i % 2 ? give_answer_slowly : give_answer, (void *)a);
		struct call c;

		rig->origin.n_servers = 0;
		free((char *)rig->servers[0].host);
		rig_add_server(rig, &o->addr);
		rig_open(rig);
		call_init(&c, rig, a->method ? a->method : "GET", "/");
		call_run(&c);
		check_answer(a, &c);
		call_fini(&c);
		assert_null(origin_finish(&o));
		olink_origins_destroy(&rig->origins);
	}
	rig_open(rig);
}

static void reset_in_content(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
	origin_wait(o); /* a reset may overtake what was sent before */
	origin_reset(o);
}

/* Only a clean close ends content that has no length. */
static void test_reset_is_no_end(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, reset_in_content, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.go_at_head = o;
	call_run(&c);
	assert_int_equal(c.status, 200);
	assert_int_equal(c.reset, REASON_ORIGIN_RESET);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* Content of the request */

static void echo_chunked(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "POST /up HTTP/1.1\r\n");
	origin_expect(o, "\r\nTransfer-Encoding: chunked\r\n");
	origin_read_until(o, "0\r\n\r\n");
	origin_expect(o, "3\r\nabc\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "\r\nContent-Length: 9\r\n");
	origin_read_bytes(o, 9);
	origin_expect(o, "abcabcabc");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "3\r\nabc\r\n0\r\nDigest: abc\r\n\r\n");
	origin_send(o, OK_HELLO);
}

static void test_request_content(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, echo_chunked, NULL);
	struct call c;

	/* Fresh: the first piece comes before there is a connection. */
	call_init(&c, rig, "POST", "/up");
	call_set_body(&c, "abc", 3);
	call_run(&c);
	assert_hello(&c);
	assert_int_equal(c.n_resumes, 1);
	assert_int_equal(c.stopped, REASON_NONE);
	call_fini(&c);

	/* Reused: they go out as they come. */
	call_init(&c, rig, "PUT", "/up");
	c.head.framing = HTTP_FRAMING_LENGTH;
	c.head.content_length = 9;
	call_set_body(&c, "abc", 3);
	call_run(&c);
	assert_hello(&c);
	assert_true(c.facts.reused);
	assert_int_equal(c.n_resumes, 0);
	call_fini(&c);

	call_init(&c, rig, "POST", "/up");
	call_set_body(&c, "abc", 1);
	assert_true(http_fields_add(&c.trailers_out, &c.arena, SPAN("Digest"), SPAN("abc")));
	call_run(&c);
	assert_hello(&c);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_LEASES_FRESH), 1);
	assert_null(origin_finish(&o));
}

#define MIB (1024 * 1024)

static char *filled(size_t n)
{
	char *p = xmalloc(n + 1);

	memset(p, 'x', n);
	p[n] = '\0';
	return p;
}

static void take_8_mib(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	/* Not before the sender had to wait. */
	origin_wait(o);
	for (int i = 0; i < 16; i++)
		origin_read_bytes(o, MIB / 2);
	origin_send(o, OK_HELLO);
}

static void go_on_cb(evutil_socket_t fd, short what, void *arg)
{
	origin_go(arg);
}

static void test_request_back_pressure(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, take_8_mib, NULL);
	char *piece = filled(MIB / 16);
	struct event *go = evtimer_new(loop_base(rig->group->control), go_on_cb, o);
	struct timeval soon = {0, 20000};
	struct call c;

	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_LENGTH;
	c.head.content_length = 8 * MIB;
	call_set_body(&c, piece, 128);
	event_add(go, &soon);
	call_run(&c);
	assert_hello(&c);
	/* More often than for the piece that came before the connection. */
	assert_true(c.n_resumes > 1);
	/* Kept; the origin may have closed it since. */
	assert_int_equal(rig_count(rig, OLINK_IDLE) + rig_count(rig, OLINK_CLOSED_IDLE), 1);
	call_fini(&c);
	event_free(go);
	free(piece);
	assert_null(origin_finish(&o));
}

static void refuse_early(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	origin_expect_end(o);
}

/* The answer comes while the request is still being sent: it counts, the rest is not wanted, and
 * the connection is not used again. */
static void test_early_response(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, refuse_early, NULL);
	struct call c;

	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_CHUNKED; /* but its source has nothing yet */
	call_run(&c);
	assert_int_equal(c.status, 413);
	assert_string_equal(c.body, "no");
	assert_int_equal(c.stopped, REASON_DONE);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void refuse_and_reset(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	origin_close(o); /* with our content unread: a reset follows the answer */
	origin_tell(o);
}

static void test_early_response_and_reset(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, refuse_and_reset, NULL);
	char *piece = filled(MIB / 16);
	struct call c;

	call_init(&c, rig, "POST", "/");
	call_set_body(&c, piece, 1024);
	call_run(&c);
	/* TCP may lose the answer to the reset; it is never taken for something else. */
	if (c.status == 413) {
		assert_string_equal(c.body, "no");
		assert_int_equal(c.stopped, REASON_DONE);
	} else {
		assert_int_equal(c.reset, REASON_ORIGIN_RESET);
		assert_int_equal(c.stopped, REASON_ORIGIN_RESET);
	}
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	call_fini(&c);
	free(piece);
	assert_null(origin_finish(&o));
}

/* Back-pressure of the response */

static void send_4_mib(struct scripted_origin *o, void *arg)
{
	char *data = filled(4 * MIB);

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n");
	origin_send_bytes(o, data, 4 * MIB);
	origin_expect_end(o);
	free(data);
}

static void test_slow_sink(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, send_4_mib, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.slow = true;
	call_run(&c);
	assert_int_equal(c.n_body, 4 * MIB);
	assert_true(c.most_since_wait <= STREAM_READ_MAX);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 1);
	call_fini(&c);
	rig_close_idle(rig);
	assert_null(origin_finish(&o));
}

/* Leaving */

static void answer_head_then_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	origin_expect_end(o);
}

static void test_stopped_by_the_sink(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, answer_head_then_end, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.stop_at_head = true;
	call_run(&c);
	assert_int_equal(c.n_ends, 1);
	assert_int_equal(c.n_body, 0);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
	assert_null(origin_finish(&o));
}

static void test_finished_at_once(void **state)
{
	struct rig *rig = *state;
	struct call c;

	rig_open(rig);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	call_finish(&c);
	loop_stop_mt(rig->group->control);
	loop_run(rig->group->control);
	assert_int_equal(c.n_ends, 0);
	call_fini(&c);
}

static void read_head_then_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect_end(o);
}

static void reset_cb(evutil_socket_t fd, short what, void *arg)
{
	struct call *c = arg;
	struct http_sink *sink = olink_request_sink(c->request);

	sink->ops->reset(sink, REASON_CLIENT_RESET);
	loop_stop_mt(c->loop);
}

static void test_reset_by_the_source(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = start(rig, read_head_then_end, NULL);
	struct call c;
	struct event *reset = evtimer_new(loop_base(rig->group->control), reset_cb, &c);
	struct timeval soon = {0, 1000};

	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_CHUNKED;
	call_start(&c, rig->worker);
	while (rig_count(rig, OLINK_ACTIVE) == 0) {
		event_base_loop(loop_base(rig->group->control), EVLOOP_ONCE);
	}
	event_add(reset, &soon);
	loop_run(rig->group->control);
	assert_int_equal(c.n_ends, 0);
	assert_int_equal(c.stopped, REASON_NONE);
	call_finish(&c);
	call_fini(&c);
	event_free(reset);
	assert_null(origin_finish(&o));
}

/* Time limits */

static void test_response_timeout(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.response = DUR_MS(30);
	o = start(rig, read_head_then_end, NULL);
	get(rig, &c);
	assert_int_equal(c.reset, REASON_ORIGIN_HEAD_TIMEOUT);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void test_body_timeout(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.idle = DUR_MS(30);
	o = start(rig, answer_head_then_end, NULL);
	get(rig, &c);
	assert_int_equal(c.status, 200);
	assert_int_equal(c.reset, REASON_ORIGIN_BODY_TIMEOUT);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void read_nothing(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
	origin_expect_end(o);
}

static void test_write_timeout(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	char *piece = filled(MIB / 16);
	struct call c;

	rig->origin.timeout.idle = DUR_MS(30);
	o = start(rig, read_nothing, NULL);
	call_init(&c, rig, "POST", "/");
	call_set_body(&c, piece, 1024);
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_WRITE_TIMEOUT);
	assert_int_equal(c.stopped, REASON_ORIGIN_WRITE_TIMEOUT);
	call_fini(&c);
	free(piece);
	origin_go(o);
	assert_null(origin_finish(&o));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_keep_alive),
	    TEST(test_not_reused),
	    TEST(test_head_rewritten_for_the_client),
	    TEST(test_dead_idle_connection_is_discarded),
	    TEST(test_retry_of_a_get),
	    TEST(test_no_retry_of_a_post),
	    TEST(test_no_retry_of_an_empty_post),
	    TEST(test_no_retry_on_a_fresh_connection),
	    TEST(test_answers),
	    TEST(test_reset_is_no_end),
	    TEST(test_request_content),
	    TEST(test_request_back_pressure),
	    TEST(test_early_response),
	    TEST(test_early_response_and_reset),
	    TEST(test_slow_sink),
	    TEST(test_stopped_by_the_sink),
	    TEST(test_finished_at_once),
	    TEST(test_reset_by_the_source),
	    TEST(test_response_timeout),
	    TEST(test_body_timeout),
	    TEST(test_write_timeout),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
