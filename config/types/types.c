/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of values with units, numbers, choices, paths and fields. Names and addresses have files of
 * their own. Any thread.
 */
#include "config/types/types.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "config/suggest.h"
#include "config/syntax/tree.h"
#include "config/units.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/path.h"

bool cfg_refuse(const struct cfg_value *v, const char *text)
{
	diag_add(v->diag, v->place, "%s: \"%s\" is not %s", v->path, text,
		 v->option->type->expected);
	return false;
}

bool cfg_refuse_because(const struct cfg_value *v, const char *text, const char *why)
{
	diag_add(v->diag, v->place, "%s: \"%s\": %s", v->path, text, why);
	return false;
}

bool cfg_keep(const struct cfg_value *v, const char *text, void *out)
{
	const char *copy = cfg_copy(v->mem, text, v->place);

	if (copy == NULL)
		return false;
	*(const char **)out = copy;
	return true;
}

char *cfg_format_text(const struct cfg_option *option, const void *value)
{
	const char *text = *(const char *const *)value;

	return text != NULL ? xstrdup(text) : NULL;
}

char *cfg_type_range(const struct cfg_option *option)
{
	char *low, *high, *range;

	if (option->min == option->max)
		return NULL;
	if (option->type == &cfg_type_duration) {
		low = cfg_format_duration(DUR_NS(option->min));
		high = cfg_format_duration(DUR_NS(option->max));
	} else if (option->type == &cfg_type_size) {
		low = cfg_format_size((uint64_t)option->min);
		high = cfg_format_size((uint64_t)option->max);
	} else if (option->type == &cfg_type_km) {
		low = cfg_format_km((double)option->min);
		high = cfg_format_km((double)option->max);
	} else {
		low = xasprintf("%lld", (long long)option->min);
		high = xasprintf("%lld", (long long)option->max);
	}
	range = xasprintf("%s to %s", low, high);
	free(low);
	free(high);
	return range;
}

static bool in_range(const struct cfg_value *v, const char *text, int64_t value)
{
	char *range;

	if (value >= v->option->min && value <= v->option->max)
		return true;
	range = cfg_type_range(v->option);
	diag_add(v->diag, v->place, "%s: %s is out of range; it may be %s", v->path, text, range);
	free(range);
	return false;
}

static bool parse_bool(const struct cfg_value *v, const char *text, void *out)
{
	return cfg_parse_bool(text, out) || cfg_refuse(v, text);
}

static char *format_bool(const struct cfg_option *option, const void *value)
{
	return xstrdup(*(const bool *)value ? "true" : "false");
}

const struct cfg_type cfg_type_bool = {
    .name = "boolean",
    .expected = "a boolean: true or false",
    .pattern = "^(true|false|yes|no|on|off)$",
    .json = CFG_JSON_BOOLEAN | CFG_JSON_STRING,
    .size = sizeof(bool),
    .parse = parse_bool,
    .format = format_bool,
};

static bool parse_duration(const struct cfg_value *v, const char *text, void *out)
{
	duration d;

	if (!cfg_parse_duration(text, &d))
		return cfg_refuse(v, text);
	if (!in_range(v, text, d.ns))
		return false;
	*(duration *)out = d;
	return true;
}

static char *format_duration(const struct cfg_option *option, const void *value)
{
	return cfg_format_duration(*(const duration *)value);
}

const struct cfg_type cfg_type_duration = {
    .name = "duration",
    .expected = "a duration such as 500ms, 10s, 2m or 1h",
    .pattern = "^[0-9]+(ns|us|ms|s|m|h|d)$",
    .json = CFG_JSON_STRING,
    .size = sizeof(duration),
    .parse = parse_duration,
    .format = format_duration,
};

static bool parse_size(const struct cfg_value *v, const char *text, void *out)
{
	uint64_t size;

	if (!cfg_parse_size(text, &size))
		return cfg_refuse(v, text);
	if (!in_range(v, text, (int64_t)size))
		return false;
	*(uint64_t *)out = size;
	return true;
}

static char *format_size(const struct cfg_option *option, const void *value)
{
	return cfg_format_size(*(const uint64_t *)value);
}

const struct cfg_type cfg_type_size = {
    .name = "size",
    .expected = "a size in bytes such as 8192, 64KiB or 1MiB",
    .pattern = "^[0-9]+(KiB|MiB|GiB)?$",
    .json = CFG_JSON_STRING | CFG_JSON_INTEGER,
    .size = sizeof(uint64_t),
    .parse = parse_size,
    .format = format_size,
};

static bool parse_number(const struct cfg_value *v, const char *text, uint64_t *out)
{
	if (!cfg_parse_uint(text, out))
		return cfg_refuse(v, text);
	return in_range(v, text, (int64_t)*out);
}

