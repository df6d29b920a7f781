/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PCRE2 with its just-in-time compiler. See regex.h.
 */
#include "core/http/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/base/check.h"

/* UTF-8 would have to be checked in each text, which need not be any. */
#define COMPILE_OPTIONS (PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP)
/* Steps of one match. PCRE2 counts them anew at each byte that it starts from; so each start has a
 * part of them, which up to 1,400 bytes is still enough to look at each byte. All of them take
 * about 10 ms. */
#define STEPS_MAX (2 * 1000 * 1000)
#define STEPS_PER_START_MIN 100
/* How many steps of machine code one of the interpreter takes the time of; of one that goes into a
 * recursion much more. */
#define INTERPRETED_STEP 16
/* For what goes deeper than the 32 KiB of stack that the machine code has: 8,192 bytes, where each
 * is a step back, take 1 MiB. */
#define HEAP_KIB_MAX 8192

struct regex {
	pcre2_code *code;
	bool anchored; /* it can start at the first byte only */
};

static char *error_text(int error, PCRE2_SIZE at)
{
	PCRE2_UCHAR text[128];

	pcre2_get_error_message(error, text, sizeof(text));
	return xasprintf("%s, at character %zu", (const char *)text, (size_t)at + 1);
}

struct regex *regex_compile(const char *pattern, char **why)
{
	struct regex *regex;
	uint32_t options = 0;
	PCRE2_SIZE at;
	int error;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
					 COMPILE_OPTIONS, &error, &at, NULL);

	if (!code) {
		*why = error_text(error, at);
		return NULL;
	}
	/* Without it (where memory cannot be made executable) it is interpreted. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
	pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
	regex = xmalloc(sizeof(*regex));
	*regex = (struct regex){.code = code, .anchored = options & PCRE2_ANCHORED};
	return regex;
}

void regex_destroy(struct regex **regexp)
{
	struct regex *regex = TAKE(regexp);

	if (!regex)
		return;
	pcre2_code_free(regex->code);
	free(regex);
}

unsigned regex_captures_of(const struct regex *regex)
{
	uint32_t groups = 0;

	pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	return MIN(groups + 1, REGEX_CAPTURES_MAX);
}

static int run(const struct regex *regex, struct span text, uint32_t options,
	       pcre2_match_data *found, pcre2_match_context *limits)
{
	size_t starts = regex->anchored ? 1 : text.n + 1;
	uint32_t steps = (uint32_t)MAX(STEPS_MAX / starts, STEPS_PER_START_MIN);
	/* NULL is no text, even of no bytes, to PCRE2 before 10.43. */
	PCRE2_SPTR at = text.n > 0 ? (PCRE2_SPTR)text.p : (PCRE2_SPTR) "";
	int rc;

	pcre2_set_match_limit(limits, steps);
	pcre2_set_heap_limit(limits, HEAP_KIB_MAX);
	rc = pcre2_match(regex->code, at, text.n, 0, options, found, limits);
	if (rc != PCRE2_ERROR_JIT_STACKLIMIT)
		return rc;
	pcre2_set_match_limit(limits, MAX(steps / INTERPRETED_STEP, STEPS_PER_START_MIN));
	return pcre2_match(regex->code, at, text.n, 0, options | PCRE2_NO_JIT, found, limits);
}

static void keep_captures(struct regex_captures *captures, struct span text,
			  pcre2_match_data *found, int n)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(found);

	*captures = (struct regex_captures){0};
	/* 0: there are more than it has room for. */
	captures->n = n == 0 ? REGEX_CAPTURES_MAX : (unsigned)n;
	for (unsigned i = 0; i < captures->n; i++) {
		PCRE2_SIZE from = at[2 * i], to = at[2 * i + 1];

		if (from != PCRE2_UNSET && from <= to)
			captures->v[i] = (struct span){text.p + from, to - from};
	}
}

static enum regex_result match(const struct regex *regex, struct span text, uint32_t options,
			       struct regex_captures *captures)
{
	pcre2_match_data *found = pcre2_match_data_create(REGEX_CAPTURES_MAX, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	enum regex_result result = REGEX_UNSURE;
	int rc;

	if (found && limits) {
		rc = run(regex, text, options, found, limits);
		if (rc >= 0)
			result = REGEX_YES;
		else if (rc == PCRE2_ERROR_NOMATCH)
			result = REGEX_NO;
		if (rc >= 0 && captures)
			keep_captures(captures, text, found, rc);
	}
	pcre2_match_context_free(limits);
	pcre2_match_data_free(found);
	return result;
}

enum regex_result regex_match(const struct regex *regex, struct span text,
			      struct regex_captures *captures)
{
	return match(regex, text, 0, captures);
}

enum regex_result regex_match_beginning(const struct regex *regex, struct span beginning)
{
	enum regex_result result = match(regex, beginning, PCRE2_PARTIAL_HARD, NULL);

	/* PCRE2 does not think of a match that begins in what follows. */
	return result == REGEX_NO && !regex->anchored ? REGEX_UNSURE : result;
}
