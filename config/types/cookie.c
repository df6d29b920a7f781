/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what a cookie is made of (RFC 6265 section 4.1.1). Any thread.
 */
#include "config/types/types.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/message.h"

/* A name; only a default, which is for everybody, may have NAME in it. */
static bool parse_cookie_name(const struct cfg_value *v, const char *text, void *out)
{
	const char *name = text == v->option->fallback ? strstr(text, "NAME") : NULL;
	char *named;
	bool ok;

	if (*text == '\0' || !http_chars_are(span_of(text), HTTP_CHAR_TOKEN))
		return cfg_refuse(v, text);
	if (name == NULL)
		return cfg_keep(v, text, out);
	named = xasprintf("%.*s%s%s", (int)(name - text), text, v->name, name + 4);
	ok = cfg_keep(v, named, out);
	free(named);
	return ok;
}

const struct cfg_type cfg_type_cookie_name = {
    .name = "cookie name",
    .expected = "the name of a cookie such as server: letters, digits, \"-\" and other characters "
		"of a token",
    .pattern = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_cookie_name,
    .format = cfg_format_text,
};

static bool parse_cookie_path(const struct cfg_value *v, const char *text, void *out)
{
	if (*text != '/')
		return cfg_refuse(v, text);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || *p == ';')
			return cfg_refuse(v, text);
	}
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_cookie_path = {
    .name = "path",
    .expected = "a path that begins with \"/\", without spaces and \";\"",
    .pattern = "^/[!-:<-~]*$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_cookie_path,
    .format = cfg_format_text,
};
