/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a check asks: of an edge (edges.NAME.check), of the servers of an origin
 * (origins.NAME.health.check). A part of config/fleet.h.
 */
#pragma once

#include "config/values.h"

/* How to find out whether something serves. A server is asked the way requests go to it, so by TLS
 * with TLS. Where requests have none, HTTPS and TLS have some of their own, and H2 and GRPC begin
 * with prior knowledge; an edge is asked by TLS but for HTTP and TCP. */
enum cfg_check_kind {
	CFG_CHECK_HTTP,
	CFG_CHECK_HTTPS,
	CFG_CHECK_TCP,
	CFG_CHECK_H2,
	CFG_CHECK_TLS,
	CFG_CHECK_GRPC, /* of servers only */
};
/* CFG_CHECK_HEAD: by GET once that has got a good status where HEAD has not, and where content is
 * looked at. */
enum cfg_check_method { CFG_CHECK_HEAD, CFG_CHECK_GET, CFG_CHECK_OPTIONS, CFG_CHECK_POST };
/* What the certificate of what is asked must be. CFG_VERIFY_AUTO: wholly valid when its chain ends
 * at a public root; one that does not is taken to be private, and passes. */
enum cfg_verify { CFG_VERIFY_AUTO, CFG_VERIFY_YES, CFG_VERIFY_NO };

/* A field of the request. */
struct cfg_check_field {
	const char *name, *value;
	struct cfg_place place;
};

struct cfg_check {
	enum cfg_check_kind kind;
	uint16_t port;    /* 0: the port of what is checked */
	const char *host; /* Host field and SNI; "" : a default that the user of the check names */
	const char *path;
	const char *service; /* of gRPC; "": the server as a whole */
	enum cfg_check_method method;
	struct cfg_check_field *fields;
	unsigned n_fields;
	struct {
		struct cfg_range *v;
		unsigned n;
	} statuses;
	const char *content;    /* a text that is part of the content; NULL: any will do */
	const char *regex;      /* that matches somewhere in it; NULL: any will do */
	duration interval;      /* between the starts of two probes */
	duration fast_interval; /* the same while results contradict the state; at most interval */
	duration timeout;       /* of one probe, from connect to the last byte that is looked at */
	unsigned rise;          /* successes in a row that make it up */
	unsigned fall;          /* failures in a row that make it down */
	enum cfg_verify verify; /* by TLS, but for servers that requests go to by TLS */
};
