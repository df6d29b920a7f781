/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The texts of the end reasons. Any thread.
 */
#include "core/base/reason.h"

#include "core/base/check.h"

static const char *const texts[REASON_COUNT] = {
#define X(id, text) [id] = text,
    REASON_LIST(X)
#undef X
};

const char *reason_text(enum reason reason)
{
	CHECK((unsigned)reason < REASON_COUNT);
	return texts[reason];
}

bool reason_is_own_shortage(enum reason reason)
{
	return reason == REASON_EDGE_NO_DESCRIPTORS || reason == REASON_EDGE_NO_PORTS ||
	       reason == REASON_LIMIT;
}
