/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which server a request goes to, and what is known of the servers: turns, health, failover, what
 * all-down means, changes of addresses, reloads, warm connections, status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/net/sock.h"
#include "origin-link/conns/dial.h"
#include "tests/unit/origin-link/name_server.h"
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

/* Nobody listens there: bound, so that nobody else can. */
static int refuse(struct net_addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr->in);

	assert_true(fd >= 0 && net_addr_parse("127.0.0.1:0", 0, addr));
	assert_int_equal(bind(fd, &addr->sa, len), 0);
	assert_int_equal(getsockname(fd, &addr->sa, &len), 0);
	return fd;
}

static void get(struct rig *rig, struct call *c)
{
	call_init(c, rig, "GET", "/");
	call_run(c);
}

static enum reason get_reason(struct rig *rig)
{
	struct call c;

	get(rig, &c);
	call_fini(&c);
	return c.reset;
}

static void serve_until_closed(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	for (unsigned n = (uintptr_t)arg; n > 0; n--) {
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_expect_end(o);
}

static void test_turns(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	unsigned n[2] = {0};

	for (int i = 0; i < 2; i++) {
		o[i] = origin_start(serve_until_closed, (void *)3);
		rig_add_server(rig, &o[i]->addr);
	}
	rig_open(rig);
	for (int i = 0; i < 6; i++) {
		struct call c;

		get(rig, &c);
		assert_int_equal(c.status, 200);
		n[net_addr_equal(&c.facts.addr, &o[1]->addr)]++;
		call_fini(&c);
	}
	assert_int_equal(n[0], 3);
	assert_int_equal(n[1], 3);
	assert_int_equal(rig_count(rig, OLINK_LEASES_FRESH), 2);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 2);
	olink_pool_drain(&rig->olink->pool, rig->group->control);
	for (int i = 0; i < 2; i++)
		assert_null(origin_finish(&o[i]));
}

/* Not checked, and one of the two refuses: every request is served all the same. */
static void test_next_address_when_refused(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(serve_until_closed, (void *)2);
	struct net_addr closed;
	int fd = refuse(&closed);

	rig_add_server(rig, &closed);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	for (int i = 0; i < 2; i++) {
		struct call c;

		get(rig, &c);
		assert_int_equal(c.status, 200);
		assert_true(net_addr_equal(&c.facts.addr, &o->addr));
		call_fini(&c);
	}
	assert_int_equal(rig_count(rig, OLINK_CONNECT_FAILURES), 1);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
	olink_pool_drain(&rig->olink->pool, rig->group->control);
	assert_null(origin_finish(&o));
	close(fd);
}

static void accept_probe_then_serve(struct scripted_origin *o, void *arg)
{
	origin_accept(o); /* the probe */
	serve_until_closed(o, arg);
}

/* Checked: the one that is down is left out. */
static void test_down_is_left_out(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(accept_probe_then_serve, (void *)4);
	struct net_addr closed;
	int fd = refuse(&closed);

	rig->origin.health.enabled = true;
	rig_add_server(rig, &closed);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	assert_false(olink_origins_settled(rig->origins));
	rig_settle(rig);
	for (int i = 0; i < 4; i++)
		assert_int_equal(get_reason(rig), REASON_NONE);
	assert_int_equal(rig_count(rig, OLINK_CONNECT_FAILURES), 0);
	assert_int_equal(rig_count(rig, OLINK_PROBES), 2);
	assert_int_equal(rig_count(rig, OLINK_PROBE_FAILURES), 1);
	olink_pool_drain(&rig->olink->pool, rig->group->control);
	assert_null(origin_finish(&o));
	close(fd);
}

static void test_all_down(void **state)
{
	struct rig *rig = *state;
	struct net_addr closed;
	int fd = refuse(&closed);

	rig->origin.health.enabled = true;
	rig_add_server(rig, &closed);
	rig_open(rig);
	/* Not known to be down yet: tried. */
	rig->origin.all_down = CFG_ALL_DOWN_REFUSE;
	assert_int_equal(get_reason(rig), REASON_ORIGIN_CONNECT_REFUSED);
	rig_settle(rig);
	assert_int_equal(get_reason(rig), REASON_ORIGIN_ALL_DOWN);
	rig->origin.all_down = CFG_ALL_DOWN_TRY;
	assert_int_equal(get_reason(rig), REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 3);
	close(fd);
}

static void test_not_resolved_yet(void **state)
{
	struct rig *rig = *state;
	struct call c;

	rig->servers[0] = (struct cfg_server){.host = xstrdup("origin.invalid"), .port = 80};
	rig->origin.n_servers = 1;
	rig_open(rig);
	get(rig, &c);
	assert_int_equal(c.reset, REASON_ORIGIN_RESOLVE_FAILED);
	assert_int_equal(c.facts.addr.sa.sa_family, AF_UNSPEC);
	call_fini(&c);
}

