/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of what conditions are made of, and texts as such. Any thread.
 */
#include "config/types/template.h"
#include "config/types/types.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/regex.h"

static bool is_token(const char *text)
{
	return *text != '\0' && http_chars_are(span_of(text), HTTP_CHAR_TOKEN);
}

const struct cfg_type cfg_type_content = {
    .name = "text",
    .expected = "a text",
    .json = CFG_JSON_SCALAR,
    .size = sizeof(char *),
    .parse = cfg_keep,
    .format = cfg_format_text,
};

static bool parse_any_field(const struct cfg_value *v, const char *text, void *out)
{
	return is_token(text) ? cfg_keep(v, text, out) : cfg_refuse(v, text);
}

const struct cfg_type cfg_type_any_field = {
    .name = "field name",
    .expected = "the name of a field such as User-Agent: letters, digits, \"-\" and other "
		"characters of a token",
    .pattern = "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_any_field,
    .format = cfg_format_text,
};

static bool parse_parameter(const struct cfg_value *v, const char *text, void *out)
{
	return *text != '\0' ? cfg_keep(v, text, out) : cfg_refuse(v, text);
}

const struct cfg_type cfg_type_parameter = {
    .name = "text",
    .expected = "the name of a parameter",
    .pattern = "^.+$",
    .json = CFG_JSON_SCALAR,
    .size = sizeof(char *),
    .parse = parse_parameter,
    .format = cfg_format_text,
};

static bool parse_client_cert(const struct cfg_value *v, const char *text, void *out)
{
	enum cfg_variable variable;

	return cfg_client_cert_variable(text, &variable) ? cfg_keep(v, text, out)
							 : cfg_refuse(v, text);
}

const struct cfg_type cfg_type_client_cert = {
    .name = "word",
    .expected = "subject, issuer, serial, sans, fingerprint or verdict",
    .pattern = "^(subject|issuer|serial|sans|fingerprint|verdict)$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_client_cert,
    .format = cfg_format_text,
};

static bool parse_method(const struct cfg_value *v, const char *text, void *out)
{
	if (!is_token(text))
		return cfg_refuse(v, text);
	/* A token as well, but meant for all of them, which it is not. */
	if (strcmp(text, "*") == 0)
		return cfg_refuse_because(v, text, "there is no word for all methods: list them");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p >= 'a' && *p <= 'z')
			return cfg_refuse(v, text);
	}
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_method = {
    .name = "method",
    .expected = "a method such as GET or POST, in upper case",
    .pattern = "^(?!\\*$)[-!#$%&'*+.^_`|~0-9A-Z]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_method,
    .format = cfg_format_text,
};

static bool parse_regex(const struct cfg_value *v, const char *text, void *out)
{
	struct regex *regex;
	char *why;

	if (*text == '\0')
		return cfg_refuse(v, text);
	regex = regex_compile(text, &why);
	if (regex == NULL) {
		cfg_refuse_because(v, text, why);
		free(why);
		return false;
	}
	regex_destroy(&regex);
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_regex = {
    .name = "regular expression",
    .expected = "a regular expression such as \"^/v[0-9]+/\"",
    .pattern = "^.+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_regex,
    .format = cfg_format_text,
};
