/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an exchange tells the access log at its end. Lives as long as the line is made.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/base/reason.h"
#include "edge/facts/facts.h"
#include "origin-link/request/request.h"

struct edge_log_entry {
	/* With client and request; `origin` only if a connection to it was tried. */
	const struct edge_facts *facts;
	wall_time time;               /* when the request began */
	int status;                   /* that the client got; 0: no response was begun */
	uint64_t bytes_in, bytes_out; /* of content */
	duration total;
	duration first_byte; /* of the response, to the client; < 0: there was none */
	enum reason end;
	/* An origin was asked. The rest is about that. */
	bool asked;
	struct net_addr server;        /* the last one that was tried; AF_UNSPEC: none */
	bool reused;                   /* over a connection that was open before */
	unsigned retries;              /* how often it was sent again */
	const struct olink_try *tries; /* the attempts before the last one */
	duration queue;                /* before that connection was made or taken */
	duration connect;              /* while it was made; 0: it was taken */
	duration response;             /* from then on to the first byte; < 0: none came */
};
