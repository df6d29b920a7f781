/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading of texts with variables, and the option types that are such texts. The same reader serves
 * who checks them and who compiles them, so that both see the same parts.
 */
#include "config/types/template.h"

#include <stdlib.h>
#include <string.h>

#include "config/suggest.h"
#include "config/types/types.h"
#include "core/base/check.h"
#include "core/http/chars.h"

enum argument {
	NO_ARGUMENT,
	OF_TOKEN, /* the name of a field or a cookie */
	OF_QUERY, /* the name of a parameter, as it stands in a target */
	OF_GROUP, /* one digit */
};

struct variable {
	const char *name; /* up to the argument, with the dot */
	const char *shown;
	enum argument argument;
	enum cfg_known known;
};

#define PLAIN(name_)                                                                               \
	{                                                                                          \
		.name = name_, .shown = name_                                                      \
	}
#define WITH(name_, shown_, argument_)                                                             \
	{                                                                                          \
		.name = name_, .shown = shown_, .argument = argument_                              \
	}

#define AT_END_ONLY(name_)                                                                         \
	{                                                                                          \
		.name = name_, .shown = name_, .known = CFG_KNOWN_END                              \
	}

static const struct variable variables[CFG_VARIABLES] = {
    [CFG_VAR_CLIENT_IP] = PLAIN("client.ip"),
    [CFG_VAR_CLIENT_NETWORK] = PLAIN("client.network"),
    [CFG_VAR_CLIENT_PORT] = PLAIN("client.port"),
    [CFG_VAR_CLIENT_COUNTRY] = PLAIN("client.country"),
    [CFG_VAR_CLIENT_CONTINENT] = PLAIN("client.continent"),
    [CFG_VAR_CLIENT_ASN] = PLAIN("client.asn"),
    [CFG_VAR_METHOD] = PLAIN("method"),
    [CFG_VAR_SCHEME] = PLAIN("scheme"),
    [CFG_VAR_HOST] = PLAIN("host"),
    [CFG_VAR_PORT] = PLAIN("port"),
    [CFG_VAR_PATH] = PLAIN("path"),
    [CFG_VAR_QUERY] = PLAIN("query"),
    [CFG_VAR_TARGET] = PLAIN("target"),
    [CFG_VAR_QUERY_NAME] = WITH("query.", "query.NAME", OF_QUERY),
    [CFG_VAR_FIELD_NAME] = WITH("field.", "field.NAME", OF_TOKEN),
    [CFG_VAR_COOKIE_NAME] = WITH("cookie.", "cookie.NAME", OF_TOKEN),
    [CFG_VAR_MATCH] = WITH("match.", "match.N", OF_GROUP),
    [CFG_VAR_NODE] = PLAIN("node"),
    [CFG_VAR_SITE] = PLAIN("site"),
    [CFG_VAR_ROUTE] = PLAIN("route"),
    [CFG_VAR_ORIGIN] = PLAIN("origin"),
    [CFG_VAR_USER] = PLAIN("user"),
    [CFG_VAR_REFUSED_BY] = PLAIN("refused_by"),
    [CFG_VAR_REQUEST_ID] = PLAIN("request_id"),
    [CFG_VAR_TRACE_ID] = PLAIN("trace_id"),
    [CFG_VAR_TLS_VERSION] = PLAIN("tls.version"),
    [CFG_VAR_TLS_SUITE] = PLAIN("tls.suite"),
    [CFG_VAR_TLS_GROUP] = PLAIN("tls.group"),
    [CFG_VAR_TLS_SNI] = PLAIN("tls.sni"),
    [CFG_VAR_TLS_RESUMED] = PLAIN("tls.resumed"),
    [CFG_VAR_CLIENT_CERT_SUBJECT] = PLAIN("client_cert.subject"),
    [CFG_VAR_CLIENT_CERT_ISSUER] = PLAIN("client_cert.issuer"),
    [CFG_VAR_CLIENT_CERT_SERIAL] = PLAIN("client_cert.serial"),
    [CFG_VAR_CLIENT_CERT_SANS] = PLAIN("client_cert.sans"),
    [CFG_VAR_CLIENT_CERT_FINGERPRINT] = PLAIN("client_cert.fingerprint"),
    [CFG_VAR_CLIENT_CERT_VERDICT] = PLAIN("client_cert.verdict"),
    [CFG_VAR_TLS_JA4] = PLAIN("tls.ja4"),
    [CFG_VAR_TLS_EARLY] = PLAIN("tls.early"),
    [CFG_VAR_PROTOCOL] = PLAIN("protocol"),
    [CFG_VAR_STATUS] = {.name = "status", .shown = "status", .known = CFG_KNOWN_RESPONSE},
    [CFG_VAR_RESPONSE_NAME] = {.name = "response.",
			       .shown = "response.NAME",
			       .argument = OF_TOKEN,
			       .known = CFG_KNOWN_RESPONSE},
    [CFG_VAR_TIME] = AT_END_ONLY("time"),
    [CFG_VAR_BYTES_IN] = AT_END_ONLY("bytes_in"),
    [CFG_VAR_BYTES] = AT_END_ONLY("bytes"),
    [CFG_VAR_DURATION_US] = AT_END_ONLY("duration_us"),
    [CFG_VAR_FIRST_BYTE_US] = AT_END_ONLY("first_byte_us"),
    [CFG_VAR_HANDSHAKE_US] = AT_END_ONLY("handshake_us"),
    [CFG_VAR_QUEUE_US] = AT_END_ONLY("queue_us"),
    [CFG_VAR_CONNECT_US] = AT_END_ONLY("connect_us"),
    [CFG_VAR_ORIGIN_US] = AT_END_ONLY("origin_us"),
    [CFG_VAR_SERVER] = AT_END_ONLY("server"),
    [CFG_VAR_REUSED] = AT_END_ONLY("reused"),
    [CFG_VAR_RETRIES] = AT_END_ONLY("retries"),
    [CFG_VAR_TRIES] = AT_END_ONLY("tries"),
    [CFG_VAR_END] = AT_END_ONLY("end"),
};

