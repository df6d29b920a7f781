/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. A part of config/fleet.h.
 */
#pragma once

#include "config/limit.h"
#include "core/base/clock.h"

/* As many as workers. */
#define CFG_THREADS_AUTO (~0U)

/* tls.tickets: how sessions are resumed. */
struct cfg_tickets {
	const char *keys;  /* directory; NULL: the process has a key of its own */
	unsigned count;    /* that a client of TLS 1.3 is given; 0: none is resumed */
	duration lifetime; /* whole seconds; 1 day */
};

/* Where the private keys of certificates are. */
enum cfg_keys_place {
	CFG_KEYS_PROCESS,
	CFG_KEYS_SIGNER, /* in a process of their own */
};

struct cfg_keys {
	unsigned place; /* enum cfg_keys_place */
	struct cfg_rate rate;
};

struct cfg_tls {
	const char *profile; /* for tls_profile_create() */
	struct cfg_tickets tickets;
	unsigned handshake_threads; /* or CFG_THREADS_AUTO; 0: workers do it themselves */
	struct cfg_keys keys;
};
