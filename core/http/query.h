/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The query of a request target as most origins read it, which is how forms write it (WHATWG URL,
 * application/x-www-form-urlencoded): parameters between "&", "+" for a space, the rest
 * percent-encoded. What is not percent-encoding stands for itself. Pure; any thread.
 */
#pragma once

#include "core/http/message.h"

/* As they came. */
struct http_param {
	struct span name, value; /* the value is empty without "=" */
};

/* What follows the first "?"; empty without one. */
struct span http_query_of(struct span target);
/* The next parameter of *rest, which is advanced; false at the end. `separators`: "&", or "&;" as
 * some origins have it too. */
bool http_query_next(struct span *rest, const char *separators, struct http_param *param);
/* The byte that comes next, decoded; *raw, which is not empty, is advanced. */
char http_query_byte(struct span *raw);
/* Whether both are the same once they are decoded. */
bool http_query_same(struct span raw, struct span other);
/* Whether `raw` is `text` once it is decoded. */
bool http_query_equal(struct span raw, struct span text);
/* Decoded into `out`, which takes no more than raw.n bytes; their number. */
size_t http_query_decode(struct span raw, char *out);
