/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a database says of a network, as far as steering uses it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct geo_data;

struct geo_facts {
	double latitude, longitude; /* degrees, finite and on the globe */
	uint32_t asn;               /* 0: not known */
	bool located;
	char country[3];   /* ISO 3166-1 alpha-2, "": not known */
	char continent[3]; /* AF, AN, AS, EU, NA, OC, SA, "": not known */
};

/* Checks the whole record at an offset and reads the facts from it; what it does not say, or in
 * another form than MaxMind's databases, is not known. False when it is broken: `d->error` says
 * why. */
bool geo_facts_read(struct geo_data *d, uint32_t offset, struct geo_facts *facts);
/* Adds to `facts` what only `more` knows. */
void geo_facts_add(struct geo_facts *facts, const struct geo_facts *more);
