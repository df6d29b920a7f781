/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts with variables: "https://{host}{path}". The grammar, and the list of the variables that
 * there are; their values are in edge/facts/. "{{" is a brace; a "}" that closes nothing is itself.
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* In the order of the table in template.c. */
enum cfg_variable {
	CFG_VAR_CLIENT_IP,
	CFG_VAR_CLIENT_NETWORK,
	CFG_VAR_CLIENT_PORT,
	CFG_VAR_CLIENT_COUNTRY,
	CFG_VAR_CLIENT_CONTINENT,
	CFG_VAR_CLIENT_ASN,
	CFG_VAR_METHOD,
	CFG_VAR_SCHEME,
	CFG_VAR_HOST,
	CFG_VAR_PORT,
	CFG_VAR_PATH,
	CFG_VAR_QUERY,
	CFG_VAR_TARGET,
	CFG_VAR_QUERY_NAME,
	CFG_VAR_FIELD_NAME,
	CFG_VAR_COOKIE_NAME,
	CFG_VAR_MATCH,
	CFG_VAR_NODE,
	CFG_VAR_SITE,
	CFG_VAR_ROUTE,
	CFG_VAR_ORIGIN,
	CFG_VAR_USER,
	CFG_VAR_REFUSED_BY,
	CFG_VAR_REQUEST_ID,
	CFG_VAR_TRACE_ID,
	CFG_VAR_TLS_VERSION,
	CFG_VAR_TLS_SUITE,
	CFG_VAR_TLS_GROUP,
	CFG_VAR_TLS_SNI,
	CFG_VAR_TLS_RESUMED,
	CFG_VAR_CLIENT_CERT_SUBJECT,
	CFG_VAR_CLIENT_CERT_ISSUER,
	CFG_VAR_CLIENT_CERT_SERIAL,
	CFG_VAR_CLIENT_CERT_SANS,
	CFG_VAR_CLIENT_CERT_FINGERPRINT,
	CFG_VAR_CLIENT_CERT_VERDICT,
	CFG_VAR_TLS_JA4,
	CFG_VAR_TLS_EARLY,
	CFG_VAR_PROTOCOL,
	CFG_VAR_STATUS,
	CFG_VAR_RESPONSE_NAME,
	CFG_VAR_TIME,
	CFG_VAR_BYTES_IN,
	CFG_VAR_BYTES,
	CFG_VAR_DURATION_US,
	CFG_VAR_FIRST_BYTE_US,
	CFG_VAR_HANDSHAKE_US,
	CFG_VAR_QUEUE_US,
	CFG_VAR_CONNECT_US,
	CFG_VAR_ORIGIN_US,
	CFG_VAR_SERVER,
	CFG_VAR_REUSED,
	CFG_VAR_RETRIES,
	CFG_VAR_TRIES,
	CFG_VAR_END,
	CFG_VARIABLES,
};

/* From when on a variable has a value. */
enum cfg_known {
	CFG_KNOWN_REQUEST,  /* the request's head is there, and its route is known */
	CFG_KNOWN_RESPONSE, /* the response's head is too */
	CFG_KNOWN_END,      /* all has ended: for the access log */
};

struct cfg_template_part {
	bool is_variable;
	enum cfg_variable variable;
	unsigned number; /* of CFG_VAR_MATCH: the group */
	/* A text, or the argument of a variable that has one ("NAME" of {field.NAME}); points into
	 * the template. */
	const char *text;
	size_t n;
};

/* The next part at *rest, which is advanced; false at the end. The template is one that
 * cfg_template_check() has passed. Texts may come in several pieces. */
bool cfg_template_next(const char **rest, struct cfg_template_part *part);
/* NULL; or what is wrong with it, malloc'd, when only what is known at `known` may be in it. */
char *cfg_template_check(const char *text, enum cfg_known known);
/* That of {client_cert.NAME}; false when there is none of that name. */
bool cfg_client_cert_variable(const char *name, enum cfg_variable *variable);
/* The name as it is written, "field.NAME". */
const char *cfg_variable_name(enum cfg_variable variable);
/* Whether a database of places tells it. */
bool cfg_variable_is_of_place(enum cfg_variable variable);
enum cfg_known cfg_variable_known(enum cfg_variable variable);
