/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gRPC's own words. It has names for its statuses; only those that are used here have one below.
 */
#include "edge/terms/grpc.h"

#include <stdio.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"

enum grpc_status {
	GRPC_UNKNOWN = 2,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
};

#define TIMEOUT_DIGITS_MAX 8

bool edge_grpc_is(const struct http_head *request)
{
	static const struct span type = {"application/grpc", 16};
	const struct http_field *field;
	struct span value;

	if (request->method_id != HTTP_METHOD_POST)
		return false;
	field = http_fields_find(&request->fields, SPAN("Content-Type"), NULL);
	if (!field)
		return false;
	value = field->value;
	if (value.n < type.n || !span_equal_nocase((struct span){value.p, type.n}, type))
		return false;
	/* application/grpc-web is another protocol. */
	return value.n == type.n || memchr("+; \t", value.p[type.n], 4) != NULL;
}

static bool unit_of(char c, int64_t *ns)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {
	    {'H', INT64_C(3600000000000)}, {'M', INT64_C(60000000000)}, {'S', INT64_C(1000000000)},
	    {'m', INT64_C(1000000)},       {'u', INT64_C(1000)},        {'n', 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (units[i].unit != c)
			continue;
		*ns = units[i].ns;
		return true;
	}
	return false;
}

bool edge_grpc_timeout(const struct http_head *request, duration *timeout)
{
	const struct http_field *field =
	    http_fields_find(&request->fields, SPAN("grpc-timeout"), NULL);
	int64_t number = 0, unit;
	size_t n;

	if (!field || field->value.n < 2 || field->value.n > TIMEOUT_DIGITS_MAX + 1)
		return false;
	n = field->value.n - 1;
	for (size_t i = 0; i < n; i++) {
		if (!http_char_is_digit(field->value.p[i]))
			return false;
		number = number * 10 + (field->value.p[i] - '0');
	}
	if (!unit_of(field->value.p[n], &unit))
		return false;
	/* 99,999,999 hours do not fit: who says that means any time. */
	if (number > INT64_MAX / unit)
		return false;
	*timeout = DUR_NS(number * unit);
	return true;
}

int edge_grpc_status(int http_status, enum reason reason)
{
	if (reason == REASON_EDGE_DEADLINE)
		return GRPC_DEADLINE_EXCEEDED;
	if (reason == REASON_CLIENT_CONTENT_LIMIT)
		return GRPC_RESOURCE_EXHAUSTED;
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

bool edge_grpc_trailers(struct http_fields *fields, struct arena *arena, int http_status,
			enum reason reason)
{
	const char *name = http_status_text(http_status);
	char number[12], message[128];
	char *number_copy, *message_copy;
	int n = snprintf(number, sizeof(number), "%d", edge_grpc_status(http_status, reason));
	/* Of letters, digits, "-" and spaces: nothing that would have to be encoded. */
	int m = reason == REASON_DONE
		    ? snprintf(message, sizeof(message), "%d %s", http_status, name)
		    : snprintf(message, sizeof(message), "%s", reason_text(reason));

	CHECK(n > 0 && n < (int)sizeof(number) && m > 0 && m < (int)sizeof(message));
	number_copy = arena_copy(arena, number, (size_t)n);
	message_copy = arena_copy(arena, message, (size_t)m);
	return number_copy && message_copy &&
	       http_fields_add(fields, arena, SPAN("grpc-status"),
			       (struct span){number_copy, (size_t)n}) &&
	       http_fields_add(fields, arena, SPAN("grpc-message"),
			       (struct span){message_copy, (size_t)m});
}

bool edge_grpc_respond(struct http_head *head, struct arena *arena, int http_status,
		       enum reason reason)
{
	http_head_init(head, arena);
	head->status = 200;
	head->reason_phrase = span_of(http_status_text(200));
	head->framing = HTTP_FRAMING_LENGTH;
	return http_fields_add(&head->fields, arena, SPAN("Content-Type"),
			       SPAN("application/grpc")) &&
	       edge_grpc_trailers(&head->fields, arena, http_status, reason);
}
