/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See relay_field.h.
 */
#include "core/http/relay_field.h"

#include <stdio.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"

static size_t written(int n, size_t size)
{
	CHECK(n > 0 && (size_t)n < size);
	return (size_t)n;
}

/* The next part of "a;b=1;c"; false at the end. */
static bool next_part(struct span *rest, struct span *part)
{
	const char *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->p, ';', rest->n);
	part->p = rest->p;
	part->n = end ? (size_t)(end - rest->p) : rest->n;
	rest->p += part->n + (end != NULL);
	rest->n -= part->n + (end != NULL);
	*part = http_trim(*part);
	return true;
}

/* Of "name=12345"; false: it is another name, or no number of nine digits at most. */
static bool number_of(struct span part, struct span name, uint64_t *value)
{
	if (part.n <= name.n + 1 || part.n > name.n + 10 || memcmp(part.p, name.p, name.n) != 0 ||
	    part.p[name.n] != '=')
		return false;
	*value = 0;
	for (size_t i = name.n + 1; i < part.n; i++) {
		if (!http_char_is_digit(part.p[i]))
			return false;
		*value = *value * 10 + (uint64_t)(part.p[i] - '0');
	}
	return true;
}

/* Of "server=", and 16 hexadecimal digits. */
static bool server_of(struct span part, uint64_t *server)
{
	static const struct span name = SPAN("server=");

	if (part.n != name.n + 16 || memcmp(part.p, name.p, name.n) != 0)
		return false;
	*server = 0;
	for (size_t i = name.n; i < part.n; i++) {
		int digit = http_hex_value(part.p[i]);

		if (digit < 0)
			return false;
		*server = *server << 4 | (unsigned)digit;
	}
	return true;
}

size_t relay_order_write(const struct relay_order *order, char text[RELAY_ORDER_MAX])
{
	size_t n =
	    written(snprintf(text, RELAY_ORDER_MAX, SPAN_FMT ";response=%lld;idle=%lld;retries=%u",
			     SPAN_ARG(order->origin), (long long)dur_to_ms(order->response),
			     (long long)dur_to_ms(order->idle), order->retries),
		    RELAY_ORDER_MAX);

	if (order->has_server)
		n += written(snprintf(text + n, RELAY_ORDER_MAX - n, ";server=%016llx",
				      (unsigned long long)order->server),
			     RELAY_ORDER_MAX - n);
	return n;
}

bool relay_order_parse(struct span value, struct relay_order *order)
{
	struct span part;
	uint64_t n;

	*order = (struct relay_order){.retries = 1};
	if (!next_part(&value, &order->origin) || order->origin.n == 0)
		return false;
	while (next_part(&value, &part)) {
		/* Others are of a newer edge. */
		if (number_of(part, SPAN("response"), &n))
			order->response = DUR_MS(n);
		else if (number_of(part, SPAN("idle"), &n))
			order->idle = DUR_MS(n);
		else if (number_of(part, SPAN("retries"), &n))
			order->retries = (unsigned)n;
		else if (server_of(part, &order->server))
			order->has_server = true;
	}
	return true;
}

size_t relay_answer_write(const struct relay_answer *answer, char text[RELAY_ANSWER_MAX])
{
	return written(snprintf(text, RELAY_ANSWER_MAX, "%s%s", reason_text(answer->reason),
				answer->unacted ? ";unacted" : ""),
		       RELAY_ANSWER_MAX);
}

struct relay_answer relay_answer_parse(struct span value)
{
	struct relay_answer answer = {.reason = REASON_ORIGIN_MALFORMED};
	struct span part;

	if (next_part(&value, &part)) {
		for (unsigned i = 0; i < REASON_COUNT; i++) {
			if (span_equal(part, span_of(reason_text((enum reason)i))))
				answer.reason = (enum reason)i;
		}
	}
	while (next_part(&value, &part))
		answer.unacted |= span_equal(part, SPAN("unacted"));
	return answer;
}
