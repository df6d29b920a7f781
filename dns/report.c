/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/report.h"

#include <math.h>
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
#include "dns/steer/fronts.h"
#include "dns/steer/steer.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"
#include "fleet/verdicts.h"
#include "geo/distance.h"
#include "geo/places.h"
#include "geo/ranges.h"
#include "geo/report.h"
#include "origin-link/health/health.h"

/* Verdicts */

/* How old the last word is; null: there was none. */
static json_t *report_age(const struct fleet_verdict *v, mono_time now)
{
	mono_time last = fleet_verdict_last(v);

	if (last.ns == 0)
		return json_null();
	return json_real((double)dur_to_ms(mono_since(now, last)) / 1000);
}

static json_t *report_address(const struct fleet_verdict *v, mono_time now)
{
	return json_pack("{s:s, s:s, s:b, s:f, s:o}", "state",
			 health_state_text(fleet_verdict_state(v, now)), "cause",
			 probe_cause_text(fleet_verdict_cause(v)), "failing",
			 (int)fleet_verdict_failing(v), "probe_ms",
			 (double)dur_to_us(fleet_verdict_probe_time(v)) / 1000, "age_seconds",
			 report_age(v, now));
}

/* `family` is AF_UNSPEC for all of its addresses. What an edge is in one word is followed by the
 * same of each address. */
static json_t *report_edge(const struct dns_view *view, unsigned id, sa_family_t family)
{
	const struct fleet_verdicts *verdicts = view->steer.verdicts;
	const struct cfg_edge *edge = &view->fleet->edges[id];
	const struct fleet_verdict *first = NULL;
	json_t *addresses = json_object(), *report;
	mono_time now = clock_mono();
	bool failing = false;
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < edge->addresses.n; i++) {
		const struct net_addr *addr = &edge->addresses.v[i];
		const struct fleet_verdict *v = fleet_verdicts_at(verdicts, id, i);

		json_object_set_new(addresses, net_addr_format_ip(addr, text),
				    report_address(v, now));
		if (family != AF_UNSPEC && addr->sa.sa_family != family)
			continue;
		failing = failing || fleet_verdict_failing(v);
		if (first == NULL || fleet_verdict_cause(first) == PROBE_NO_ROUTE)
			first = v;
	}
	report = json_pack(
	    "{s:s, s:s, s:b, s:s, s:f}", "state",
	    health_state_text(fleet_verdicts_edge_state(verdicts, id, family, now)), "cause",
	    first == NULL ? "no-address" : probe_cause_text(fleet_verdict_cause(first)), "failing",
	    (int)failing, "admin", cfg_admin_text(edge->admin), "probe_ms",
	    first == NULL ? 0.0 : (double)dur_to_us(fleet_verdict_probe_time(first)) / 1000);
	json_object_set_new(report, "addresses", addresses);
	return report;
}

/* Status */

static json_t *report_steering(const struct dns_view *view)
{
	const struct steer_fronts *fronts = view->fronts;
	bool current = fronts != NULL && fronts->complete &&
		       fronts->epoch == fleet_verdicts_epoch(view->steer.verdicts);

	return json_pack("{s:I, s:b, s:I, s:I}", "pools", (json_int_t)view->steer.steering->pools.n,
			 "fronts_current", (int)current, "fronts_bytes",
			 (json_int_t)(fronts == NULL ? 0 : fronts->bytes), "fronts_without_room",
			 (json_int_t)(fronts == NULL ? 0 : fronts->without_room));
}

/* Of one family: how many of the edges may be named now, and why those. As the fronts have it, for
 * which nobody need look at the members: null as long as there are none, or no room for this one.
 */
