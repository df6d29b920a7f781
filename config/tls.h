/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. A part of config/fleet.h.
 */
#pragma once

#include "core/base/clock.h"

/* As many as workers. */
#define CFG_THREADS_AUTO (~0U)

/* tls.tickets: how sessions are resumed. */
struct cfg_tickets {
	const char *keys;  /* directory; NULL: the process has a key of its own */
	unsigned count;    /* that a client of TLS 1.3 is given; 0: none is resumed */
	duration lifetime; /* whole seconds; 1 day */
};

struct cfg_tls {
	const char *profile;        /* for tls_profile_create() */
	unsigned handshake_threads; /* or CFG_THREADS_AUTO; 0: workers do it all */
	struct cfg_tickets tickets;
};
