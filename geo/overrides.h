/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which item of geo.overrides counts for a client: that of the longest of its networks, else of its
 * autonomous system, its country, its continent; among equals the first of the file. Items are told
 * by their index plus one, 0 is none. Built while places are, by one thread.
 */
#pragma once

#include <stdint.h>

struct cfg_geo;
struct diag;
struct geo_ranges;

struct geo_overrides;

struct geo_overrides *geo_overrides_create(const struct cfg_geo *geo);
void geo_overrides_destroy(struct geo_overrides **o);
/* By what is known of a client besides its address. */
uint32_t geo_overrides_match(const struct geo_overrides *o, uint32_t asn, const char *country,
			     const char *continent);

/* The items of all addresses by network; NULL when no item has networks, or, with the reasons in
 * `diag`, when one names a network that never counts. */
struct geo_ranges *geo_overrides_networks(const struct cfg_geo *geo, struct diag *diag);
