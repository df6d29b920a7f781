/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is known of a request and of its response: all that conditions, variables, keys of limits
 * and the access log may look at. Lives in its exchange, which fills it as it learns; whoever reads
 * it does so in that loop, and finds what is not known empty or NULL.
 */
#pragma once

#include "config/fleet.h"
#include "core/http/message.h"
#include "core/http/regex.h"
#include "edge/clients/client_cert.h"

struct edge_client;
struct geo_place;
struct http_path;

struct edge_facts {
	const struct edge_client *client;
	const struct geo_place *place;    /* of the client; NULL: not known */
	const struct http_head *request;  /* as received */
	const struct http_path *path;     /* in normal form; NULL: it could not be read */
	const struct http_head *response; /* as far as it has been made; NULL: there is none yet */
	/* That the site has asked for; NULL: none was shown. The connection's, where it may be
	 * judged anew for other requests: what counts is the verdict in here. */
	struct edge_client_cert *client_cert;
	enum edge_client_verdict client_verdict; /* by the site's rules */
	bool client_cert_asked;                  /* the site asks for one */
	struct span user;       /* whose password was right; empty: none was asked for */
	struct span refused_by; /* the rule or limit that did; empty: none */
	/* Names; empty: none. */
	struct span node, site, route, origin;
	/* Empty: none. */
	struct span request_id;  /* the same at every hop, in every log */
	struct span trace_id;    /* of W3C Trace Context: 32 hexadecimal digits */
	struct span traceparent; /* of a trace that begins here */
	bool early;              /* the client's handshake was not done when it was let through */
	struct regex_captures captures; /* of the path, by the expression of the route */
};

/* What origins, conditions and logs are told of the client's certificate: the verdict, which is
 * "none" where one was asked for and none shown, and of a valid one all else; of another nothing,
 * as anybody can write it down. */
struct span edge_facts_client_cert(const struct edge_facts *facts, enum cfg_client_field which);
/* Each alternative name of a valid one. */
unsigned edge_facts_client_sans(const struct edge_facts *facts, const struct span **sans);
