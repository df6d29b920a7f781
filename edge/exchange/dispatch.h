/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who answers a request: a route says, or the edge itself, and with which status. Pure but for the
 * arena. Called by the thread that owns the exchange.
 */
#pragma once

#include <stdbool.h>

#include "core/base/reason.h"

struct arena;
struct edge_client;
struct edge_facts;
struct edge_route;
struct edge_site;
struct edge_view;
struct http_path;

/* The path that perigee-dns and others ask, on any host. */
#define EDGE_HEALTH_PATH "/.well-known/perigee/health"
/* Where a certificate authority looks for its challenge (RFC 8555 section 8.3): served without TLS
 * too. */
#define EDGE_ACME_PATH "/.well-known/acme-challenge/"

struct edge_question {
	const struct edge_view *view;
	struct edge_client *client; /* the connection's */
	/* Of the request and of whom it is from; what is found out goes there. */
	struct edge_facts *facts;
	bool stopping;          /* the program is */
	struct http_path *path; /* where its path in normal form comes, */
	struct arena *arena;    /* with its bytes */
};

struct edge_dispatch {
	int status;                     /* 0: the route says; else the edge answers with it */
	enum reason reason;             /* what the edge's own answer ends with */
	const struct edge_site *site;   /* NULL: none, or it was not looked for */
	const struct edge_route *route; /* NULL unless status is 0 */
	bool for_all;                   /* the health answer: whoever asks is to have it */
};

struct edge_dispatch edge_dispatch(const struct edge_question *question);
