/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash for tables whose keys strangers choose. Who
 * does not know the seed cannot look for keys that fall together. Any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_seed {
	uint8_t bytes[16];
};

uint64_t siphash(const struct siphash_seed *seed, const void *data, size_t n);
