/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For how long a server keeps idle connections: learned from those that it has ended, by a pure
 * machine. Who closes them before gives a request no connection that is just being closed, and can
 * replace those that are kept ready one by one, where the server would end all of them at a time.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"

struct patience {
	/* Those that it has ended in this second. */
	bool is_open;
	mono_time began;
	duration shortest, longest;
	duration seen;  /* how long those of an earlier one had been idle; 0: none yet */
	duration known; /* what it is; 0: not known */
	mono_time known_at;
};

/* The server has ended a connection that had been idle for so long. */
void patience_ended(struct patience *p, duration idle, mono_time now);
/* For how long a connection may be idle here: somewhat less; 0: not known. */
duration patience_most(struct patience *p, mono_time now);
