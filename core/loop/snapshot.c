/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Publishing and retiring of snapshots. Loops pin and unpin; everything else happens on the control
 * thread, which owns the retired ones until they are destroyed.
 *
 * A retired snapshot first waits for a grace, after which no loop can reach it through the slot any
 * more: its pins can only fall. Then it waits until all of them are zero.
 */
#include "core/loop/snapshot.h"

#include <stdlib.h>

#include "core/base/check.h"

#define SNAPSHOT_MAGIC 0x536e6170u
#define CACHE_LINE 64

/* A request that streams may hold its pin for hours: nothing is urgent about the memory. */
#define PIN_CHECK_INTERVAL DUR_MS(200)

struct snapshot_pins {
	_Alignas(CACHE_LINE) _Atomic int64_t n; /* written by its loop only */
};

struct snapshot_retired {
	LIST_ENTRY(snapshot_retired) link;
	struct loop *control;
	struct snapshot *snapshot; /* NULL: destroyed by snapshot_slot_fini() during the grace */
	struct event *timer;       /* NULL: in its grace */
};

void snapshot_init(struct snapshot *snapshot, struct loop_group *group,
		   void (*destroy)(struct snapshot *))
{
	snapshot->magic = SNAPSHOT_MAGIC;
	snapshot->destroy = destroy;
	snapshot->n_pins = group->n_workers + 1;
	snapshot->pins = aligned_alloc(CACHE_LINE, snapshot->n_pins * sizeof(*snapshot->pins));
	CHECK(snapshot->pins != NULL);
	for (unsigned i = 0; i < snapshot->n_pins; i++)
		atomic_init(&snapshot->pins[i].n, 0);
}

void snapshot_fini(struct snapshot *snapshot)
{
	MAGIC_CHECK(snapshot, SNAPSHOT_MAGIC);
	snapshot->magic = MAGIC_DEAD;
	free(snapshot->pins);
	snapshot->pins = NULL;
}

void snapshot_slot_init(struct snapshot_slot *slot, struct loop_group *group)
{
	atomic_init(&slot->current, NULL);
	slot->group = group;
	LIST_INIT(&slot->retired);
}

static bool is_pinned(const struct snapshot *snapshot)
{
	/* Counters are read one after the other. That is enough: each one only falls now, as a loop
	 * can pin only what it reaches through the slot or has pinned already. */
	for (unsigned i = 0; i < snapshot->n_pins; i++)
		if (atomic_load_explicit(&snapshot->pins[i].n, memory_order_acquire) != 0)
			return true;
	return false;
}

static void retired_destroy(struct snapshot_retired *r)
{
	LIST_REMOVE(r, link);
	if (r->timer != NULL)
		event_free(r->timer);
	r->snapshot->destroy(r->snapshot);
	free(r);
}

static void check_pins(evutil_socket_t fd, short what, void *arg)
{
	struct snapshot_retired *r = arg;
	const struct timeval interval = dur_to_timeval(PIN_CHECK_INTERVAL);

	if (is_pinned(r->snapshot))
		CHECK(event_add(r->timer, &interval) == 0);
	else
		retired_destroy(r);
}

static void after_grace(void *arg)
{
	struct snapshot_retired *r = arg;

	if (r->snapshot == NULL) {
		free(r);
		return;
	}
	r->timer = evtimer_new(loop_base(r->control), check_pins, r);
	CHECK(r->timer != NULL);
	check_pins(-1, 0, r);
}

void snapshot_publish(struct snapshot_slot *slot, struct snapshot **snapshot)
{
	struct snapshot *new = TAKE(snapshot), *old;
	struct snapshot_retired *r;

	LOOP_ASSERT_OWNER(slot->group->control);
	MAGIC_CHECK(new, SNAPSHOT_MAGIC);
	old = atomic_exchange_explicit(&slot->current, new, memory_order_acq_rel);
	if (old == NULL)
		return;
	r = xcalloc(1, sizeof(*r));
	r->control = slot->group->control;
	r->snapshot = old;
	LIST_INSERT_HEAD(&slot->retired, r, link);
	loop_group_after_grace(slot->group, after_grace, r);
}

void snapshot_slot_fini(struct snapshot_slot *slot)
{
	struct snapshot *current =
	    atomic_exchange_explicit(&slot->current, NULL, memory_order_acq_rel);
	struct snapshot_retired *r;

	LOOP_ASSERT_OWNER(slot->group->control);
	while ((r = LIST_FIRST(&slot->retired)) != NULL) {
		if (r->timer != NULL) {
			retired_destroy(r);
			continue;
		}
		/* after_grace() still comes, and frees the rest. */
		LIST_REMOVE(r, link);
		r->snapshot->destroy(r->snapshot);
		r->snapshot = NULL;
	}
	if (current != NULL)
		current->destroy(current);
}

struct snapshot *snapshot_current(struct snapshot_slot *slot)
{
	return atomic_load_explicit(&slot->current, memory_order_acquire);
}

struct snapshot *snapshot_pin(struct snapshot *snapshot, const struct loop *loop)
{
	_Atomic int64_t *n = &snapshot->pins[loop_index(loop)].n;

	LOOP_ASSERT_OWNER(loop);
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	return snapshot;
}

void snapshot_unpin(struct snapshot **snapshotp, const struct loop *loop)
{
	struct snapshot *snapshot = TAKE(snapshotp);
	_Atomic int64_t *n = &snapshot->pins[loop_index(loop)].n;
	int64_t left = atomic_load_explicit(n, memory_order_relaxed) - 1;

	LOOP_ASSERT_OWNER(loop);
	CHECK(left >= 0);
	/* Release: what this loop read in the snapshot comes before its memory goes. */
	atomic_store_explicit(n, left, memory_order_release);
}