/* A queue that is full drops what comes: a connect to it hangs. */
static void test_connect_timeout(void **state)
{
	struct rig *rig = *state;
	struct net_addr full;
	int fill[8], fd = refuse(&full);

	assert_int_equal(listen(fd, 0), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		fill[i] = sock_connect_tcp(&full);
	rig->origin.timeout.connect = DUR_MS(30);
	rig_add_server(rig, &full);
	rig_open(rig);
	assert_int_equal(get_reason(rig), REASON_ORIGIN_CONNECT_TIMEOUT);
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		close(fill[i]);
	close(fd);
}

/* A reload that names the same server keeps its connections and what is known of it. */
static void test_reload(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(accept_probe_then_serve, (void *)2);
	struct cfg_fleet fleet = rig->fleet;
	struct olink_origins *old;

	rig->origin.health.enabled = true;
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	assert_int_equal(get_reason(rig), REASON_NONE);
	old = rig->origins;
	rig->origins = olink_origins_create(rig->olink, &fleet);
	assert_ptr_equal(rig->origins->servers[0][0], old->servers[0][0]);
	assert_true(olink_origins_settled(rig->origins));
	olink_origins_destroy(&old);
	assert_null(old);
	assert_int_equal(get_reason(rig), REASON_NONE);
	assert_int_equal(rig_count(rig, OLINK_LEASES_REUSED), 1);
	assert_int_equal(rig_count(rig, OLINK_PROBES), 1);

	/* Another check is another server. */
	struct cfg_origin origin = rig->origin;

	origin.health.check.rise = 7;
	fleet.origins = &origin;
	old = rig->origins;
	rig->origins = olink_origins_create(rig->olink, &fleet);
	assert_ptr_not_equal(rig->origins->servers[0][0], old->servers[0][0]);
	olink_origins_destroy(&old);
	olink_origins_destroy(&rig->origins);
	olink_pool_drain(&rig->olink->pool, rig->group->control);
	assert_null(origin_finish(&o));
}

/* Addresses by name, through a name server of the test's own */

static void note_change(struct server_table *table)
{
	loop_stop_mt(table->group->control);
}

static void test_change_of_addresses(void **state)
{
	struct rig *rig = *state;
	struct loop *loop = rig->group->control;
	struct scripted_origin *o = origin_start(serve_until_closed, (void *)0);
	struct name_server ns;
	char *error = NULL;
	struct cfg_check check = rig->origin.health.check;

	rig_open(rig);
	name_server_init(&ns, loop);
	struct server_table table = {
	    .group = rig->group,
	    .buffers = rig->buffers,
	    .metrics = rig->olink->metrics,
	    .resolver = resolver_create(loop, rig->olink->metrics, ns.text, &error),
	    .on_change = note_change,
	};

	assert_non_null(table.resolver);
	LIST_INIT(&table.servers);
	ns.a[0] = "127.0.0.1";
	ns.a[1] = "127.0.0.2";
	ns.ttl = 1;
	struct olink_server *s = server_take(&table, "o.test", net_addr_port(&o->addr), &check);

	assert_ptr_equal(server_take(&table, "o.test", net_addr_port(&o->addr), &check), s);
	assert_null(server_addresses(s));
	loop_run(loop);
	const struct olink_addresses *list = server_addresses(s);
	struct olink_address *first = list->v[0];

	assert_int_equal(list->n, 2);

	/* The second goes, another comes; the first stays what it was. */
	ns.a[1] = "127.0.0.3";
	loop_run(loop);
	list = server_addresses(s);
	assert_int_equal(list->n, 2);
	assert_ptr_equal(list->v[0], first);
	assert_int_equal(health_get(&first->health), HEALTH_UP);
	char text[NET_ADDR_TEXT];
	assert_string_equal(net_addr_format_ip(&list->v[1]->addr, text), "127.0.0.3");

	/* No answer changes nothing. */
	int64_t failures = rig_count(rig, OLINK_RESOLVE_FAILURES);

	ns.rcode = 2;
	while (rig_count(rig, OLINK_RESOLVE_FAILURES) == failures)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_ptr_equal(server_addresses(s), list);

	struct olink_server *again = s;

	server_give(&again);
	assert_false(LIST_EMPTY(&table.servers));
	server_give(&s);
	assert_true(LIST_EMPTY(&table.servers));
	resolver_destroy(&table.resolver);
	name_server_fini(&ns);
	assert_null(origin_finish(&o));
}

/* Warm */

static void serve_on_the_second(struct scripted_origin *o, void *arg)
{
	int first;

	origin_accept(o);
	first = origin_put_aside(o);
	origin_accept(o);
	origin_tell(o);
	/* The newest is taken first. */
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
	origin_take_up(o, first);
	origin_expect_end(o);
}

static void look_warm_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;

	if (rig_count(rig, OLINK_IDLE) == 2)
		loop_stop_mt(rig->group->control);
}

