/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of HTTP/2 sessions share: a session on the test's own loop with nghttp2's server
 * at the other end, and asks: requests over it that write down what they are told.
 */
#pragma once

#include "core/base/check.h"
#include "origin-link/h2/h2_internal.h"
#include "tests/support/h2_peer.h"

struct h2_rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct origin_h2 *h2;
	struct h2_peer peer;
	unsigned n_changed;
};

struct ask {
	struct h2_rig *rig;
	struct origin_h2_stream stream;
	struct arena arena;
	struct http_head head;
	struct h1_limits limits;
	bool greedy; /* whatever comes is granted again */
	/* closes itself as soon as it is told something of the kind */
	bool closes_at_head, closes_at_content;
	/* what was told */
	unsigned n_heads, n_informational, n_contents, n_drained, n_died;
	int informational;
	struct http_head *response;
	uint64_t received;
	bool ended;
	struct http_fields *trailers;
	struct origin_h2_death death;
};

/* With room for so many streams at the peer. */
void h2_rig_init(struct h2_rig *rig, unsigned streams);
void h2_rig_fini(struct h2_rig *rig);
/* The loop and the peer, until nothing more happens: some turns each. */
void h2_rig_turn(struct h2_rig *rig);
/* A turn of the loop only. */
void h2_rig_loop(struct h2_rig *rig);
/* Bytes that came in, and wait to be granted. */
size_t h2_rig_kept(const struct h2_rig *rig);

/* GET / of "a", without content. */
void ask_init(struct ask *a, struct h2_rig *rig);
/* POST, with content of unknown length. */
void ask_init_post(struct ask *a, struct h2_rig *rig);
void ask_open(struct ask *a);
void ask_fini(struct ask *a);
/* "n" bytes of content; what origin_h2_stream_send() says. */
bool ask_send(struct ask *a, size_t n, bool end);
struct span ask_field(const struct ask *a, const char *name);
