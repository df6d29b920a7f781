/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An encoder of one content coding (RFC 9110 section 8.4.1) as a stream: zlib, Brotli and Zstandard
 * behind one face. What it holds is bounded by its coding and level. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/fleet.h"
#include "core/http/message.h"

struct edge_encoder;

/* The name in Accept-Encoding and Content-Encoding. */
struct span edge_coding_name(enum cfg_coding coding);
/* The most that an encoder of it holds, at any level that can be configured. */
size_t edge_encoder_size(enum cfg_coding coding);

#define EDGE_LENGTH_UNKNOWN UINT64_MAX

/* For content of `length` bytes. NULL when memory is out. */
struct edge_encoder *edge_encoder_create(enum cfg_coding coding, unsigned level, uint64_t length);
/* The same for the next content, whatever became of the last one. False: it cannot be used again.
 */
bool edge_encoder_reuse(struct edge_encoder *e, unsigned level, uint64_t length);
void edge_encoder_destroy(struct edge_encoder **e);

enum edge_encoder_op {
	EDGE_ENCODER_GO_ON,  /* it may keep what it was given */
	EDGE_ENCODER_FLUSH,  /* all that it was given comes out */
	EDGE_ENCODER_FINISH, /* and nothing follows */
};
enum edge_encoder_result {
	EDGE_ENCODER_MORE, /* to be called again, with room */
	EDGE_ENCODER_DONE, /* as the operation says; *in is empty */
	EDGE_ENCODER_FAILED,
};
/* Takes from *in, and writes to *out, of which it leaves the room that is left. */
enum edge_encoder_result edge_encoder_run(struct edge_encoder *e, enum edge_encoder_op op,
					  struct span *in, char **out, size_t *room);
