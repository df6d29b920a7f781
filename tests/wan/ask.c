/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The question, by c-ares and poll; see ask.h.
 */
#include "tests/wan/ask.h"

#include <ares.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/base/check.h"

/* One over UDP, one over TCP when the answer was cut short, and room. */
#define MAX_SOCKETS 4

struct question {
	struct pollfd sockets[MAX_SOCKETS];
	nfds_t count;
	struct in_addr *address;
	bool answered;
	int status;
};

static void socket_state_cb(void *data, ares_socket_t fd, int readable, int writable)
{
	struct question *q = data;
	nfds_t i = 0;

	while (i < q->count && q->sockets[i].fd != fd)
		i++;
	if (!readable && !writable) {
		if (i < q->count)
			q->sockets[i] = q->sockets[--q->count];
		return;
	}
	CHECK(i < MAX_SOCKETS);
	q->sockets[i].fd = fd;
	q->sockets[i].events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
	q->count = MAX(q->count, i + 1);
}

static void answer_cb(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct question *q = arg;

	q->answered = true;
	q->status = status;
	if (status != ARES_SUCCESS)
		return;
	q->status = ARES_ENODATA;
	for (struct ares_addrinfo_node *n = result->nodes; n; n = n->ai_next) {
		if (n->ai_family != AF_INET)
			continue;
		*q->address = ((struct sockaddr_in *)(void *)n->ai_addr)->sin_addr;
		q->status = ARES_SUCCESS;
		break;
	}
	ares_freeaddrinfo(result);
}

static int left_ms(mono_time end)
{
	return (int)MAX(dur_to_ms(mono_since(end, clock_mono())), 0);
}

static void wait_for_answer(ares_channel channel, struct question *q, mono_time end)
{
	while (!q->answered && left_ms(end) > 0) {
		struct timeval most = dur_to_timeval(DUR_MS(left_ms(end))), room;
		struct timeval *tv = ares_timeout(channel, &most, &room);
		struct pollfd ready[MAX_SOCKETS];
		nfds_t count = q->count;

		poll(q->sockets, count, (int)(tv->tv_sec * 1000 + tv->tv_usec / 1000 + 1));
		memcpy(ready, q->sockets, sizeof(ready));
		ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		for (nfds_t i = 0; i < count; i++) {
			bool in = ready[i].revents & (POLLIN | POLLERR | POLLHUP);
			bool out = ready[i].revents & POLLOUT;

			ares_process_fd(channel, in ? ready[i].fd : ARES_SOCKET_BAD,
					out ? ready[i].fd : ARES_SOCKET_BAD);
		}
	}
}

bool ask_address(const char *server, const char *host, mono_time end, struct in_addr *address)
{
	char only_dns[] = "b";
	struct question q = {.address = address, .status = ARES_ETIMEOUT};
	struct ares_options options = {.timeout = 1000,
				       .tries = 5,
				       .flags = ARES_FLAG_NOSEARCH,
				       .lookups = only_dns,
				       .sock_state_cb = socket_state_cb,
				       .sock_state_cb_data = &q};
	struct ares_addrinfo_hints hints = {.ai_family = AF_INET, .ai_flags = ARES_AI_NOSORT};
	ares_channel channel;
	int rc = ares_init_options(&channel, &options,
				   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS |
				       ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);

	if (rc == ARES_SUCCESS) {
		rc = ares_set_servers_ports_csv(channel, server);
		if (rc == ARES_SUCCESS) {
			ares_getaddrinfo(channel, host, NULL, &hints, answer_cb, &q);
			wait_for_answer(channel, &q, end);
			rc = q.status;
		}
		ares_destroy(channel);
	}
	if (rc != ARES_SUCCESS)
		fprintf(stderr, "wan-visit: %s asked for %s: %s\n", server, host,
			ares_strerror(rc));
	return rc == ARES_SUCCESS;
}
