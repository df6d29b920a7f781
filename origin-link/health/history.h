/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What has become of one server, and why: its last changes of state. Pure; owns nothing but itself;
 * of one thread, which for servers is the control loop.
 */
#pragma once

#include <jansson.h>

#include "core/base/clock.h"

/* As many as tell a flapping server from one that has failed once, and few enough for a status of
 * thousands of servers. */
#define HISTORY_MAX 10

struct history_change {
	wall_time when;
	const char *state, *cause; /* static texts */
};

/* All zero: nothing has happened yet. */
struct history {
	struct history_change v[HISTORY_MAX];
	unsigned n, next;
};

/* The oldest is forgotten when there are HISTORY_MAX. Both texts are kept by reference. False: the
 * state is the one of the last change, so that nothing has changed. */
bool history_add(struct history *h, const char *state, const char *cause, wall_time when);
/* The newest is number 0; NULL: there are not so many. */
const struct history_change *history_at(const struct history *h, unsigned i);
/* The newest first: [{"time": "2026-01-01T00:00:00Z", "state": "down", "cause": "refused"}]. */
json_t *history_to_json(const struct history *h);