bool cfg_client_cert_variable(const char *name, enum cfg_variable *variable)
{
	static const char prefix[] = "client_cert.";

	for (unsigned i = CFG_VAR_CLIENT_CERT_SUBJECT; i <= CFG_VAR_CLIENT_CERT_VERDICT; i++) {
		*variable = (enum cfg_variable)i;
		if (strcmp(variables[i].name + strlen(prefix), name) == 0)
			return true;
	}
	return false;
}

const char *cfg_variable_name(enum cfg_variable variable)
{
	return variables[variable].shown;
}

bool cfg_variable_is_of_place(enum cfg_variable variable)
{
	return variable == CFG_VAR_CLIENT_COUNTRY || variable == CFG_VAR_CLIENT_CONTINENT ||
	       variable == CFG_VAR_CLIENT_ASN;
}

enum cfg_known cfg_variable_known(enum cfg_variable variable)
{
	return variables[variable].known;
}

static bool is_argument(struct span text, enum argument argument)
{
	switch (argument) {
	case NO_ARGUMENT:
		return text.n == 0;
	case OF_TOKEN:
		return text.n > 0 && http_chars_are(text, HTTP_CHAR_TOKEN);
	case OF_QUERY:
		return text.n > 0 && http_chars_are(text, HTTP_CHAR_TARGET) &&
		       memchr(text.p, '&', text.n) == NULL && memchr(text.p, '=', text.n) == NULL;
	case OF_GROUP:
		break;
	}
	return text.n == 1 && http_char_is_digit(text.p[0]);
}

/* What stands between braces. False when there is no variable of that name. */
static bool find(struct span inner, struct cfg_template_part *part)
{
	for (unsigned i = 0; i < CFG_VARIABLES; i++) {
		const struct variable *v = &variables[i];
		size_t n = strlen(v->name);
		struct span argument;

		if (inner.n < n || memcmp(inner.p, v->name, n) != 0)
			continue;
		argument = (struct span){inner.p + n, inner.n - n};
		if (!is_argument(argument, v->argument))
			continue;
		*part = (struct cfg_template_part){
		    .is_variable = true,
		    .variable = (enum cfg_variable)i,
		    .text = argument.p,
		    .n = argument.n,
		};
		if (v->argument == OF_GROUP)
			part->number = (unsigned)(argument.p[0] - '0');
		return true;
	}
	return false;
}

enum result { AT_END, PART, UNCLOSED, UNKNOWN };

/* With UNKNOWN part->text is what stands between the braces. */
static enum result next(const char **rest, struct cfg_template_part *part)
{
	const char *from = *rest, *end;

	*part = (struct cfg_template_part){.text = from};
	if (*from == '\0')
		return AT_END;
	if (from[0] == '{' && from[1] != '{') {
		end = strchr(from, '}');
		if (!end)
			return UNCLOSED;
		*rest = end + 1;
		part->text = from + 1;
		part->n = (size_t)(end - from - 1);
		return find((struct span){part->text, part->n}, part) ? PART : UNKNOWN;
	}
	/* Of "{{" the first one belongs to the text. */
	end = from[0] == '{' ? from : strchrnul(from, '{');
	if (*end == '{' && end[1] == '{') {
		part->n = (size_t)(end + 1 - from);
		*rest = end + 2;
	} else {
		part->n = (size_t)(end - from);
		*rest = end;
	}
	return PART;
}

