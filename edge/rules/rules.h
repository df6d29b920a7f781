/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All that is changed in the requests and the responses of a route, compiled. Stands with the route
 * in the view, immutable; applied in the exchange's loop. A site has one too, for its responses
 * that no route is the reason of.
 */
#pragma once

#include "core/http/message.h"
#include "edge/rules/cors.h"

struct cfg_http;
struct cfg_route;
struct cfg_site;
struct edge_facts;
struct edge_rules;

/* `route`: NULL for the site as a whole. NULL when nothing is changed. What is given must outlive
 * it. */
struct edge_rules *edge_rules_create(const struct cfg_http *http, const struct cfg_site *site,
				     const struct cfg_route *route);
void edge_rules_destroy(struct edge_rules **rules);

/* `rules` may be NULL in all that follows: then nothing is changed. */

/* The request as it goes to the origin, after edge_forward_request(): target, host, identities,
 * then fields, so that what is asked for there has the last word. Returns 0, or the status to
 * answer with instead. */
int edge_rules_request(const struct edge_rules *rules, struct edge_facts *facts,
		       struct http_head *head);
void edge_rules_trailers(const struct edge_rules *rules, struct http_fields *trailers);
enum edge_cors_result edge_rules_preflight(const struct edge_rules *rules,
					   const struct http_head *request);
/* A final response, of an origin or our own; of one that makes a tunnel the rules for fields only.
 * False: no room. */
bool edge_rules_response(const struct edge_rules *rules, struct edge_facts *facts,
			 struct http_head *head);
