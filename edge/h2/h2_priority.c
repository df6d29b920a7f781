/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Urgencies, read and compared. Pure.
 */
#include "edge/h2/h2_priority.h"

/* A member of the dictionary (RFC 8941) is "u=3" or "u=3;parameter"; what is not an integer from 0
 * to 7 is ignored (RFC 9218 section 4.1). */
unsigned h2_priority_urgency(struct span value, unsigned before)
{
	unsigned urgency = before;
	struct span member;

	while (http_list_next(&value, &member)) {
		if (member.n >= 3 && member.p[0] == 'u' && member.p[1] == '=' &&
		    member.p[2] >= '0' && member.p[2] < '0' + H2_URGENCIES &&
		    (member.n == 3 || member.p[3] == ';' || member.p[3] == ' '))
			urgency = (unsigned)(member.p[2] - '0');
	}
	return urgency;
}

/* A boolean of RFC 8941: "i", "i=?1" or "i=?0". */
bool h2_priority_is_incremental(struct span value)
{
	bool incremental = false;
	struct span member;

	while (http_list_next(&value, &member)) {
		if (span_equal(member, SPAN("i")) || span_equal(member, SPAN("i=?1")))
			incremental = true;
		else if (span_equal(member, SPAN("i=?0")))
			incremental = false;
	}
	return incremental;
}

bool h2_priority_waits(const struct h2_priorities *p, unsigned urgency, duration time,
		       mono_time now)
{
	for (unsigned u = 0; u < urgency; u++) {
		if (p->n[u] > 0 && !mono_reached(mono_add(p->flowed[u], time), now))
			return true;
	}
	return false;
}

bool h2_priority_may_go(const struct h2_priorities *p, unsigned urgencies, duration time,
			mono_time now)
{
	for (unsigned u = 0; u < H2_URGENCIES; u++) {
		if ((urgencies & 1U << u) != 0 && !h2_priority_waits(p, u, time, now))
			return true;
	}
	return false;
}
