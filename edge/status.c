/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The status document, from the published view, the counters and the origin link.
 */
#include "edge/status.h"

#include <stdlib.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/keys/keys.h"
#include "edge/limit/buckets.h"
#include "edge/log/access_log.h"
#include "edge/node/view.h"
#include "edge/node/worker.h"
#include "edge/route/route.h"
#include "edge/tls/certs.h"
#include "edge/tls/tickets.h"
#include "geo/report.h"
#include "origin-link/olink.h"

static json_t *listeners(const struct edge_status *s)
{
	json_t *list = json_array();
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < s->n_listeners; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:b, s:b}", "address",
				    net_addr_format(&s->listeners[i].addr, text), "tls",
				    s->listeners[i].kind != EDGE_LISTENER_PLAIN, "relay",
				    s->listeners[i].kind == EDGE_LISTENER_RELAY));
	return list;
}

static json_t *sites(const struct edge_view *view)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < view->fleet->n_sites; i++) {
		const struct cfg_site *site = &view->fleet->sites[i];
		json_t *hosts = json_array();

		if (!cfg_site_is_served_by(site, view->self)) {
			json_decref(hosts);
			continue;
		}
		for (unsigned h = 0; h < site->hosts.n; h++)
			json_array_append_new(hosts, json_string(site->hosts.v[h]));
		json_array_append_new(list,
				      json_pack("{s:s, s:o}", "name", site->name, "hosts", hosts));
	}
	return list;
}

/* Those that are called alike are one. */
static void add_limit(void *arg, const struct cfg_limit *limit, const char *space, uint64_t allowed,
		      uint64_t refused)
{
	json_t *all = arg;
	char *name = xasprintf("%s%s%s", space, *space != '\0' ? "/" : "", limit->name);

	if (json_object_get(all, name) == NULL)
		json_object_set_new(all, name,
				    json_pack("{s:I, s:I}", "allowed", (json_int_t)allowed,
					      "refused", (json_int_t)refused));
	free(name);
}

static json_t *limits(const struct edge_common *common, const struct edge_view *view)
{
	const struct edge_guard *guard = common->guard;
	json_t *all = json_object();

	edge_buckets_each(view->buckets, guard, add_limit, all);
	edge_routes_each_buckets(view->routes, guard, add_limit, all);
	return json_pack("{s:o, s:I, s:I, s:I}", "limits", all, "tracked",
			 (json_int_t)edge_rates_size(guard->rates), "keys",
			 (json_int_t)edge_rates_used(guard->rates, clock_mono()), "clients",
			 (json_int_t)edge_tally_used(guard->tally));
}

/* What all loops count together, or others count, becomes the control loop's. */
static void count_totals(const struct edge_common *common, const struct edge_view *view)
{
	const struct edge_certs_times times = edge_certs_times(view->certs, clock_wall());
	struct metrics *metrics = common->metrics;
	struct loop *control = common->group->control;

	metrics_set_total(metrics, control, EDGE_STALLED_CUT, atomic_load(&common->budget.cut));
	metrics_set_total(metrics, control, EDGE_LOG_DROPPED, log_dropped());
	metrics_set_total(metrics, control, EDGE_CERTIFICATES_ENDING, times.ending);
	metrics_set_total(metrics, control, EDGE_CERTIFICATES_EXPIRED, times.expired);
	metrics_set_total(metrics, control, EDGE_LIMITS_FORGOTTEN,
			  (int64_t)edge_rates_forgotten(common->guard->rates));
	metrics_set_total(metrics, control, EDGE_LIMITS_MISSED,
			  (int64_t)edge_tally_missed(common->guard->tally));
	if (common->access_log != NULL)
		metrics_set_total(metrics, control, EDGE_ACCESS_LOG_DROPPED,
				  edge_access_log_dropped(common->access_log));
}

void edge_status_add(const struct edge_status *s, json_t *status)
{
	const struct edge_view *view = edge_view_current(&s->common->views);

	json_object_set_new(status, "admin", json_string(cfg_admin_text(view->self->admin)));
	json_object_set_new(status, "listeners", listeners(s));
	json_object_set_new(status, "buffered",
			    json_integer((json_int_t)atomic_load(&s->common->budget.queued)));
	json_object_set_new(status, "descriptors", descriptors_status(&view->descriptors));
	json_object_set_new(status, "limits", limits(s->common, view));
	if (view->places != NULL)
		json_object_set_new(status, "geo", geo_places_report(view->places));
	count_totals(s->common, view);
	olink_status(s->common->olink, view->origins, status);
	if (json_object_get(status, "counters") == NULL)
		json_object_set_new(status, "counters", json_object());
	metrics_to_json(s->common->metrics, json_object_get(status, "counters"));
	edge_certs_metrics(view->certs, json_object_get(status, "counters"));
	json_object_set_new(status, "sites", sites(view));
	json_object_set_new(status, "keys", edge_keys_status(s->keys));
	json_object_set_new(status, "certificates", edge_certs_status(view->certs, clock_wall()));
	json_object_set_new(status, "tickets", edge_tickets_status(view->tickets, clock_wall()));
}
