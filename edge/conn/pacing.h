/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a client's pace is measured by, whatever its protocol: the terms that http.limit and
 * http.timeout set, what it has taken so far, and why one that is too slow is ended. Worker's loop
 * only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/reason.h"
#include "edge/limit/pace.h"

struct cfg_http;
struct edge_conn;

/* Of content. Once the response has begun (`answered`), no rate is asked: who talks with an origin
 * in both directions sends when there is something to say. */
struct pace_terms edge_pacing_sending(const struct cfg_http *http, bool answered);
/* Of responses. */
struct pace_terms edge_pacing_taking(const struct cfg_http *http);
/* All bytes of the connection that the client has acknowledged: those it took. */
uint64_t edge_pacing_acked(const struct edge_conn *conn);
/* Of one that is too slow; `silent`: when it did nothing at all. */
enum reason edge_pacing_reason(const struct pace *pace, const struct pace_terms *terms,
			       mono_time now, enum reason silent);
