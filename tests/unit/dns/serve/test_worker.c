/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the workers of the responder are planned with, and what they still answer when they are told
 * to end before they have looked at their sockets even once. How they serve is told by
 * tests/scenario/test_dns.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/job.h"
#include "core/loop/loop.h"
#include "core/process/descriptors.h"
#include "dns/serve/counters.h"
#include "dns/serve/worker.h"
#include "dns/view/view.h"
#include "tests/unit/dns/fixture.h"

#define EDGES 3

static uint64_t needed(unsigned addresses)
{
	struct cfg_edge edges[EDGES] = {0};
	const struct cfg_fleet fleet = {.edges = edges, .n_edges = EDGES};
	const struct cfg_nameserver node = {.listen = {.n = 1}};
	struct descriptor_budget budget;

	for (unsigned i = 0; i < EDGES; i++)
		edges[i].addresses.n = addresses;
	assert_true(dns_workers_plan(&fleet, &node, 1, 3, &budget));
	return budget.needed;
}

/* There was room for one check of each edge, whatever the number of its addresses. */
static void test_checks_of_all_addresses_have_descriptors(void **state)
{
	assert_int_equal(needed(1), needed(0) + EDGES);
	assert_int_equal(needed(4), needed(0) + 4 * EDGES);
}

/* More than a turn of a connection answers and reads, and than a batch of datagrams has. */
#define PIPELINED 3000
#define DATAGRAMS 200

static int client_of(const struct net_addr *addr, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && connect(fd, &addr->sa, net_addr_len(addr)) == 0);
	return fd;
}

/* As many whole ones as the kernel takes without anybody who reads, PIPELINED at most. */
static unsigned pipeline(int fd, const uint8_t *query, size_t len)
{
	size_t each = 2 + len, sent = 0;
	uint8_t *stream = xmalloc(PIPELINED * each);
	ssize_t n;

	for (unsigned i = 0; i < PIPELINED; i++) {
		stream[i * each] = 0;
		stream[i * each + 1] = (uint8_t)len;
		memcpy(stream + i * each + 2, query, len);
	}
	do {
		n = send(fd, stream + sent, PIPELINED * each - sent, MSG_DONTWAIT);
		sent += (size_t)MAX(n, 0);
	} while (n > 0);
	free(stream);
	return (unsigned)(sent / each);
}

static void expect_responses(int fd, unsigned n)
{
	static uint8_t message[65536];

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(recv(fd, message, 2, MSG_WAITALL), 2);
		size_t len = (size_t)message[0] << 8 | message[1];

		assert_int_equal(recv(fd, message, len, MSG_WAITALL), len);
	}
	assert_int_equal(recv(fd, message, 1, 0), 0);
}

static void finished(void *arg)
{
}

struct rig {
	struct fixture f;
	struct loop_group *group;
	struct snapshot_slot slot;
	struct jobs *jobs;
	struct metrics *metrics;
	struct dns_workers *workers;
	struct net_addr bound;
	struct dns_request request;
	uint8_t query[512];
};

static int setup(void **state)
{
	static const struct cfg_fleet none;
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct descriptor_budget budget;
	struct net_addr any;
	const struct cfg_nameserver node = {.listen = {.v = &any, .n = 1}};
	struct dns_view *view;

	fixture_init(&rig->f, "@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n", "{}", NULL);
	fixture_query("ns1.example.com A", rig->query, sizeof(rig->query), &rig->request);
	rig->group = loop_group_create(1);
	rig->jobs = jobs_create(rig->group->control, "steering");
	rig->metrics = dns_counters_create(2);
	snapshot_slot_init(&rig->slot, rig->group);
	view = dns_view_create(rig->f.parts, NULL);
	dns_view_publish(&view, &rig->slot, rig->jobs);
	assert_true(net_addr_parse("127.0.0.1:0", 0, &any));
	assert_true(dns_workers_plan(&none, &node, 1, 3, &budget));
	rig->workers = dns_workers_create(rig->group, &rig->slot, rig->metrics, &budget);
	assert_true(dns_workers_bind(rig->workers, &node.listen, &rig->bound));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	loop_group_stop_workers(rig->group);
	dns_workers_destroy(&rig->workers);
	snapshot_slot_fini(&rig->slot);
	jobs_finish(rig->jobs);
	jobs_destroy(&rig->jobs);
	metrics_destroy(&rig->metrics);
	loop_group_destroy(&rig->group);
	fixture_fini(&rig->f);
	free(rig);
	return 0;
}

/* The worker is told both in one turn, before it has looked at a socket. */
static void serve_and_finish(struct rig *rig)
{
	dns_workers_serve(rig->workers);
	dns_workers_finish(rig->workers, finished, NULL);
	assert_true(loop_group_start_workers(rig->group));
}

/* The connection was not accepted yet: closing the listener reset it. */
static void test_connections_that_nobody_had_accepted_were_cut(void **state)
{
	struct rig *rig = *state;
	int fd = client_of(&rig->bound, SOCK_STREAM);
	unsigned n = pipeline(fd, rig->query, rig->request.len);

	assert_true(n > 500);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	serve_and_finish(rig);
	expect_responses(fd, n);
	close(fd);
}

static void test_datagrams_that_nobody_had_read_were_dropped(void **state)
{
	struct rig *rig = *state;
	const struct timeval patience = {.tv_sec = 10};
	int fd = client_of(&rig->bound, SOCK_DGRAM);
	uint8_t response[1232];

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	for (unsigned i = 0; i < DATAGRAMS; i++)
		assert_true(send(fd, rig->query, rig->request.len, 0) > 0);
	serve_and_finish(rig);
	for (unsigned i = 0; i < DATAGRAMS; i++)
		assert_true(recv(fd, response, sizeof(response), 0) > 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checks_of_all_addresses_have_descriptors),
	    cmocka_unit_test_setup_teardown(test_connections_that_nobody_had_accepted_were_cut,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(test_datagrams_that_nobody_had_read_were_dropped, setup,
					    teardown),
	};

	alarm(60); /* what never comes is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
