/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the structs of the configuration are made of. Immutable after cfg_load().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/diag.h"
#include "core/base/addr.h"
#include "core/base/clock.h"

/* Whether what it is of is in use. */
enum cfg_admin { CFG_ADMIN_ACTIVE, CFG_ADMIN_DRAINED };

struct cfg_coords {
	double latitude, longitude; /* degrees, WGS 84 */
	bool set;
};

struct cfg_strings {
	const char **v;
	unsigned n;
};

struct cfg_addrs {
	struct net_addr *v;
	unsigned n;
};

struct cfg_prefixes {
	struct net_prefix *v;
	unsigned n;
};

struct cfg_uints {
	unsigned *v;
	unsigned n;
};

struct cfg_range { /* HTTP status range, both ends included */
	uint16_t low, high;
};

/* An address and port, or a name and port. */
struct cfg_server {
	const char *host; /* a name, or an address as text */
	uint16_t port;    /* when none was written, what its section says */
	struct cfg_place place;
};