static void report_usable(const struct dns_view *view, uint32_t pool_id, enum steer_family family,
			  json_t *report)
{
	static const char *const keys[][2] = {{"usable_ipv4", "reason_ipv4"},
					      {"usable_ipv6", "reason_ipv6"}};
	const struct steer_pool *pool = &view->steer.steering->pools.v[pool_id];
	const struct steer_front *front =
	    view->fronts == NULL ? NULL : view->fronts->v[pool_id * STEER_FAMILIES + family];
	enum dns_steer_reason reason = DNS_STEER_NO_FAMILY;
	bool known = front != NULL, may = false;

	if (known && (pool->n == 0 || pool->of_family[family] > 0))
		reason = steer_tier_reason(pool, front->tier);
	if (known)
		may = reason != DNS_STEER_NONE_UP && front->tier != STEER_TIER_NONE;
	json_object_set_new(report, keys[family][0],
			    known ? json_integer(may ? front->n_usable : 0) : json_null());
	json_object_set_new(report, keys[family][1],
			    known ? json_string(dns_steer_reason_text(reason)) : json_null());
}

static json_t *report_name(const struct dns_view *view, const struct dns_steered *steered)
{
	const struct steer_pool *pool = &view->steer.steering->pools.v[steered->pool];
	json_t *report = json_pack("{s:s, s:s, s:I, s:I}", "site", steered->config->site->name,
				   "policy", dns_steer_policy_text(steered->config->policy), "pool",
				   (json_int_t)steered->pool, "edges", (json_int_t)pool->n);

	for (unsigned family = 0; family < STEER_FAMILIES; family++)
		report_usable(view, steered->pool, family, report);
	return report;
}

/* By name. */
static json_t *report_steered(const struct dns_view *view)
{
	const struct dns_steered *steered = view->steered;
	json_t *names = json_object();

	for (unsigned i = 0; i < view->fleet->n_zones; i++) {
		const struct cfg_zone *zone = &view->fleet->zones[i];

		for (unsigned k = 0; k < zone->n_steered; k++, steered++) {
			bool apex = strcmp(steered->config->owner, "@") == 0;
			char *name = apex ? xstrdup(zone->name)
					  : xasprintf("%s.%s", steered->config->owner, zone->name);

			json_object_set_new(names, name, report_name(view, steered));
			free(name);
		}
	}
	return names;
}

void dns_report_view(const struct dns_view *view, json_t *status)
{
	json_t *zones = json_object(), *edges = json_object();

	for (unsigned i = 0; i < view->zones->n; i++) {
		const struct dns_zone *zone = view->zones->v[i].zone;

		json_object_set_new(zones, zone->name,
				    json_pack("{s:I, s:I}", "serial", (json_int_t)zone->serial,
					      "records", (json_int_t)zone->n_records));
	}
	for (unsigned i = 0; i < view->fleet->n_edges; i++)
		json_object_set_new(edges, view->fleet->edges[i].name,
				    report_edge(view, i, AF_UNSPEC));
	json_object_set_new(status, "zones", zones);
	json_object_set_new(status, "edges", edges);
	json_object_set_new(status, "geo", geo_places_report(view->steer.places));
	json_object_set_new(status, "steering", report_steering(view));
	json_object_set_new(status, "steered", report_steered(view));
}

/* Explain */

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

struct candidate {
	struct steer_key key;
	unsigned member; /* of the pool */
};

static int compare_candidates(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;

	return steer_key_better(&a->key, &b->key) ? -1 : steer_key_better(&b->key, &a->key);
}

/* The members of the pool as the policy would have them if all were the same otherwise. */
static json_t *report_candidates(const struct dns_view *view, const struct steer_choice *choice,
				 const struct geo_place *place, const struct steer_spot *spot,
				 const struct net_prefix *client)
{
	const struct steering *steering = view->steer.steering;
	const struct steer_pool *pool = &steering->pools.v[choice->steered->pool];
	struct steer_network network = steer_network_of(client);
	struct geo_vector here = geo_vector_of(spot->latitude, spot->longitude);
	struct candidate *sorted = xcalloc(pool->n + 1, sizeof(*sorted));
	json_t *candidates = json_array();

	for (unsigned i = 0; i < pool->n; i++) {
		steer_key_of(pool, i, steering->edges, spot, &here, &network, (double)INFINITY,
			     &sorted[i].key);
		sorted[i].member = i;
	}
	qsort(sorted, pool->n, sizeof(*sorted), compare_candidates);
	for (unsigned i = 0; i < pool->n; i++) {
		const struct cfg_edge *edge = &view->fleet->edges[sorted[i].key.edge];
		json_t *candidate = report_edge(view, edge->id, steer_family_af(choice->family));

		json_object_set_new(candidate, "edge", json_string(edge->name));
		json_object_set_new(candidate, "distance_km",
				    place->located && edge->location.set
					? json_real(geo_distance_km(
					      place->latitude, place->longitude,
					      edge->location.latitude, edge->location.longitude))
					: json_null());
		if (pool->policy == CFG_POLICY_WEIGHTED)
			json_object_set_new(candidate, "weight",
					    json_integer(pool->values[sorted[i].member]));
		json_array_append_new(candidates, candidate);
	}
	free(sorted);
	return candidates;
}

