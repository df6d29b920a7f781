/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much each client has under way: a bounded table of counts, shared by all workers without a
 * lock. A client is a key: 64 bits of a keyed hash. Who is counted has a place, and keeps it until
 * all that was counted has ended, so nobody who is counted is ever forgotten. A key has eight
 * places; one for which there is none goes without, and that is counted. Any thread.
 *
 * A place is one word: the key's upper half, and two counts. Two threads that bring the same new
 * key while a place of its set becomes free may give it two places: it may then have twice as much
 * until one of them is empty.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What can be counted of each client; who has more goes without a place. */
#define EDGE_TALLY_MAX 65535

struct edge_tally;

/* Of one client, with at least one connection. */
typedef _Atomic uint64_t edge_place_of_client;

/* `n` places, rounded up to a power of two; eight bytes each, and memory that is not used is not
 * touched. */
struct edge_tally *edge_tally_create(size_t n);
/* All places have been given back. */
void edge_tally_destroy(struct edge_tally **tally);

enum edge_tally_verdict {
	EDGE_TALLY_COUNTED,
	EDGE_TALLY_OVER, /* it has `max` already */
	EDGE_TALLY_NONE, /* there is no place for it */
};
/* One connection more of `key`, whose place is in *place when it is COUNTED; `max` 0: no limit. */
enum edge_tally_verdict edge_tally_open(struct edge_tally *tally, uint64_t key, unsigned max,
					edge_place_of_client **place);
/* Its end; its requests have ended. */
void edge_tally_close(edge_place_of_client **place);
/* One request more; false: it has `max` already. */
bool edge_tally_begin(edge_place_of_client *place, unsigned max);
void edge_tally_end(edge_place_of_client *place);

/* Places that are taken; of a large table an estimate, by a part of it. */
size_t edge_tally_used(const struct edge_tally *tally);
/* How many went without. */
uint64_t edge_tally_missed(const struct edge_tally *tally);
