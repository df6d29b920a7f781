/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where countries are, for clients of which a database knows no more than that. Any thread.
 */
#pragma once

struct geo_country {
	char code[3];               /* ISO 3166-1 alpha-2 */
	char continent[3];          /* as MaxMind has it: AF, AN, AS, EU, NA, OC or SA */
	double latitude, longitude; /* degrees, to a tenth: about its middle */
};

/* NULL when there is none of that code, in upper case. */
const struct geo_country *geo_country_find(const char *code);
/* All of them, sorted by code. */
const struct geo_country *geo_countries(unsigned *n);
