/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A host of the delay line: a network namespace without a name, and in it one TUN device which is
 * the only way out. Both are held by descriptors of this process alone, so nothing of them is left
 * when it ends, however it ends.
 */
#pragma once

#include <stdbool.h>

#include "tests/wan/world.h"

struct host {
	int space;  /* the namespace, for other processes to enter by /proc/PID/fd/N */
	int device; /* the TUN device: whole IP packets, without waiting */
};

/* Makes the host that `described` is, with the world's sysctls, and comes back to the namespace
 * that was left. On failure says why on stderr, returns false and sets *forbidden when it is a
 * matter of permission; the process may then be in the wrong namespace, and should end. */
bool host_create(struct host *host, const struct world_host *described, const struct world *world,
		 bool *forbidden);
void host_destroy(struct host *host);
