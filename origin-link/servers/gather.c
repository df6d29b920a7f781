/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From c-ares' answer to the addresses that are used. All of them are looked at and sorted before
 * the rest is cut off, or a name with many would lose some and find others, their health and
 * connections with them, each time that its name server turns its answer around. Any thread; may
 * block for no longer than the kernel takes to look at its routes.
 */
#include "origin-link/servers/gather.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ares.h>

#include "config/origin.h"
#include "core/base/check.h"

/* A TTL of 0 comes from /etc/hosts, or from a zone that forbids caching. */
#define TTL_NONE DUR_S(5)
/* So many fill an answer of 64 KiB for each of the two types; only a hosts file could have more. */
#define LOOKED_AT_MAX 8192

static int ip_order(const struct net_addr *x, const struct net_addr *y)
{
	if (x->sa.sa_family != y->sa.sa_family)
		return x->sa.sa_family < y->sa.sa_family ? -1 : 1;
	if (x->sa.sa_family == AF_INET)
		return memcmp(&x->in.sin_addr, &y->in.sin_addr, sizeof(x->in.sin_addr));
	return memcmp(&x->in6.sin6_addr, &y->in6.sin6_addr, sizeof(x->in6.sin6_addr));
}

int gather_order(const struct net_addr *x, const struct net_addr *y)
{
	int port = (int)net_addr_port(x) - (int)net_addr_port(y);
	int ip = ip_order(x, y);

	return ip ? ip : port;
}

static int addr_order(const void *a, const void *b)
{
	return gather_order(a, b);
}

/* Linux takes 0.0.0.0 and :: for this very machine, whoever has put them into a zone. */
static bool is_somebodys(const struct net_addr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return !IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr) &&
		       !IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);

	uint32_t ip = ntohl(a->in.sin_addr.s_addr);

	return ip >> 24 != 0 && !IN_MULTICAST(ip) && ip != INADDR_BROADCAST;
}

bool gather_is_of(const struct net_addr *a, enum cfg_family family)
{
	return family == CFG_FAMILY_ANY ||
	       (a->sa.sa_family == AF_INET6) == (family == CFG_FAMILY_IPV6);
}

/* False when it is none that can be used. An IPv4 address in the form of an IPv6 one becomes what
 * it is. */
static bool take(const struct ares_addrinfo_node *node, uint16_t port, enum cfg_family family,
		 struct net_addr *out)
{
	struct net_addr a = {0};

	if (node->ai_family == AF_INET && (size_t)node->ai_addrlen >= sizeof(a.in)) {
		memcpy(&a.in, node->ai_addr, sizeof(a.in));
	} else if (node->ai_family == AF_INET6 && (size_t)node->ai_addrlen >= sizeof(a.in6)) {
		memcpy(&a.in6, node->ai_addr, sizeof(a.in6));
		if (IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
			struct in_addr ip;

			memcpy(&ip, &a.in6.sin6_addr.s6_addr[12], sizeof(ip));
			a = (struct net_addr){.in = {.sin_family = AF_INET, .sin_addr = ip}};
		}
	} else {
		return false;
	}
	net_addr_set_port(&a, port);
	*out = a;
	return gather_is_of(&a, family) && is_somebodys(&a);
}

/* Sorted and without doubles: a hosts file may repeat itself, and a name server too. */
static unsigned tidy(struct net_addr *v, unsigned n)
{
	unsigned kept = 0;

	qsort(v, n, sizeof(*v), addr_order);
	for (unsigned i = 0; i < n; i++) {
		if (kept == 0 || !net_addr_equal(&v[kept - 1], &v[i]))
			v[kept++] = v[i];
	}
	return kept;
}

/* By a socket of its family, or -1. Sends nothing. False on a machine without that family, say: its
 * addresses can only cost time. */
static bool has_route(int fd, const struct net_addr *a)
{
	static const struct sockaddr none = {.sa_family = AF_UNSPEC};

	/* The source that the last one had would decide about this one too. */
	return fd >= 0 && connect(fd, &none, sizeof(none)) == 0 &&
	       connect(fd, &a->sa, net_addr_len(a)) == 0;
}

/* The first ones that have a route; without any, the first ones. They are sorted by family, and one
 * descriptor at a time is enough. */
static unsigned choose(const struct net_addr *v, unsigned n,
		       struct net_addr out[RESOLVER_ADDRS_MAX])
{
	int family = AF_UNSPEC, fd = -1;
	unsigned chosen = 0;

	for (unsigned i = 0; i < n && chosen < RESOLVER_ADDRS_MAX; i++) {
		if (v[i].sa.sa_family != family) {
			if (fd >= 0)
				close(fd);
			family = v[i].sa.sa_family;
			fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		}
		if (has_route(fd, &v[i]))
			out[chosen++] = v[i];
	}
	if (fd >= 0)
		close(fd);
	if (chosen > 0)
		return chosen;
	chosen = MIN(n, RESOLVER_ADDRS_MAX);
	memcpy(out, v, chosen * sizeof(*out));
	return chosen;
}

duration gather_ttl(int seconds, const struct cfg_resolve *terms)
{
	duration ttl = seconds <= 0 ? TTL_NONE : DUR_S(seconds);

	return DUR_NS(MIN(MAX(ttl.ns, terms->ttl_min.ns), terms->ttl_max.ns));
}

static duration ttl_of(const struct ares_addrinfo *answer, const struct cfg_resolve *terms)
{
	int lowest = INT32_MAX;

	for (const struct ares_addrinfo_node *node = answer->nodes; node; node = node->ai_next)
		lowest = MIN(lowest, node->ai_ttl);
	for (const struct ares_addrinfo_cname *c = answer->cnames; c; c = c->next)
		lowest = MIN(lowest, c->ttl);
	return gather_ttl(lowest, terms);
}

unsigned gather_addrs(const struct ares_addrinfo *answer, uint16_t port,
		      const struct cfg_resolve *terms, struct net_addr out[RESOLVER_ADDRS_MAX],
		      duration *ttl)
{
	unsigned n_nodes = 0, n = 0;
	struct net_addr *all;

	for (const struct ares_addrinfo_node *node = answer->nodes; node; node = node->ai_next)
		n_nodes++;
	n_nodes = MIN(n_nodes, LOOKED_AT_MAX);
	*ttl = ttl_of(answer, terms);
	all = reallocarray(NULL, n_nodes + 1, sizeof(*all));
	if (!all)
		return 0;
	for (const struct ares_addrinfo_node *node = answer->nodes; n_nodes > 0 && node;
	     node = node->ai_next, n_nodes--)
		n += take(node, port, terms->family, &all[n]);
	n = choose(all, tidy(all, n), out);
	free(all);
	return n;
}
