/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is changed, in order. The rules for fields come last of all: they are what an operator has
 * written for this very route.
 */
#include "edge/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "edge/rules/field_rules.h"
#include "edge/rules/identity.h"
#include "edge/rules/rewrite.h"
#include "edge/rules/security.h"

struct edge_rules {
	const struct cfg_http *http;
	struct edge_rewrite *rewrite; /* each NULL: none */
	struct field_rules *request, *response;
	struct edge_cors *cors;
	enum cfg_security security;
	struct span hsts; /* empty: none; malloc'd */
	struct span alt_svc;
	bool identifies; /* requests to the origin */
};

static enum cfg_security preset_of(const struct cfg_site *site, const struct cfg_route *route)
{
	switch (route ? route->security : CFG_ROUTE_SECURITY_SITE) {
	case CFG_ROUTE_SECURITY_SITE:
		break;
	case CFG_ROUTE_SECURITY_NONE:
		return CFG_SECURITY_NONE;
	case CFG_ROUTE_SECURITY_BASIC:
		return CFG_SECURITY_BASIC;
	case CFG_ROUTE_SECURITY_STRICT:
		return CFG_SECURITY_STRICT;
	}
	return site->security;
}

static void compile_route(struct edge_rules *rules, const struct cfg_route *route)
{
	rules->rewrite = edge_rewrite_create(&route->rewrite);
	rules->cors = edge_cors_create(&route->cors);
	rules->request = field_rules_create(route->request_fields, route->n_request_fields,
					    FIELD_RULES_OF_REQUESTS);
	rules->response = field_rules_create(route->response_fields, route->n_response_fields,
					     FIELD_RULES_OF_RESPONSES);
}

static bool changes_nothing(const struct edge_rules *rules)
{
	return !rules->rewrite && !rules->cors && !rules->request && !rules->response &&
	       rules->security == CFG_SECURITY_NONE && rules->hsts.n == 0 &&
	       rules->alt_svc.n == 0 && !rules->identifies;
}

struct edge_rules *edge_rules_create(const struct cfg_http *http, const struct cfg_site *site,
				     const struct cfg_route *route)
{
	struct edge_rules *rules = xcalloc(1, sizeof(*rules));

	*rules = (struct edge_rules){
	    .http = http,
	    .security = preset_of(site, route),
	    .hsts = edge_hsts_value(&site->hsts),
	    .alt_svc = span_of(http->alt_svc),
	    .identifies = http->request_id.enabled || http->trace.start != CFG_TRACE_NEVER,
	};
	if (route)
		compile_route(rules, route);
	if (changes_nothing(rules))
		edge_rules_destroy(&rules);
	return rules;
}

void edge_rules_destroy(struct edge_rules **rulesp)
{
	struct edge_rules *rules = TAKE(rulesp);

	if (!rules)
		return;
	edge_rewrite_destroy(&rules->rewrite);
	field_rules_destroy(&rules->request);
	field_rules_destroy(&rules->response);
	edge_cors_destroy(&rules->cors);
	free((char *)rules->hsts.p);
	free(rules);
}

static int change_request_fields(const struct field_rules *rules, struct edge_facts *facts,
				 struct http_head *head)
{
	switch (field_rules_apply(rules, &head->fields, facts, head->arena)) {
	case FIELD_RULES_DONE:
		break;
	case FIELD_RULES_NO_ROOM:
		return 431;
	case FIELD_RULES_UNSURE:
		return 400;
	}
	return 0;
}

int edge_rules_request(const struct edge_rules *rules, struct edge_facts *facts,
		       struct http_head *head)
{
	int status = 0;

	if (!rules)
		return 0;
	if (rules->rewrite)
		status = edge_rewrite_apply(rules->rewrite, facts, head);
	if (status == 0 && rules->identifies && !edge_identity_forward(rules->http, facts, head))
		status = 431;
	if (status == 0 && rules->request)
		status = change_request_fields(rules->request, facts, head);
	return status;
}

void edge_rules_trailers(const struct edge_rules *rules, struct http_fields *trailers)
{
	if (rules)
		field_rules_clean_trailers(rules->request, trailers);
}

enum edge_cors_result edge_rules_preflight(const struct edge_rules *rules,
					   const struct http_head *request)
{
	if (!rules || !rules->cors)
		return EDGE_CORS_NONE;
	return edge_cors_preflight(rules->cors, request);
}

/* What holds for a whole host is believed over TLS alone (RFC 6797 section 7.2, RFC 7838 section
 * 2.1), so it is not sent otherwise. */
static bool add_for_host(const struct edge_rules *rules, struct http_head *head)
{
	return (rules->hsts.n == 0 ||
		http_fields_set(&head->fields, head->arena, SPAN("Strict-Transport-Security"),
				rules->hsts)) &&
	       (rules->alt_svc.n == 0 ||
		http_fields_set(&head->fields, head->arena, SPAN("Alt-Svc"), rules->alt_svc));
}

static bool complete(const struct edge_rules *rules, const struct edge_facts *facts,
		     struct http_head *head)
{
	const struct cfg_request_id *id = &rules->http->request_id;

	if (facts->client->tls[0] != '\0' && !add_for_host(rules, head))
		return false;
	if (rules->cors && !edge_cors_respond(rules->cors, facts->request, head))
		return false;
	if (id->enabled && id->response && facts->request_id.n > 0 &&
	    !http_fields_set(&head->fields, head->arena, span_of(id->field), facts->request_id))
		return false;
	return edge_security_apply(rules->security, head);
}

bool edge_rules_response(const struct edge_rules *rules, struct edge_facts *facts,
			 struct http_head *head)
{
	if (!rules)
		return true;
	if (head->framing != HTTP_FRAMING_TUNNEL && !complete(rules, facts, head))
		return false;
	return !rules->response || field_rules_apply(rules->response, &head->fields, facts,
						     head->arena) == FIELD_RULES_DONE;
}
