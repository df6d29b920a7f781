/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Proxy-Status (RFC 9209): who on a response's way made what of it, and why. Pure.
 */
#pragma once

#include "core/base/reason.h"
#include "core/http/message.h"

struct edge_proxy_status {
	struct span proxy;    /* this node: a token */
	struct span next_hop; /* the name of the origin that was asked; empty: none was */
	bool own;             /* the response is ours */
	enum reason reason;   /* why it is; REASON_NONE and REASON_DONE: the request asked for it */
	int received;         /* the status that the origin gave; 0: none */
};

/* The error type of section 2.3 that a reason is. NULL: of none, it is the status that says. */
const char *edge_proxy_error(enum reason reason);
/* The same for a status of ours, when the reason says nothing. NULL: it is no error. */
const char *edge_proxy_error_of_status(int status);
/* Appends a member for this node to the response's field. False: no room. */
bool edge_proxy_status_add(struct http_head *response, const struct edge_proxy_status *what);
