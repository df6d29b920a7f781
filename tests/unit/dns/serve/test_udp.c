/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a UDP socket of the responder has, and what the kernel says of it. How it answers is told by
 * tests/scenario/test_dns.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "dns/serve/udp.h"

static int bound(const char *text, struct net_addr *addr)
{
	int fd;

	CHECK(net_addr_parse(text, 0, addr));
	fd = dns_udp_bind(addr);
	assert_true(fd >= 0);
	assert_int_equal(sock_local_addr(fd, addr), 0);
	return fd;
}

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void test_the_address_asked_costs_wildcards_only(void **state)
{
	struct net_addr addr;
	int one = bound("127.0.0.1:0", &addr), any = bound("0.0.0.0:0", &addr);

	assert_int_equal(option(one, IPPROTO_IP, IP_PKTINFO), 0);
	assert_int_equal(option(any, IPPROTO_IP, IP_PKTINFO), 1);
	close(one);
	close(any);
}

static void test_bursts_have_room(void **state)
{
	struct net_addr addr;
	int fd = bound("127.0.0.1:0", &addr);
	int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Where the machine's own limit is no less, it is more than a socket has by itself. */
	assert_true(option(fd, SOL_SOCKET, SO_RCVBUF) > option(plain, SOL_SOCKET, SO_RCVBUF));
	close(plain);
	close(fd);
}

static void test_each_drop_is_counted(void **state)
{
	struct net_addr addr;
	int fd = bound("127.0.0.1:0", &addr);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), small = 1;
	unsigned taken = 0, sent = 100;
	char buf[16];

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(dns_udp_drops(fd), 0);
	for (unsigned i = 0; i < sent; i++)
		CHECK(sendto(client, "query", 5, 0, &addr.sa, net_addr_len(&addr)) == 5);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		taken++;
	assert_int_equal(errno, EAGAIN);
	assert_true(taken < sent);
	assert_int_equal(dns_udp_drops(fd), sent - taken);
	close(client);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_address_asked_costs_wildcards_only),
	    cmocka_unit_test(test_bursts_have_room),
	    cmocka_unit_test(test_each_drop_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
