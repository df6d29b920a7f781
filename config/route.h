/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME.routes: what happens to which requests. A part of config/fleet.h.
 */
#pragma once

#include "config/limit.h"
#include "config/match.h"
#include "config/terms.h"
#include "config/values.h"

struct cfg_origin;

enum cfg_field_action { CFG_FIELD_SET, CFG_FIELD_ADD, CFG_FIELD_REMOVE };

/* One change of a message's fields. */
struct cfg_field_rule {
	const char *name; /* a token, as written; no field that frames a message or is hop by hop */
	enum cfg_field_action action; /* default: set */
	const char *value;            /* "" with CFG_FIELD_REMOVE */
	struct cfg_place place;
};

struct cfg_route {
	const char *path; /* prefix on segment borders: "/api" matches /api and /api/x, not /apix */
	const struct cfg_origin *origin;
	struct cfg_field_rule *response_fields; /* in the order in which they are applied */
	unsigned n_response_fields;
	struct cfg_terms terms;
	struct cfg_access *access;
	unsigned n_access;
	struct cfg_limit *limits;
	unsigned n_limits;
	struct cfg_place place;
};