static bool parse_uint(const struct cfg_value *v, const char *text, void *out)
{
	uint64_t value;

	if (!parse_number(v, text, &value))
		return false;
	*(unsigned *)out = (unsigned)value;
	return true;
}

static char *format_uint(const struct cfg_option *option, const void *value)
{
	return xasprintf("%u", *(const unsigned *)value);
}

const struct cfg_type cfg_type_uint = {
    .name = "number",
    .expected = "a whole number",
    .json = CFG_JSON_INTEGER,
    .size = sizeof(unsigned),
    .parse = parse_uint,
    .format = format_uint,
};

static bool parse_threads(const struct cfg_value *v, const char *text, void *out)
{
	if (strcmp(text, "auto") != 0)
		return parse_uint(v, text, out);
	*(unsigned *)out = CFG_THREADS_AUTO;
	return true;
}

static char *format_threads(const struct cfg_option *option, const void *value)
{
	return *(const unsigned *)value == CFG_THREADS_AUTO ? xstrdup("auto")
							    : format_uint(option, value);
}

const struct cfg_type cfg_type_threads = {
    .name = "threads",
    .expected = "a whole number or auto",
    .pattern = "^auto$",
    .json = CFG_JSON_STRING | CFG_JSON_INTEGER,
    .size = sizeof(unsigned),
    .parse = parse_threads,
    .format = format_threads,
};

static bool parse_port(const struct cfg_value *v, const char *text, void *out)
{
	uint64_t value;

	if (!parse_number(v, text, &value))
		return false;
	*(uint16_t *)out = (uint16_t)value;
	return true;
}

static char *format_port(const struct cfg_option *option, const void *value)
{
	return xasprintf("%u", *(const uint16_t *)value);
}

const struct cfg_type cfg_type_port = {
    .name = "port",
    .expected = "a port number",
    .json = CFG_JSON_INTEGER,
    .size = sizeof(uint16_t),
    .parse = parse_port,
    .format = format_port,
};

static bool parse_choice(const struct cfg_value *v, const char *text, void *out)
{
	const char *const *choices = v->option->choices;
	struct cfg_suggest near;
	char *list = NULL;

	cfg_suggest_init(&near, text);
	for (unsigned i = 0; choices[i] != NULL; i++) {
		char *longer;

		if (strcmp(choices[i], text) == 0) {
			*(unsigned *)out = i;
			free(list);
			return true;
		}
		cfg_suggest_offer(&near, choices[i]);
		longer = xasprintf("%s%s%s", list != NULL ? list : "", list != NULL ? ", " : "",
				   choices[i]);
		free(list);
		list = longer;
	}
	if (near.best != NULL)
		diag_add(v->diag, v->place, "%s: \"%s\" is not one of %s; did you mean \"%s\"?",
			 v->path, text, list, near.best);
	else
		diag_add(v->diag, v->place, "%s: \"%s\" is not one of %s", v->path, text, list);
	free(list);
	return false;
}

static char *format_choice(const struct cfg_option *option, const void *value)
{
	return xstrdup(option->choices[*(const unsigned *)value]);
}

const struct cfg_type cfg_type_choice = {
    .name = "choice",
    .expected = "one of the choices",
    .json = CFG_JSON_STRING,
    .size = sizeof(unsigned),
    .parse = parse_choice,
    .format = format_choice,
};

static bool parse_coords(const struct cfg_value *v, const char *text, void *out)
{
	return cfg_parse_coords(text, out) || cfg_refuse(v, text);
}

static char *format_coords(const struct cfg_option *option, const void *value)
{
	const struct cfg_coords *c = value;

	return c->set ? cfg_format_coords(c) : NULL;
}

const struct cfg_type cfg_type_coords = {
    .name = "coordinates",
    .expected = "a place: latitude and longitude in degrees, such as \"50.11,8.68\"",
    .pattern = "^[-+]?[0-9]{1,2}(\\.[0-9]+)?, *[-+]?[0-9]{1,3}(\\.[0-9]+)?$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct cfg_coords),
    .parse = parse_coords,
    .format = format_coords,
};

static bool parse_km(const struct cfg_value *v, const char *text, void *out)
{
	double km;

	if (!cfg_parse_km(text, &km))
		return cfg_refuse(v, text);
	if (km < (double)v->option->min || km > (double)v->option->max)
		return in_range(v, text, km < 0 ? INT64_MIN : INT64_MAX);
	*(double *)out = km;
	return true;
}

static char *format_km(const struct cfg_option *option, const void *value)
{
	return cfg_format_km(*(const double *)value);
}