static void test_warm(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(serve_on_the_second, NULL);
	struct event *look;
	struct timeval often = {.tv_usec = 1000};
	struct call c;

	look = event_new(loop_base(rig->group->control), -1, EV_PERSIST, look_warm_cb, rig);
	rig->origin.pool.warm = 2;
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	event_add(look, &often);
	loop_run(rig->group->control);
	event_free(look);
	assert_int_equal(rig_count(rig, OLINK_WARM), 2);
	assert_int_equal(rig_count(rig, OLINK_CONNECTS), 0);
	origin_await(o);
	get(rig, &c);
	assert_int_equal(c.status, 200);
	assert_true(c.facts.reused);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_LEASES_FRESH), 0);
	rig->origin.pool.warm = 0;
	olink_pool_drain(&rig->olink->pool, rig->group->control);
	assert_null(origin_finish(&o));
}

static void close_the_first(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_close(o);
	origin_accept(o);
	origin_tell(o);
	origin_expect_end(o);
}

static void look_warm_again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;

	if (rig_count(rig, OLINK_WARM) == 2)
		loop_stop_mt(rig->group->control);
}

/* A connection that the origin had closed counted as ready until it expired. */
static void test_warm_connection_closed_by_the_origin_is_replaced(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(close_the_first, NULL);
	struct timeval often = {.tv_usec = 1000};
	struct event *look;

	look = event_new(loop_base(rig->group->control), -1, EV_PERSIST, look_warm_again_cb, rig);
	rig->origin.pool.warm = 1;
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	event_add(look, &often);
	loop_run(rig->group->control);
	event_free(look);
	origin_await(o);
	assert_int_equal(rig_count(rig, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 1);
	rig->origin.pool.warm = 0;
	olink_pool_drain(&rig->olink->pool, rig->group->control);
	assert_null(origin_finish(&o));
}

static void look_expired_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;

	if (rig_count(rig, OLINK_EXPIRED) == 1)
		loop_stop_mt(rig->group->control);
}

static void test_idle_expires(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(serve_until_closed, (void *)1);
	struct event *look;
	struct timeval often = {.tv_usec = 1000};

	look = event_new(loop_base(rig->group->control), -1, EV_PERSIST, look_expired_cb, rig);
	rig->origin.pool.idle_timeout = DUR_MS(1);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	assert_int_equal(get_reason(rig), REASON_NONE);
	event_add(look, &often);
	loop_run(rig->group->control);
	event_free(look);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	assert_null(origin_finish(&o)); /* saw the end */
}

static void test_pool_limit(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(serve_until_closed, (void *)1);

	rig->origin.pool.max_idle = 0;
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	assert_int_equal(get_reason(rig), REASON_NONE);
	assert_int_equal(rig_count(rig, OLINK_DISCARDED_FULL), 1);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	assert_null(origin_finish(&o));
}

static void test_status(void **state)
{
	struct rig *rig = *state;
	struct net_addr closed;
	int fd = refuse(&closed);
	json_t *status = json_pack("{s:{s:i}}", "counters", "edge_requests_total", 7);
	const char *host, *address, *health, *cause;
	char text[NET_ADDR_TEXT];
	int port, requests, ours, idle, resolved;
	double probe_ms;

	rig->origin.health.enabled = true;
	rig_add_server(rig, &closed);
	rig_open(rig);
	rig_settle(rig);
	olink_status(rig->olink, rig->origins, status);
	assert_int_equal(
	    json_unpack(
		status,
		"{s:{s:i, s:i}, s:{s:{s:[{s:s, s:i, s:b, s:[{s:s, s:s, s:s, s:f, s:i}]}]}}}",
		"counters", "edge_requests_total", &requests, "olink_probe_failures_total", &ours,
		"origins", "app", "servers", "host", &host, "port", &port, "resolved", &resolved,
		"addresses", "address", &address, "state", &health, "cause", &cause, "probe_ms",
		&probe_ms, "idle", &idle),
	    0);
	assert_int_equal(requests, 7);
	assert_int_equal(ours, 1);
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(port, net_addr_port(&closed));
	assert_true(resolved);
	assert_string_equal(address, net_addr_format(&closed, text));
	assert_string_equal(health, "down");
	assert_string_equal(cause, "refused");
	assert_true(probe_ms > 0);
	assert_int_equal(idle, 0);
	json_decref(status);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_turns),
	    TEST(test_next_address_when_refused),
	    TEST(test_down_is_left_out),
	    TEST(test_all_down),
	    TEST(test_not_resolved_yet),
	    TEST(test_connect_timeout),
	    TEST(test_reload),
	    TEST(test_change_of_addresses),
	    TEST(test_warm),
	    TEST(test_warm_connection_closed_by_the_origin_is_replaced),
	    TEST(test_idle_expires),
	    TEST(test_pool_limit),
	    TEST(test_status),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
