/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What becomes of the connection of a probe that has its answer, and by which method it was asked.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/conns/transport.h"
#include "tests/support/scripted_origin.h"
#include "tests/support/test_cert.h"
#include "tests/unit/origin-link/probe_rig.h"

struct look {
	struct probe_rig *t;
	struct scripted_origin *o;
};

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct look *look = arg;

	if (sem_trywait(&look->o->told) == 0)
		loop_stop_mt(look->t->group->control);
}

/* Runs the loop until the origin's script tells. */
static void run_until_told(struct probe_rig *t, struct scripted_origin *o)
{
	struct look look = {t, o};
	struct timeval often = {.tv_usec = 1000};
	struct event *ev = event_new(loop_base(t->group->control), -1, EV_PERSIST, look_cb, &look);

	assert_int_equal(event_add(ev, &often), 0);
	loop_run(t->group->control);
	event_free(ev);
}

/* By a probe that goes on, or was `abandoned` when it had its result. */
static void probe_to_the_end(struct probe_rig *t, struct scripted_origin *o, bool abandoned)
{
	struct probe *p = probe_rig_start(t, &o->addr);

	loop_run(t->group->control);
	if (abandoned)
		probe_destroy(&p);
	origin_go(o);
	run_until_told(t, o);
	probe_destroy(&p);
	assert_null(origin_finish(&o));
}

static char page[256 * 1024];

static void send_a_page(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
	origin_wait(o);
	origin_send_bytes(o, page, sizeof(page));
	origin_end_writing(o);
	origin_expect_orderly_end(o);
	origin_tell(o);
}

/* Each check of a page that did not come with its head was a reset to the origin. */
static void test_page_was_answered_by_a_reset(void **state)
{
	struct probe_rig *t = *state;

	t->check.kind = CFG_CHECK_HTTP;
	for (int abandoned = 0; abandoned < 2; abandoned++) {
		probe_to_the_end(t, origin_start(send_a_page, NULL), abandoned);
		assert_int_equal(t->cause, PROBE_OK);
	}
}

static void send_without_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
	origin_wait(o);
	while (origin_try_send(o, page, sizeof(page)))
		;
	origin_tell(o);
}

static void test_content_without_end_is_cut_off(void **state)
{
	struct probe_rig *t = *state;

	t->check.kind = CFG_CHECK_HTTP;
	probe_to_the_end(t, origin_start(send_without_end, NULL), false);
	assert_int_equal(t->cause, PROBE_OK);
}

static void keep_it_open(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	origin_wait(o);
	origin_expect_orderly_end(o);
	origin_tell(o);
}

/* It does not close, as it was asked to: then we do, when the time of the check is over. */
static void test_origin_that_keeps_the_connection(void **state)
{
	struct probe_rig *t = *state;

	t->check.kind = CFG_CHECK_HTTP;
	t->check.timeout = DUR_MS(100);
	probe_to_the_end(t, origin_start(keep_it_open, NULL), false);
	assert_int_equal(t->cause, PROBE_OK);
}

static void be_shaken_hands_with(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
	origin_expect_orderly_end(o);
	origin_tell(o);
}

static void answer_head(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "HEAD /health HTTP/1.1\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	origin_wait(o);
	origin_expect_orderly_end(o);
	origin_tell(o);
}

/* With close_notify, and with the tickets of the server read, which a reset was the answer to. */
static void test_ends_over_tls(void **state)
{
	struct probe_rig *t = *state;
	struct test_cert cert;
	gnutls_certificate_credentials_t credentials;

	test_cert_init(&cert, "www.example.com");
	credentials = test_cert_server(&cert);
	t->transport = transport_unverified("www.example.com", CFG_PROXY_PROTOCOL_NONE);
	for (int abandoned = 0; abandoned < 2; abandoned++) {
		t->check.kind = CFG_CHECK_TCP;
		probe_to_the_end(t, origin_start_tls(be_shaken_hands_with, NULL, credentials),
				 abandoned);
		assert_int_equal(t->cause, PROBE_OK);
		t->check.kind = CFG_CHECK_HTTP;
		t->check.method = CFG_CHECK_HEAD;
		probe_to_the_end(t, origin_start_tls(answer_head, NULL, credentials), abandoned);
		assert_int_equal(t->cause, PROBE_OK);
		t->check.method = CFG_CHECK_GET;
		probe_to_the_end(t, origin_start_tls(send_a_page, NULL, credentials), abandoned);
		assert_int_equal(t->cause, PROBE_OK);
	}
	gnutls_certificate_free_credentials(credentials);
	test_cert_fini(&cert);
}

/* HEAD */

static void test_by_head(void **state)
{
	struct probe_rig *t = *state;

	t->check.kind = CFG_CHECK_HTTP;
	t->check.method = CFG_CHECK_HEAD;
	probe_to_the_end(t, origin_start(answer_head, NULL), false);
	assert_int_equal(t->cause, PROBE_OK);
}

/* What is asked in this order, and the answers; NULL: the end. */
struct dialogue {
	struct turn {
		const char *asked, *answer;
	} turns[5];
	enum probe_cause cause; /* of both probes */
};

static const struct dialogue dialogues[] = {
    {{{"HEAD", "405 No"}, {"GET", "200 OK"}, {"GET", "204 OK"}}, PROBE_OK},
    {{{"HEAD", "404 No"}, {"GET", "200 OK"}, {"GET", "200 OK"}}, PROBE_OK},
    /* It is not the method: the cheap one is tried again. */
    {{{"HEAD", "503 No"}, {"GET", "503 No"}, {"HEAD", "501 No"}, {"GET", "500 No"}},
     PROBE_WRONG_STATUS},
};

static void talk(struct scripted_origin *o, void *arg)
{
	const struct dialogue *dialogue = arg;

	for (const struct turn *turn = dialogue->turns; turn->asked; turn++) {
		char line[64];

		origin_accept(o);
		origin_read_until(o, "\r\n\r\n");
		snprintf(line, sizeof(line), "%s /health HTTP/1.1\r\n", turn->asked);
		origin_expect(o, line);
		snprintf(line, sizeof(line), "HTTP/1.1 %s\r\n\r\n", turn->answer);
		origin_send(o, line);
		origin_end_writing(o);
		origin_expect_orderly_end(o);
	}
	origin_tell(o);
}

/* An application that knows GET only is not down. */
static void test_head_is_not_understood(void **state)
{
	struct probe_rig *t = *state;

	t->check.kind = CFG_CHECK_HTTP;
	t->check.method = CFG_CHECK_HEAD;
	t->check.interval = DUR_MS(20);
	t->n_wanted = 2;
	for (unsigned i = 0; i < ARRAY_SIZE(dialogues); i++) {
		struct scripted_origin *o = origin_start(talk, (void *)&dialogues[i]);

		probe_to_the_end(t, o, false);
		assert_int_equal(t->cause, dialogues[i].cause);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, probe_rig_setup, probe_rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_page_was_answered_by_a_reset),
	    TEST(test_content_without_end_is_cut_off),
	    TEST(test_origin_that_keeps_the_connection),
	    TEST(test_ends_over_tls),
	    TEST(test_by_head),
	    TEST(test_head_is_not_understood),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
