/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wan-probe: round trips to a host, by ICMP echo, which the other host's kernel answers. What it
 * measures is the line alone: sending is stamped just before the call, arrival by the kernel.
 * Prints one JSON object and waits a bounded time for the last answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"

#define MAX_COUNT 60000 /* the sequence numbers of ICMP end at 65535 */

struct probe {
	int sock;
	int count, sent, received, reordered;
	int last; /* sequence number of the answer before */
	wall_time sent_at[MAX_COUNT];
	int64_t round_trips[MAX_COUNT]; /* ns, in the order of arrival */
};

static uint16_t checksum(const void *data, size_t length)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < length; i += 2) {
		memcpy(&word, (const uint8_t *)data + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool send_one(struct probe *probe)
{
	struct icmphdr echo = {.type = ICMP_ECHO};

	echo.un.echo.id = htons((uint16_t)getpid());
	echo.un.echo.sequence = htons((uint16_t)probe->sent);
	echo.checksum = checksum(&echo, sizeof(echo));
	probe->sent_at[probe->sent++] = clock_wall();
	return send(probe->sock, &echo, sizeof(echo), 0) == sizeof(echo);
}

static bool arrival(struct msghdr *message, wall_time *when)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct timespec ts;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		when->ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
		return true;
	}
	return false;
}

static void receive_one(struct probe *probe)
{
	uint8_t packet[256];
	union {
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr align;
	} control;
	struct iovec data = {packet, sizeof(packet)};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t length = recvmsg(probe->sock, &message, MSG_DONTWAIT);
	struct icmphdr echo;
	wall_time when;
	int sequence;

	if (length < (ssize_t)(sizeof(struct iphdr) + sizeof(echo)))
		return;
	memcpy(&echo, packet + sizeof(struct iphdr), sizeof(echo));
	sequence = ntohs(echo.un.echo.sequence);
	if (echo.type != ICMP_ECHOREPLY || ntohs(echo.un.echo.id) != (uint16_t)getpid() ||
	    sequence >= probe->sent || probe->received == MAX_COUNT || !arrival(&message, &when))
		return;
	probe->reordered += probe->received > 0 && sequence <= probe->last;
	probe->last = sequence;
	probe->round_trips[probe->received++] = when.ns - probe->sent_at[sequence].ns;
}

static void receive_until(struct probe *probe, mono_time end)
{
	struct pollfd wait = {.fd = probe->sock, .events = POLLIN};

	while (probe->received < probe->count) {
		int64_t left = mono_since(end, clock_mono()).ns;
		struct timespec timeout = {left / 1000000000, left % 1000000000};

		if (left <= 0 || ppoll(&wait, 1, &timeout, NULL) <= 0)
			return;
		receive_one(probe);
	}
}

static bool open_socket(struct probe *probe, const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	const int on = 1, room = 4 << 20;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		fprintf(stderr, "wan-probe: %s: not an IPv4 address\n", address);
		return false;
	}
	probe->sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (probe->sock < 0 ||
	    setsockopt(probe->sock, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0 ||
	    setsockopt(probe->sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) != 0 ||
	    connect(probe->sock, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("wan-probe: socket");
		return false;
	}
	return true;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report(struct probe *probe)
{
	int n = probe->received;

	qsort(probe->round_trips, (size_t)n, sizeof(int64_t), by_size);
	printf("{\"sent\": %d, \"received\": %d, \"reordered\": %d", probe->sent, n,
	       probe->reordered);
	if (n > 0)
		printf(", \"min_ms\": %.6f, \"median_ms\": %.6f, \"max_ms\": %.6f",
		       (double)probe->round_trips[0] / 1e6, (double)probe->round_trips[n / 2] / 1e6,
		       (double)probe->round_trips[n - 1] / 1e6);
	printf("}\n");
}

static void usage(FILE *out)
{
	fprintf(
	    out,
	    "usage: wan-probe [--count N] [--interval MS] [--wait MS] ADDRESS\n\n"
	    "Sends N (50, at most %d) echo requests to ADDRESS, MS (10) apart, waits for answers\n"
	    "up to MS (1000) after the last, and prints round trips in ms as JSON.\n",
	    MAX_COUNT);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"count", required_argument, NULL, 'c'},
						{"interval", required_argument, NULL, 'i'},
						{"wait", required_argument, NULL, 'w'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	static struct probe probe;
	double interval = 10, patience = 1000;
	mono_time next;
	int option;

	probe.count = 50;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c') {
			probe.count = atoi(optarg);
		} else if (option == 'i') {
			interval = atof(optarg);
		} else if (option == 'w') {
			patience = atof(optarg);
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (optind != argc - 1 || probe.count < 1 || probe.count > MAX_COUNT) {
		usage(stderr);
		return 2;
	}
	if (!open_socket(&probe, argv[optind]))
		return 1;
	prctl(PR_SET_TIMERSLACK, 1UL);
	next = clock_mono();
	for (int i = 0; i < probe.count; i++) {
		if (!send_one(&probe)) {
			perror("wan-probe: send");
			return 1;
		}
		next = mono_add(next, DUR_NS(interval * 1e6));
		receive_until(&probe, next);
	}
	receive_until(&probe, mono_add(clock_mono(), DUR_NS(patience * 1e6)));
	report(&probe);
	close(probe.sock);
	return 0;
}
