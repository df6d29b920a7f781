/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Conditions, one kind after the other, the cheap ones first. See match.h.
 */
#include "edge/facts/match.h"

#include <stdlib.h>
#include <string.h>

#include "config/match.h"
#include "core/base/check.h"
#include "core/http/path.h"
#include "core/http/query.h"
#include "core/http/regex.h"
#include "edge/facts/client.h"
#include "edge/facts/variables.h"
#include "edge/tls/host_table.h"
#include "geo/places.h"

struct part {
	struct span name, value; /* the value counts unless cfg->value is NULL */
	struct regex *regex;
	const struct cfg_match_part *cfg;
};

struct edge_match {
	const struct cfg_match *cfg;
	struct regex *path;
	struct part *fields, *query, *client_cert;
	struct edge_host_table *hosts; /* NULL: any; the values say nothing */
};

/* It was compiled before, when the configuration was read. */
static struct regex *compile(const char *pattern)
{
	struct regex *regex = NULL;
	char *why;

	if (pattern) {
		regex = regex_compile(pattern, &why);
		CHECK(regex);
	}
	return regex;
}

static struct part *compile_parts(const struct cfg_match_part *cfg, unsigned n)
{
	struct part *parts = n > 0 ? xcalloc(n, sizeof(*parts)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		parts[i] = (struct part){
		    .cfg = &cfg[i], .name = span_of(cfg[i].name), .regex = compile(cfg[i].regex)};
		if (cfg[i].value)
			parts[i].value = span_of(cfg[i].value);
	}
	return parts;
}

static void free_parts(struct part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		regex_destroy(&parts[i].regex);
	free(parts);
}

static struct edge_host_table *compile_hosts(const struct cfg_strings *hosts)
{
	struct edge_host_table *table = hosts->n > 0 ? edge_host_table_create() : NULL;

	for (unsigned i = 0; i < hosts->n; i++)
		edge_host_table_add(table, span_of(hosts->v[i]), hosts);
	return table;
}

static bool says_nothing(const struct cfg_match *cfg)
{
	return cfg->methods.n + cfg->n_fields + cfg->n_query + cfg->n_client_cert +
		       cfg->networks.n + cfg->countries.n + cfg->continents.n + cfg->hosts.n +
		       cfg->statuses.n ==
		   0 &&
	       !cfg->regex;
}

struct edge_match *edge_match_create(const struct cfg_match *cfg)
{
	struct edge_match *match;

	if (says_nothing(cfg))
		return NULL;
	match = xcalloc(1, sizeof(*match));
	match->cfg = cfg;
	match->path = compile(cfg->regex);
	match->fields = compile_parts(cfg->fields, cfg->n_fields);
	match->query = compile_parts(cfg->query, cfg->n_query);
	match->client_cert = compile_parts(cfg->client_cert, cfg->n_client_cert);
	match->hosts = compile_hosts(&cfg->hosts);
	return match;
}

void edge_match_destroy(struct edge_match **matchp)
{
	struct edge_match *match = TAKE(matchp);

	if (!match)
		return;
	regex_destroy(&match->path);
	free_parts(match->fields, match->cfg->n_fields);
	free_parts(match->query, match->cfg->n_query);
	free_parts(match->client_cert, match->cfg->n_client_cert);
	edge_host_table_destroy(&match->hosts);
	free(match);
}

/* What does not depend on who reads it */

static bool status_is(const struct cfg_match *cfg, const struct http_head *response)
{
	for (unsigned i = 0; i < cfg->statuses.n && response; i++) {
		if (response->status >= cfg->statuses.v[i].low &&
		    response->status <= cfg->statuses.v[i].high)
			return true;
	}
	return cfg->statuses.n == 0;
}

static bool is_in_networks(const struct cfg_prefixes *networks, const struct edge_client *client)
{
	struct net_prefix at;

	if (networks->n == 0)
		return true;
	at = net_prefix_of(&client->addr);
	for (unsigned i = 0; i < networks->n; i++) {
		if (net_prefix_covers(&networks->v[i], &at))
			return true;
	}
	return false;
}

static bool is_one_of(const struct cfg_strings *codes, const char *code)
{
	for (unsigned i = 0; i < codes->n; i++) {
		if (strcmp(codes->v[i], code) == 0)
			return true;
	}
	return codes->n == 0;
}

static bool is_at_place(const struct cfg_match *cfg, const struct geo_place *place)
{
	return is_one_of(&cfg->countries, place ? place->country : "") &&
	       is_one_of(&cfg->continents, place ? place->continent : "");
}

static bool host_is(const struct edge_host_table *hosts, const struct http_head *request)
{
	struct span host, port;

	return !hosts || (http_authority_split(request->authority, &host, &port) &&
			  edge_host_table_find(hosts, host, EDGE_WILDCARD_ANY_LABELS));
}

/* What does */

/* Answers to the same question, of which several were met. */
struct answers {
	bool yes, no, unsure;
};

static void add_answer(struct answers *a, enum edge_match_result result)
{
	a->yes |= result == EDGE_MATCH_YES;
	a->no |= result == EDGE_MATCH_NO;
	a->unsure |= result == EDGE_MATCH_UNSURE;
}

