/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over UDP, see udp.h. No memory is allocated for a query: a batch of datagrams has its buffers
 * for life. Responses leave from the address that was asked, also on a host with several.
 */
#define LOG_MODULE LOG_DNS
#include "dns/serve/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/sock.h"
#include "dns/answer/answer.h"
#include "dns/serve/counters.h"
#include "dns/serve/service.h"

#define UDP_MAGIC 0x44756470u

/* What the kernel is asked for at once (measured: with 64 an echo reaches the limit of sockets). */
#define BATCH 64

/* Then other sockets and timers of the loop have their turn. */
#define BATCHES_PER_TURN 8

/* What comes while the worker is at something else, or not running, waits there: 4 MiB are about
 * 5,000 queries, 20 ms of work. Longer would only make every answer late, as in a flood. The kernel
 * takes half of it as the value, and less where net.core.rmem_max says so. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/* At the end: no more than fit into the buffer. */
#define BATCHES_TO_FINISH 128

/* Queries are short; what is longer than this is dropped. */
#define QUERY_MAX 2048

struct datagram {
	struct net_addr remote;
	struct iovec in_iov, out_iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	uint8_t in[QUERY_MAX];
	uint8_t out[DNS_UDP_PAYLOAD];
};

struct dns_udp {
	unsigned magic;
	struct dns_service *service;
	int fd;
	struct net_addr local;
	bool wildcard; /* the address asked comes with each datagram */
	struct event *ev;
	struct mmsghdr in[BATCH], out[BATCH];
	struct datagram datagrams[BATCH];
};

static bool is_wildcard(const struct net_addr *local)
{
	if (local->sa.sa_family == AF_INET)
		return local->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&local->in6.sin6_addr);
}

/* 0 or a negative errno. */
static int ask_for_address(int fd, int family)
{
	int on = 1;
	int ret = family == AF_INET
		      ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on))
		      : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));

	return ret < 0 ? -errno : 0;
}

int dns_udp_bind(const struct net_addr *addr)
{
	int fd = sock_bind_udp(addr);
	int omit = IP_PMTUDISC_OMIT, half = RECEIVE_BUFFER / 2;
	int error;

	if (fd < 0)
		return fd;
	/* It costs a twentieth of a query. */
	error = is_wildcard(addr) ? ask_for_address(fd, addr->sa.sa_family) : 0;
	if (error < 0) {
		close(fd);
		return error;
	}
	/* The rest is no loss where the kernel does not take it. Responses fit today's paths: a
	 * forged ICMP must not make the kernel fragment them. */
	if (addr->sa.sa_family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit, sizeof(omit));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
	return fd;
}

uint32_t dns_udp_drops(int fd)
{
	uint32_t values[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(values);

	(void)getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &len);
	return values[SK_MEMINFO_DROPS];
}

/* What recvmmsg() changes is set again for it. */
static void reset_in(struct dns_udp *u, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct msghdr *m = &u->in[i].msg_hdr;

		m->msg_namelen = sizeof(struct sockaddr_in6);
		m->msg_control = u->wildcard ? u->datagrams[i].control : NULL;
		m->msg_controllen = u->wildcard ? sizeof(u->datagrams[i].control) : 0;
	}
}

static bool is_usable(const struct mmsghdr *in, const struct net_addr *remote)
{
	/* Port 0 cannot be answered. */
	return (in->msg_hdr.msg_flags & MSG_TRUNC) == 0 && net_addr_port(remote) != 0;
}

/* The kernel gives the address asked in the form in which it takes the one to answer from, but the
 * interface must not be pinned: routes may be asymmetric. *local gets the address. */
static void take_address_asked(struct msghdr *m, struct net_addr *local)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);

			local->in.sin_addr = info->ipi_addr;
			info->ipi_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);

			local->in6.sin6_addr = info->ipi6_addr;
			/* A link-local address means nothing without its interface. */
			if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
				info->ipi6_ifindex = 0;
		}
	}
}

