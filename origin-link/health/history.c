/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last changes of a server: a ring.
 */
#include "origin-link/health/history.h"

#include <string.h>

#include "core/base/check.h"

bool history_add(struct history *h, const char *state, const char *cause, wall_time when)
{
	const struct history_change *last = history_at(h, 0);

	if (last != NULL && strcmp(last->state, state) == 0)
		return false;
	h->v[h->next] = (struct history_change){.when = when, .state = state, .cause = cause};
	h->next = (h->next + 1) % HISTORY_MAX;
	h->n = MIN(h->n + 1, HISTORY_MAX);
	return true;
}

const struct history_change *history_at(const struct history *h, unsigned i)
{
	return i < h->n ? &h->v[(h->next + HISTORY_MAX - 1 - i) % HISTORY_MAX] : NULL;
}

json_t *history_to_json(const struct history *h)
{
	const struct history_change *change;
	json_t *list = json_array();

	for (unsigned i = 0; (change = history_at(h, i)) != NULL; i++) {
		time_t seconds = (time_t)(change->when.ns / DUR_S(1).ns);
		char when[32];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		CHECK(strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "time", when, "state",
						      change->state, "cause", change->cause));
	}
	return list;
}
