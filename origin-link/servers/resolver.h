/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names kept resolved: a watch asks for the addresses of one name, again when their TTL has passed,
 * and keeps the last good answer through failures. Control loop only.
 */
#pragma once

#include "core/base/addr.h"

struct loop;
struct metrics;

/* More addresses than this of one name are left out, and those that this machine has no route to
 * while it has one to others. */
#define RESOLVER_ADDRS_MAX 16

struct resolver;
struct resolver_watch;

/* `servers`: name servers as "192.0.2.1:53,...", NULL: the system's. Counts into `metrics`. NULL
 * with *error (malloc'd) when c-ares cannot start. */
struct resolver *resolver_create(struct loop *control, struct metrics *metrics, const char *servers,
				 char **error);
/* After every watch was destroyed. */
void resolver_destroy(struct resolver **resolver);

/* on_result is called after every resolution: with the addresses, sorted, their ports `port`; or
 * with n == 0 when it failed: what was found before then stays valid. For an IP literal it is
 * called once, before this returns. */
typedef void resolver_result(void *arg, const struct net_addr *addrs, unsigned n);
struct resolver_watch *resolver_watch_create(struct resolver *resolver, const char *host,
					     uint16_t port, resolver_result *on_result, void *arg);
void resolver_watch_destroy(struct resolver_watch **watch);
