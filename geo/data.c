/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The checked reader of geo/data.h. Whatever a file holds, the stack is bounded by MAX_DEPTH and
 * the work by the number of bytes. One thread.
 */
#include "geo/data.h"

#include <string.h>

#include "core/base/check.h"
#include "geo/block.h"

/* Containers and pointers on the way to a value. City databases need five; a record that needs
 * more than this was not made by a database writer. */
#define MAX_DEPTH 32
/* Values that may be read per byte of data, and a floor for small files. A value takes at least a
 * byte; it is read once inside each container that is itself pointed to, and a few times more when
 * a location is searched. Only records that overlap on purpose need more than this. */
#define STEPS_PER_BYTE (2 * MAX_DEPTH)
#define MIN_STEPS (1 << 20)

/* Two bits for each offset. */
#define STATE_BYTES(size) ((size_t)(size) / 4 + 1)

enum state { UNSEEN, OPEN, CHECKED };

void geo_data_init(struct geo_data *d, const uint8_t *base, uint32_t size)
{
	*d = (struct geo_data){
	    .base = base,
	    .size = size,
	    .steps = MIN_STEPS + (uint64_t)size * STEPS_PER_BYTE,
	    .state = geo_block_resize(NULL, 0, STATE_BYTES(size)),
	};
}

void geo_data_fini(struct geo_data *d)
{
	geo_block_resize(d->state, STATE_BYTES(d->size), 0);
	*d = (struct geo_data){0};
}

static bool fail(struct geo_data *d, uint32_t at, const char *error)
{
	if (d->error == NULL) {
		d->error = error;
		d->error_at = at;
	}
	return false;
}

static enum state get_state(const struct geo_data *d, uint32_t at)
{
	return d->state[at / 4] >> (at % 4 * 2) & 3;
}

static void set_state(struct geo_data *d, uint32_t at, enum state state)
{
	d->state[at / 4] &= ~(3u << (at % 4 * 2));
	d->state[at / 4] |= state << (at % 4 * 2);
}

