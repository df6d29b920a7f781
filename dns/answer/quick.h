/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The quick path: a question whose answer is one RRset of its own name, static or steered, without
 * names in its data, which fits. The response is put together in place, without libknot's packets
 * and their bookkeeping; it is octet for octet what the long way gives, which defines every answer
 * (tests/unit/dns/answer/test_quick.c compares them). Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libknot/mm_ctx.h>

#include "core/base/clock.h"

struct dns_facts;
struct dns_message;
struct dns_view;

/* False when the question is another one: then facts->steered is still NULL, and nothing has
 * changed that means something without it. `mm`: for chosen addresses that must be put together;
 * `limit`: of the response. */
bool dns_quick(const struct dns_view *view, const struct dns_message *message, mono_time now,
	       knot_mm_t *mm, struct dns_facts *facts, uint8_t *out, size_t limit, size_t *len);