/* Answers `n` datagrams; returns how many responses wait in `out`. */
static unsigned answer_batch(struct dns_udp *u, unsigned n)
{
	struct dns_request request = dns_service_request(u->service, DNS_UDP);
	unsigned responses = 0;

	request.local = u->local;
	for (unsigned i = 0; i < n; i++) {
		struct datagram *d = &u->datagrams[i];
		struct msghdr *in = &u->in[i].msg_hdr, *out = &u->out[responses].msg_hdr;
		size_t len;

		if (!is_usable(&u->in[i], &d->remote)) {
			metrics_add(u->service->metrics, u->service->loop, DNS_QUERIES_UDP, 1);
			metrics_add(u->service->metrics, u->service->loop, DNS_DROPPED, 1);
			continue;
		}
		if (u->wildcard)
			take_address_asked(in, &request.local);
		request.remote = d->remote;
		request.wire = d->in;
		request.len = u->in[i].msg_len;
		len = dns_service_answer(u->service, &request, d->out, sizeof(d->out));
		if (len == 0)
			continue;
		d->out_iov = (struct iovec){.iov_base = d->out, .iov_len = len};
		*out = (struct msghdr){.msg_name = &d->remote,
				       .msg_namelen = in->msg_namelen,
				       .msg_iov = &d->out_iov,
				       .msg_iovlen = 1};
		if (u->wildcard) {
			out->msg_control = in->msg_control;
			out->msg_controllen = in->msg_controllen;
		}
		responses++;
	}
	return responses;
}

static void send_batch(struct dns_udp *u, unsigned n)
{
	unsigned sent = 0;

	while (sent < n) {
		int ret = sendmmsg(u->fd, u->out + sent, n - sent, 0);

		if (ret > 0) {
			sent += ret;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* The first of the rest is at fault, or the socket's buffer is full: clients ask
		 * again, and waiting would only make the others late. */
		int error = errno;
		unsigned lost = error == EAGAIN || error == ENOBUFS ? n - sent : 1;

		metrics_add(u->service->metrics, u->service->loop, DNS_SEND_FAILED, lost);
		LOG_LIMITED(LOG_LEVEL_DEBUG, "udp: cannot send a response: %s", strerror(error));
		sent += lost;
	}
}

/* At most so many. */
static void answer_batches(struct dns_udp *u, unsigned batches)
{
	for (unsigned i = 0; i < batches; i++) {
		int n = recvmmsg(u->fd, u->in, BATCH, MSG_DONTWAIT, NULL);

		/* Also a pending ICMP error of an earlier response: nothing to be done about. */
		if (n <= 0)
			return;
		send_batch(u, answer_batch(u, n));
		reset_in(u, n);
		if (n < BATCH)
			return;
	}
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dns_udp *u = arg;

	MAGIC_CHECK(u, UDP_MAGIC);
	answer_batches(u, BATCHES_PER_TURN);
}

struct dns_udp *dns_udp_create(struct dns_service *service, int fd)
{
	struct dns_udp *u = xcalloc(1, sizeof(*u));

	u->magic = UDP_MAGIC;
	u->service = service;
	u->fd = fd;
	CHECK(sock_local_addr(fd, &u->local) == 0);
	u->wildcard = is_wildcard(&u->local);
	for (unsigned i = 0; i < BATCH; i++) {
		struct datagram *d = &u->datagrams[i];

		d->in_iov = (struct iovec){.iov_base = d->in, .iov_len = sizeof(d->in)};
		u->in[i].msg_hdr.msg_name = &d->remote;
		u->in[i].msg_hdr.msg_iov = &d->in_iov;
		u->in[i].msg_hdr.msg_iovlen = 1;
	}
	reset_in(u, BATCH);
	u->ev = event_new(loop_base(service->loop), fd, EV_READ | EV_PERSIST, readable_cb, u);
	CHECK(u->ev != NULL && event_add(u->ev, NULL) == 0);
	return u;
}

void dns_udp_finish(struct dns_udp **udp)
{
	MAGIC_CHECK(*udp, UDP_MAGIC);
	answer_batches(*udp, BATCHES_TO_FINISH);
	dns_udp_destroy(udp);
}

void dns_udp_destroy(struct dns_udp **udp)
{
	struct dns_udp *u = TAKE(udp);

	if (u == NULL)
		return;
	event_free(u->ev);
	close(u->fd);
	u->magic = MAGIC_DEAD;
	free(u);
}
