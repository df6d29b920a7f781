/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One HTTP/1.1 message run through head parser and body, fed in pieces as a connection would, for
 * tests, the fuzzer and h1_cases. Every call of the parsers sees a buffer of its own that is
 * exactly as long as its bytes, so that a sanitizer notices every read beyond them.
 */
#pragma once

#include "core/http/h1.h"

enum h1_run_kind { H1_RUN_REQUEST, H1_RUN_RESPONSE, H1_RUN_RESPONSE_TO_HEAD };

struct h1_run_input {
	enum h1_run_kind kind;
	const struct h1_limits *limits;
	size_t arena_cap;
	const char *wire;
	size_t len;
	size_t first, step; /* the first piece has `first` bytes, each other `step` (at least 1) */
};

struct h1_run {
	struct arena arena;
	struct http_head head;
	struct h1_head_parser parser;
	struct h1_body body; /* once head_done */
	bool head_done;
	enum h1_result result; /* of the whole message, the end of the wire being a clean close */
	size_t consumed;
	char *data;
	size_t data_len;
};

extern const struct h1_limits h1_run_limits;

void h1_run(struct h1_run *run, const struct h1_run_input *input);
void h1_run_fini(struct h1_run *run);
/* The outcome in one line, malloc'd:
 *   GET - example.com /x 1.1 keep length=3 {Host=example.com} 'abc' {} @78
 *   200 OK 1.1 close until-close {} 'abc' {} @20
 *   400 no Host @18
 *   more head @0
 * being method, scheme, authority, target, minor version, what becomes of the connection, framing,
 * fields, content, trailers, bytes consumed. */
char *h1_run_summary(const struct h1_run *run);
/* Runs the input whole, byte by byte, and in two pieces split at every place. NULL when each gave
 * the expected summary (its bytes consumed are not compared with `expected`, which is without
 * them, but between the runs); else a report, malloc'd. */
char *h1_run_check(const struct h1_run_input *input, const char *expected);