static enum edge_match_result sum(const struct answers *a)
{
	if (a->unsure || (a->yes && a->no))
		return EDGE_MATCH_UNSURE;
	return a->yes ? EDGE_MATCH_YES : EDGE_MATCH_NO;
}

/* `captures` may be NULL. */
static enum edge_match_result by_regex(const struct regex *regex, struct span text,
				       struct regex_captures *captures)
{
	switch (regex_match(regex, text, captures)) {
	case REGEX_NO:
		return EDGE_MATCH_NO;
	case REGEX_YES:
		return EDGE_MATCH_YES;
	case REGEX_UNSURE:
		break;
	}
	return EDGE_MATCH_UNSURE;
}

/* Of one that is there. */
static enum edge_match_result judge_value(const struct part *part, struct span value)
{
	if (part->regex)
		return by_regex(part->regex, value, NULL);
	if (part->cfg->value && !span_equal(value, part->value))
		return EDGE_MATCH_NO;
	return part->cfg->absent ? EDGE_MATCH_NO : EDGE_MATCH_YES;
}

static enum edge_match_result judge_param(const struct part *part, struct span raw)
{
	enum edge_match_result result;
	char *decoded;

	if (!part->regex) {
		if (part->cfg->value && !http_query_equal(raw, part->value))
			return EDGE_MATCH_NO;
		return part->cfg->absent ? EDGE_MATCH_NO : EDGE_MATCH_YES;
	}
	decoded = malloc(raw.n + 1);
	if (!decoded)
		return EDGE_MATCH_UNSURE;
	result =
	    by_regex(part->regex, (struct span){decoded, http_query_decode(raw, decoded)}, NULL);
	free(decoded);
	return result;
}

static enum edge_match_result judge_params(const struct part *part, struct span query,
					   const char *separators)
{
	struct answers answers = {0};
	struct http_param param;
	bool found = false;

	while (http_query_next(&query, separators, &param)) {
		if (!http_query_equal(param.name, part->name))
			continue;
		found = true;
		add_answer(&answers, judge_param(part, param.value));
	}
	if (!found)
		return part->cfg->absent ? EDGE_MATCH_YES : EDGE_MATCH_NO;
	return sum(&answers);
}

static enum edge_match_result judge_query(const struct part *part, struct span query)
{
	struct answers answers = {0};

	add_answer(&answers, judge_params(part, query, "&"));
	if (query.n > 0 && memchr(query.p, ';', query.n))
		add_answer(&answers, judge_params(part, query, "&;"));
	return sum(&answers);
}

/* Whether Connection makes it a field of this hop, that an origin does not see. Those that are of
 * one hop anyway are looked at as they come. */
static bool is_taken_out(struct span name, const struct http_fields *fields)
{
	return !http_field_is_hop_by_hop(name) &&
	       http_fields_list_has(fields, SPAN("Connection"), name);
}

/* The value that several lines are together (RFC 9110 section 5.3; RFC 9113 section 8.2.3). */
static enum edge_match_result judge_joined(const struct part *part,
					   const struct http_fields *fields)
{
	bool is_cookie = span_equal_nocase(part->name, SPAN("Cookie"));
	enum edge_match_result result;
	const struct http_field *field;
	char *joined, *p;
	unsigned from = 0;
	size_t n = 0;

	while ((field = http_fields_find(fields, part->name, &from)))
		n += field->value.n + 2;
	joined = p = malloc(n);
	if (!joined)
		return EDGE_MATCH_UNSURE;
	from = 0;
	while ((field = http_fields_find(fields, part->name, &from))) {
		if (p != joined)
			p = mempcpy(p, is_cookie ? "; " : ", ", 2);
		p = mempcpy(p, field->value.p, field->value.n);
	}
	result = by_regex(part->regex, (struct span){joined, (size_t)(p - joined)}, NULL);
	free(joined);
	return result;
}

/* "X.A" is "X-A" to some, CGI and its kind. */
static bool is_spelled_otherwise(struct span name, const struct http_fields *fields)
{
	for (unsigned i = 0; i < fields->n; i++) {
		if (http_name_reads_as(name, fields->v[i].name) &&
		    !span_equal_nocase(name, fields->v[i].name))
			return true;
	}
	return false;
}

static enum edge_match_result judge_field(const struct part *part, const struct http_fields *fields)
{
	struct answers answers = {0};
	const struct http_field *field;
	unsigned from = 0, n = 0;

	while ((field = http_fields_find(fields, part->name, &from))) {
		n++;
		add_answer(&answers, judge_value(part, field->value));
	}
	if (is_spelled_otherwise(part->name, fields))
		return EDGE_MATCH_UNSURE;
	if (n == 0)
		return part->cfg->absent ? EDGE_MATCH_YES : EDGE_MATCH_NO;
	if (is_taken_out(part->name, fields))
		return EDGE_MATCH_UNSURE;
	/* Cookie has several lines for no other reason than that HTTP/2 packs them better. */
	if (n > 1 && part->regex && span_equal_nocase(part->name, SPAN("Cookie")))
		return judge_joined(part, fields);
	if (n > 1 && part->regex)
		add_answer(&answers, judge_joined(part, fields));
	return sum(&answers);
}

