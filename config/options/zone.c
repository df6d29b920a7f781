/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * zones.NAME: what the name servers answer for, and the names that are steered. Constants only.
 */
#include "config/options/rows.h"

COMES_FIRST(cfg_zone, name);
IS_ARRAY(cfg_zone, steered);
COMES_FIRST(cfg_steered, owner);
IS_ARRAY(cfg_steered, order);
IS_ARRAY(cfg_steered, weights);
COMES_FIRST(cfg_weight, edge);

static const char *const none_ups[] = {"nearest", "servfail", NULL};
static const char *const policies[] = {"nearest",  "continent", "weighted",
				       "failover", "static",    NULL};

/* Policies that go by an order of the edges. */
#define ORDERED (1U << CFG_POLICY_CONTINENT | 1U << CFG_POLICY_FAILOVER | 1U << CFG_POLICY_STATIC)
/* Policies that ask who is up. */
#define BY_VERDICT                                                                                 \
	(1U << CFG_POLICY_NEAREST | 1U << CFG_POLICY_CONTINENT | 1U << CFG_POLICY_WEIGHTED |       \
	 1U << CFG_POLICY_FAILOVER)

static const struct cfg_option steered_weights_options[] = {
    COUNT("*", AT(cfg_weight, weight), NULL, 0, 1000,
	  "The edge's share of clients; 0: none, unless no other edge is usable."),
    END,
};

static const struct cfg_option steered_options[] = {
    {.key = "site",
     .type = &cfg_type_site_ref,
     AT(cfg_steered, site),
     .required = true,
     .prose = "The site whose edges are chosen from."},
    {.key = "ttl",
     .type = &cfg_type_duration,
     AT(cfg_steered, ttl),
     .fallback = "30s",
     RANGE(0, DAY),
     .prose = "How long resolvers may keep the answer, in whole seconds."},
    CHOICE("policy", AT(cfg_steered, policy), "nearest", policies,
	   "How edges are chosen, among those that are up: \"nearest\" by distance and bias; "
	   "\"continent\" the nearest of the client's continent, or else by the order; "
	   "\"weighted\" by weight, the same edge for the same network of clients; \"failover\" "
	   "the first of the order; \"static\" the order as it stands, whether they are up or "
	   "not."),
    {.key = "order",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_steered, order),
     WHEN("policy", ORDERED),
     .prose = "The order of the edges; without it that of the site."},
    {.key = "weights",
     .shape = CFG_PAIRS,
     .type = &cfg_type_edge_ref,
     AT(cfg_steered, weights),
     OF(cfg_weight),
     WHEN("policy", 1U << CFG_POLICY_WEIGHTED),
     .prose = "The weights of edges, by their names; an edge that is not here has its own.",
     .children = steered_weights_options},
    COUNT("answers", AT(cfg_steered, answers), "1", 1, 8,
	  "How many edges an answer has addresses of, the best ones first."),
    {.key = "none_up",
     .type = &cfg_type_choice,
     AT(cfg_steered, none_up),
     .fallback = "nearest",
     .choices = none_ups,
     WHEN("policy", BY_VERDICT),
     .prose = "When none of the edges is up: answer as if all were, or SERVFAIL."},
    END,
};

const struct cfg_option cfg_zone_options[] = {
    {.key = "file",
     .type = &cfg_type_path,
     AT(cfg_zone, file),
     .required = true,
     .prose = "Its master file (RFC 1035)."},
    {.key = "steered",
     .shape = CFG_NAMED,
     .type = &cfg_type_owner,
     AT(cfg_zone, steered),
     OF(cfg_steered),
     .prose = "Names in the zone whose addresses are chosen for each client; \"@\" is the zone's "
	      "own name, \"*\" as the first label a wildcard (RFC 4592).",
     .children = steered_options},
    END,
};
