/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text of the Date field.
 */
#include "edge/node/date.h"

#include <time.h>

#include "core/base/check.h"

struct span edge_date_text(struct edge_date *date, wall_time now)
{
	int64_t second = now.ns / 1000000000;
	time_t t = (time_t)second;
	struct tm tm;

	if (date->text[0] == '\0' || second != date->second) {
		CHECK(gmtime_r(&t, &tm) != NULL);
		/* The program never leaves the C locale. */
		strftime(date->text, sizeof(date->text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		date->second = second;
	}
	return span_of(date->text);
}