const struct cfg_type cfg_type_km = {
    .name = "distance",
    .expected = "a distance such as 100km or -50km",
    .pattern = "^[-+]?[0-9]{1,5}(\\.[0-9]+)?km$",
    .json = CFG_JSON_STRING,
    .size = sizeof(double),
    .parse = parse_km,
    .format = format_km,
};

static bool parse_status(const struct cfg_value *v, const char *text, void *out)
{
	return cfg_parse_status(text, out) || cfg_refuse(v, text);
}

static char *format_status(const struct cfg_option *option, const void *value)
{
	return cfg_format_status(*(const struct cfg_range *)value);
}

const struct cfg_type cfg_type_status = {
    .name = "status",
    .expected = "an HTTP status such as 200, or a range such as 200-399",
    .pattern = "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$",
    .json = CFG_JSON_STRING | CFG_JSON_INTEGER,
    .size = sizeof(struct cfg_range),
    .parse = parse_status,
    .format = format_status,
};

static bool parse_path(const struct cfg_value *v, const char *text, void *out)
{
	char *resolved;
	bool kept;

	if (*text == '\0')
		return cfg_refuse(v, text);
	resolved = cfg_resolve_path(v->file, text);
	kept = cfg_keep(v, resolved, out);
	free(resolved);
	return kept;
}

const struct cfg_type cfg_type_path = {
    .name = "path",
    .expected = "the path of a file",
    .pattern = "^.+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_path,
    .format = cfg_format_text,
};

/* A PIN in it would be in every log and status that names the key. */
static bool parse_key(const struct cfg_value *v, const char *text, void *out)
{
	if (strncmp(text, CFG_PKCS11, strlen(CFG_PKCS11)) != 0)
		return parse_path(v, text, out);
	if (strstr(text, "pin-value") != NULL)
		return cfg_refuse_because(v, text, "a PIN stands in a file: pin-source=/FILE");
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_key = {
    .name = "key",
    .expected = "a path, or a PKCS #11 URL such as pkcs11:token=www;object=key;type=private",
    .pattern = "^.+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_key,
    .format = cfg_format_text,
};

/* A path; only a default, which is for everybody, may have NAME in it. */
static bool parse_named_path(const struct cfg_value *v, const char *text, const char **path)
{
	const char *name;
	char *named;
	bool ok;

	name = text == v->option->fallback ? strstr(text, "NAME") : NULL;
	if (name == NULL)
		return parse_path(v, text, path);
	named = xasprintf("%.*s%s%s", (int)(name - text), text, v->name, name + 4);
	ok = parse_path(v, named, path);
	free(named);
	return ok;
}

static bool parse_socket(const struct cfg_value *v, const char *text, void *out)
{
	const char *path;

	if (!parse_named_path(v, text, &path))
		return false;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		/* By default it is the node's name that is too long, which was said of that. */
		return text != v->option->fallback &&
		       cfg_refuse_because(v, path,
					  "longer than the path of a socket may be; "
					  "give a shorter one");
	*(const char **)out = path;
	return true;
}

const struct cfg_type cfg_type_socket = {
    .name = "path",
    .expected = "the path of a socket",
    .pattern = "^.+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_socket,
    .format = cfg_format_text,
};

static bool parse_state(const struct cfg_value *v, const char *text, void *out)
{
	if (*text == '\0')
		return cfg_keep(v, text, out);
	return parse_named_path(v, text, out);
}

const struct cfg_type cfg_type_state = {
    .name = "path",
    .expected = "the path of a file, or \"\"",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_state,
    .format = cfg_format_text,
};

/* What may stand in a request target's path: visible ASCII without query and fragment. */
static bool is_url_path(const char *text)
{
	if (*text != '/')
		return false;
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text >= 0x7f || *text == '?' || *text == '#')
			return false;
	}
	return true;
}