bool cfg_template_next(const char **rest, struct cfg_template_part *part)
{
	enum result result = next(rest, part);

	CHECK(result == PART || result == AT_END);
	return result == PART;
}

/* What `written` may have been meant for, malloc'd: the variable with the same argument, if that
 * can be one of it. */
static char *candidate(const struct variable *v, const char *written)
{
	const char *dot = strchr(written, '.');

	if (v->argument == NO_ARGUMENT || !dot || !is_argument(span_of(dot + 1), v->argument))
		return xstrdup(v->shown);
	return xasprintf("%s%s", v->name, dot + 1);
}

static char *complain_unknown(const char *inner, size_t n)
{
	char *written = xasprintf("%.*s", (int)n, inner), *why;
	char *candidates[CFG_VARIABLES];
	struct cfg_suggest near;

	cfg_suggest_init(&near, written);
	for (unsigned i = 0; i < CFG_VARIABLES; i++) {
		candidates[i] = candidate(&variables[i], written);
		cfg_suggest_offer(&near, candidates[i]);
	}
	if (near.best)
		why = xasprintf("there is no variable {%.64s}; did you mean {%s}?", written,
				near.best);
	else
		why = xasprintf("there is no variable {%.64s}; \"{{\" stands for a brace", written);
	for (unsigned i = 0; i < CFG_VARIABLES; i++)
		free(candidates[i]);
	free(written);
	return why;
}

char *cfg_template_check(const char *text, enum cfg_known known)
{
	struct cfg_template_part part;

	for (;;) {
		switch (next(&text, &part)) {
		case AT_END:
			return NULL;
		case UNCLOSED:
			return xasprintf("\"{\" without \"}\"; \"{{\" stands for a brace");
		case UNKNOWN:
			return complain_unknown(part.text, part.n);
		case PART:
			break;
		}
		if (part.is_variable && variables[part.variable].known > known)
			return xasprintf(variables[part.variable].known == CFG_KNOWN_END
					     ? "{%s} is known to the access log only"
					     : "{%s} is not known before there is a response",
					 variables[part.variable].shown);
	}
}

static bool parse_known(const struct cfg_value *v, const char *text, enum cfg_known known,
			void *out)
{
	char *why = cfg_template_check(text, known);
	bool ok;

	if (!why)
		return cfg_keep(v, text, out);
	ok = cfg_refuse_because(v, text, why);
	free(why);
	return ok;
}

static bool parse_request(const struct cfg_value *v, const char *text, void *out)
{
	return parse_known(v, text, CFG_KNOWN_REQUEST, out);
}

static bool parse_response(const struct cfg_value *v, const char *text, void *out)
{
	return parse_known(v, text, CFG_KNOWN_RESPONSE, out);
}

/* RFC 9110 section 5.5; control characters are in no value: see yaml.c. */
static bool is_field_value(const char *text)
{
	size_t n = strlen(text);

	return n == 0 || (text[0] != ' ' && text[n - 1] != ' ');
}

static bool parse_request_value(const struct cfg_value *v, const char *text, void *out)
{
	if (!is_field_value(text))
		return cfg_refuse(v, text);
	return parse_known(v, text, CFG_KNOWN_REQUEST, out);
}

static bool parse_response_value(const struct cfg_value *v, const char *text, void *out)
{
	if (!is_field_value(text))
		return cfg_refuse(v, text);
	return parse_known(v, text, CFG_KNOWN_RESPONSE, out);
}

#define TEMPLATE(expected_, pattern_, parse_)                                                      \
	{                                                                                          \
		.name = "template", .expected = expected_, .pattern = pattern_,                    \
		.json = CFG_JSON_SCALAR, .size = sizeof(char *), .parse = parse_,                  \
		.format = cfg_format_text                                                          \
	}
#define VALUE_PATTERN "^([^ ]|[^ ].*[^ ])?$"

const struct cfg_type cfg_type_template =
    TEMPLATE("a text, in which {name} is a variable", NULL, parse_request);
const struct cfg_type cfg_type_response_template =
    TEMPLATE("a text, in which {name} is a variable", NULL, parse_response);
const struct cfg_type cfg_type_request_value =
    TEMPLATE("the value of a field: a text without spaces at its ends, in which {name} is a "
	     "variable",
	     VALUE_PATTERN, parse_request_value);
const struct cfg_type cfg_type_response_value =
    TEMPLATE("the value of a field: a text without spaces at its ends, in which {name} is a "
	     "variable",
	     VALUE_PATTERN, parse_response_value);
