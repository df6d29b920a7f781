/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Listening sockets: what is accepted is told with the kind of its socket, nothing before the
 * start, and at the close those who had connected are still accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "edge/conn/listener.h"

#define BACKLOG 16

struct world {
	struct loop *loop;
	struct edge_listeners *listeners;
	struct net_addr addrs[2]; /* TLS, plain */
	unsigned accepted[2];     /* by kind */
	unsigned expect;          /* of both: then the loop stops */
};

static void accepted(void *arg, int fd, const struct net_addr *remote, enum edge_listener_kind kind)
{
	struct world *w = arg;
	struct net_addr local;

	assert_int_equal(sock_local_addr(fd, &local), 0);
	assert_true(net_addr_equal(&local, &w->addrs[kind]));
	assert_int_not_equal(net_addr_port(remote), 0);
	close(fd);
	w->accepted[kind]++;
	if (w->accepted[0] + w->accepted[1] == w->expect)
		loop_stop_mt(w->loop);
}

static int set_up(void **state)
{
	struct edge_socket sockets[2];
	struct world *w = xcalloc(1, sizeof(*w));

	w->loop = loop_create("test");
	for (unsigned i = 0; i < 2; i++) {
		CHECK(net_addr_parse("127.0.0.1:0", 0, &w->addrs[i]));
		sockets[i].fd = sock_listen_tcp(&w->addrs[i], BACKLOG);
		sockets[i].kind = i == 0 ? EDGE_LISTENER_TLS : EDGE_LISTENER_PLAIN;
		CHECK(sockets[i].fd >= 0);
		CHECK(sock_local_addr(sockets[i].fd, &w->addrs[i]) == 0);
	}
	w->listeners = edge_listeners_create(w->loop, sockets, 2, accepted, w);
	alarm(30);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	edge_listeners_destroy(&w->listeners);
	loop_destroy(&w->loop);
	free(w);
	alarm(0);
	return 0;
}

static int connect_to(const struct net_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && connect(fd, &addr->sa, net_addr_len(addr)) == 0);
	return fd;
}

/* More of them than are accepted in a turn. */
static void test_kinds(void **state)
{
	struct world *w = *state;
	int fds[40];

	edge_listeners_start(w->listeners);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 10; i++)
			fds[round * 10 + i] = connect_to(&w->addrs[i % 5 == 0]);
		w->expect += 10;
		loop_run(w->loop);
	}
	assert_int_equal(w->accepted[EDGE_LISTENER_TLS], 32);
	assert_int_equal(w->accepted[EDGE_LISTENER_PLAIN], 8);
	for (unsigned i = 0; i < 40; i++)
		close(fds[i]);
}

static void test_close_accepts_who_waits(void **state)
{
	struct world *w = *state;
	int fds[6];

	for (unsigned i = 0; i < 6; i++)
		fds[i] = connect_to(&w->addrs[i % 2]);
	/* It was not started. */
	loop_stop_mt(w->loop);
	loop_run(w->loop);
	assert_int_equal(w->accepted[0] + w->accepted[1], 0);
	edge_listeners_close(w->listeners);
	assert_int_equal(w->accepted[0], 3);
	assert_int_equal(w->accepted[1], 3);
	for (unsigned i = 0; i < 6; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_close_accepts_who_waits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
