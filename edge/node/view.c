/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Building the view: configuration, then certificates, origins and routes. Once the origins are
 * opened their resolution and probes go on until it is dropped, or is used no more.
 */
#define LOG_MODULE LOG_CONFIG
#include "edge/node/view.h"

#include <stdlib.h>

#include "config/fleet.h"
#include "config/node.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/tls.h"
#include "edge/auth/passwords.h"
#include "edge/facts/template.h"
#include "edge/limit/access.h"
#include "edge/limit/buckets.h"
#include "edge/log/access_log.h"
#include "edge/relay/edges.h"
#include "edge/route/affinity.h"
#include "edge/route/route.h"
#include "edge/tls/certs.h"
#include "edge/tls/tickets.h"
#include "geo/distance.h"
#include "geo/places.h"
#include "origin-link/olink.h"

/* What an exchange's arena may grow to. A request's head is copied line by line, each field then
 * stands in two lists that grow by doubling (as received, as forwarded), some values are put
 * together anew, and its path may be written in normal form. Of a response the fields stand in one
 * more list; their bytes are the origin link's. What rules put together has a part for itself. A
 * block that the next piece does not fit into is given up in part: hence twice all that.
 */
#define ARENA_BASE (32 * 1024)
#define LISTS_PER_FIELD 4
/* What rules put together, of request and response. */
#define CHANGES_MAX EDGE_TEMPLATE_MAX

static size_t arena_max(const struct cfg_fleet *fleet)
{
	size_t request = 2 * fleet->http.limit.head_bytes + 2 * fleet->http.limit.target_bytes +
			 2 * LISTS_PER_FIELD * fleet->http.limit.fields * sizeof(struct http_field);
	size_t response = 0;

	for (unsigned i = 0; i < fleet->n_origins; i++) {
		const struct cfg_origin *origin = &fleet->origins[i];

		response = MAX(response,
			       LISTS_PER_FIELD * origin->limit.fields * sizeof(struct http_field) +
				   origin->limit.head_bytes);
	}
	return ARENA_BASE + 2 * (request + response + CHANGES_MAX);
}

static bool load_places(struct edge_view *view, const struct cfg_fleet *fleet,
			const struct geo_places *before, struct diag *diag)
{
	if (fleet->geo.databases.n == 0 || !cfg_needs_places(fleet))
		return true;
	view->places = geo_places_load(&fleet->geo, before, diag);
	return view->places != NULL;
}

struct edge_view *edge_view_load(struct cfg_fleet **fleetp, const char *node,
				 struct edge_keys *keys, struct edge_cert_store *certs,
				 const struct edge_resumption *resumption,
				 const struct geo_places *before, struct diag *diag)
{
	const struct cfg_fleet *fleet = *fleetp;
	const struct cfg_edge *self = cfg_expect_edge(fleet, node, diag);
	struct edge_view *view;
	bool placed, secured;

	if (self == NULL)
		return NULL;
	view = xcalloc(1, sizeof(*view));
	view->self = self;
	view->tickets = edge_tickets_create(fleet, resumption, clock_wall(), diag);
	view->certs =
	    edge_certs_create(fleet, self, keys, certs, view->tickets, clock_wall(), diag);
	secured = edge_tls_edges_load(fleet, self, &view->edges, diag);
	view->origins = olink_origins_load(
	    fleet, &(struct olink_here){self->name, &self->location, geo_distance_km, self}, diag);
	view->passwords = edge_passwords_load(fleet, self, diag);
	view->routes = edge_routes_create(fleet, self, diag);
	placed = load_places(view, fleet, before, diag);
	if (view->tickets == NULL || view->certs == NULL || view->origins == NULL ||
	    view->passwords == NULL || view->routes == NULL || !placed || !secured) {
		edge_view_destroy(&view);
		return NULL;
	}
	view->fleet = TAKE(fleetp);
	view->needs_ja4 = cfg_needs_ja4(fleet);
	view->tls_policy = edge_tls_policy_of(edge_certs_tls(view->certs)->priority);
	view->affinities = edge_affinities_create(fleet, view->tickets);
	view->access = edge_access_create(fleet->http.access, fleet->http.n_access);
	view->buckets = edge_buckets_create(fleet->http.limits, fleet->http.n_limits, "");
	view->log_rules = edge_log_rules_create(&fleet->http.access_log);
	view->limits.head_bytes = fleet->http.limit.head_bytes;
	view->limits.fields = fleet->http.limit.fields;
	view->limits.target_bytes = fleet->http.limit.target_bytes;
	view->arena_max = arena_max(fleet);
	log_debug("a view is loaded of %s", fleet->file);
	return view;
}

