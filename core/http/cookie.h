/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The cookies of a request (RFC 6265 section 4.2.1): pairs divided by "; ", in one field, or in
 * several by HTTP/2 (RFC 9113 section 8.2.3). Any thread.
 */
#pragma once

#include "core/http/message.h"

/* The first of that name. False: there is none. */
bool http_cookie_find(const struct http_fields *fields, struct span name, struct span *value);
/* Takes out all of that name, and fields that are empty then; others are as they were. False: no
 * room. */
bool http_cookie_strip(struct http_fields *fields, struct arena *arena, struct span name);
