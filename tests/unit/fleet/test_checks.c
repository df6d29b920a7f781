/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes of edges over configurations: real ones, by TCP, of listeners on the loopback network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/loop.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "core/process/metrics.h"
#include "fleet/checks.h"
#include "fleet/verdicts.h"

#define COUNTERS(X)                                                                                \
	X(PREVENTED, "prevented", COUNTER, "Prevented")                                            \
	X(STALE, "stale", COUNTER, "Stale")
enum counter { COUNTERS(METRIC_ID) N_COUNTERS };
static const struct metric_desc counters[] = {COUNTERS(METRIC_ROW)};

#define EDGES_MAX 1000

struct rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct metrics *metrics;
	struct fleet_checks *checks;
	unsigned moved;
	/* A listener at 127.0.1.1, and nobody at other addresses. */
	int fd;
	uint16_t port;
	/* The configuration. */
	struct cfg_edge edges[EDGES_MAX];
	struct net_addr addrs[EDGES_MAX];
	struct cfg_fleet fleet;
	bool (*done)(struct rig *rig);
	struct fleet_verdicts *table;
};

static void moved_cb(void *arg)
{
	struct rig *rig = arg;

	rig->moved++;
}

static int setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct net_addr addr;

	rig->group = loop_group_create(0);
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->metrics = metrics_create(counters, N_COUNTERS, 1);
	rig->checks = fleet_checks_create(rig->buffers, rig->metrics,
					  (struct fleet_counters){PREVENTED, STALE});
	fleet_checks_on_move(rig->checks, moved_cb, rig);
	assert_true(net_addr_parse("127.0.1.1:0", 0, &addr));
	rig->fd = sock_listen_tcp(&addr, 64);
	assert_true(rig->fd >= 0 && sock_local_addr(rig->fd, &addr) == 0);
	rig->port = net_addr_port(&addr);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	fleet_verdicts_unref(&rig->table);
	fleet_checks_destroy(&rig->checks);
	metrics_destroy(&rig->metrics);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
	close(rig->fd);
	free(rig);
	return 0;
}

static struct cfg_check check(const struct rig *rig)
{
	return (struct cfg_check){
	    .kind = CFG_CHECK_TCP,
	    .port = rig->port,
	    .host = "",
	    .path = "/",
	    .interval = DUR_S(3600),
	    .timeout = DUR_S(10),
	    .rise = 2,
	    .fall = 2,
	};
}

/* One edge more, with `n` addresses. */
static struct cfg_edge *add_edge(struct rig *rig, const char *name, unsigned n, ...)
{
	unsigned first = rig->fleet.n_edges * 2, id = rig->fleet.n_edges++;
	struct cfg_edge *edge = &rig->edges[id];
	va_list addresses;

	va_start(addresses, n);
	for (unsigned i = 0; i < n; i++)
		assert_true(
		    net_addr_parse(va_arg(addresses, const char *), 0, &rig->addrs[first + i]));
	va_end(addresses);
	*edge = (struct cfg_edge){
	    .name = name,
	    .id = id,
	    .addresses = {.v = &rig->addrs[first], .n = n},
	    .check = check(rig),
	};
	rig->fleet.edges = rig->edges;
	return edge;
}

static void watch(struct rig *rig)
{
	struct diag *diag = diag_create();
	struct fleet_verdicts *table = fleet_verdicts_load(&rig->fleet, diag);

	assert_non_null(table);
	diag_destroy(&diag);
	fleet_checks_watch(rig->checks, table);
	fleet_verdicts_unref(&rig->table);
	rig->table = table;
}

static void poll_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;

	if (rig->done(rig))
		loop_stop_mt(rig->group->control);
}

/* What never comes is ended by alarm(). */
static void run_until(struct rig *rig, bool (*done)(struct rig *rig))
{
	const struct timeval often = {.tv_usec = 1000};
	struct event *poll =
	    event_new(loop_base(rig->group->control), -1, EV_PERSIST, poll_cb, rig);

	rig->done = done;
	event_add(poll, &often);
	loop_run(rig->group->control);
	event_free(poll);
}

static bool is_settled(struct rig *rig)
{
	char *awaited = fleet_verdicts_unsettled(rig->table);

	free(awaited);
	return awaited == NULL;
}

static enum health_state state_of(const struct rig *rig, unsigned edge, unsigned address)
{
	return fleet_verdict_state(fleet_verdicts_at(rig->table, edge, address), clock_mono());
}

static void test_only_the_first_address_was_probed(void **state)
{
	struct rig *rig = *state;

	add_edge(rig, "one", 2, "127.0.1.1", "127.0.2.1");
	add_edge(rig, "two", 2, "127.0.2.2", "127.0.1.1");
	add_edge(rig, "none", 0);
	watch(rig);
	run_until(rig, is_settled);
	assert_int_equal(state_of(rig, 0, 0), HEALTH_UP);
	assert_int_equal(state_of(rig, 0, 1), HEALTH_DOWN);
	assert_int_equal(state_of(rig, 1, 0), HEALTH_DOWN);
	assert_int_equal(state_of(rig, 1, 1), HEALTH_UP);
	assert_int_equal(fleet_verdicts_edge_state(rig->table, 1, AF_INET, clock_mono()),
			 HEALTH_UP);
	assert_int_equal(rig->moved, 4);
}

