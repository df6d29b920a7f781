/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of dns/zone/ share: zones made from text, and made into text again.
 */
#pragma once

#include "config/fleet.h"
#include "dns/zone/zone.h"

/* What most master files here begin with, for example.com: three records on four lines. */
#define ZONE_TOP                                                                                   \
	"$TTL 3600\n"                                                                              \
	"@ SOA ns1 hostmaster 1 7200 900 1209600 60\n"                                             \
	"@ NS ns1\n"                                                                               \
	"ns1 A 192.0.2.53\n"
#define ZONE_TOP_TEXT                                                                              \
	"example.com. 3600 NS ns1.example.com.\n"                                                  \
	"example.com. 3600 SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 60\n"   \
	"ns1.example.com. 3600 A 192.0.2.53\n"

/* A folder with files; all zero at first. */
struct zone_fixture {
	char dir[64];
	char *errors; /* of the last attempt */
};

void zone_fixture_fini(struct zone_fixture *f);
/* The path of a file in the folder; malloc'd. */
char *zone_path(struct zone_fixture *f, const char *file);
/* Writes it anew, over what was there. */
void zone_file(struct zone_fixture *f, const char *file, const char *text, size_t len);

/* They become f->errors, without the folder. */
void zone_keep_errors(struct zone_fixture *f, struct diag **diag);
/* Loads `file` as zone `name`; errors are in f->errors. */
struct dns_zone *zone_load(struct zone_fixture *f, const char *name, const char *file,
			   struct dns_zone *before);
/* The same of example.com, from this text. */
struct dns_zone *zone_of(struct zone_fixture *f, const char *text);
/* It loads, and has these records: as of zone_text(), but for those of ZONE_TOP. */
void zone_has(struct zone_fixture *f, const char *text, const char *records);
/* It does not load, for these reasons. */
void zone_refused(struct zone_fixture *f, const char *text, const char *errors);

/* Every record, one a line, malloc'd: "OWNER TTL TYPE DATA", names in canonical order and types by
 * number. It is a master file again. */
char *zone_text(const struct dns_zone *zone);

/* Looks the name up: "node", "wildcard", "delegation", "dname" or "none", and the name of what was
 * found; malloc'd. */
char *zone_lookup(const struct dns_zone *zone, const char *name);
