/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A zone in the making: records are collected by name in any order, then put in order, checked and
 * made into nodes once. From nothing (dns/zone/load.c), or from a zone that it will share most of
 * its nodes with (dns_zone_with()). Private to dns/zone/. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dns/zone/zone.h"

struct dns_build;
struct dns_sources;

/* One record, as it was written; its owner at or under the apex. */
struct dns_record {
	const uint8_t *owner;
	const uint8_t *data;
	uint16_t type, len;
	uint32_t ttl;
	uint32_t file, line;
};

/* Why a record cannot be in the zone, whatever else is in it, or NULL. */
const char *dns_record_refusal(const struct dns_record *record, const uint8_t *apex_name);

/* A zone without records; `apex_name` in lower case, copied like all else. */
struct dns_build *dns_build_create(const char *name, const uint8_t *apex_name,
				   struct dns_sources *sources);
/* All that `base` has, which must outlive the build. */
struct dns_build *dns_build_create_from(const struct dns_zone *base);
void dns_build_destroy(struct dns_build **build);

/* For records that dns_record_refusal() has nothing against. False: there is no room for more. */
bool dns_build_add(struct dns_build *build, const struct dns_record *record);
/* Takes the RRset away, if there is one. False: there is no room. */
bool dns_build_remove(struct dns_build *build, const uint8_t *owner, uint16_t type);
/* The name is steered; the first is of index 0 in zone->steered. `place`: where that is configured.
 * False: there is no room. */
bool dns_build_steer(struct dns_build *build, const uint8_t *owner, struct cfg_place place);

/* The zone, or NULL when there is something wrong: it is in `diag`, at `place` when it has none in
 * a file. Consumes *build. */
struct dns_zone *dns_build_finish(struct dns_build **build, struct cfg_place place,
				  struct diag *diag);
