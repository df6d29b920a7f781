/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is changed in requests on their way to an origin, and in responses. A part of
 * config/fleet.h. Texts with variables are templates: see config/types/template.h.
 */
#pragma once

#include "config/match.h"

enum cfg_field_action { CFG_FIELD_SET, CFG_FIELD_ADD, CFG_FIELD_APPEND, CFG_FIELD_REMOVE };

/* One change of a message's fields. */
struct cfg_field_rule {
	const char *name; /* a token, as written; no field that frames a message or is hop by hop */
	enum cfg_field_action action; /* default: set */
	const char *value;            /* a template; "" with CFG_FIELD_REMOVE */
	struct cfg_match when;
	struct cfg_place place;
};

/* What an origin is asked for in place of what the client has asked for. At most one of
 * strip_prefix, path and regex; NULL: not said. */
struct cfg_rewrite {
	const char *strip_prefix; /* a path in normal form */
	const char *path;         /* a template of a path, with a query or without */
	const char *regex;        /* of what is replaced in the path by `to`, a template */
	const char *to;
	const char *host; /* a template of an authority */
};

/* Cross-origin requests (the Fetch Standard), answered and allowed by the edge. */
struct cfg_cors {
	struct cfg_strings origins; /* none: the edge leaves it to the origin; see types/change.c */
	struct cfg_strings methods, fields, expose;
	bool credentials;
	duration max_age; /* 10 min */
};

/* Strict-Transport-Security (RFC 6797). */
struct cfg_hsts {
	duration max_age; /* 0: none is sent */
	bool subdomains, preload;
};

/* Which fields of security a response gets that has none of that name. */
enum cfg_security { CFG_SECURITY_NONE, CFG_SECURITY_BASIC, CFG_SECURITY_STRICT };
/* Of a route: as its site has it, or else. */
enum cfg_route_security {
	CFG_ROUTE_SECURITY_SITE,
	CFG_ROUTE_SECURITY_NONE,
	CFG_ROUTE_SECURITY_BASIC,
	CFG_ROUTE_SECURITY_STRICT,
};

/* Whose request id counts. */
enum cfg_request_id_from { CFG_REQUEST_ID_TRUSTED, CFG_REQUEST_ID_NOBODY };
struct cfg_request_id {
	bool enabled; /* default false */
	const char *field;
	enum cfg_request_id_from from;
	bool response; /* told to the client as well */
};

/* When a trace (W3C Trace Context) begins at the edge: never; where there is none; there too where
 * one comes from somebody else than a trusted proxy. */
enum cfg_trace_start { CFG_TRACE_NEVER, CFG_TRACE_MISSING, CFG_TRACE_UNTRUSTED };
struct cfg_trace {
	enum cfg_trace_start start;
	bool sampled; /* those that begin here */
};
