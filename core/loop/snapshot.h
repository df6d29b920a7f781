/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Immutable snapshots: built whole (mostly by a job), published at once behind one pointer,
 * freed when every worker has moved on and no request still pins it.
 *
 * Reading and pinning cost no shared write: pins are counted per loop. A pin is taken and released
 * by the same loop. What snapshot_current() returns without a pin is valid until the end of the
 * turn.
 */
#pragma once

#include <stdatomic.h>

#include "core/loop/loop.h"

struct snapshot {
	unsigned magic;
	unsigned n_pins;
	struct snapshot_pins *pins; /* one cache line per loop of the group */
	void (*destroy)(struct snapshot *snapshot);
};

struct snapshot_retired;

struct snapshot_slot {
	_Atomic(struct snapshot *) current;
	struct loop_group *group;
	LIST_HEAD(, snapshot_retired) retired; /* control thread: not destroyed yet */
};

/* For the builder: `snapshot` is the first member of a larger object, freed by destroy(). */
void snapshot_init(struct snapshot *snapshot, struct loop_group *group,
		   void (*destroy)(struct snapshot *));
/* Frees what snapshot_init() made; call from destroy() before freeing the object. */
void snapshot_fini(struct snapshot *snapshot);

void snapshot_slot_init(struct snapshot_slot *slot, struct loop_group *group);
/* Control thread. Consumes *snapshot; the old one is destroyed on the control thread later. */
void snapshot_publish(struct snapshot_slot *slot, struct snapshot **snapshot);
/* Control thread, after all workers were joined and before the group is destroyed: destroys the
 * current one and all that still wait for it, pinned or not. */
void snapshot_slot_fini(struct snapshot_slot *slot);

/* Any loop of the group; NULL before the first publish. */
struct snapshot *snapshot_current(struct snapshot_slot *slot);
/* `snapshot` comes from snapshot_current() in this turn, or is pinned by the same loop already. */
struct snapshot *snapshot_pin(struct snapshot *snapshot, const struct loop *loop);
void snapshot_unpin(struct snapshot **snapshot, const struct loop *loop);