static bool parse_url_path(const struct cfg_value *v, const char *text, void *out)
{
	if (!is_url_path(text))
		return cfg_refuse(v, text);
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_url_path = {
    .name = "URL path",
    .expected = "a URL path such as /health, without a query, other characters as %XX",
    .pattern = "^/[!\"$-<=>@-~]*$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_url_path,
    .format = cfg_format_text,
};

/* Whether dot segments went: nothing else makes slashes fewer where they are not doubled. */
static bool lost_segments(const char *text, struct span normal)
{
	size_t n = 0, left = 0;

	for (; *text != '\0'; text++)
		n += *text == '/';
	for (size_t i = 0; i < normal.n; i++)
		left += normal.p[i] == '/';
	return left < n;
}

/* NULL: requests can have it as their path, or a part of it. */
static const char *why_no_route_path(const char *text, const struct http_path *path)
{
	if (path->sure < path->text.n)
		return "\"%2F\", \"%5C\", \"\\\", \"%3B\", \";\" and a \"%25\" before two digits "
		       "never "
		       "match: origins read them in different ways";
	if (lost_segments(text, path->text) ||
	    (path->text.p[path->text.n - 1] == '/' && text[strlen(text) - 1] != '/'))
		return "\".\" and \"..\" never match: requests are looked at without them";
	if (text[1] != '\0' && text[strlen(text) - 1] == '/')
		return "leave out the last \"/\": \"/api\" matches /api and all that is under it";
	return NULL;
}

static bool keep_span(const struct cfg_value *v, struct span text, void *out)
{
	char *copy = cfg_alloc(v->mem, text.n + 1, v->place);

	if (copy == NULL)
		return false;
	memcpy(copy, text.p, text.n);
	*(const char **)out = copy;
	return true;
}

/* Kept in normal form, as the paths of requests are looked at. */
static bool parse_route_path(const struct cfg_value *v, const char *text, void *out)
{
	const char *why = "there is no memory for it";
	struct arena scratch;
	struct http_path path;
	bool ok, kept;

	if (!is_url_path(text))
		return cfg_refuse(v, text);
	if (strstr(text, "//") != NULL)
		return cfg_refuse_because(
		    v, text,
		    "\"//\" never matches: requests are looked at with one \"/\" in its place");
	arena_init(&scratch, 3 * strlen(text) + 1024);
	ok = http_path_parse(&path, span_of(text), &scratch, &why) == HTTP_PATH_OK;
	if (ok)
		why = why_no_route_path(text, &path);
	ok = ok && why == NULL;
	if (ok)
		kept = keep_span(v, path.text, out);
	else
		kept = cfg_refuse_because(v, text, why);
	arena_fini(&scratch);
	return kept;
}

static char *format_route_path(const struct cfg_option *option, const void *value)
{
	const char *path = *(const char *const *)value;
	char *text, *p;

	if (path == NULL)
		return NULL;
	p = text = xmalloc(3 * strlen(path) + 1);
	for (; *path != '\0'; path++) {
		if (*path > ' ' && *path < 0x7f && strchr("%?#", *path) == NULL)
			*p++ = *path;
		else
			p += sprintf(p, "%%%02X", (unsigned char)*path);
	}
	*p = '\0';
	return text;
}

const struct cfg_type cfg_type_route_path = {
    .name = "URL path",
    .expected = "a URL path such as /api, without a query, other characters as %XX",
    .pattern = "^/([!\"$-.0-<=>@-~]+(/[!\"$-.0-<=>@-~]+)*)?$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_route_path,
    .format = format_route_path,
};

/* Fields that an edge writes anew for each connection: those of framing (RFC 9112 section 6) and
 * those of one hop (RFC 9110 section 7.6.1), with Trailer, which goes with the framing. */
static bool is_own_field(const char *name)
{
	static const char *const own[] = {
	    "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE",
	    "Trailer",        "Proxy-Connection",
	};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (strcasecmp(name, own[i]) == 0)
			return true;
	}
	return false;
}

static bool parse_field_name(const struct cfg_value *v, const char *text, void *out)
{
	struct span name = {.p = text, .n = strlen(text)};

	if (name.n == 0 || !http_chars_are(name, HTTP_CHAR_TOKEN))
		return cfg_refuse(v, text);
	if (is_own_field(text))
		return cfg_refuse_because(v, text,
					  "the edge itself says how a message is framed and "
					  "how its connection goes on");
	/* RFC 8586 section 2: nobody may be able to turn it off. */
	if (strcasecmp(text, "CDN-Loop") == 0)
		return cfg_refuse_because(v, text,
					  "it keeps requests from going in circles for ever");
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_field_name = {
    .name = "field name",
    .expected = "the name of a field such as Cache-Control: letters, digits, \"-\" and other "
		"characters of a token",
    .pattern = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_field_name,
    .format = cfg_format_text,
};

/* RFC 9110 section 5.5; control characters are in no value: see yaml.c. */
static bool parse_field_value(const struct cfg_value *v, const char *text, void *out)
{
	size_t len = strlen(text);

	if (len > 0 && (text[0] == ' ' || text[len - 1] == ' '))
		return cfg_refuse(v, text);
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_field_value = {
    .name = "text",
    .expected = "the value of a field: a text without spaces at its ends",
    .pattern = "^([^ ]|[^ ].*[^ ])?$",
    .json = CFG_JSON_SCALAR,
    .size = sizeof(char *),
    .parse = parse_field_value,
    .format = cfg_format_text,
};
