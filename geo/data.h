/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The values of a MaxMind database (its data section and its metadata are made of the same ones),
 * read with bounds. libmaxminddb 1.7 follows whatever a file says: containers nested without end
 * overflow its stack, and values that point to shared values are read again for each pointer. So
 * every value is checked here first, once, and the library only sees files that passed.
 * Specification: https://maxmind.github.io/MaxMind-DB/ (format 2.0). One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum geo_type { /* the numbers are the format's */
		GEO_POINTER = 1,
		GEO_STRING = 2,
		GEO_DOUBLE = 3,
		GEO_BYTES = 4,
		GEO_UINT16 = 5,
		GEO_UINT32 = 6,
		GEO_MAP = 7,
		GEO_INT32 = 8,
		GEO_UINT64 = 9,
		GEO_UINT128 = 10,
		GEO_ARRAY = 11,
		GEO_BOOLEAN = 14,
		GEO_FLOAT = 15,
};

struct geo_data {
	const uint8_t *base;
	uint32_t size;
	uint64_t steps;    /* values that may still be read */
	uint8_t *state;    /* two bits per offset: has the value there been checked */
	const char *error; /* static text; NULL: none yet */
	uint32_t error_at; /* offset */
};

struct geo_value {
	enum geo_type type;
	uint32_t at;      /* offset of the payload; of a map or an array: of its first member */
	uint32_t size;    /* bytes; of a map: pairs, of an array: members, of a boolean: itself */
	uint32_t pointer; /* where a GEO_POINTER points */
	uint32_t next; /* offset after the value, or after the pointer that led to it; of a map or
			* an array that was not pointed to: as `at` */
};

/* `base` is borrowed. */
void geo_data_init(struct geo_data *d, const uint8_t *base, uint32_t size);
void geo_data_fini(struct geo_data *d);
/* The whole value at an offset, with everything that it contains or points to; each value that is
 * pointed to is visited once in the life of `d`. False: `error` and `error_at` say why. */
bool geo_data_check(struct geo_data *d, uint32_t at);
/* Pointers followed. Of a checked value it cannot fail but for the bound of steps. */
bool geo_data_read(struct geo_data *d, uint32_t at, struct geo_value *v);
/* Moves *at behind the value there. Of a checked value it cannot fail but for the bound of steps.
 */
bool geo_data_skip(struct geo_data *d, uint32_t *at);
/* The value under `key` of the map; false when there is none, or with `error` set. The map must
 * have been checked. */
bool geo_data_find(struct geo_data *d, const struct geo_value *map, const char *key,
		   struct geo_value *v);
/* False when it is not an unsigned integer of at most 64 bits. */
bool geo_data_unsigned(const struct geo_data *d, const struct geo_value *v, uint64_t *number);
/* False when it is neither double nor float. */
bool geo_data_real(const struct geo_data *d, const struct geo_value *v, double *number);