static bool is_method(const struct cfg_strings *methods, struct span method, bool nocase)
{
	bool is_head = span_equal(method, SPAN("HEAD"));

	for (unsigned i = 0; i < methods->n; i++) {
		struct span one = span_of(methods->v[i]);

		if (nocase ? span_equal_nocase(one, method) : span_equal(one, method))
			return true;
		if (is_head && span_equal(one, SPAN("GET")))
			return true;
	}
	return false;
}

/* Rails, Symfony, ASP.NET and others take the method from a field, in either case. */
static enum edge_match_result judge_method(const struct cfg_strings *methods,
					   const struct http_head *request)
{
	static const struct span overrides[] = {
	    SPAN("X-HTTP-Method-Override"),
	    SPAN("X-HTTP-Method"),
	    SPAN("X-Method-Override"),
	};
	bool holds = methods->n == 0 || is_method(methods, request->method, false);

	for (size_t i = 0; i < ARRAY_SIZE(overrides) && methods->n > 0; i++) {
		const struct http_field *field;
		unsigned from = 0;

		while ((field = http_fields_find(&request->fields, overrides[i], &from))) {
			if (is_method(methods, field->value, true) != holds)
				return EDGE_MATCH_UNSURE;
		}
	}
	return holds ? EDGE_MATCH_YES : EDGE_MATCH_NO;
}

/* Each of several alternative names may be the one. */
static enum edge_match_result judge_sans(const struct part *part, const struct edge_facts *facts)
{
	struct answers answers = {0};
	const struct span *sans = NULL;
	unsigned n = edge_facts_client_sans(facts, &sans);

	if (n == 0)
		return part->cfg->absent ? EDGE_MATCH_YES : EDGE_MATCH_NO;
	for (unsigned i = 0; i < n; i++)
		add_answer(&answers, judge_value(part, sans[i]));
	return answers.yes ? EDGE_MATCH_YES : answers.unsure ? EDGE_MATCH_UNSURE : EDGE_MATCH_NO;
}

/* What is known of a certificate nobody reads in another way. */
static enum edge_match_result judge_client_cert(const struct part *part,
						const struct edge_facts *facts)
{
	enum cfg_variable variable;
	struct span value;

	CHECK(cfg_client_cert_variable(part->cfg->name, &variable));
	if (variable == CFG_VAR_CLIENT_CERT_SANS)
		return judge_sans(part, facts);
	value = edge_client_cert_value(variable, facts);
	if (value.n == 0)
		return part->cfg->absent ? EDGE_MATCH_YES : EDGE_MATCH_NO;
	return judge_value(part, value);
}

/* All together */

enum edge_match_result edge_match_judge_rest(const struct edge_match *match,
					     const struct edge_facts *facts)
{
	const struct cfg_match *cfg;
	enum edge_match_result result;
	struct span query;

	if (!match)
		return EDGE_MATCH_YES;
	cfg = match->cfg;
	result = judge_method(&cfg->methods, facts->request);
	if (result == EDGE_MATCH_NO || !status_is(cfg, facts->response) ||
	    !is_in_networks(&cfg->networks, facts->client) || !is_at_place(cfg, facts->place) ||
	    !host_is(match->hosts, facts->request))
		return EDGE_MATCH_NO;
	/* One that does not hold for anybody decides, whatever the others are. */
	for (unsigned i = 0; i < cfg->n_fields && result != EDGE_MATCH_NO; i++) {
		enum edge_match_result one =
		    judge_field(&match->fields[i], &facts->request->fields);

		result = one == EDGE_MATCH_YES ? result : one;
	}
	for (unsigned i = 0; i < cfg->n_client_cert && result != EDGE_MATCH_NO; i++) {
		enum edge_match_result one = judge_client_cert(&match->client_cert[i], facts);

		result = one == EDGE_MATCH_YES ? result : one;
	}
	query = http_query_of(facts->request->target);
	for (unsigned i = 0; i < cfg->n_query && result != EDGE_MATCH_NO; i++) {
		enum edge_match_result one = judge_query(&match->query[i], query);

		result = one == EDGE_MATCH_YES ? result : one;
	}
	return result;
}

const struct regex *edge_match_path(const struct edge_match *match)
{
	return match ? match->path : NULL;
}

static enum edge_match_result judge_path(const struct regex *regex, struct edge_facts *facts)
{
	return facts->path ? by_regex(regex, facts->path->text, &facts->captures) : EDGE_MATCH_NO;
}

enum edge_match_result edge_match_judge(const struct edge_match *match, struct edge_facts *facts)
{
	enum edge_match_result rest = edge_match_judge_rest(match, facts), path;

	if (!match || !match->path || rest == EDGE_MATCH_NO)
		return rest;
	path = judge_path(match->path, facts);
	return path == EDGE_MATCH_YES ? rest : path;
}
