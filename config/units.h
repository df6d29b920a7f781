/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values as people write them, and back. Each parser takes the whole text or returns false and
 * leaves *out alone; each formatter returns malloc'd text that the parser reads back to the same
 * value. Any thread. The programs never call setlocale(), so numbers have their "C" form.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/fleet.h"

/* "500ms" "10s" "2m" "1h" "1d", also "ns" and "us"; at most 10,000 days. */
bool cfg_parse_duration(const char *text, duration *out);
char *cfg_format_duration(duration d);
/* "8192" "64KiB" "1MiB" "2GiB"; at most 1024 GiB. */
bool cfg_parse_size(const char *text, uint64_t *out);
char *cfg_format_size(uint64_t size);
/* Decimal digits only. */
bool cfg_parse_uint(const char *text, uint64_t *out);
/* "true" "false" "yes" "no" "on" "off" */
bool cfg_parse_bool(const char *text, bool *out);
/* "50.11,8.68": latitude and longitude in degrees, -90..90 and -180..180. */
bool cfg_parse_coords(const char *text, struct cfg_coords *out);
char *cfg_format_coords(const struct cfg_coords *c);
/* "100km" "-50km" "12.5km" */
bool cfg_parse_km(const char *text, double *out);
char *cfg_format_km(double km);
/* "10%" "0.5%", 0..100 */
bool cfg_parse_percent(const char *text, double *out);
char *cfg_format_percent(double percent);
/* "200" "200-399", 100..599 */
bool cfg_parse_status(const char *text, struct cfg_range *out);
char *cfg_format_status(struct cfg_range r);
