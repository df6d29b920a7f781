/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Regular expressions over parts of a request, which strangers write: by PCRE2, over bytes, and in
 * bounded time. Immutable once compiled; any thread.
 *
 * "." is any byte, a newline too, and "$" the very end: otherwise "%0A" in a path would be a way
 * around an expression. Letters are told from each other by case unless "(?i)" says else.
 */
#pragma once

#include "core/http/message.h"

/* The whole match, and the groups \1 to \9. */
#define REGEX_CAPTURES_MAX 10

struct regex;

enum regex_result {
	REGEX_NO,
	REGEX_YES,
	REGEX_UNSURE, /* it would have taken too long, or memory is gone */
};

/* NULL: *why, which is the caller's to free, says what is wrong with it. */
struct regex *regex_compile(const char *pattern, char **why);
void regex_destroy(struct regex **regex);

/* How many of the captures it has, the whole match among them. */
unsigned regex_captures_of(const struct regex *regex);

struct regex_captures {
	struct span v[REGEX_CAPTURES_MAX]; /* into the text; empty: it is not part of the match */
	unsigned n;
};

/* Looks for it anywhere in `text`. With REGEX_YES, *captures (which may be NULL) is filled. */
enum regex_result regex_match(const struct regex *regex, struct span text,
			      struct regex_captures *captures);
/* In a text of which only the beginning is known: REGEX_YES and REGEX_NO hold whatever follows. */
enum regex_result regex_match_beginning(const struct regex *regex, struct span beginning);