/* 0 is a place in the Gulf of Guinea. */
static json_t *report_degrees(const struct geo_place *place, double degrees)
{
	return place->located ? json_real(degrees) : json_null();
}

static json_t *report_place(const struct dns_view *view, const struct geo_place *place)
{
	json_t *report = json_pack(
	    "{s:b, s:s, s:o, s:o, s:s, s:s, s:I}", "known", (int)(place->source != GEO_SOURCE_NONE),
	    "source", geo_source_text(place->source), "latitude",
	    report_degrees(place, place->latitude), "longitude",
	    report_degrees(place, place->longitude), "country", place->country, "continent",
	    place->continent, "asn", (json_int_t)place->asn);

	if (place->override > 0) {
		struct cfg_place at = view->fleet->geo.overrides[place->override - 1].place;
		char *text = xasprintf("%s:%u", at.file, at.line);

		json_object_set_new(report, "override", json_string(text));
		free(text);
	}
	return report;
}

/* How much farther the next edge is. Of this client; that of a front is the smallest of all who are
 * told the same. Infinite where there is none, or where the policy does not go by distance. */
static double margin_at(const struct dns_view *view, const struct steer_choice *choice,
			const struct steer_spot *spot, const struct net_prefix *client)
{
	const struct steering *steering = view->steer.steering;
	const struct steer_pool *pool = &steering->pools.v[choice->steered->pool];
	struct steer_network network = steer_network_of(client);

	if (!spot->located ||
	    (pool->policy != CFG_POLICY_NEAREST && pool->policy != CFG_POLICY_CONTINENT))
		return (double)INFINITY;
	return steer_choose(pool, steering->edges, choice->family, spot, &network,
			    view->steer.verdicts, clock_mono())
	    .margin_km;
}

static void report_choice(const struct dns_view *view, const struct steer_choice *choice,
			  const struct net_prefix *client, json_t *report)
{
	const struct steering *steering = view->steer.steering;
	const struct geo_places *places = view->steer.places;
	uint32_t number = geo_ranges_find(geo_places_ranges(places), client).value;
	const struct geo_place *place = geo_places_get(places, number);
	const struct steer_spot *spot = steer_spot_of(&steering->spots, number);
	const struct steer_pick *pick = &choice->pick;
	double margin = margin_at(view, choice, spot, client);
	json_t *edges = json_array();

	for (unsigned i = 0; i < pick->n; i++)
		json_array_append_new(edges, json_string(view->fleet->edges[pick->edges[i]].name));
	json_object_set_new(report, "site", json_string(choice->steered->config->site->name));
	json_object_set_new(report, "policy",
			    json_string(dns_steer_policy_text(choice->steered->config->policy)));
	json_object_set_new(report, "pool", json_integer(choice->steered->pool));
	json_object_set(report, "chosen", pick->n > 0 ? json_array_get(edges, 0) : json_null());
	json_object_set_new(report, "edges", edges);
	json_object_set_new(report, "margin_km",
			    isfinite(margin) ? json_real(margin) : json_null());
	json_object_set_new(report, "reason", json_string(dns_steer_reason_text(choice->reason)));
	json_object_set_new(report, "ttl", json_integer(choice->ttl));
	json_object_set_new(report, "front", json_boolean(choice->by_front));
	json_object_set_new(report, "place", report_place(view, place));
	json_object_set_new(report, "candidates",
			    report_candidates(view, choice, place, spot, client));
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
		report_choice(view, &facts->choice, &facts->place, report);
	free(response);
	return report;
}
