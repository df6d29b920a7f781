/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All that a request is served by, as one snapshot: the configuration and what was built from it.
 * Loaded and freed by jobs, published by the control thread; immutable in between.
 */
#pragma once

#include <gnutls/gnutls.h>

#include "core/http/h1.h"
#include "core/loop/job.h"
#include "core/loop/snapshot.h"
#include "core/process/descriptors.h"
#include "edge/tls/policy.h"

struct cfg_edge;
struct cfg_fleet;
struct diag;
struct edge_access;
struct edge_affinities;
struct edge_buckets;
struct edge_cert_store;
struct edge_certs;
struct edge_keys;
struct edge_log_rules;
struct edge_passwords;
struct edge_resumption;
struct edge_routes;
struct edge_tickets;
struct edge_tls_edges;
struct geo_places;
struct olink;
struct olink_origins;

struct edge_view {
	struct snapshot snapshot; /* first: the snapshot is the view */
	struct cfg_fleet *fleet;
	const struct cfg_edge *self;
	struct edge_tickets *tickets;
	struct edge_certs *certs;
	struct edge_tls_edges *edges; /* NULL: it is no relay for any */
	struct edge_tls_policy tls_policy;
	bool needs_ja4; /* anything does */
	struct edge_passwords *passwords;
	struct edge_routes *routes;
	struct edge_affinities *affinities;
	struct edge_access *access;      /* of http; NULL: everybody */
	struct edge_buckets *buckets;    /* of http; NULL: none */
	const struct geo_places *places; /* NULL: nothing needs them */
	struct edge_log_rules *log_rules;
	struct olink_origins *origins;
	struct h1_limits limits;
	size_t arena_max; /* of one exchange */
	/* Its freeing. */
	struct jobs *jobs;
	struct job job;
	/* How many of http.limit.connections are let in, for one. */
	struct descriptor_budget descriptors;
};

/* What an edge of a fleet needs, with the certificates (ours, and what the origins need), and the
 * places of clients where something needs them; `before`, which may be NULL, are those of the view
 * before. `resumption`: the process's. NULL with every error in `diag`, and *fleet is left to the
 * caller; else *fleet is consumed. Nothing is started yet. Blocking. */
struct edge_view *edge_view_load(struct cfg_fleet **fleet, const char *node, struct edge_keys *keys,
				 struct edge_cert_store *certs,
				 const struct edge_resumption *resumption,
				 const struct geo_places *before, struct diag *diag);
/* Before it is published, each time. `open`: descriptors of the process before it had any workers.
 * False, said in the log, when there are too few to run with. */
bool edge_view_plan_descriptors(struct edge_view *view, unsigned n_workers, uint64_t open);
/* Only what was not opened. Any thread. */
void edge_view_destroy(struct edge_view **view);
/* Starts to look up and to probe its origins: once olink_origins_settled(), requests find them.
 * When it is dropped, or published and not used any more, a job of `jobs` frees it: with thousands
 * of certificates that takes long. Control thread. */
void edge_view_open(struct edge_view *view, struct olink *olink, struct jobs *jobs);
/* One that was opened, and is not to be published. Control thread. */
void edge_view_drop(struct edge_view **view);
/* One that was opened; consumes *view. Control thread. */
void edge_view_publish(struct edge_view **view, struct snapshot_slot *slot);

/* The published view; valid until the end of the turn, or as long as it is pinned. */
struct edge_view *edge_view_current(struct snapshot_slot *slot);
struct edge_view *edge_view_pin(struct snapshot_slot *slot, const struct loop *loop);
void edge_view_unpin(struct edge_view **view, const struct loop *loop);
