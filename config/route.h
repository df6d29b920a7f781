/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME.routes: what happens to which requests. A part of config/fleet.h.
 */
#pragma once

#include "config/change.h"
#include "config/compression.h"
#include "config/limit.h"
#include "config/match.h"
#include "config/terms.h"
#include "config/values.h"

struct cfg_origin;

/* A share of a route's requests. */
struct cfg_split {
	const struct cfg_origin *origin;
	struct cfg_place place;
	unsigned weight; /* 0: none */
};

struct cfg_redirect {
	const char *to;  /* with variables; see config/load/validate_routes.c for what it may be */
	unsigned status; /* 301, 302, 303, 307 or 308 */
	struct cfg_place place;
};

/* One of text and file is set. */
struct cfg_respond {
	unsigned status;
	const char *text, *file;
	const char *type; /* "": by what the file is called */
	struct cfg_place place;
};

/* Whose responses an error page stands in the place of. */
enum cfg_errors_of { CFG_ERRORS_OF_EDGE, CFG_ERRORS_OF_ALL };

/* As struct cfg_respond, for responses with one of these statuses. */
struct cfg_error_page {
	struct {
		struct cfg_range *v;
		unsigned n;
	} statuses;
	enum cfg_errors_of of;
	const char *text, *file;
	const char *type;
	struct cfg_place place;
};

struct cfg_route {
	const char *path; /* prefix on segment borders: "/api" matches /api and /api/x, not /apix */
	bool exact;       /* the path itself only */
	const char *name; /* "": as its path */
	struct cfg_match when;
	/* One of these is set. */
	const struct cfg_origin *origin;
	struct cfg_split *split;
	unsigned n_split;
	struct cfg_redirect *redirect; /* one at most */
	unsigned n_redirect;
	struct cfg_respond *respond; /* one at most */
	unsigned n_respond;

	const char *split_by; /* requests with equal values of it stay together; with variables */
	struct cfg_error_page *errors; /* before the site's; the first for a status counts */
	unsigned n_errors;
	struct cfg_rewrite rewrite;
	struct cfg_field_rule *request_fields; /* in the order in which they are applied */
	unsigned n_request_fields;
	struct cfg_field_rule *response_fields; /* likewise */
	unsigned n_response_fields;
	struct cfg_compression compression;
	struct cfg_cors cors;
	enum cfg_route_security security; /* default: the site's */
	struct cfg_terms terms;
	struct cfg_access *access;
	unsigned n_access;
	unsigned number; /* in the order of the file */
	struct cfg_limit *limits;
	unsigned n_limits;
	struct cfg_place place;
};
