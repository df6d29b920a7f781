/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The SRV records of an answer (RFC 2782), whatever a name server puts into it. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As asked for: RFC 2782; IN. */
#define SRV_TYPE 33
#define SRV_CLASS 1
/* More records than this of one name are left out. */
#define SRV_RECORDS_MAX 64
/* Of 255 bytes on the wire; with what c-ares escapes a longer text is no name of a host. */
#define SRV_TARGET_TEXT 256

struct srv_record {
	uint16_t priority, weight, port;
	char target[SRV_TARGET_TEXT]; /* without a dot at its end */
};

struct srv_answer {
	unsigned n;
	struct srv_record v[SRV_RECORDS_MAX];
	int32_t ttl;     /* the lowest; < 0: there are no records */
	bool no_service; /* what it says is that there is none: the target is "." */
};

/* Of an answer as it comes over the wire. Sorted by priority, then by target and port, without
 * doubles, of which the one of the lowest priority counts; so what is left out does not depend on
 * their order. False: it cannot be understood. */
bool srv_answer_parse(const unsigned char *wire, size_t len, struct srv_answer *out);
