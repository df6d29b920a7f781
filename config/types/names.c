/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of names: hosts, zones, owners, the names of edges and origins. Any thread.
 */
#include "config/types/types.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/types/domain_name.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/message.h"

/* As much as a label of a domain name. */
#define NAME_MAX_LEN 63

static bool keep_lower(const struct cfg_value *v, const char *text, void *out)
{
	char *copy = cfg_copy(v->mem, text, v->place);

	if (copy == NULL)
		return false;
	cfg_name_lower(copy);
	*(const char **)out = copy;
	return true;
}

static bool parse_host(const struct cfg_value *v, const char *text, void *out)
{
	const char *fault = *text != '\0' ? cfg_host_fault(text, CFG_NAME_UNDERSCORE) : NULL;

	return fault == NULL ? keep_lower(v, text, out) : cfg_refuse_because(v, text, fault);
}

const struct cfg_type cfg_type_host = {
    .name = "host name",
    .expected = "a host name",
    .pattern = "^[0-9A-Za-z._-]*$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_host,
    .format = cfg_format_text,
};

static bool parse_service(const struct cfg_value *v, const char *text, void *out)
{
	const char *fault = cfg_host_fault(text, CFG_NAME_UNDERSCORE);

	if (fault == NULL && *cfg_service_domain(text) == '\0')
		fault = "it names no domain";
	return fault == NULL ? keep_lower(v, text, out) : cfg_refuse_because(v, text, fault);
}

const struct cfg_type cfg_type_service = {
    .name = "service",
    .expected = "the name of a service such as _http._tcp.app.example.net",
    .pattern = "^[0-9A-Za-z._-]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_service,
    .format = cfg_format_text,
};

static bool parse_host_pattern(const struct cfg_value *v, const char *text, void *out)
{
	const char *name = text, *fault;

	if (strncmp(text, "*.", 2) == 0)
		name = text + 2;
	fault = strchr(name, '*') == NULL
		    ? cfg_host_fault(name, 0)
		    : "\"*\" may stand for the first labels only: \"*.example.com\"";
	return fault == NULL ? keep_lower(v, text, out) : cfg_refuse_because(v, text, fault);
}

const struct cfg_type cfg_type_host_pattern = {
    .name = "host name",
    .expected = "a host name such as www.example.com or \"*.example.com\"",
    .pattern = "^(\\*\\.)?[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_host_pattern,
    .format = cfg_format_text,
};

static bool parse_zone(const struct cfg_value *v, const char *text, void *out)
{
	size_t len = strlen(text);
	const char *fault;
	char *name;
	bool kept;

	name = xasprintf("%.*s", (int)(len > 1 && text[len - 1] == '.' ? len - 1 : len), text);
	fault = cfg_domain_fault(name, CFG_NAME_UNDERSCORE | CFG_NAME_SLASH);
	kept = fault == NULL ? keep_lower(v, name, out) : cfg_refuse_because(v, text, fault);
	free(name);
	return kept;
}

const struct cfg_type cfg_type_zone = {
    .name = "zone",
    .expected = "the name of a zone",
    .pattern = "^[0-9A-Za-z_/-]+(\\.[0-9A-Za-z_/-]+)*\\.?$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_zone,
    .format = cfg_format_text,
};

static bool parse_owner(const struct cfg_value *v, const char *text, void *out)
{
	const char *name = text, *fault;

	if (strcmp(text, "@") == 0 || strcmp(text, "*") == 0)
		return keep_lower(v, text, out);
	if (strncmp(text, "*.", 2) == 0)
		name = text + 2;
	if (*text != '\0' && text[strlen(text) - 1] == '.')
		fault = "an owner is relative to its zone, without a dot at the end";
	else if (strchr(name, '*') != NULL)
		fault = "\"*\" may only be the first label: \"*\" or \"*.name\"";
	else
		fault = cfg_domain_fault(name, CFG_NAME_UNDERSCORE);
	return fault == NULL ? keep_lower(v, text, out) : cfg_refuse_because(v, text, fault);
}

const struct cfg_type cfg_type_owner = {
    .name = "owner",
    .expected = "a name in the zone",
    .pattern = "^(@|\\*|(\\*\\.)?[0-9A-Za-z_-]+(\\.[0-9A-Za-z_-]+)*)$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_owner,
    .format = cfg_format_text,
};

/* A type, and a subtype in which one "*" may stand for something (RFC 9110 section 8.3.1). */
static bool parse_media_type(const struct cfg_value *v, const char *text, void *out)
{
	const char *slash = strchr(text, '/'), *star = strchr(text, '*');

	if (slash == NULL || slash == text || slash[1] == '\0' ||
	    !http_chars_are((struct span){text, (size_t)(slash - text)}, HTTP_CHAR_TOKEN) ||
	    !http_chars_are(span_of(slash + 1), HTTP_CHAR_TOKEN))
		return cfg_refuse(v, text);
	if (star != NULL && (star < slash || strchr(star + 1, '*') != NULL))
		return cfg_refuse(v, text);
	return keep_lower(v, text, out);
}

const struct cfg_type cfg_type_media_type = {
    .name = "media type",
    .expected = "a media type such as text/html, text/* or application/*+json",
    .pattern = "^[-!#$%&'+.^_`|~0-9A-Za-z]+/[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_media_type,
    .format = cfg_format_text,
};

/* It becomes part of paths, log lines and commands. */
static bool parse_name(const struct cfg_value *v, const char *text, void *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > NAME_MAX_LEN || !isalnum((unsigned char)text[0]))
		return cfg_refuse(v, text);
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
			return cfg_refuse(v, text);
	}
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_name = {
    .name = "name",
    .expected = "a name: up to 63 letters, digits, \"-\", \"_\" and \".\", a letter or digit first",
    .pattern = "^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_name,
    .format = cfg_format_text,
};

/* What Debian's adduser takes, and the names that useradd does. */
static bool parse_user(const struct cfg_value *v, const char *text, void *out)
{
	size_t len = strlen(text);

	if (len > 32 || (len > 0 && !isalpha((unsigned char)text[0]) && text[0] != '_'))
		return cfg_refuse(v, text);
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
			return cfg_refuse(v, text);
	}
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_user = {
    .name = "user",
    .expected = "the name of a user such as perigee",
    .pattern = "^([a-zA-Z_][-a-zA-Z0-9_.]{0,31})?$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_user,
    .format = cfg_format_text,
};
