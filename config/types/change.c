/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what is changed in requests and responses. Any thread.
 */
#include <string.h>
#include <strings.h>

#include "config/types/template.h"
#include "config/types/types.h"
#include "core/base/check.h"
#include "core/http/chars.h"

/* NULL: a rule may change it in a request. */
static const char *why_not_changed(const char *name)
{
	static const struct {
		const char *name, *why;
	} own[] = {
	    {"Host", "the host is changed by rewrite.host"},
	    {"Via", "circles are found by it"},
	    {"CDN-Loop", "circles are found by it"},
	    {"Expect", "the edge itself says whether it waits"},
	    {"Max-Forwards", "the edge itself counts it down"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (strcasecmp(name, own[i].name) == 0)
			return own[i].why;
	}
	return NULL;
}

static bool parse_request_field_name(const struct cfg_value *v, const char *text, void *out)
{
	const char *why = why_not_changed(text);

	if (why)
		return cfg_refuse_because(v, text, why);
	return cfg_type_field_name.parse(v, text, out);
}

const struct cfg_type cfg_type_request_field_name = {
    .name = "field name",
    .expected = "the name of a field such as X-Client: letters, digits, \"-\" and other "
		"characters of a token",
    .pattern = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_request_field_name,
    .format = cfg_format_text,
};

/* A fragment is never sent (RFC 9110 section 7.1). */
static bool parse_rewrite_text(const struct cfg_value *v, const char *text, void *out)
{
	if (strchr(text, '#'))
		return cfg_refuse_because(v, text, "\"#\" is no part of what a server is asked");
	return cfg_type_template.parse(v, text, out);
}

/* As it stands; in a value of a variable it is found when there is a request. */
static bool has_dot_segment(const char *path)
{
	const char *end = path + strcspn(path, "?");

	for (const char *p = path; p < end; p++) {
		size_t n = p[0] == '/' ? strspn(p + 1, ".") : 0;

		if ((n == 1 || n == 2) && (p + 1 + n == end || p[1 + n] == '/'))
			return true;
	}
	return false;
}

static bool parse_rewrite_path(const struct cfg_value *v, const char *text, void *out)
{
	if (text[0] != '/' && text[0] != '{')
		return cfg_refuse(v, text);
	if (has_dot_segment(text))
		return cfg_refuse_because(v, text,
					  "\".\" and \"..\" would lead elsewhere than they say");
	return parse_rewrite_text(v, text, out);
}

/* What has variables is known when there is a request. */
static bool parse_rewrite_host(const struct cfg_value *v, const char *text, void *out)
{
	struct span host, port;

	if (!strchr(text, '{') &&
	    (!http_authority_split(span_of(text), &host, &port) || host.n == 0))
		return cfg_refuse(v, text);
	return cfg_type_request_value.parse(v, text, out);
}

const struct cfg_type cfg_type_rewrite_text = {
    .name = "template",
    .expected = "a part of a URL path, in which {name} is a variable",
    .pattern = "^[^#]*$",
    .json = CFG_JSON_SCALAR,
    .size = sizeof(char *),
    .parse = parse_rewrite_text,
    .format = cfg_format_text,
};

const struct cfg_type cfg_type_rewrite_path = {
    .name = "template",
    .expected = "a URL path such as \"/v2{path}\", in which {name} is a variable",
    .pattern = "^[/{][^#]*$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_rewrite_path,
    .format = cfg_format_text,
};

const struct cfg_type cfg_type_rewrite_host = {
    .name = "template",
    .expected = "a host with or without a port, such as \"app.internal:8080\", in which {name} is "
		"a variable",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_rewrite_host,
    .format = cfg_format_text,
};

static bool is_scheme(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !http_char_is_digit(s.p[i]) &&
		    (i == 0 || !strchr("+-.", s.p[i])))
			return false;
	}
	return s.n > 0;
}

/* As browsers write it in Origin (RFC 6454 section 6.2); one "*" may stand for the first labels of
 * the host. */
static bool is_cors_origin(const char *text)
{
	const char *divider = strstr(text, "://"), *rest;
	struct span host, port;

	if (strcmp(text, "*") == 0 || strcmp(text, "null") == 0)
		return true;
	if (!divider || !is_scheme((struct span){text, (size_t)(divider - text)}))
		return false;
	rest = divider + 3;
	if (strncmp(rest, "*.", 2) == 0)
		rest += 2;
	return !strpbrk(rest, "*/%") && http_authority_split(span_of(rest), &host, &port) &&
	       host.n > 0 && (port.n > 0 || rest[strlen(rest) - 1] != ':');
}

static bool parse_cors_origin(const struct cfg_value *v, const char *text, void *out)
{
	return is_cors_origin(text) ? cfg_keep(v, text, out) : cfg_refuse(v, text);
}

const struct cfg_type cfg_type_cors_origin = {
    .name = "origin",
    .expected = "an origin such as https://app.example.com, https://*.example.com or \"*\"",
    .pattern = "^(\\*|null|[a-z][a-z0-9+.-]*://[^/%]+)$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_cors_origin,
    .format = cfg_format_text,
};
