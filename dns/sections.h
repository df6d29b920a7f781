/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A response of ours as people read it: its sections as lines of text. Control loop only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Adds "answer", "authority" and "additional": lists of lines as in a master file. The OPT is left
 * out. */
void dns_sections_report(const uint8_t *wire, size_t len, json_t *report);
