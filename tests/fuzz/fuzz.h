/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What libFuzzer, or replay.c in its place, calls with each input. CHECK says what must hold.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
