/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shape of a path, applied to packets; see path.h.
 */
#include "tests/wan/path.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* The next number of the path's own sequence: a Weyl sequence through a mixer (Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", 2014), which any seed starts well. */
static uint64_t roll(struct path *path)
{
	uint64_t z = path->dice += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 <= share < 1 */
static double roll_share(struct path *path)
{
	return (double)(roll(path) >> 11) / (double)(UINT64_C(1) << 53);
}

static mono_time later(mono_time a, mono_time b)
{
	return a.ns > b.ns ? a : b;
}

void path_init(struct path *path, const struct path_shape *shape, uint64_t seed)
{
	*path = (struct path){.shape = *shape, .dice = seed};
	path->last = &path->first;
}

void path_fini(struct path *path)
{
	while (path->first) {
		struct path_packet *packet = path->first;

		path->first = packet->next;
		free(packet);
	}
	path_init(path, &path->shape, path->dice);
}

static duration time_on_link(const struct path *path, size_t length)
{
	if (path->shape.rate == 0)
		return DUR_NS(0);
	return DUR_NS((double)length * 8e9 / (double)path->shape.rate);
}

/* When the distance has been crossed by a packet that leaves the link at `left`. */
static mono_time arrival(struct path *path, mono_time left)
{
	mono_time due = mono_add(left, path->shape.delay);

	if (path->shape.jitter.ns > 0)
		due = mono_add(due, DUR_NS(roll_share(path) * (double)path->shape.jitter.ns));
	return later(due, path->last_due);
}

bool path_put(struct path *path, const void *bytes, size_t length, mono_time now)
{
	mono_time begins = later(now, path->link_free);
	struct path_packet *packet = NULL;

	path->counters.sent++;
	path->counters.sent_bytes += length;
	if (mono_since(begins, now).ns > path->shape.queue.ns ||
	    length > PATH_MAX_BYTES - path->bytes ||
	    (packet = malloc(sizeof(*packet) + length)) == NULL) {
		path->counters.dropped++;
		return false;
	}
	/* A packet that gets lost has used the link like any other. */
	path->link_free = mono_add(begins, time_on_link(path, length));
	if (roll_share(path) < path->shape.loss) {
		path->counters.lost++;
		free(packet);
		return false;
	}
	*packet = (struct path_packet){.due = arrival(path, path->link_free), .length = length};
	memcpy(packet->bytes, bytes, length);
	path->last_due = packet->due;
	path->bytes += length;
	*path->last = packet;
	path->last = &packet->next;
	return true;
}

bool path_due(const struct path *path, mono_time *due)
{
	if (!path->first)
		return false;
	*due = path->first->due;
	return true;
}

uint64_t path_under_way(const struct path *path)
{
	uint64_t count = 0;

	for (const struct path_packet *packet = path->first; packet; packet = packet->next)
		count++;
	return count;
}

struct path_packet *path_take(struct path *path, mono_time now)
{
	struct path_packet *packet = path->first;

	if (!packet || !mono_reached(packet->due, now))
		return NULL;
	path->first = packet->next;
	if (!path->first)
		path->last = &path->first;
	CHECK(path->bytes >= packet->length);
	path->bytes -= packet->length;
	path->counters.delivered++;
	path->counters.delivered_bytes += packet->length;
	return packet;
}
