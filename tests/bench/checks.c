/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What so many checks cost the kernel alone: the system calls that a check cannot do without (a new
 * connection, one question, its answer, an orderly end), by a loop that does nothing else, keeps no
 * timers and looks at no answer. Each tick, as coarse as the kernel's own, begins those that are
 * due. bench-checks PORT CHECKS INTERVAL SECONDS; prints as JSON the CPU time in seconds, user and
 * system, and the number of checks.
 *
 * Over the loopback the kernel does the server's half of each packet within the call that sends it,
 * so that is in the figure too, as it is in an edge's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"

#define TICKS 250 /* a second */
#define EVENTS 256

static const char question[] = "HEAD /health HTTP/1.1\r\nHost: 127.1.0.1:12345\r\n"
			       "User-Agent: perigee-probe\r\nAccept: */*\r\n"
			       "Connection: close\r\n\r\n";

static int epoll;
static uint16_t port;
static bool *is_asked; /* by descriptor */
static unsigned n_done;

/* As check_works.py has them. */
static struct sockaddr_in address(unsigned n)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	in.sin_addr.s_addr =
	    htonl(127u << 24 | (1 + n / 60000) << 16 | n / 250 % 240 << 8 | (1 + n % 250));
	return in;
}

static void wait_for(int fd, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	CHECK(epoll_ctl(epoll, operation, fd, &event) == 0);
}

static void begin(unsigned n)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, zero = 0;
	struct sockaddr_in to = address(n);

	CHECK(fd >= 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof(zero));
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	is_asked[fd] = false;
	wait_for(fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void go_on(int fd)
{
	char answer[4096];
	ssize_t n;

	if (!is_asked[fd]) {
		is_asked[fd] = true;
		wait_for(fd, EPOLL_CTL_MOD, EPOLLIN);
		CHECK(send(fd, question, strlen(question), MSG_NOSIGNAL) > 0);
		return;
	}
	n = recv(fd, answer, sizeof(answer), 0);
	CHECK(n >= 0);
	if (n > 0)
		return;
	close(fd);
	n_done++;
}

static void turn(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, 1);

	for (int i = 0; i < n; i++)
		go_on(events[i].data.fd);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	unsigned n_checks, n_begun = 0;
	double interval, time, passed;
	mono_time began = clock_mono();
	struct rusage usage;

	CHECK(argc == 5);
	port = (uint16_t)atoi(argv[1]);
	n_checks = (unsigned)atoi(argv[2]);
	interval = atof(argv[3]);
	time = atof(argv[4]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	is_asked = xcalloc((size_t)sysconf(_SC_OPEN_MAX), sizeof(*is_asked));
	CHECK(epoll >= 0 && n_checks > 0);
	while ((passed = (double)mono_since(clock_mono(), began).ns / 1e9) < time) {
		double tick = (double)(unsigned)(passed * TICKS) / TICKS;

		for (; n_begun < tick * n_checks / interval; n_begun++)
			begin(n_begun % n_checks);
		turn();
	}
	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	printf("{\"user\": %.6f, \"system\": %.6f, \"checks\": %u}\n", seconds(usage.ru_utime),
	       seconds(usage.ru_stime), n_done);
	return 0;
}
