/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The types of option values: how each is read from text, written back, and described to people
 * and to editors. Any thread.
 */
#pragma once

#include <stdbool.h>

#include "config/fleet.h"
#include "config/memory.h"
#include "config/option.h"
#include "config/types/reference.h"

enum cfg_json {
	CFG_JSON_STRING = 1,
	CFG_JSON_INTEGER = 2,
	CFG_JSON_BOOLEAN = 4,
	CFG_JSON_NUMBER = 8,
	/* Of a text: YAML makes other things of what looks like a number. */
	CFG_JSON_SCALAR = CFG_JSON_STRING | CFG_JSON_INTEGER | CFG_JSON_BOOLEAN | CFG_JSON_NUMBER,
};

/* A value that is being read. */
struct cfg_value {
	struct cfg_memory *mem; /* where strings go */
	const struct cfg_option *option;
	const struct cfg_fleet *fleet; /* what was filled before this; for references */
	struct cfg_references *references;
	const char *file; /* that the value stands in: relative paths start there */
	const char *name; /* of the thing around it, "fra1"; "" when there is none */
	struct diag *diag;
	struct cfg_place place;
	const char *path; /* "edges.fra1.check.port", for messages */
};

struct cfg_type {
	const char *name;     /* for the man page: "duration" */
	const char *expected; /* for messages: "a duration such as 500ms, 10s, 2m or 1h" */
	const char *pattern;  /* for the schema: an ERE that is also ECMA-262; NULL: none */
	unsigned json;        /* what YAML makes of the text: enum cfg_json, or'ed */
	size_t size;
	/* What refers to something that the fleet has: equal lists are one list. */
	bool refers;
	/* Reads `text` into `out`. False: complained about in v->diag, `out` as it was. */
	bool (*parse)(const struct cfg_value *v, const char *text, void *out);
	/* malloc'd; NULL when the value is not set. */
	char *(*format)(const struct cfg_option *option, const void *value);
};

extern const struct cfg_type cfg_type_bool, cfg_type_duration, cfg_type_rate, cfg_type_size,
    cfg_type_uint, cfg_type_port, cfg_type_choice, cfg_type_coords, cfg_type_km, cfg_type_status;
/* A number of threads, or CFG_THREADS_AUTO. */
extern const struct cfg_type cfg_type_threads;
/* A share: a double. */
extern const struct cfg_type cfg_type_percent;
/* Texts: a file; a Unix socket, where NAME in the default is the name of the thing around it. */
extern const struct cfg_type cfg_type_path, cfg_type_socket;
/* A private key: a path, or CFG_PKCS11 and more (RFC 7512). */
extern const struct cfg_type cfg_type_key;
/* Where a log goes and how it looks: see struct cfg_access_log. */
extern const struct cfg_type cfg_type_output, cfg_type_log_format, cfg_type_syslog;
/* What TLS is spoken: see core/net/tls_profile.h. */
extern const struct cfg_type cfg_type_tls_profile;
/* How a client's TLS looks: see edge/tls/ja4.h. */
extern const struct cfg_type cfg_type_ja4;
/* A file with NAME in its default, as with a socket, or "". */
extern const struct cfg_type cfg_type_state;
/* ISO 3166-1 alpha-2; MaxMind's code of a continent; the same or "". In upper case. */
extern const struct cfg_type cfg_type_country, cfg_type_continent, cfg_type_own_continent;
extern const struct cfg_type cfg_type_url_path, cfg_type_route_path;
/* A field that may be changed, and what it is changed to. */
extern const struct cfg_type cfg_type_field_name, cfg_type_field_value;
/* Any text, "" too. */
extern const struct cfg_type cfg_type_content;
/* Of content, in lower case; a "*" may stand for a part of its subtype. */
extern const struct cfg_type cfg_type_media_type;
/* A field of requests that may be changed; what a path, a part of it and a host are rewritten to,
 * as texts with variables; whom a page may come from. */
extern const struct cfg_type cfg_type_request_field_name, cfg_type_rewrite_path,
    cfg_type_rewrite_text, cfg_type_rewrite_host, cfg_type_cors_origin;
/* Of a cookie that the edge sets: its name, with NAME in its default as above; its path. */
extern const struct cfg_type cfg_type_cookie_name, cfg_type_cookie_path;
/* Of conditions: the name of any field, of a parameter of a query, a method, an expression. */
extern const struct cfg_type cfg_type_any_field, cfg_type_parameter, cfg_type_client_cert,
    cfg_type_method, cfg_type_regex;
/* Texts with variables: see template.h. Of what is known with the request; with the response. */
extern const struct cfg_type cfg_type_template, cfg_type_response_template;
/* The same, as the value of a field. */
extern const struct cfg_type cfg_type_request_value, cfg_type_response_value;
/* For sock_set_congestion_control(); "": not to be set. */
extern const struct cfg_type cfg_type_congestion_control;
/* Net: something to listen on, a bare address, a prefix, "name:port" (struct cfg_server). */
extern const struct cfg_type cfg_type_listen, cfg_type_address, cfg_type_prefix, cfg_type_server;
/* The same, or "unix:" and a path. */
extern const struct cfg_type cfg_type_origin_server;
/* DNS: a host or "", a host or "*.domain", a zone, an owner in a zone. */
extern const struct cfg_type cfg_type_host, cfg_type_service, cfg_type_host_pattern, cfg_type_zone,
    cfg_type_owner;
/* The name of an edge, an origin, a site, a name server. */
extern const struct cfg_type cfg_type_name;
/* Of the operating system; "": none. */
extern const struct cfg_type cfg_type_user;
/* A pointer to the edge, origin or site of that name. */
extern const struct cfg_type cfg_type_edge_ref, cfg_type_origin_ref, cfg_type_site_ref;

/* The text of an option's range, "1s to 1h", malloc'd; NULL when it has none. */
char *cfg_type_range(const struct cfg_option *option);
/* `PATH: "TEXT" is not EXPECTED` and `PATH: "TEXT": WHY`; both return false. */
bool cfg_refuse(const struct cfg_value *v, const char *text);
bool cfg_refuse_because(const struct cfg_value *v, const char *text, const char *why);
/* `text` becomes the value, as a copy; false when memory is out. */
bool cfg_keep(const struct cfg_value *v, const char *text, void *out);
/* Of such a value. NULL: it was not written, and has no default. */
char *cfg_format_text(const struct cfg_option *option, const void *value);
