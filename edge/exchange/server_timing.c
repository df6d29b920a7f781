/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One field with our metrics, behind those that came: a list may stand in several fields.
 */
#include "edge/exchange/server_timing.h"

#include <stdio.h>

#include "core/base/check.h"

/* Four metrics with their names, each of a time of any length. */
#define TEXT_MAX 192

/* In milliseconds, as the standard has it. */
static size_t put(char *text, size_t n, const char *name, duration d)
{
	int64_t us = MAX(dur_to_us(d), 0);
	int len = snprintf(text + n, TEXT_MAX - n, "%s%s;dur=%lld.%03d", n > 0 ? ", " : "", name,
			   (long long)(us / 1000), (int)(us % 1000));

	CHECK(len > 0 && (size_t)len < TEXT_MAX - n);
	return n + (size_t)len;
}

bool edge_server_timing_add(struct http_head *response, const struct edge_timing *timing)
{
	char text[TEXT_MAX], *copy;
	size_t n = put(text, 0, "edge", timing->total);

	if (timing->asked) {
		n = put(text, n, "queue", timing->queue);
		n = put(text, n, "connect", timing->connect);
		n = put(text, n, "origin", timing->response);
	}
	copy = arena_copy(response->arena, text, n);
	return copy != NULL && http_fields_add(&response->fields, response->arena,
					       SPAN("Server-Timing"), (struct span){copy, n});
}