bool edge_view_plan_descriptors(struct edge_view *view, unsigned n_workers, uint64_t open)
{
	const struct cfg_edge *self = view->self;
	struct descriptor_needs needs = {
	    .open = open,
	    .loops = n_workers + 1,
	    .listeners = n_workers * (self->listen.n + self->listen_plain.n + self->relay.listen.n),
	    .clients = view->fleet->http.limit.connections,
	    .forwards = true,
	};

	/* Each thread that asks for signatures has a channel. */
	if (view->fleet->tls.keys.place != CFG_KEYS_PROCESS)
		needs.open += cfg_handshake_threads(&view->fleet->tls, n_workers);
	for (unsigned i = 0; i < view->fleet->n_origins; i++) {
		const struct cfg_origin *origin = &view->fleet->origins[i];

		/* A name mostly has two addresses, one of each family. */
		if (origin->health.enabled)
			needs.checks += 2 * origin->n_servers;
	}
	return descriptors_plan(&needs, "client connections", "http.limit.connections",
				&view->descriptors);
}

/* All that it holds. */
static void empty(struct edge_view *view)
{
	olink_origins_destroy(&view->origins);
	edge_access_destroy(&view->access);
	edge_buckets_destroy(&view->buckets);
	edge_routes_destroy(&view->routes);
	edge_affinities_destroy(&view->affinities);
	if (view->places != NULL)
		geo_places_unref(&view->places);
	edge_log_rules_destroy(&view->log_rules);
	edge_passwords_destroy(&view->passwords);
	edge_certs_destroy(&view->certs);
	edge_tls_edges_destroy(&view->edges);
	edge_tickets_destroy(&view->tickets);
	cfg_fleet_destroy(&view->fleet);
}

void edge_view_destroy(struct edge_view **viewp)
{
	struct edge_view *view = TAKE(viewp);

	if (view == NULL)
		return;
	empty(view);
	free(view);
}

static void run_empty(struct job *job)
{
	empty(CONTAINER_OF(job, struct edge_view, job));
}

/* After run_empty(), or instead of it. */
static void free_view(struct job *job)
{
	struct edge_view *view = CONTAINER_OF(job, struct edge_view, job);

	edge_view_destroy(&view);
}

void edge_view_open(struct edge_view *view, struct olink *olink, struct jobs *jobs)
{
	view->jobs = jobs;
	olink_origins_open(view->origins, olink);
}

void edge_view_drop(struct edge_view **viewp)
{
	static const struct job_ops ops = {run_empty, free_view, free_view};
	struct edge_view *view = TAKE(viewp);

	olink_origins_close(view->origins);
	job_start(view->jobs, &view->job, &ops);
}

/* Control thread: nobody uses it any more. */
static void destroy_published(struct snapshot *snapshot)
{
	struct edge_view *view = CONTAINER_OF(snapshot, struct edge_view, snapshot);

	log_debug("a view that was replaced is not used any more");
	snapshot_fini(&view->snapshot);
	edge_view_drop(&view);
}

void edge_view_publish(struct edge_view **viewp, struct snapshot_slot *slot)
{
	struct edge_view *view = TAKE(viewp);
	struct snapshot *snapshot = &view->snapshot;

	log_debug("a view is published: %u sites, %u origins", view->fleet->n_sites,
		  view->fleet->n_origins);
	snapshot_init(snapshot, slot->group, destroy_published);
	snapshot_publish(slot, &snapshot);
}

struct edge_view *edge_view_current(struct snapshot_slot *slot)
{
	struct snapshot *snapshot = snapshot_current(slot);

	return snapshot != NULL ? CONTAINER_OF(snapshot, struct edge_view, snapshot) : NULL;
}

struct edge_view *edge_view_pin(struct snapshot_slot *slot, const struct loop *loop)
{
	return CONTAINER_OF(snapshot_pin(snapshot_current(slot), loop), struct edge_view, snapshot);
}

void edge_view_unpin(struct edge_view **viewp, const struct loop *loop)
{
	struct edge_view *view = TAKE(viewp);
	struct snapshot *snapshot;

	if (view == NULL)
		return;
	snapshot = &view->snapshot;
	snapshot_unpin(&snapshot, loop);
}
