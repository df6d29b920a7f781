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
#include "origin-link/health/health.h"
#include "origin-link/health/history.h"
#include "origin-link/health/outlier.h"
#include "origin-link/servers/service.h"

struct conns_node;
struct endpoint;
struct loop_group;
struct metrics;
struct probe;
struct probe_gate;
struct stream_buffers;
struct transport;

struct olink_address {
	/* immutable */
	struct net_addr addr;
	struct endpoint *endpoint; /* to be pinned by who uses it for longer than a turn */
	bool checked;
	/* any thread reads */
	struct health health;     /* stays HEALTH_UNKNOWN when not checked */
	_Atomic bool is_left_out; /* as an outlier */
	/* control loop */
	struct olink_server *server;
	struct probe *probe; /* NULL: not checked, or not there any more */
	unsigned priority;   /* see struct service_address */
	unsigned weight;
	mono_time left;     /* when its name lost it; while it is in the server's past */
	bool comes_late;    /* it was down, or is new where others were known: it starts slowly */
	mono_time up_since; /* of one that came late; 0: it was there from the beginning */
	struct history history;
	struct outcome_sums counted_before; /* by the endpoint, see servers/seen.h */
	/* only where the server is watched */
	struct outlier outlier;
	bool is_counted;               /* there was a look */
	struct outlier_counts counted; /* at the last one */
};

/* Immutable once published. */
struct olink_addresses {
	unsigned n;
	struct olink_address *v[SERVICE_ADDRS_MAX];
};

/* Addresses that the name had lately, and what is known of them: the one that left first comes
 * first. Nothing is sent there, and what was under way finishes. Control loop. */
struct olink_past {
	unsigned n;
	struct olink_address *v[SERVICE_ADDRS_MAX];
};

/* A reload looks for each of what may be thousands. */
#define SERVER_BUCKETS 4096

/* Who wants to know of changes of one server. */
struct server_user {
	LIST_ENTRY(server_user) link;
	/* Some addresses have come, or become up or down. With `address_goes`: some are no more in
	 * server_addresses(), and their endpoints are given up when this has returned. */
	void (*changed)(struct server_user *user, bool address_goes);
};

struct server_table {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct metrics *metrics;
	struct conns_node *conns;
	struct resolver *resolver;
	struct probe_gate *gate; /* that checks wait at; NULL: they do not */
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
	uint16_t port; /* 0: the host is a service, and SRV records say which servers it has */
	struct transport *transport;
	struct cfg_resolve resolve;
	bool is_watched; /* for outliers */
	char *watcher;   /* the origin that looks at what requests find; NULL: none does */
	bool is_drained; /* by the operator */
	bool checked;
	/* only when checked */
	struct cfg_check check; /* strings owned */
	struct transport *check_transport;
	struct resolver_watch *watch; /* NULL: there is the service */
	struct service *service;
	bool resolved; /* the first resolution has ended, well or not */
	LIST_HEAD(, server_user) users;
	struct olink_past past;
	struct outcome_sums counted; /* of addresses that it had, see servers/seen.h */
	/* written by the control loop, read by any */
	_Atomic(const struct olink_addresses *) addresses;
};

/* What a server is known by. */
struct server_identity {
	const char *host;
	uint16_t port; /* 0: of a service, see above */
	const struct cfg_resolve *resolve;
	const struct cfg_check *check; /* NULL: not checked */
	struct transport *transport;
	struct transport *check_transport; /* how the check goes there */
	bool is_watched;                   /* for outliers (origin-link/health/outlier.h) */
	/* The origin that looks at what requests find, for outliers or its breaker: what it has
	 * counted, and whom it has left out, is no other's. NULL: none does. */
	const char *watcher;
	bool is_drained; /* by the operator */
};
/* Control loop. Returns the one that is there, or starts a new one; copies, and takes a reference
 * to the transports. A new one has the addresses of one with the same host and port that is there,
 * until its own resolution says otherwise; and their verdicts until its own checks do, if the two
 * are reached in the same way. */
struct olink_server *server_take(struct server_table *table, const struct server_identity *id);
/* How the last look-up of its name has ended. Control loop. */
struct resolver_facts server_lookup(const struct olink_server *server);
/* The last one ends it: no worker may still look at it. */
void server_give(struct olink_server **server);
/* Control loop. */
void server_watch(struct olink_server *server, struct server_user *user);
void server_unwatch(struct server_user *user);
/* Whatever makes that requests should go elsewhere, or may come again. Control loop. */
void server_changed(struct olink_server *server);
/* The first resolution has ended, and there is a verdict on each address. */
bool server_is_settled(const struct olink_server *server);

/* Checked, and up; or never checked. Any thread. */
bool address_is_proven(const struct olink_address *address);

/* Not to be used while there is a better one: down, or left out as an outlier. Any thread. */
bool address_is_down(const struct olink_address *address);
/* What all that is known of it comes to: its health, or one of these. Any thread. */
enum { ADDRESS_EJECTED = HEALTH_DOWN + 1, ADDRESS_DRAINED, ADDRESS_STATES };
unsigned address_state(const struct olink_address *address);
/* "up", "down", "ejected", "drained", "unknown". */
const char *address_state_name(unsigned state);
const char *address_state_text(const struct olink_address *address);
/* Its outlier was left out, or taken back. Control loop. */
void address_outlier_changed(struct olink_address *address);

/* Any loop of the group; valid until the end of its turn. */
const struct olink_addresses *server_addresses(const struct olink_server *server);
