/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of requests share: an olink with one worker on the test's own loop, a fleet of
 * one origin, a sink that writes down what it is told, and a source that pushes a body by pieces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/check.h"
#include "core/http/message.h"
#include "origin-link/conns/counters.h"
#include "origin-link/olink.h"
#include "origin-link/request/request_internal.h"
#include "tests/support/scripted_origin.h"

#define RIG_SERVERS_MAX 3

struct rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct olink *olink;
	struct olink_worker *worker;
	struct cfg_server servers[RIG_SERVERS_MAX];
	struct cfg_origin origin;
	struct cfg_fleet fleet;
	struct olink_origins *origins;
};

/* Everything but the origins; `origin` may be changed before rig_open(). */
void rig_init(struct rig *rig, unsigned n_workers);
void rig_add_server(struct rig *rig, const struct net_addr *addr);
void rig_open(struct rig *rig);
void rig_fini(struct rig *rig);
/* Of the rig's own worker. */
void rig_close_idle(struct rig *rig);
/* Runs the loop until every server has been resolved and probed. */
void rig_settle(struct rig *rig);
int64_t rig_count(const struct rig *rig, enum olink_counter id);

/* One request with all that belongs to it. Zeroed by call_init(). */
struct call {
	struct rig *rig;
	struct loop *loop;
	struct olink_request *request;
	struct arena arena;
	struct http_head head;
	struct olink_facts facts; /* when it was over */
	/* response */
	struct http_sink sink;
	int status;
	unsigned n_informational;
	int informational; /* the last one */
	bool head_end;
	char *body; /* NUL-terminated */
	size_t n_body;
	char trailers[256]; /* "name: value\n" each */
	unsigned n_ends;    /* must become 1 */
	bool no_end;        /* more is expected after what ended: do not stop the loop */
	enum reason reset;
	bool slow; /* answers "wait" to each piece, and resumes at the end of the turn */
	bool waits;
	size_t since_wait, most_since_wait;
	struct loop_task resume_task;
	struct scripted_origin *go_at_head; /* let go on when the head has come, or NULL */
	bool stop_at_head;                  /* stops the response when its head comes */
	bool rewrites; /* turns keep_alive of the response's head around, as for its own client */
	/* request body */
	struct http_source source;
	const char *piece;
	size_t piece_len;
	unsigned n_pieces;               /* still to push; the last one ends */
	struct http_fields trailers_out; /* instead of end on the last one, when any */
	enum reason stopped;
	unsigned n_resumes;
};

/* A request "method /path" to www.example.com. */
void call_init(struct call *c, struct rig *rig, const char *method, const char *target);
/* With `n` pieces of that text as content, chunked unless head.framing was set. */
void call_set_body(struct call *c, const char *piece, unsigned n);
void call_start(struct call *c, struct olink_worker *worker);
/* Runs the loop until it has ended, and finishes it. */
void call_run(struct call *c);
void call_finish(struct call *c);
void call_fini(struct call *c);
