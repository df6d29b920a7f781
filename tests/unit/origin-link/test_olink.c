/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The link of a program as a whole: connections that are kept warm, and the status.
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

#include "tests/support/test_cert.h"
#include "tests/unit/origin-link/echo_origin.h"
#include "tests/unit/origin-link/origins_rig.h"

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct origins_rig));
	origins_rig_init(*state);
	return 0;
}

static int teardown(void **state)
{
	origins_rig_fini(*state);
	free(*state);
	return 0;
}

/* Warm */

static bool one_warm(struct origins_rig *t)
{
	return origins_rig_count(t, OLINK_WARM) == 1;
}

static bool two_warm(struct origins_rig *t)
{
	return origins_rig_count(t, OLINK_WARM) == 2;
}

static bool two_idle(struct origins_rig *t)
{
	return origins_rig_count(t, OLINK_IDLE) == 2;
}

static void test_warm(void **state)
{
	struct origins_rig *t = *state;
	struct echo_origin o = {0};

	echo_origin_start(&o);
	t->origin.pool.warm = 2;
	origins_rig_add_server(t, "127.0.0.1", net_addr_port(&o.addr));
	origins_rig_open(t);
	origins_rig_run_until(t, two_idle);
	assert_int_equal(origins_rig_count(t, OLINK_WARM), 2);
	assert_int_equal(origins_rig_count(t, OLINK_CONNECTS), 0);
	assert_int_equal(endpoint_facts(origins_rig_address(t, 0)->endpoint).open, 2);
	t->origin.pool.warm = 0;
	olink_origins_destroy(&t->origins);
	origins_rig_run_until(t, origins_rig_is_swept);
	echo_origin_stop(&o);
}

/* A connection that the origin had closed counted as ready until it expired. */
static void test_warm_connection_closed_by_the_origin_is_replaced(void **state)
{
	struct origins_rig *t = *state;
	struct echo_origin o = {0};

	echo_origin_start(&o);
	t->origin.pool.warm = 1;
	origins_rig_add_server(t, "127.0.0.1", net_addr_port(&o.addr));
	origins_rig_open(t);
	origins_rig_run_until(t, one_warm);
	echo_origin_await(&o, &o.n_accepted, 1);
	echo_origin_close_all(&o);
	origins_rig_run_until(t, two_warm);
	assert_int_equal(origins_rig_count(t, OLINK_CLOSED_IDLE), 1);
	assert_int_equal(origins_rig_count(t, OLINK_IDLE), 1);
	t->origin.pool.warm = 0;
	olink_origins_destroy(&t->origins);
	origins_rig_run_until(t, origins_rig_is_swept);
	echo_origin_stop(&o);
}

/* What is down is not connected to ahead of need. */
static void test_not_warm_when_down(void **state)
{
	struct origins_rig *t = *state;
	struct echo_origin o = {0};

	echo_origin_start(&o);
	t->origin.health.enabled = true;
	t->origin.pool.warm = 1;
	origins_rig_add_server(t, "127.0.0.1", net_addr_port(&o.addr));
	t->origins = origins_rig_load(&t->fleet);
	olink_origins_open(t->origins, t->olink);
	health_record(&origins_rig_address(t, 0)->health, PROBE_REFUSED);
	loop_stop_mt(t->group->control);
	loop_run(t->group->control);
	assert_int_equal(endpoint_facts(origins_rig_address(t, 0)->endpoint).open, 0);
	olink_origins_destroy(&t->origins);
	echo_origin_stop(&o);
}

