/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sockets on loopback: options, errors, and the Unix socket's stale file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "tests/support/skip.h"

static struct net_addr addr(const char *text)
{
	struct net_addr a;

	CHECK(net_addr_parse(text, 0, &a));
	return a;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	CHECK(getsockopt(fd, level, name, &value, &len) == 0);
	return value;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	CHECK(poll(&p, 1, 10000) == 1);
}

static void assert_private(int fd)
{
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_a_connection_is_accepted(void **state)
{
	struct net_addr any = addr("127.0.0.1:0"), local, remote, client;
	int listener = sock_listen_tcp(&any, 16), fd, peer;

	assert_true(listener >= 0);
	assert_private(listener);
	assert_int_equal(sock_local_addr(listener, &local), 0);
	assert_true(net_addr_port(&local) != 0);
	assert_int_equal(sock_accept(listener, &remote), -EAGAIN);

	fd = sock_connect_tcp(&local);
	assert_true(fd >= 0);
	assert_private(fd);
	wait_for(fd, POLLOUT);
	assert_int_equal(sock_error(fd), 0);
	assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY));

	wait_for(listener, POLLIN);
	peer = sock_accept(listener, &remote);
	assert_true(peer >= 0);
	assert_private(peer);
	assert_true(option(peer, IPPROTO_TCP, TCP_NODELAY));
	assert_int_equal(sock_local_addr(fd, &client), 0);
	assert_true(net_addr_equal(&client, &remote));
	assert_true(sock_rtt(fd).ns > 0 && sock_rtt(fd).ns < DUR_S(10).ns);
	close(peer);
	close(fd);
	close(listener);
}

/* Nothing is sent that only says that the handshake is over: the first bytes do, and with them the
 * other side learns of the connection. */
static void test_who_speaks_first_wakes_the_other_side_once(void **state)
{
	const struct sock_dial first = {.speaks_first = true};
	struct net_addr any = addr("127.0.0.1:0"), local, remote;
	int listener = sock_listen_tcp(&any, 16), fd, peer;

	sock_local_addr(listener, &local);
	/* The kernel waits for 40 ms at least, which may pass on a busy machine. */
	for (;;) {
		fd = sock_dial_tcp(&local, &first);
		assert_true(fd >= 0);
		wait_for(fd, POLLOUT);
		assert_int_equal(sock_error(fd), 0);
		peer = sock_accept(listener, &remote);
		if (peer == -EAGAIN)
			break;
		assert_true(peer >= 0);
		close(peer);
		close(fd);
	}
	assert_int_equal(send(fd, "x", 1, 0), 1);
	wait_for(listener, POLLIN);
	peer = sock_accept(listener, &remote);
	assert_true(peer >= 0);
	close(peer);
	close(fd);
	close(listener);
}

static void test_dead_connections_are_given_up(void **state)
{
	struct net_addr any = addr("127.0.0.1:0"), local;
	int listener = sock_listen_tcp(&any, 16), fd;

	sock_local_addr(listener, &local);
	fd = sock_connect_tcp(&local);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(sock_set_keepalive(fd, DUR_S(60), DUR_MS(2100), 5), 0);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
	/* What the kernel would refuse is brought into its range. */
	assert_int_equal(sock_set_keepalive(fd, DUR_S(0), DUR_S(1000000), 1000), 0);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 32767);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 127);
	close(fd);
	assert_int_equal(sock_set_keepalive(fd, DUR_S(1), DUR_S(1), 1), -EBADF);
	close(listener);
}

static void assert_congestion_control(int fd, const char *expected)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, expected);
}

/* Reno is in every kernel, and open to everybody. */
static void test_congestion_control_is_inherited(void **state)
{
	struct net_addr any = addr("127.0.0.1:0"), local;
	int listener = sock_listen_tcp(&any, 16), client, fd;

	assert_int_equal(sock_set_congestion_control(listener, "reno"), 0);
	assert_int_equal(sock_set_congestion_control(listener, "no-such-one"), -ENOENT);
	sock_local_addr(listener, &local);
	client = sock_connect_tcp(&local);
	while ((fd = sock_accept(listener, &local)) == -EAGAIN)
		;
	assert_true(fd >= 0);
	assert_congestion_control(fd, "reno");
	close(fd);
	close(client);
	close(listener);
	assert_int_equal(sock_set_congestion_control(listener, "reno"), -EBADF);
}

