/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * compression, of sites and of routes. A part of config/fleet.h.
 */
#pragma once

#include "config/values.h"

/* In the order of the choices of compression.formats. */
enum cfg_coding { CFG_CODING_ZSTD, CFG_CODING_BR, CFG_CODING_GZIP };

/* Which responses the edge compresses. */
struct cfg_compression {
	bool enabled;             /* false */
	enum cfg_coding *formats; /* the first that the client likes as well as any other */
	unsigned n_formats;
	const char **types; /* lower case; "*" stands for any part of a subtype */
	unsigned n_types;
	uint64_t min_size; /* 1 KiB; of a response whose size is known */
	struct {
		unsigned zstd, br, gzip; /* by the coding's own scale */
	} level;
	bool secrets;           /* also what may hold secrets beside what a stranger wrote */
	struct cfg_place place; /* no file: it was not written, and is the site's */
};
