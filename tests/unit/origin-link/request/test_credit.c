/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pace of responses: never more is pushed than was granted, whatever way it is granted and the
 * response is framed, and what needs no credit comes without. The seam of each call CHECKs the
 * former.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/rig.h"

#define KIB 1024
#define MIB (1024 * 1024)

/* So many bytes, in chunks of so many, or with a length, or to the close. */
struct response {
	const char *head;
	size_t size, chunk; /* chunk 0: not chunked */
	const char *end;
	bool slow; /* cut into small segments */
};

static char byte_at(size_t at)
{
	return 'a' + at * 7 % 26;
}

/* The whole of it as it goes over the wire. */
static char *compose(const struct response *r, size_t *len)
{
	char *text = xmalloc(r->size * 8 + 1024);
	size_t n = sprintf(text, "%s", r->head);

	for (size_t at = 0; at < r->size;) {
		size_t piece = MIN(r->chunk ? r->chunk : r->size, r->size - at);

		if (r->chunk)
			n += sprintf(text + n, "%zx\r\n", piece);
		for (size_t i = 0; i < piece; i++)
			text[n++] = byte_at(at + i);
		if (r->chunk)
			n += sprintf(text + n, "\r\n");
		at += piece;
	}
	*len = n + sprintf(text + n, "%s", r->end);
	return text;
}

static void respond(struct scripted_origin *o, void *arg)
{
	const struct response *r = arg;
	size_t len;
	char *text = compose(r, &len);
	size_t step = r->slow ? 97 : len;

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	for (size_t at = 0; at < len; at += step)
		origin_send_bytes(o, text + at, MIN(step, len - at));
	free(text);
	origin_end_writing(o);
	origin_expect_end(o);
}

static void check_body(const struct call *c, const struct response *r)
{
	assert_int_equal(c->reset, REASON_NONE);
	assert_int_equal(c->n_body, r->size);
	for (size_t i = 0; i < r->size; i++)
		CHECK(c->body[i] == byte_at(i));
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LENGTH(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"
#define CLOSE "HTTP/1.1 200 OK\r\n\r\n"

static const struct response responses[] = {
    {.head = LENGTH(300000), .size = 300000, .end = ""},
    {.head = CHUNKED, .size = 300000, .chunk = 1000, .end = "0\r\n\r\n"},
    {.head = CHUNKED, .size = 300000, .chunk = 100000, .end = "0\r\n\r\n"},
    {.head = CHUNKED, .size = 5000, .chunk = 1, .end = "0\r\nDigest: x\r\n\r\n"},
    {.head = CHUNKED, .size = 5000, .chunk = 17, .end = "0\r\nDigest: x\r\n\r\n", .slow = true},
    {.head = CLOSE, .size = 300000, .end = ""},
    {.head = CLOSE, .size = 5000, .end = "", .slow = true},
    {.head = LENGTH(5000), .size = 5000, .end = "", .slow = true},
};

/* Granting at random: inside a push, or later; bytes, or much. */
struct granter {
	struct call c;
	struct event *later;
	unsigned seed;
};

static size_t random_size(struct granter *g)
{
	static const size_t most[] = {1, 10, 100, 5000, 70000};

	return 1 + rand_r(&g->seed) % most[rand_r(&g->seed) % ARRAY_SIZE(most)];
}

static void grant_later(evutil_socket_t fd, short what, void *arg)
{
	struct granter *g = arg;

	if (g->c.n_ends == 0)
		call_grant(&g->c, random_size(g));
}

static void grant_now_or_later(struct call *c)
{
	struct granter *g = CONTAINER_OF(c, struct granter, c);
	struct timeval soon = {.tv_usec = rand_r(&g->seed) % 100};
	struct seam_way *way = &c->seam.response;

	if (way->state != SEAM_CONTENT)
		return;
	if (rand_r(&g->seed) % 4 == 0)
		call_grant(c, random_size(g));
	/* Always when there is no more, so that it goes on. */
	if (way->granted == way->passed || rand_r(&g->seed) % 4 == 0)
		event_add(g->later, &soon);
}

static void test_random_grants(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 3 * ARRAY_SIZE(responses); i++) {
		const struct response *r = &responses[i / 3];
		struct scripted_origin *o = rig_start(rig, respond, r);
		struct granter g = {.seed = i + 1};

		call_init(&g.c, rig, "GET", "/");
		g.later = evtimer_new(loop_base(rig->group->control), grant_later, &g);
		g.c.window = 0;
		g.c.at_head = g.c.at_body = grant_now_or_later;
		call_run(&g.c);
		check_body(&g.c, r);
		event_free(g.later);
		call_fini(&g.c);
		rig_finish(rig, o);
	}
}

/* Exactly what the content needs, once: its end comes without more. */
static void grant_size(struct call *c)
{
	const struct response *r = c->arg;

	call_grant(c, r->size);
}

static void test_end_needs_no_credit(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(responses); i++) {
		struct scripted_origin *o = rig_start(rig, respond, &responses[i]);
		struct call c;

		call_init(&c, rig, "GET", "/");
		c.window = 0;
		c.arg = (void *)&responses[i];
		c.at_head = grant_size;
		call_run(&c);
		check_body(&c, &responses[i]);
		call_fini(&c);
		rig_finish(rig, o);
	}
}