static void assert_taken(const struct net_addr *local, int type, int expected)
{
	struct net_addr any4 = addr("0.0.0.0:0"), any6 = addr("[::]:0");

	net_addr_set_port(&any4, net_addr_port(local));
	net_addr_set_port(&any6, net_addr_port(local));
	assert_int_equal(sock_check_free(local, type), expected);
	assert_int_equal(sock_check_free(&any4, type), expected);
	assert_int_equal(sock_check_free(&any6, type), expected);
}

/* A second process took a share of what came, and nobody was told. */
static void test_an_address_was_shared_with_strangers_unseen(void **state)
{
	struct net_addr any = addr("127.0.0.1:0"), local;
	int tcp = sock_listen_tcp(&any, 16), udp = sock_bind_udp(&any), client, peer;

	assert_int_equal(sock_check_free(&any, SOCK_STREAM), 0);
	sock_local_addr(udp, &local);
	assert_taken(&local, SOCK_DGRAM, -EADDRINUSE);
	close(udp);
	assert_taken(&local, SOCK_DGRAM, 0);
	sock_local_addr(tcp, &local);
	assert_taken(&local, SOCK_STREAM, -EADDRINUSE);
	/* What is left of a connection is no reason to wait for its end. */
	client = sock_connect_tcp(&local);
	wait_for(tcp, POLLIN);
	peer = sock_accept(tcp, &any);
	assert_true(peer >= 0);
	close(tcp);
	assert_taken(&local, SOCK_STREAM, 0);
	close(peer);
	assert_taken(&local, SOCK_STREAM, 0);
	close(client);
	assert_taken(&local, SOCK_STREAM, 0);
}

static void test_workers_share_a_port(void **state)
{
	struct net_addr any = addr("127.0.0.1:0"), local;
	int first = sock_listen_tcp(&any, 16), second;

	assert_true(first >= 0);
	sock_local_addr(first, &local);
	second = sock_listen_tcp(&local, 16);
	assert_true(second >= 0);
	close(first);
	close(second);

	first = sock_bind_udp(&any);
	assert_true(first >= 0);
	assert_private(first);
	sock_local_addr(first, &local);
	second = sock_bind_udp(&local);
	assert_true(second >= 0);
	close(first);
	close(second);
}