/* Connections were kept ready to a new address before anybody knew whether it answers. */
static void test_not_warm_before_it_is_proven(void **state)
{
	struct origins_rig *t = *state;
	struct echo_origin o = {0};

	echo_origin_start(&o);
	t->origin.health.enabled = true;
	t->origin.pool.warm = 1;
	origins_rig_add_server(t, "127.0.0.1", net_addr_port(&o.addr));
	origins_rig_open(t);
	loop_stop_mt(t->group->control);
	loop_run(t->group->control);
	assert_int_equal(endpoint_facts(origins_rig_address(t, 0)->endpoint).open, 0);
	origins_rig_run_until(t, one_warm);
	assert_int_equal(health_get(&origins_rig_address(t, 0)->health), HEALTH_UP);
	t->origin.pool.warm = 0;
	olink_origins_destroy(&t->origins);
	origins_rig_run_until(t, origins_rig_is_swept);
	echo_origin_stop(&o);
}

/* A configuration with strings of its own. */
struct strings {
	struct cfg_origin_server server;
	struct cfg_origin origin;
	struct cfg_fleet fleet;
	struct olink_origins *origins;
};

static struct strings *open_strings(struct origins_rig *t, const struct echo_origin *o)
{
	struct strings *s = xcalloc(1, sizeof(*s));

	s->server.address.host = xstrdup("127.0.0.1");
	s->server.address.port = net_addr_port(&o->addr);
	s->server.weight = 1;
	s->origin = t->origin;
	s->origin.servers = &s->server;
	s->origin.n_servers = 1;
	s->origin.name = xstrdup("app");
	s->origin.tls.enabled = true;
	s->origin.tls.name = xstrdup("origin.example");
	s->fleet = (struct cfg_fleet){.origins = &s->origin, .n_origins = 1};
	s->origins = origins_rig_load(&s->fleet);
	olink_origins_open(s->origins, t->olink);
	return s;
}

static void close_strings(struct strings **strings)
{
	struct strings *s = TAKE(strings);

	olink_origins_destroy(&s->origins);
	free((char *)s->server.address.host);
	free((char *)s->origin.name);
	free((char *)s->origin.tls.name);
	memset(s, 0xa5, sizeof(*s));
	free(s);
}

static void no_news(struct lease *l, enum reason reason, const char *detail)
{
}

static const struct stream_ops no_ops = {0};

/* What connections are known by holds nothing of the configuration by which they were opened: an
 * idle one is found by the next, which says the same in other strings. */
static void test_idle_connection_outlives_its_configuration(void **state)
{
	struct origins_rig *t = *state;
	struct echo_origin o = {0};
	struct lease_order order;
	struct strings *old, *new;
	struct test_cert cert;
	enum reason reason;
	struct lease lease;

	test_cert_init(&cert, "origin.example");
	o.credentials = test_cert_server(&cert);
	echo_origin_start(&o);
	t->origin.pool.warm = 1;
	old = open_strings(t, &o);
	origins_rig_run_until(t, one_warm);
	new = open_strings(t, &o);
	close_strings(&old);
	order = (struct lease_order){
	    .endpoint = server_addresses(new->origins->servers[0][0])->v[0]->endpoint,
	    .terms = origins_terms(new->origins, &new->origin),
	    .time = DUR_S(10),
	};
	lease_init(&lease, t->conns, &no_ops, NULL, no_news);
	assert_int_equal(lease_take(&lease, &order, &reason), LEASE_READY);
	assert_true(lease_is_reused(&lease));
	lease_end(&lease, true);
	close_strings(&new);
	origins_rig_run_until(t, origins_rig_is_swept);
	echo_origin_stop(&o);
	gnutls_certificate_free_credentials(o.credentials);
	test_cert_fini(&cert);
}

/* Status */

static bool is_settled(struct origins_rig *t)
{
	return olink_origins_settled(t->origins);
}

static json_t *status_of_address(struct origins_rig *t, json_t *status)
{
	json_t *address;
	int port, resolved;
	const char *host;

	olink_status(t->olink, t->origins, status);
	assert_int_equal(json_unpack(status, "{s:{s:{s:[{s:s, s:i, s:b, s:[o]}]}}}", "origins",
				     "app", "servers", "host", &host, "port", &port, "resolved",
				     &resolved, "addresses", &address),
			 0);
	assert_string_equal(host, "127.0.0.1");
	assert_true(resolved);
	return address;
}

