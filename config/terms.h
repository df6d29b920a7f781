/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * On which terms a route's requests are served: who is let in, how long it may take, how much may
 * come, who else gets a copy. A part of config/fleet.h.
 */
#pragma once

#include "config/origin.h"
#include "config/values.h"

/* Names and passwords of a file of Apache's (RFC 7617). */
struct cfg_auth_basic {
	const char *file;
	const char *realm;
	bool forward; /* the origin sees Authorization, too */
	unsigned id;  /* among all of the fleet */
	struct cfg_place place;
};

/* Another origin is asked first, by a GET. */
struct cfg_auth_forward {
	const struct cfg_origin *origin;
	const char *path;
	struct cfg_strings request_fields;  /* of the client, that it is shown */
	struct cfg_strings response_fields; /* of its answer, that the route's origin is shown */
	struct cfg_place place;
};

struct cfg_auth {
	struct cfg_auth_basic *basic; /* at most one */
	unsigned n_basic;
	struct cfg_auth_forward *forward; /* at most one */
	unsigned n_forward;
};

/* Some requests go to another origin as well, whose responses nobody sees. */
struct cfg_mirror {
	const struct cfg_origin *origin;
	double share;  /* percent of the requests */
	uint64_t body; /* content up to this size goes with them; requests with more do not go */
	struct cfg_place place;
};

struct cfg_terms {
	struct cfg_auth auth;
	struct {
		duration response, idle; /* as the origin's; 0: those are right */
		duration total;          /* head of the request to end of the response; 0: any */
	} timeout;
	struct {
		uint64_t body; /* of a request's content; 0: any */
	} limit;
	struct cfg_retries *retries; /* at most one; none: as the origin says */
	unsigned n_retries;
	struct cfg_mirror *mirrors;
	unsigned n_mirrors;
	bool early_data;  /* requests of safe methods go on before the handshake is done */
	bool early_hints; /* 103 is sent while the origin thinks */
};
