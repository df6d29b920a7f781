/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Giving up the rights of root for good, when what needs them has been opened. All threads of the
 * process at once; called by the main one.
 */
#pragma once

#include <stdbool.h>

/* Nothing that is executed gives the process other rights from now on. While it has one thread. */
void privileges_want_no_more(void);
/* From now on the process is that user, with the user's groups and nothing else, and cannot go
 * back; "": it stays what it is. False, which was logged, when there is no such user or the process
 * may not become it. Asks the system's user database: blocking. */
bool privileges_give_up(const char *user);
/* Whether the process as it is may read that file; true too when it is not there. */
bool privileges_may_read(const char *path);
