/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which keys the signer loads: those that the configuration names, which it reads itself. Otherwise
 * whoever has taken over an edge could have handshakes signed by any key that root may read. Any
 * thread of the signer.
 */
#pragma once

#include <stdbool.h>

/* Before anything is asked; "": every key may be loaded. */
void signer_files_init(const char *config);
/* Whether the configuration names it as the key of a certificate: as it was read last, or else as
 * it is now. Blocking. */
bool signer_files_allow(const char *path);