static uint64_t big_endian(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static bool size_fits(enum geo_type type, uint32_t size)
{
	switch (type) {
	case GEO_DOUBLE:
	case GEO_UINT64:
		return type == GEO_DOUBLE ? size == 8 : size <= 8;
	case GEO_FLOAT:
		return size == 4;
	case GEO_UINT16:
		return size <= 2;
	case GEO_UINT32:
	case GEO_INT32:
		return size <= 4;
	case GEO_UINT128:
		return size <= 16;
	case GEO_BOOLEAN:
		return size <= 1;
	default:
		return true;
	}
}

/* The size that a control byte and up to three bytes after it say; advances *at. */
static bool decode_size(struct geo_data *d, uint8_t control, uint32_t *at, uint32_t *size)
{
	static const uint32_t base[] = {29, 285, 65821};
	unsigned n;

	*size = control & 0x1f;
	if (*size < 29)
		return true;
	n = *size - 28;
	if (d->size - *at < n)
		return fail(d, *at, "a value is cut short");
	*size = base[n - 1] + (uint32_t)big_endian(d->base + *at, n);
	*at += n;
	return true;
}

static bool decode_pointer(struct geo_data *d, uint8_t control, uint32_t at, struct geo_value *v)
{
	static const uint32_t base[] = {0, 2048, 526336, 0};
	unsigned n = (control >> 3 & 3) + 1;
	uint64_t target;

	if (d->size - at < n)
		return fail(d, at, "a pointer is cut short");
	target = big_endian(d->base + at, n) + base[n - 1];
	if (n < 4)
		target += (uint64_t)(control & 7) << (8 * n);
	if (target >= d->size)
		return fail(d, at, "a pointer leads out of the data section");
	v->type = GEO_POINTER;
	v->pointer = (uint32_t)target;
	v->next = at + n;
	return true;
}

/* The head of the value at an offset; the payload of all but containers is known to be there. */
static bool decode(struct geo_data *d, uint32_t at, struct geo_value *v)
{
	uint32_t start = at;
	uint8_t control;

	if (d->steps == 0)
		return fail(d, at,
			    "records overlap so much that it would take too long to read them");
	d->steps--;
	if (at >= d->size)
		return fail(d, at, "a value lies outside the data section");
	control = d->base[at++];
	*v = (struct geo_value){.type = control >> 5};
	if (v->type == GEO_POINTER)
		return decode_pointer(d, control, at, v);
	if (v->type == 0) {
		if (at == d->size)
			return fail(d, start, "a value is cut short");
		v->type = d->base[at++] + 7u;
		if (v->type < GEO_INT32 || v->type > GEO_FLOAT || v->type == 12 || v->type == 13)
			return fail(d, start, "a value has an unknown type");
	}
	if (!decode_size(d, control, &at, &v->size))
		return false;
	if (!size_fits(v->type, v->size))
		return fail(d, start, "a value has a size that its type cannot have");
	v->at = v->next = at;
	if (v->type == GEO_MAP || v->type == GEO_ARRAY || v->type == GEO_BOOLEAN) {
		/* Each member takes a byte at least: refuse a huge count before it is walked. */
		if (v->type != GEO_BOOLEAN && v->size > d->size - at)
			return fail(d, start, "a map or an array is larger than the data section");
		return true;
	}
	if (v->size > d->size - at)
		return fail(d, start, "a value is cut short");
	v->next = at + v->size;
	return true;
}

bool geo_data_read(struct geo_data *d, uint32_t at, struct geo_value *v)
{
	struct geo_value pointer;

	if (!decode(d, at, v))
		return false;
	if (v->type != GEO_POINTER)
		return true;
	pointer = *v;
	if (!decode(d, pointer.pointer, v))
		return false;
	if (v->type == GEO_POINTER)
		return fail(d, at, "a pointer leads to a pointer");
	v->next = pointer.next;
	return true;
}

static bool check_pointed(struct geo_data *d, uint32_t at, unsigned depth);

/* The value at *at with all that is in it; moves *at behind it. */
static bool check_value(struct geo_data *d, uint32_t *at, unsigned depth)
{
	uint32_t start = *at;
	struct geo_value v, key;

	if (depth == MAX_DEPTH)
		return fail(d, start, "values are nested too deeply");
	if (!decode(d, start, &v))
		return false;
	*at = v.next;
	if (v.type == GEO_POINTER)
		return check_pointed(d, v.pointer, depth + 1);
	if (v.type != GEO_MAP && v.type != GEO_ARRAY)
		return true;
	for (uint32_t i = 0; i < v.size; i++) {
		if (v.type == GEO_MAP) {
			if (!geo_data_read(d, *at, &key))
				return false;
			if (key.type != GEO_STRING)
				return fail(d, *at, "the key of a map is not a string");
			*at = key.next;
		}
		if (!check_value(d, at, depth + 1))
			return false;
	}
	return true;
}

static bool check_pointed(struct geo_data *d, uint32_t at, unsigned depth)
{
	struct geo_value v;
	uint32_t end = at;

	if (get_state(d, at) == CHECKED)
		return true;
	if (get_state(d, at) == OPEN)
		return fail(d, at, "a value contains itself");
	if (!decode(d, at, &v))
		return false;
	if (v.type == GEO_POINTER)
		return fail(d, at, "a pointer leads to a pointer");
	set_state(d, at, OPEN);
	if (!check_value(d, &end, depth))
		return false;
	set_state(d, at, CHECKED);
	return true;
}

bool geo_data_check(struct geo_data *d, uint32_t at)
{
	if (at >= d->size)
		return fail(d, at, "a record lies outside the data section");
	return check_pointed(d, at, 0);
}

bool geo_data_skip(struct geo_data *d, uint32_t *at)
{
	return check_value(d, at, 0);
}

bool geo_data_find(struct geo_data *d, const struct geo_value *map, const char *key,
		   struct geo_value *v)
{
	size_t len = strlen(key);
	uint32_t at = map->at;
	struct geo_value k;

	CHECK(map->type == GEO_MAP);
	for (uint32_t i = 0; i < map->size; i++) {
		if (!geo_data_read(d, at, &k))
			return false;
		at = k.next;
		if (k.size == len && memcmp(d->base + k.at, key, len) == 0)
			return geo_data_read(d, at, v);
		if (!geo_data_skip(d, &at))
			return false;
	}
	return false;
}

bool geo_data_unsigned(const struct geo_data *d, const struct geo_value *v, uint64_t *number)
{
	if (v->type != GEO_UINT16 && v->type != GEO_UINT32 && v->type != GEO_UINT64)
		return false;
	*number = big_endian(d->base + v->at, v->size);
	return true;
}

bool geo_data_real(const struct geo_data *d, const struct geo_value *v, double *number)
{
	uint64_t bits;
	uint32_t short_bits;
	float short_number;

	if (v->type == GEO_DOUBLE) {
		bits = big_endian(d->base + v->at, 8);
		memcpy(number, &bits, sizeof(bits));
		return true;
	}
	if (v->type != GEO_FLOAT)
		return false;
	short_bits = (uint32_t)big_endian(d->base + v->at, 4);
	memcpy(&short_number, &short_bits, sizeof(short_bits));
	*number = (double)short_number;
	return true;
}
