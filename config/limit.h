/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whom an edge lets in, and how much of each: of http, sites and routes. A part of config/fleet.h.
 */
#pragma once

#include "config/match.h"
#include "config/values.h"

/* Clients that are in one of these. */
struct cfg_clients {
	struct cfg_prefixes networks;
	struct cfg_uints asns;
	struct cfg_strings countries;  /* ISO 3166-1 alpha-2, upper case */
	struct cfg_strings continents; /* as cfg_edge.continent */
	struct cfg_strings ja4;        /* fingerprints of their TLS: see edge/tls/ja4.h */
};

/* An item of access: it is for the clients of one of the two; the other is empty. Of a list the
 * first counts that a client is in. */
struct cfg_access {
	struct cfg_clients allow, deny;
	struct cfg_place place;
};

/* So many in such a time. */
struct cfg_rate {
	unsigned count; /* 0: no limit */
	duration per;   /* whole seconds */
};

/* Which responses tell how much is left. */
enum cfg_tell { CFG_TELL_REFUSED, CFG_TELL_ALWAYS, CFG_TELL_NEVER };

/* An item of limits: a token bucket for each value of the key. */
struct cfg_limit {
	const char *name; /* counts with the others of http, or of the site, that are called so */
	struct cfg_rate rate;
	unsigned burst;  /* so many may come at once; 0: the count of the rate */
	const char *key; /* with variables; "": one bucket for all */
	struct cfg_match when;
	unsigned status; /* of a refusal, 429 */
	enum cfg_tell tell;
	struct cfg_place place;
};

/* http.per_client: what each client may have, an IPv4 address or an IPv6 /64; 0: no limit. */
struct cfg_per_client {
	unsigned connections, requests; /* at a time */
	struct cfg_rate connection_rate, handshake_rate, request_rate;
};
