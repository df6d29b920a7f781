/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One line of JSON an exchange. Formatted by hand: it is written for every request. Pure; what
 * becomes of the line is the caller's business.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/base/reason.h"
#include "core/http/message.h"

/* What strangers choose is cut to this many bytes, and a mark says so. */
#define EDGE_LOG_METHOD_MAX 32
#define EDGE_LOG_HOST_MAX 255
#define EDGE_LOG_TARGET_MAX 1024
/* Every such byte may become six ("\u00ff"); the rest has names and numbers of bounded length. */
#define EDGE_LOG_LINE_MAX                                                                          \
	(6 * (EDGE_LOG_METHOD_MAX + EDGE_LOG_HOST_MAX + EDGE_LOG_TARGET_MAX) + 1536)

struct edge_log_entry {
	wall_time time; /* when the request began */
	const char *client;
	const char *protocol; /* "HTTP/1.1" */
	const char *tls;      /* "TLS1.3"; "" for none */
	struct span method, host, target;
	int status;                   /* 0: no response was begun */
	uint64_t bytes_in, bytes_out; /* of content */
	const char *site;             /* "": none was found */
	const char *origin;           /* "": none was asked: no connection to it was tried */
	struct net_addr server;       /* the last one that was; AF_UNSPEC: none */
	bool reused;                  /* over a connection to the origin that was open before */
	duration total, first_byte;   /* first_byte < 0: there was none */
	enum reason end;
};

/* Returns the length, with a final newline; never more than EDGE_LOG_LINE_MAX. */
size_t edge_access_log_format(const struct edge_log_entry *e, char out[EDGE_LOG_LINE_MAX]);
