/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a client says of the order of responses (RFC 9218), and what follows for who is fetched from
 * the origins. nghttp2 writes the more urgent first of what is here; this sees to it that the less
 * urgent is not even fetched while the more urgent flows. Pure: no clock of its own.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"
#include "core/http/message.h"

#define H2_URGENCIES 8
#define H2_URGENCY_DEFAULT 3

/* Of a Priority field or a PRIORITY_UPDATE: 0, the most urgent, to 7. `before`: when it says
 * nothing. */
unsigned h2_priority_urgency(struct span value, unsigned before);
/* Whether parts of the response are of use (RFC 9218 section 4.2). */
bool h2_priority_is_incremental(struct span value);

/* What a PRIORITY_UPDATE has said of a stream that is not open yet. */
struct h2_early_priority {
	int32_t id; /* 0: of none */
	uint8_t urgency;
	bool incremental;
};
/* So many are remembered; of more the oldest goes. */
#define H2_EARLY_MAX 8

/* A PRIORITY_UPDATE as it comes: the stream's number, and the field's value. */
struct h2_update {
	char bytes[64];
	size_t n; /* may be more than there is room for: then it says nothing that we could use */
};

/* How long after it was asked for, and after its last content, a response counts as flowing: some
 * turns of a busy loop, or what a near origin takes to answer. */
#define H2_PRIORITY_FLOWS DUR_MS(50)

/* So long requests wait for more urgent ones, which are asked first. Short, as what the client then
 * waits for is an origin's time to answer: those of far origins overlap. */
#define H2_PRIORITY_ASKS DUR_MS(20)

/* The responses of a connection that were asked for and have not ended, by urgency. */
struct h2_priorities {
	unsigned short n[H2_URGENCIES];
	mono_time flowed[H2_URGENCIES]; /* when some content of one last came or went */
};

/* Whether one of that urgency has to wait for more urgent ones, if these have flowed within `time`.
 */
bool h2_priority_waits(const struct h2_priorities *p, unsigned urgency, duration time,
		       mono_time now);
/* Whether one of these urgencies, each a bit, has not to wait. */
bool h2_priority_may_go(const struct h2_priorities *p, unsigned urgencies, duration time,
			mono_time now);
