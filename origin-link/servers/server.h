/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The servers that origins are made of: each one (host, port, check, transport) with its addresses,
 * and the endpoint and the health of each address. Shared by all configurations that name it, so
 * that a reload keeps what is known; and one with another check begins with what is known. The
 * control loop changes them; any loop of the group reads the published addresses.
 */
#pragma once

#include <stdatomic.h>
#include <sys/queue.h>

#include "config/fleet.h"
#include "core/base/addr.h"
#include "origin-link/conns/outcome.h"
#include "origin-link/servers/health.h"
#include "origin-link/servers/history.h"
#include "origin-link/servers/resolver.h"

struct conns_node;
struct endpoint;
struct loop_group;
struct metrics;
struct probe;
struct stream_buffers;
struct transport;

struct olink_address {
	/* immutable */
	struct net_addr addr;
	struct endpoint *endpoint; /* to be pinned by who uses it for longer than a turn */
	bool checked;
	/* any thread reads */
	struct health health; /* stays HEALTH_UNKNOWN when not checked */
	/* control loop */
	struct olink_server *server;
	struct probe *probe; /* NULL: not checked */
	struct history history;
	struct outcome_sums counted_before; /* by the endpoint, see servers/seen.h */
};

/* Immutable once published. */
struct olink_addresses {
	unsigned n;
	struct olink_address *v[RESOLVER_ADDRS_MAX];
};

/* A reload looks for each of what may be thousands. */
#define SERVER_BUCKETS 4096

struct server_table {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct metrics *metrics;
	struct conns_node *conns;
	struct resolver *resolver;
	/* Some addresses have changed, or become up or down. */
	void (*on_change)(struct server_table *table);
	unsigned n_servers;
	LIST_HEAD(, olink_server) servers[SERVER_BUCKETS]; /* by host and port */
};

struct olink_server {
	unsigned magic;
	LIST_ENTRY(olink_server) link;
	struct server_table *table;
	unsigned refs;
	char *host;
	uint16_t port;
	struct transport *transport;
	bool checked;
	struct cfg_check check; /* strings owned; only when checked */
	struct resolver_watch *watch;
	struct outcome_sums past; /* of addresses that it had, see servers/seen.h */
	bool resolved;            /* the first resolution has ended, well or not */
	/* written by the control loop, read by any */
	_Atomic(const struct olink_addresses *) addresses;
};

/* What a server is known by. */
struct server_identity {
	const char *host;
	uint16_t port;
	const struct cfg_check *check; /* NULL: not checked */
	struct transport *transport;
};
/* Control loop. Returns the one that is there, or starts a new one; copies, and takes a reference
 * to the transport. A new one that differs from one that is there by its check only has the
 * addresses of that and their verdicts, until its own resolution and checks say otherwise. */
struct olink_server *server_take(struct server_table *table, const struct server_identity *id);
/* The last one ends it: no worker may still look at it. */
void server_give(struct olink_server **server);
/* The first resolution has ended, and there is a verdict on each address. */
bool server_is_settled(const struct olink_server *server);

/* Checked, and up; or never checked. Any thread. */
bool address_is_proven(const struct olink_address *address);

/* Any loop of the group; valid until the end of its turn. */
const struct olink_addresses *server_addresses(const struct olink_server *server);
