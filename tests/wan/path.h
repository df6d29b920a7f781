/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One direction of a path of the delay line: what a packet meets between two hosts. First a queue
 * of limited length before a link of limited rate, then the distance, in which it may be lost or
 * held up. The time is a parameter, so all of it is tested by table; reading and writing of packets
 * is line.c's. Packets leave in the order in which they came, and none before its time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"

/* What the packets under way may occupy for each direction: the largest product of rate and delay
 * in our worlds (1 Gbit, 80 ms one way: 10 MB) with room; a path without rate is bounded by it. */
#define PATH_MAX_BYTES ((size_t)32 << 20)

struct path_shape {
	duration delay;  /* one way */
	duration jitter; /* each packet is held up by 0 to this much more */
	duration queue;  /* the longest wait for the link; who would wait longer is dropped */
	double loss;     /* 0 to 1, each packet by itself */
	uint64_t rate;   /* bits a second; 0: without limit */
};

/* Packets and bytes that were sent into it, and what became of them: sent is always the sum of
 * delivered, lost, dropped and those under way. */
struct path_counters {
	uint64_t sent, sent_bytes;
	uint64_t delivered, delivered_bytes;
	uint64_t lost;    /* by the dice of `loss` */
	uint64_t dropped; /* the queue was full */
};

struct path_packet {
	struct path_packet *next;
	mono_time due;
	size_t length;
	uint8_t bytes[];
};

struct path {
	struct path_shape shape;
	struct path_counters counters;
	struct path_packet *first, **last;
	size_t bytes;        /* of the packets under way */
	mono_time link_free; /* when the link has sent all that was given to it */
	mono_time last_due;  /* jitter does not reorder */
	uint64_t dice;
};

/* The same seed gives the same losses and jitter for the same packets. */
void path_init(struct path *path, const struct path_shape *shape, uint64_t seed);
void path_fini(struct path *path);

/* A packet has arrived. False when it will never be delivered; the counters say why. */
bool path_put(struct path *path, const void *packet, size_t length, mono_time now);

/* When path_take() will give the next packet; false when nothing is under way. */
bool path_due(const struct path *path, mono_time *due);

/* How many packets are under way. */
uint64_t path_under_way(const struct path *path);

/* The next packet that is due, which the caller frees; NULL when none is. */
struct path_packet *path_take(struct path *path, mono_time now);
