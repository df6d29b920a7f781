/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests while memory is short: each allocation of a request in turn fails, or all from it on.
 * The request must still end, with the response or a reason, and leave nothing behind.
 *
 * Linked with --wrap for malloc, calloc and realloc; what may abort by design (x*alloc) is spared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/polled_origin.h"
#include "tests/unit/origin-link/rig.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_xmalloc(size_t size);
void *__real_xcalloc(size_t count, size_t size);
void *__real_xreallocarray(void *ptr, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_xmalloc(size_t size);
void *__wrap_xcalloc(size_t count, size_t size);
void *__wrap_xreallocarray(void *ptr, size_t count, size_t size);

static struct {
	bool armed, for_good;
	unsigned spared; /* depth in x*alloc */
	unsigned left;   /* allocations before the one that fails */
	unsigned failed;
} shortage;

static bool fails(void)
{
	if (!shortage.armed || shortage.spared > 0)
		return false;
	if (shortage.left > 0) {
		shortage.left--;
		return false;
	}
	shortage.armed = shortage.for_good;
	shortage.failed++;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return fails() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_xmalloc(size_t size)
{
	void *p;

	shortage.spared++;
	p = __real_xmalloc(size);
	shortage.spared--;
	return p;
}

void *__wrap_xcalloc(size_t count, size_t size)
{
	void *p;

	shortage.spared++;
	p = __real_xcalloc(count, size);
	shortage.spared--;
	return p;
}

void *__wrap_xreallocarray(void *ptr, size_t count, size_t size)
{
	void *p;

	shortage.spared++;
	p = __real_xreallocarray(ptr, count, size);
	shortage.spared--;
	return p;
}

/* What goes over the wire: everything that is held somewhere at some time. */
static const char answer[] = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "5\r\nhello\r\n5\r\nhello\r\n0\r\nDigest: x\r\n\r\n";

struct play {
	struct rig *rig;
	struct polled_origin origin;
	struct call c;
	size_t answered;
	size_t got;
};

static void serve(struct play *play)
{
	char buf[4096];
	ssize_t n;

	if (polled_origin_accept(&play->origin))
		play->answered = play->got = 0;
	n = polled_origin_read(&play->origin, buf, sizeof(buf));
	play->got += MAX(n, 0);
	if (n == 0)
		polled_origin_drop(&play->origin, false);
	/* In small segments, so that lines are cut. */
	if (play->got > 0 && play->answered < sizeof(answer) - 1)
		play->answered += polled_origin_send(&play->origin, answer + play->answered,
						     MIN(7, sizeof(answer) - 1 - play->answered));
}

static void go_on(struct play *play)
{
	struct call *c = &play->c;

	while (c->n_ends == 0) {
		rig_turn(play->rig);
		serve(play);
		/* In little pieces, and late: content is held back. */
		if (c->status != 0 && c->seam.response.state == SEAM_CONTENT &&
		    c->seam.response.granted == c->seam.response.passed)
			call_grant(c, 3);
	}
}

/* One request with that allocation failing. False when there was no such allocation. */
static bool run_once(struct play *play, unsigned index, bool for_good)
{
	struct call *c = &play->c;

	play->answered = play->got = 0;
	call_init(c, play->rig, "POST", "/");
	c->window = 0;
	call_set_body(c, "some content", 3);
	shortage.for_good = for_good;
	shortage.left = index;
	shortage.failed = 0;
	shortage.armed = true;
	if (call_try_start(c, play->rig->worker)) {
		go_on(play);
		assert_true(c->status == 200 || c->reset != REASON_NONE);
		if (c->reset == REASON_NONE)
			assert_string_equal(c->body, "hellohello");
		call_close(c);
	}
	shortage.armed = false;
	call_fini(c);
	rig_turn(play->rig);
	assert_int_equal(rig_count(play->rig, OLINK_ACTIVE), 0);
	return shortage.failed > 0;
}

static void test_shortage(void **state)
{
	struct play play = {.rig = *state};
	unsigned n = 0;

	polled_origin_open(&play.origin);
	rig_add_server(play.rig, &play.origin.addr);
	rig_open(play.rig);
	rig_settle(play.rig);
	for (int for_good = 0; for_good < 2; for_good++) {
		/* First all that is kept for later is made anew, then it is there. */
		for (unsigned i = 0; run_once(&play, i, for_good); i++)
			n++;
	}
	/* The object, a connection, heads, their fields, what is held. */
	assert_true(n > 10);
	polled_origin_close(&play.origin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_shortage),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
