/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Servers, or connections to them, that are gone without a word: nothing that is sent is
 * acknowledged.
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

static void vanish_after_one(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_vanish(o);
	origin_tell(o);
	if (!arg) {
		origin_wait(o);
		return;
	}
	/* It was only that connection. */
	origin_put_aside(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void first_then_vanished(struct rig *rig, struct scripted_origin *o, struct call *c,
				const char *method)
{
	call_get(c, rig);
	assert_hello(c);
	call_fini(c);
	origin_await(o);
	call_init(c, rig, method, "/");
	call_run(c);
}

static void test_vanished_connection(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.connect = DUR_MS(250);
	o = rig_start(rig, vanish_after_one, "again");
	first_then_vanished(rig, o, &c, "GET");
	assert_hello(&c);
	assert_true(c.facts.retries > 0);
	assert_int_equal(rig_count(rig, OLINK_RETRIES), 1);
	call_fini(&c);
	rig_finish(rig, o);
}

static void test_vanished_and_not_repeatable(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.connect = DUR_MS(250);
	o = rig_start(rig, vanish_after_one, NULL);
	first_then_vanished(rig, o, &c, "POST");
	assert_int_equal(c.reset, REASON_ORIGIN_CONNECT_TIMEOUT);
	assert_int_equal(c.facts.retries, 0);
	call_fini(&c);
	origin_go(o);
	rig_finish(rig, o);
}

static void serve_one(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void accept_only(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
}

/* One that still takes connections: another one is asked. The balancer begins with the first. */
static void test_vanished_server(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *gone = origin_start(accept_only, NULL);
	struct scripted_origin *o = origin_start(serve_one, NULL);
	struct call c;

	origin_take_no_data(gone);
	rig->origin.timeout.connect = DUR_MS(250);
	rig_add_server(rig, &gone->addr);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	call_get(&c, rig);
	assert_hello(&c);
	assert_true(c.facts.retries > 0);
	assert_true(net_addr_equal(&c.facts.addr, &o->addr));
	call_fini(&c);
	origin_go(gone);
	rig_finish(rig, gone);
	assert_null(origin_finish(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_vanished_connection),
	    RIG_TEST(test_vanished_and_not_repeatable),
	    RIG_TEST(test_vanished_server),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
