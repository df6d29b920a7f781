/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names kept resolved: a watch asks for the addresses of one name, again when their TTL has passed,
 * and keeps the last good answer through failures. Control loop only.
 *
 * The system's files are followed: when resolv.conf or the hosts file changes, all names are looked
 * up anew within a second or so. One that cannot be read, or is no regular file, changes nothing.
 */
#pragma once

#include "core/base/addr.h"
#include "origin-link/servers/gather.h"

struct loop;
struct metrics;

struct resolver;
struct resolver_watch;

/* Where name servers are found; what is not set is the system's. */
struct resolver_sources {
	const char *resolv_conf; /* must outlive the resolver */
	uint16_t port;
};

/* `sources` may be NULL. Counts into `metrics`. */
struct resolver *resolver_create(struct loop *control, struct metrics *metrics,
				 const struct resolver_sources *sources);
/* After every watch was destroyed. */
void resolver_destroy(struct resolver **resolver);
/* Reads the files again and looks all names up anew, at the end of this turn. */
void resolver_start_over(struct resolver *resolver);

/* on_result is called after every resolution: with the addresses, sorted, their ports `port`; or
 * with n == 0 when it failed: what was found before then stays valid. A resolution that our own
 * shortage of descriptors has prevented is not told, only counted, and tried again soon. For an IP
 * literal it is called once, before this returns. */
typedef void resolver_result(void *arg, const struct net_addr *addrs, unsigned n);
struct resolver_watch *resolver_watch_create(struct resolver *resolver, const char *host,
					     uint16_t port, resolver_result *on_result, void *arg);
void resolver_watch_destroy(struct resolver_watch **watch);
