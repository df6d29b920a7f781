/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Conditions that a request, or a response to it, must meet, for routes, rules and limits. A part
 * of config/fleet.h.
 */
#pragma once

#include "config/values.h"

/* A field, a parameter of the query, or a fact about the certificate of the client. */
struct cfg_match_part {
	const char *name;
	const char *value; /* NULL: any */
	const char *regex; /* NULL: none */
	bool absent;       /* then there is neither */
	struct cfg_place place;
};

/* All that is said must hold. All zero: nothing is said. */
struct cfg_match {
	struct cfg_strings methods; /* GET is HEAD too */
	const char *regex;          /* of the path in normal form; NULL: none */
	struct cfg_match_part *fields;
	unsigned n_fields;
	struct cfg_match_part *query;
	unsigned n_query;
	struct cfg_match_part *client_cert; /* name: of a variable client_cert.NAME */
	unsigned n_client_cert;
	struct cfg_prefixes networks;
	struct cfg_strings countries, continents;
	struct cfg_strings hosts; /* lower case; "*.example.com" matches one or more labels */
	struct {
		struct cfg_range *v;
		unsigned n;
	} statuses; /* with rules for responses only */
};
