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

struct cfg_route {
	const char *path; /* prefix on segment borders: "/api" matches /api and /api/x, not /apix */
	const struct cfg_origin *origin;
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
	struct cfg_limit *limits;
	unsigned n_limits;
	struct cfg_place place;
};
