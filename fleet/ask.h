/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is asked of an edge by those who probe it, at each of its addresses. Made by whoever loads a
 * configuration, for making the TLS side of it takes long; immutable after that, counted, and let
 * go by any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/fleet.h"

struct diag;
struct transport;

struct fleet_ask {
	_Atomic unsigned refs;
	/* immutable */
	struct cfg_check check; /* its strings are our own */
	char *host;             /* when the check has none */
	uint16_t port;
	struct transport *transport;
};

/* By edge id, to be freed by fleet_asks_free(). NULL, with the error in `diag`. Blocking: may read
 * the certificates that the system trusts. */
struct fleet_ask **fleet_asks_load(const struct cfg_fleet *fleet, struct diag *diag);
void fleet_asks_free(struct fleet_ask ***asks, unsigned n);
struct fleet_ask *fleet_ask_ref(struct fleet_ask *ask);
void fleet_ask_unref(struct fleet_ask **ask);
/* Whether the one would do as well as the other. */
bool fleet_ask_equal(const struct fleet_ask *a, const struct fleet_ask *b);
