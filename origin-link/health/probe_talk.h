/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a probe's question is asked over a connection that is ready, and the answer listened to: one
 * table of operations for each protocol (probe_http1.c, probe_http2.c). A talk owns what its
 * protocol needs, and is the stream's user until it has said how it ended; the stream is the
 * probe's. Control loop only.
 */
#pragma once

#include "origin-link/health/probe_answer.h"

struct stream;
struct stream_buffers;

struct probe_talk_order {
	struct stream_buffers *buffers;
	struct stream *stream; /* established */
	const struct probe_question *question;
	const char *method;
	/* Once, from the loop; the talk is to be ended in it. With a status: of a response that was
	 * judged. Without: there was none, or nothing that could be understood; PROBE_PREVENTED is
	 * among these. `detail` may be NULL. */
	void (*said)(void *arg, enum probe_cause cause, int status, const char *detail);
	void *arg;
};

struct probe_talk_ops {
	/* Sends the question. */
	void *(*begin)(const struct probe_talk_order *order);
	/* Frees it; the stream is to get another user, or to go. */
	void (*end)(void *talk);
};

extern const struct probe_talk_ops probe_http1, probe_http2;

/* What the end of a connection without an answer means, for both. */
enum probe_cause probe_talk_broken(const struct stream *stream, const char **detail);
