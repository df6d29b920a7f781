/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cross-origin requests: lists are looked through, as they are short; what is answered is put
 * together when the view is built.
 */
#include "edge/rules/cors.h"

#include <stdlib.h>
#include <string.h>

#include "config/change.h"
#include "core/base/check.h"

struct edge_cors {
	const struct cfg_cors *cfg;
	bool any_origin, any_field;
	/* As they are sent; empty: not at all. */
	struct span methods, fields, expose, max_age;
};

/* "a, b", malloc'd. */
static struct span list_of(const struct cfg_strings *strings)
{
	size_t n = 0;
	char *text, *p;

	for (unsigned i = 0; i < strings->n; i++)
		n += strlen(strings->v[i]) + 2;
	p = text = xmalloc(n + 1);
	for (unsigned i = 0; i < strings->n; i++)
		p += sprintf(p, "%s%s", i > 0 ? ", " : "", strings->v[i]);
	return (struct span){text, (size_t)(p - text)};
}

static bool is_in(const struct cfg_strings *strings, struct span text, bool nocase)
{
	for (unsigned i = 0; i < strings->n; i++) {
		struct span one = span_of(strings->v[i]);

		if (nocase ? span_equal_nocase(one, text) : span_equal(one, text))
			return true;
	}
	return false;
}

struct edge_cors *edge_cors_create(const struct cfg_cors *cfg)
{
	struct edge_cors *cors;

	if (cfg->origins.n == 0)
		return NULL;
	cors = xcalloc(1, sizeof(*cors));
	cors->cfg = cfg;
	cors->any_origin = is_in(&cfg->origins, SPAN("*"), false);
	cors->any_field = is_in(&cfg->fields, SPAN("*"), false);
	cors->methods = list_of(&cfg->methods);
	cors->fields = list_of(&cfg->fields);
	cors->expose = list_of(&cfg->expose);
	cors->max_age = span_of(xasprintf("%lld", (long long)(cfg->max_age.ns / DUR_S(1).ns)));
	return cors;
}

void edge_cors_destroy(struct edge_cors **corsp)
{
	struct edge_cors *cors = TAKE(corsp);

	if (!cors)
		return;
	free((char *)cors->methods.p);
	free((char *)cors->fields.p);
	free((char *)cors->expose.p);
	free((char *)cors->max_age.p);
	free(cors);
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

/* As "https://" "*.example.com:8443": what stands for the asterisk is one or more labels, and
 * nothing that would end the host. */
static bool is_like(struct span origin, const char *pattern)
{
	const char *star = strchr(pattern, '*');
	struct span before, after, label;

	if (!star)
		return span_equal_nocase(origin, span_of(pattern));
	before = (struct span){pattern, (size_t)(star - pattern)};
	after = span_of(star + 1);
	if (origin.n <= before.n + after.n ||
	    !span_equal_nocase((struct span){origin.p, before.n}, before) ||
	    !span_equal_nocase((struct span){origin.p + origin.n - after.n, after.n}, after))
		return false;
	label = (struct span){origin.p + before.n, origin.n - before.n - after.n};
	for (size_t i = 0; i < label.n; i++) {
		if (!is_host_char(label.p[i]))
			return false;
	}
	return true;
}

static const struct http_field *origin_of(const struct http_head *request)
{
	return http_fields_only(&request->fields, SPAN("Origin"));
}

static bool allows_origin(const struct edge_cors *cors, const struct http_head *request)
{
	const struct http_field *origin = origin_of(request);

	if (!origin || cors->any_origin)
		return origin != NULL;
	for (unsigned i = 0; i < cors->cfg->origins.n; i++) {
		if (is_like(origin->value, cors->cfg->origins.v[i]))
			return true;
	}
	return false;
}

/* Of the methods that a page may always use none need be listed. */
static bool allows_method(const struct edge_cors *cors, struct span method)
{
	return is_in(&cors->cfg->methods, method, false) || span_equal(method, SPAN("GET")) ||
	       span_equal(method, SPAN("HEAD")) || span_equal(method, SPAN("POST"));
}

static bool allows_fields(const struct edge_cors *cors, const struct http_head *request)
{
	const struct http_field *field;
	unsigned from = 0;

	while ((field = http_fields_find(&request->fields, SPAN("Access-Control-Request-Headers"),
					 &from)) != NULL) {
		struct span rest = field->value, member;

		while (http_list_next(&rest, &member)) {
			if (!is_in(&cors->cfg->fields, member, true) && !cors->any_field)
				return false;
		}
	}
	return true;
}

enum edge_cors_result edge_cors_preflight(const struct edge_cors *cors,
					  const struct http_head *request)
{
	const struct http_field *method;

	if (request->method_id != HTTP_METHOD_OPTIONS)
		return EDGE_CORS_NONE;
	method = http_fields_find(&request->fields, SPAN("Access-Control-Request-Method"), NULL);
	if (!method || !http_fields_find(&request->fields, SPAN("Origin"), NULL))
		return EDGE_CORS_NONE;
	return allows_origin(cors, request) && allows_method(cors, method->value) &&
		       allows_fields(cors, request)
		   ? EDGE_CORS_ALLOWED
		   : EDGE_CORS_REFUSED;
}

static bool is_access_control(struct span name)
{
	struct span prefix = SPAN("Access-Control-");

	return name.n > prefix.n && span_equal_nocase((struct span){name.p, prefix.n}, prefix);
}

static void remove_access_control(struct http_fields *fields)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < fields->n; i++) {
		if (!is_access_control(fields->v[i].name))
			fields->v[kept++] = fields->v[i];
	}
	fields->n = kept;
}

/* Who keeps the response must not give it to a page of another origin. */
static bool add_vary(struct http_head *response, struct span name)
{
	return http_fields_vary(&response->fields, response->arena, name);
}

static bool add(struct http_head *response, struct span name, struct span value)
{
	return value.n == 0 || http_fields_add(&response->fields, response->arena, name, value);
}

static bool add_preflight(const struct edge_cors *cors, struct http_head *response)
{
	return add(response, SPAN("Access-Control-Allow-Methods"), cors->methods) &&
	       add(response, SPAN("Access-Control-Allow-Headers"), cors->fields) &&
	       add(response, SPAN("Access-Control-Max-Age"), cors->max_age) &&
	       add_vary(response, SPAN("Access-Control-Request-Method")) &&
	       add_vary(response, SPAN("Access-Control-Request-Headers"));
}

bool edge_cors_respond(const struct edge_cors *cors, const struct http_head *request,
		       struct http_head *response)
{
	bool for_all = cors->any_origin;

	remove_access_control(&response->fields);
	if (!for_all && !add_vary(response, SPAN("Origin")))
		return false;
	/* What is the same for all stands in all responses: one that is kept may be used for a page
	 * of another origin later. */
	if (!for_all && !allows_origin(cors, request))
		return true;
	if (!add(response, SPAN("Access-Control-Allow-Origin"),
		 for_all ? SPAN("*") : origin_of(request)->value))
		return false;
	if (cors->cfg->credentials &&
	    !add(response, SPAN("Access-Control-Allow-Credentials"), SPAN("true")))
		return false;
	if (edge_cors_preflight(cors, request) == EDGE_CORS_ALLOWED)
		return add_preflight(cors, response);
	return add(response, SPAN("Access-Control-Expose-Headers"), cors->expose);
}