static void test_status(void **state)
{
	struct origins_rig *t = *state;
	char path[] = "/tmp/origins-XXXXXX";
	json_t *status = json_pack("{s:{s:i}}", "counters", "edge_requests_total", 7);
	struct echo_origin o = {0};
	const char *text, *health, *cause, *time, *became, *why;
	char addr[NET_ADDR_TEXT];
	int requests, failures, idle, open, waiting, tls, fd = mkstemp(path);
	double probe_ms;
	json_t *address;
	struct test_cert cert;

	/* With a certificate for another name. */
	assert_true(fd >= 0);
	close(fd);
	test_cert_init(&cert, "other.example.com");
	test_cert_write(&cert, path, NULL);
	o.credentials = test_cert_server(&cert);
	echo_origin_start(&o);
	t->origin.tls =
	    (struct cfg_origin_tls){.enabled = true, .verify = true, .ca = path, .name = ""};
	t->origin.health.enabled = true;
	origins_rig_add_server(t, "127.0.0.1", net_addr_port(&o.addr));
	origins_rig_open(t);
	origins_rig_run_until(t, is_settled);
	address = status_of_address(t, status);
	assert_int_equal(json_unpack(address, "{s:s, s:s, s:s, s:f, s:i, s:i, s:i, s:b}", "address",
				     &text, "state", &health, "cause", &cause, "probe_ms",
				     &probe_ms, "idle", &idle, "open", &open, "waiting", &waiting,
				     "tls", &tls),
			 0);
	assert_int_equal(json_unpack_ex(address, NULL, 0, "{s:[{s:s, s:s, s:s}!]}", "changes",
					"time", &time, "state", &became, "cause", &why),
			 0);
	assert_int_equal(strlen(time), strlen("2026-01-01T00:00:00Z"));
	assert_string_equal(became, "down");
	assert_string_equal(why, "bad-certificate");
	assert_string_equal(text, net_addr_format(&o.addr, addr));
	assert_string_equal(health, "down");
	assert_string_equal(cause, "bad-certificate");
	assert_true(probe_ms > 0);
	assert_int_equal(idle + open + waiting, 0);
	assert_true(tls);
	assert_null(json_object_get(address, "failure"));
	assert_int_equal(json_unpack(status, "{s:{s:i, s:i}}", "counters", "edge_requests_total",
				     &requests, "olink_probe_failures_total", &failures),
			 0);
	assert_int_equal(requests, 7);
	assert_int_equal(failures, 1);
	json_decref(status);
	echo_origin_stop(&o);
	gnutls_certificate_free_credentials(o.credentials);
	test_cert_fini(&cert);
	unlink(path);
}

static bool has_failed(struct origins_rig *t)
{
	return endpoint_facts(origins_rig_address(t, 0)->endpoint).last_failure != REASON_NONE;
}

/* How the last connection attempt failed stays to be seen. */
static void test_status_of_a_failure(void **state)
{
	struct origins_rig *t = *state;
	json_t *status = json_object(), *failure;
	struct net_addr addr;
	socklen_t len = sizeof(addr.in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && net_addr_parse("127.0.0.1:0", 0, &addr));
	assert_int_equal(bind(fd, &addr.sa, len), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	t->origin.pool.warm = 1;
	origins_rig_add_server(t, "127.0.0.1", net_addr_port(&addr));
	origins_rig_open(t);
	origins_rig_run_until(t, has_failed);
	failure = json_object_get(status_of_address(t, status), "failure");
	assert_string_equal(json_string_value(failure), "origin-connect-refused");
	json_decref(status);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_warm),
	    TEST(test_warm_connection_closed_by_the_origin_is_replaced),
	    TEST(test_not_warm_when_down),
	    TEST(test_not_warm_before_it_is_proven),
	    TEST(test_idle_connection_outlives_its_configuration),
	    TEST(test_status),
	    TEST(test_status_of_a_failure),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
