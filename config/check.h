/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a check asks: of an edge (edges.NAME.check), of the servers of an origin
 * (origins.NAME.health.check). A part of config/fleet.h.
 */
#pragma once

#include "config/values.h"

/* How to find out whether something serves. A server is asked the way requests go to it, so by TLS
 * with TLS; where requests have none, by CFG_CHECK_HTTPS without a look at its certificate. */
enum cfg_check_kind { CFG_CHECK_HTTP, CFG_CHECK_HTTPS, CFG_CHECK_TCP };
/* CFG_CHECK_HEAD: by GET once that has got a good status where HEAD has not. */
enum cfg_check_method { CFG_CHECK_HEAD, CFG_CHECK_GET };
/* What the certificate of an edge must be. CFG_VERIFY_AUTO: wholly valid when its chain ends at a
 * public root; one that does not is taken to be private, and passes. */
enum cfg_verify { CFG_VERIFY_AUTO, CFG_VERIFY_YES, CFG_VERIFY_NO };

struct cfg_check {
	enum cfg_check_kind kind;
	uint16_t port;    /* 0: the port of what is checked */
	const char *host; /* Host field and SNI; "" : a default that the user of the check names */
	const char *path;
	enum cfg_check_method method;
	struct cfg_range status;
	duration interval;      /* between the starts of two probes */
	duration timeout;       /* of one probe, from connect to status line */
	unsigned rise;          /* successes in a row that make it up */
	unsigned fall;          /* failures in a row that make it down */
	enum cfg_verify verify; /* of edges, by CFG_CHECK_HTTPS */
};
