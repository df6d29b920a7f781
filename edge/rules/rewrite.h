/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rewriting of what an origin is asked for: path, query and host. Compiled with the view and
 * immutable then; applied in the exchange's loop.
 *
 * A path is rewritten in its normal form, as routes are found by, and is written percent-encoded
 * again, without doubled slashes. What it becomes may hold what strangers have sent, so it is
 * looked at as if it had come anew: with a dot segment in it, in whichever spelling, it would lead
 * elsewhere than its text says, and is refused.
 */
#pragma once

#include "core/http/message.h"

struct cfg_rewrite;
struct edge_facts;
struct edge_rewrite;

/* NULL when nothing is to be rewritten. `cfg` must outlive it. */
struct edge_rewrite *edge_rewrite_create(const struct cfg_rewrite *cfg);
void edge_rewrite_destroy(struct edge_rewrite **rewrite);

/* Changes target and authority of `head`. Returns 0, or the status to answer with instead: 400 (it
 * would not be a proper target, or not where its text says), 414 (too long), 431 (no room). "*" and
 * what does not match stay as they are. */
int edge_rewrite_apply(const struct edge_rewrite *rewrite, struct edge_facts *facts,
		       struct http_head *head);