static void test_ipv6_any_takes_ipv4_and_others_do_not(void **state)
{
	struct net_addr any = addr("*:0"), one = addr("[::1]:0"), local, remote, v4;
	int listener = sock_listen_tcp(&any, 16), fd, peer;
	char buf[NET_ADDR_TEXT];

	if (listener == -EAFNOSUPPORT || listener == -EADDRNOTAVAIL)
		SKIP("this machine has no IPv6");
	assert_true(listener >= 0);
	assert_int_equal(option(listener, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	sock_local_addr(listener, &local);
	v4 = addr("127.0.0.1");
	net_addr_set_port(&v4, net_addr_port(&local));
	fd = sock_connect_tcp(&v4);
	assert_true(fd >= 0);
	wait_for(listener, POLLIN);
	peer = sock_accept(listener, &remote);
	assert_true(peer >= 0);
	assert_string_equal(net_addr_format_ip(&remote, buf), "127.0.0.1");
	close(peer);
	close(fd);
	close(listener);

	listener = sock_listen_tcp(&one, 16);
	if (listener == -EADDRNOTAVAIL)
		SKIP("this machine has no IPv6");
	assert_true(listener >= 0);
	assert_int_equal(option(listener, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	close(listener);
}

static void test_errors_are_returned(void **state)
{
	struct net_addr any = addr("127.0.0.1:0"), foreign = addr("192.0.2.1:1"), local;
	int fd = sock_listen_tcp(&any, 1);

	sock_local_addr(fd, &local);
	close(fd);
	/* Nobody listens there now. */
	fd = sock_connect_tcp(&local);
	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		assert_int_equal(sock_error(fd), -ECONNREFUSED);
		assert_int_equal(sock_error(fd), 0);
		close(fd);
	} else {
		assert_int_equal(fd, -ECONNREFUSED);
	}
	assert_int_equal(sock_listen_tcp(&foreign, 1), -EADDRNOTAVAIL);
	assert_int_equal(sock_bind_udp(&foreign), -EADDRNOTAVAIL);
}

static char dir[64];
static char path[96];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-sock-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/control", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void test_a_live_unix_socket_is_left_alone_and_a_stale_one_replaced(void **state)
{
	mode_t saved = umask(0077);
	int listener = sock_listen_unix(path), fd;
	struct stat st;

	umask(saved);
	assert_true(listener >= 0);
	assert_private(listener);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(sock_listen_unix(path), -EADDRINUSE);
	fd = sock_connect_unix(path);
	assert_true(fd >= 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(listener);

	assert_int_equal(sock_connect_unix(path), -ECONNREFUSED);
	listener = sock_listen_unix(path);
	assert_true(listener >= 0);
	fd = sock_connect_unix(path);
	assert_true(fd >= 0);
	close(fd);
	close(listener);
}

static void test_a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct stat st;
	FILE *f = fopen(path, "w");

	fputs("precious", f);
	fclose(f);
	assert_int_equal(sock_listen_unix(path), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 8);
}

static void test_bad_unix_paths_are_errors(void **state)
{
	char longer[300];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(sock_listen_unix(longer), -ENAMETOOLONG);
	assert_int_equal(sock_connect_unix(longer), -ENAMETOOLONG);
	assert_int_equal(sock_connect_unix(path), -ENOENT);
	snprintf(longer, sizeof(longer), "%s/none/control", dir);
	assert_int_equal(sock_listen_unix(longer), -ENOENT);
}

/* Those who must not wait are told at once that nobody can come in now, and what is no socket. */
static void test_dial_unix(void **state)
{
	char folder[] = "/tmp/test-sock-XXXXXX", socket_path[64], other[64];
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int listener, first, fd;

	assert_non_null(mkdtemp(folder));
	snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
	snprintf(other, sizeof(other), "%s/file", folder);
	assert_int_equal(sock_dial_unix(socket_path), -ENOENT);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(un.sun_path, socket_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(sock_dial_unix(socket_path), -ECONNREFUSED);
	assert_int_equal(listen(listener, 0), 0);
	first = sock_dial_unix(socket_path);
	assert_true(first >= 0);
	assert_int_equal(sock_dial_unix(socket_path), -EAGAIN);
	close(accept(listener, NULL, NULL));
	fd = sock_dial_unix(socket_path);
	assert_true(fd >= 0);
	close(fd);
	close(first);
	close(listener);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sock_dial_unix(other), -ENOTSOCK);
	assert_int_equal(sock_dial_unix(folder), -ENOTSOCK);
	unlink(other);
	unlink(socket_path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dial_unix),
	    cmocka_unit_test(test_a_connection_is_accepted),
	    cmocka_unit_test(test_who_speaks_first_wakes_the_other_side_once),
	    cmocka_unit_test(test_dead_connections_are_given_up),
	    cmocka_unit_test(test_congestion_control_is_inherited),
	    cmocka_unit_test(test_an_address_was_shared_with_strangers_unseen),
	    cmocka_unit_test(test_workers_share_a_port),
	    cmocka_unit_test(test_ipv6_any_takes_ipv4_and_others_do_not),
	    cmocka_unit_test(test_errors_are_returned),
	    cmocka_unit_test_setup_teardown(
		test_a_live_unix_socket_is_left_alone_and_a_stale_one_replaced, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(test_a_file_that_is_no_socket_is_left_alone, make_dir,
					    remove_dir),
	    cmocka_unit_test_setup_teardown(test_bad_unix_paths_are_errors, make_dir, remove_dir),
	};

	return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