static bool is_asked_anew(struct rig *rig)
{
	return fleet_verdict_cause(fleet_verdicts_at(rig->table, 1, 0)) == PROBE_REFUSED;
}

/* Whatever is asked from now on, and wherever the edge stands. */
static void test_reload_forgot_what_was_known(void **state)
{
	struct rig *rig = *state;
	struct fleet_verdict *known;

	add_edge(rig, "one", 2, "127.0.1.1", "127.0.2.1");
	watch(rig);
	run_until(rig, is_settled);
	known = fleet_verdicts_at(rig->table, 0, 0);

	rig->fleet.n_edges = 0;
	add_edge(rig, "new", 1, "127.0.1.2");
	add_edge(rig, "one", 2, "127.0.1.1", "127.0.2.1")->check.port = 1;
	rig->edges[1].check.interval = DUR_S(60);
	rig->edges[1].check.host = "elsewhere.example.com";
	watch(rig);
	assert_ptr_equal(fleet_verdicts_at(rig->table, 1, 0), known);
	assert_int_equal(state_of(rig, 0, 0), HEALTH_UNKNOWN);
	assert_int_equal(state_of(rig, 1, 0), HEALTH_UP);
	assert_int_equal(state_of(rig, 1, 1), HEALTH_DOWN);
	/* It goes on from there: one refusal of two. */
	run_until(rig, is_asked_anew);
	assert_int_equal(state_of(rig, 1, 0), HEALTH_UP);
	assert_true(fleet_verdict_failing(fleet_verdicts_at(rig->table, 1, 0)));
}

/* Another edge at the address, or the edge at another address, is another thing. */
static void test_identity_is_name_and_address(void **state)
{
	struct rig *rig = *state;
	struct fleet_verdicts *before;

	add_edge(rig, "one", 1, "127.0.1.1");
	watch(rig);
	run_until(rig, is_settled);
	before = fleet_verdicts_ref(rig->table);

	rig->fleet.n_edges = 0;
	add_edge(rig, "other", 1, "127.0.1.1");
	add_edge(rig, "one", 1, "127.0.1.3");
	watch(rig);
	assert_int_equal(state_of(rig, 0, 0), HEALTH_UNKNOWN);
	assert_int_equal(state_of(rig, 1, 0), HEALTH_UNKNOWN);
	/* Who still reads the old table is told what was true. */
	assert_int_equal(fleet_verdict_state(fleet_verdicts_at(before, 0, 0), clock_mono()),
			 HEALTH_UP);
	fleet_verdicts_unref(&before);
	run_until(rig, is_settled);
	assert_int_equal(state_of(rig, 0, 0), HEALTH_UP);
}

/* A change that comes back before its turn has come changes nothing; nor does an end. */
static void test_watched_again_at_once(void **state)
{
	struct rig *rig = *state;

	add_edge(rig, "one", 1, "127.0.1.1");
	watch(rig);
	watch(rig);
	rig->edges[0].check.port = 1;
	watch(rig);
	rig->fleet.n_edges = 0;
	watch(rig);
	add_edge(rig, "one", 1, "127.0.1.1");
	watch(rig);
	run_until(rig, is_settled);
	assert_int_equal(state_of(rig, 0, 0), HEALTH_UP);
	rig->edges[0].check.port = 1;
	watch(rig);
	rig->edges[0].check.port = rig->port;
	watch(rig);
	assert_int_equal(state_of(rig, 0, 0), HEALTH_UP);
	assert_int_equal(fleet_verdict_cause(fleet_verdicts_at(rig->table, 0, 0)), PROBE_OK);
}

static unsigned n_known(const struct rig *rig)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rig->fleet.n_edges; i++)
		n += state_of(rig, i, 0) != HEALTH_UNKNOWN;
	return n;
}

static unsigned most_at_once, known_before;

static bool count_until_settled(struct rig *rig)
{
	unsigned n = n_known(rig);

	most_at_once = MAX(most_at_once, n - known_before);
	known_before = n;
	return is_settled(rig);
}

/* All of them began in one turn, which took as many descriptors, and as long as it took. */
static void test_thousand_probes_began_at_once(void **state)
{
	struct rig *rig = *state;
	char names[EDGES_MAX / 2][16], address[32];

	for (unsigned i = 0; i < EDGES_MAX / 2; i++) {
		snprintf(names[i], sizeof(names[i]), "e%u", i);
		snprintf(address, sizeof(address), "127.0.%u.%u", 2 + i / 200, 1 + i % 200);
		add_edge(rig, names[i], 1, address);
	}
	watch(rig);
	/* Of a refusal it is told in the same turn or the next. */
	loop_stop_mt(rig->group->control);
	loop_run(rig->group->control);
	assert_true(n_known(rig) <= 5);
	run_until(rig, count_until_settled);
	assert_true(known_before == EDGES_MAX / 2 && most_at_once < EDGES_MAX / 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_only_the_first_address_was_probed), TEST(test_reload_forgot_what_was_known),
	    TEST(test_identity_is_name_and_address),      TEST(test_watched_again_at_once),
	    TEST(test_thousand_probes_began_at_once),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