/* Nothing but heads and ends, without any credit. */
static void test_no_credit_at_all(void **state)
{
	static const struct response empty[] = {
	    {.head = CHUNKED, .end = "0\r\n\r\n"},
	    {.head = CHUNKED, .end = "0\r\nDigest: x\r\n\r\n", .slow = true},
	    {.head = CLOSE, .end = ""},
	    {.head = LENGTH(0), .end = ""},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(empty); i++) {
		struct scripted_origin *o = rig_start(rig, respond, &empty[i]);
		struct call c;

		call_init(&c, rig, "GET", "/");
		c.window = 0;
		call_run(&c);
		check_body(&c, &empty[i]);
		call_fini(&c);
		rig_finish(rig, o);
	}
}

/* Without credit the connection is not read: what is held here is less than one read. */
static void stop_loop(struct call *c)
{
	loop_stop_mt(c->loop);
}

static void send_for_ever(struct scripted_origin *o, void *arg)
{
	static char data[64 * KIB];

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, CLOSE);
	while (origin_try_send(o, data, sizeof(data)))
		;
}

static void test_not_read_without_credit(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, send_for_ever, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.window = 0;
	c.at_head = stop_loop;
	call_start(&c, rig->worker);
	call_wait(&c);
	/* The first content may come long after the head. */
	while (!c.request->attempt.paused)
		rig_turn(rig);
	for (int i = 0; i < 100; i++)
		rig_turn(rig);
	assert_true(c.request->attempt.paused);
	assert_true(c.request->attempt.received <= 64 * KIB);
	assert_int_equal(c.n_body, 0);
	/* Some of it is wanted: that much comes. */
	c.at_body = stop_loop;
	call_grant(&c, 1000);
	call_wait(&c);
	assert_int_equal(c.n_body, 1000);
	call_close(&c);
	call_fini(&c);
	rig_turn(rig);
	assert_null(origin_finish(&o));
}

/* Chunks of a byte each arrive as one slice a read. */
static void test_chunk_storm(void **state)
{
	static const struct response storm = {
	    .head = CHUNKED, .size = 20000, .chunk = 1, .end = "0\r\n\r\n"};
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, respond, &storm);
	struct call c;

	call_init(&c, rig, "GET", "/");
	call_run(&c);
	check_body(&c, &storm);
	/* Six bytes each on the wire, and a read takes 16 KiB of them at the very least. */
	assert_true(c.n_slices <= 6 * 20000 / (16 * KIB) + 2);
	call_fini(&c);
	rig_finish(rig, o);
}

/* What is kept of a slice stays what it was. */
struct keeper {
	struct call c;
	struct flow_sink_ops ops;
	const struct flow_sink_ops *plain;
	struct slice kept[1000];
	unsigned n;
};

static void keep_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct keeper *k = CONTAINER_OF(sink, struct keeper, c.sink);
	struct slice copy = slice;

	if (slice.n > 0 && k->n < ARRAY_SIZE(k->kept)) {
		assert_true(slice_keep(&copy));
		k->kept[k->n++] = copy;
	}
	k->plain->body(sink, slice, end);
}

static void test_slices_are_kept(void **state)
{
	struct rig *rig = *state;
	const struct response *r = &responses[1];
	struct scripted_origin *o = rig_start(rig, respond, r);
	struct keeper *k = xcalloc(1, sizeof(*k));
	size_t at = 0;

	call_init(&k->c, rig, "GET", "/");
	k->plain = k->c.sink.ops;
	k->ops = *k->plain;
	k->ops.body = keep_body;
	k->c.sink.ops = &k->ops;
	k->c.window = 1000; /* so that most is held back at first */
	call_run(&k->c);
	check_body(&k->c, r);
	for (unsigned i = 0; i < k->n; i++) {
		assert_memory_equal(k->kept[i].p, k->c.body + at, k->kept[i].n);
		at += k->kept[i].n;
		slice_drop(&k->kept[i]);
	}
	call_fini(&k->c);
	free(k);
	rig_finish(rig, o);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_random_grants),    TEST(test_end_needs_no_credit),
	    TEST(test_no_credit_at_all), TEST(test_not_read_without_credit),
	    TEST(test_chunk_storm),      TEST(test_slices_are_kept),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
