/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. A part of config/fleet.h.
 */
#pragma once

/* As many as workers. */
#define CFG_THREADS_AUTO (~0U)

struct cfg_tls {
	const char *profile;        /* for tls_profile_create() */
	unsigned handshake_threads; /* or CFG_THREADS_AUTO; 0: workers do it themselves */
};
