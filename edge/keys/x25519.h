/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The shared secret of X25519 (RFC 7748) by libcrypto, for all handshakes of GnuTLS in this
 * program: 40 us in place of nettle's 67, of the 250 or so of a handshake. GnuTLS cannot be given
 * another implementation of it, so the program has nettle's function by its name, and the dynamic
 * linker takes that first. It is nettle's own until edge_x25519_start() has proved the other one.
 * Where a GnuTLS is linked in a way that it does not come through here, nothing changes. A new key
 * is left to nettle: 29 us, for which libcrypto takes 44.
 */
#pragma once

#include <stdbool.h>

/* True: by libcrypto from now on. False: it was configured to be left alone, or the vectors of RFC
 * 7748 do not hold for it, which the log says. */
bool edge_x25519_start(void);
