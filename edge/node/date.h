/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text of the Date field (RFC 9110 section 5.6.7), made once a second. Belongs to one loop.
 */
#pragma once

#include "core/base/clock.h"
#include "core/http/message.h"

struct edge_date {
	int64_t second;
	char text[32];
};
/* Valid until the next call. */
struct span edge_date_text(struct edge_date *date, wall_time now);
