/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/report.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/codes.h>
#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/process/control.h"
#include "dns/answer/answer.h"
#include "dns/answer/ecs.h"
#include "dns/sections.h"
#include "dns/steer/steer.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"
#include "fleet/verdicts.h"
#include "geo/map.h"
#include "origin-link/servers/health.h"

static json_t *report_edge(const struct dns_view *view, const struct dns_edge *edge)
{
	bool probed = edge->config->addresses.n > 0;
	duration probe =
	    probed
		? fleet_verdict_probe_time(fleet_verdicts_at(view->verdicts, edge->config->id, 0))
		: DUR_NS(0);

	return json_pack(
	    "{s:s, s:s, s:b, s:s, s:f}", "state", health_state_text(health_get(edge->health)),
	    "cause", probe_cause_text(atomic_load(&edge->health->cause)), "failing",
	    (int)atomic_load(&edge->health->failing), "admin", cfg_admin_text(edge->config->admin),
	    "probe_ms", (double)dur_to_us(probe) / 1000);
}

void dns_report_view(const struct dns_view *view, json_t *status)
{
	struct geo_map_stats stats = geo_map_stats(view->map);
	json_t *zones = json_object(), *edges = json_object();

	for (unsigned i = 0; i < view->zones->n; i++) {
		const struct dns_zone *zone = view->zones->v[i].zone;

		json_object_set_new(zones, zone->name,
				    json_pack("{s:I, s:I}", "serial", (json_int_t)zone->serial,
					      "records", (json_int_t)zone->n_records));
	}
	for (unsigned i = 0; i < view->n_edges; i++)
		json_object_set_new(edges, view->edges[i].config->name,
				    report_edge(view, &view->edges[i]));
	json_object_set_new(status, "zones", zones);
	json_object_set_new(status, "edges", edges);
	json_object_set_new(
	    status, "geo",
	    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "database_type", stats.database_type,
		      "build_epoch", (json_int_t)stats.build_epoch, "networks",
		      (json_int_t)stats.networks, "nodes", (json_int_t)stats.nodes, "rankings",
		      (json_int_t)stats.rankings, "bytes", (json_int_t)stats.bytes));
}

/* A query as a resolver would send it for a client. Returns its length, 0 when it does not fit. */
static size_t write_query(uint8_t *wire, size_t size, const knot_dname_t *name, uint16_t type,
			  const struct net_prefix *client)
{
	struct dns_ecs ecs = {.family = client->family == AF_INET ? 1 : 2, .source = *client};
	uint8_t subnet[DNS_ECS_MAX];
	knot_pkt_t *query = knot_pkt_new(wire, size, NULL);
	knot_rrset_t opt;
	size_t len = 0;

	CHECK(query != NULL);
	knot_pkt_clear(query);
	CHECK(knot_edns_init(&opt, DNS_UDP_PAYLOAD, 0, KNOT_EDNS_VERSION, NULL) == KNOT_EOK &&
	      knot_edns_add_option(&opt, KNOT_EDNS_OPTION_CLIENT_SUBNET,
				   dns_ecs_write(&ecs, 0, subnet), subnet, NULL) == KNOT_EOK);
	if (knot_pkt_put_question(query, name, KNOT_CLASS_IN, type) == KNOT_EOK &&
	    knot_pkt_begin(query, KNOT_ADDITIONAL) == KNOT_EOK &&
	    knot_pkt_put(query, KNOT_COMPR_HINT_NONE, &opt, 0) == KNOT_EOK)
		len = query->size;
	knot_pkt_free(query);
	knot_rrset_clear(&opt, NULL);
	return len;
}

static void report_choice(const struct dns_view *view, const struct dns_facts *facts,
			  json_t *report)
{
	struct geo_place place = geo_map_place(view->map, &facts->place);
	struct geo_ranking ranking = geo_map_lookup(view->map, &facts->place);
	const struct dns_edge *chosen = facts->choice.edge;
	struct cfg_coords from = view->fleet->geo.unknown;
	json_t *candidates = json_array();

	if (place.known)
		from = (struct cfg_coords){place.latitude, place.longitude, true};
	for (unsigned i = 0; i < ranking.n; i++) {
		const struct dns_edge *edge = &view->edges[ranking.edges[i]];
		const struct cfg_coords *at = &edge->config->location;
		json_t *candidate;

		if (!facts->steered->member[edge->config->id])
			continue;
		candidate = report_edge(view, edge);
		json_object_set_new(candidate, "edge", json_string(edge->config->name));
		json_object_set_new(candidate, "distance_km",
				    from.set && at->set
					? json_real(geo_distance_km(from.latitude, from.longitude,
								    at->latitude, at->longitude))
					: json_null());
		json_array_append_new(candidates, candidate);
	}
	json_object_set_new(report, "site", json_string(facts->steered->config->site->name));
	json_object_set_new(report, "chosen",
			    chosen == NULL ? json_null() : json_string(chosen->config->name));
	json_object_set_new(report, "reason",
			    json_string(dns_steer_reason_text(facts->choice.reason)));
	json_object_set_new(report, "ttl", json_integer(facts->choice.ttl));
	json_object_set_new(report, "place",
			    json_pack("{s:b, s:f, s:f, s:s, s:s, s:s}", "known", (int)place.known,
				      "latitude", place.latitude, "longitude", place.longitude,
				      "city", place.city, "country", place.country, "continent",
				      place.continent));
	json_object_set_new(report, "candidates", candidates);
}

json_t *dns_report_explain(const struct dns_view *view, struct dns_answerer *answerer,
			   const char *name, const char *type, const char *client)
{
	struct net_prefix from;
	struct dns_request request = {.transport = DNS_TCP};
	knot_dname_storage_t qname;
	uint16_t qtype;
	uint8_t query[KNOT_WIRE_MIN_PKTSIZE];
	char text[NET_ADDR_TEXT], name_text[DNS_NAME_TEXT];

	if (knot_dname_from_str(qname, name, sizeof(qname)) == NULL)
		return control_error("'%s' is not a domain name", name);
	if (knot_rrtype_from_string(type, &qtype) < 0)
		return control_error("'%s' is not a record type", type);
	if (!net_prefix_parse(client, &from))
		return control_error("'%s' is neither an address nor a network", client);

	uint8_t *response = xmalloc(DNS_TCP_PAYLOAD);
	size_t len;

	request.wire = query;
	request.len = write_query(query, sizeof(query), qname, qtype, &from);
	request.now = clock_wall();
	request.mono = clock_mono();
	request.remote.sa.sa_family = from.family; /* nobody: the option says who */
	CHECK(request.len > 0);
	CHECK(dns_handle(answerer, view, &request, response, DNS_TCP_PAYLOAD, &len) == DNS_REPLY);
	const struct dns_facts *facts = dns_answerer_facts(answerer);
	const knot_lookup_t *rcode = knot_lookup_by_id(knot_rcode_names, facts->rcode);
	json_t *report =
	    json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", dns_name_format(qname, name_text),
		      "type", type, "client", net_prefix_format(&from, text), "rcode",
		      rcode == NULL ? "?" : rcode->name, "scope", (int)facts->scope);

	dns_sections_report(response, len, report);
	if (facts->steered != NULL)
		report_choice(view, facts, report);
	free(response);
	return report;
}
