/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the PROXY header. The input is the wire. What must hold: the outcome is the same however
 * the wire is cut, nothing beyond the largest header is asked for, and what was understood is
 * written so that it is understood as the same.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/net/proxy_header.h"

struct outcome {
	enum proxy_header_result result;
	struct proxy_header header;
	size_t used;
};

/* From a copy of its exact size, so that a sanitizer sees a read beyond it. */
static struct outcome parse(const void *wire, size_t n)
{
	struct outcome o = {0};
	char *copy = xmalloc(n > 0 ? n : 1);

	if (n > 0)
		memcpy(copy, wire, n);
	o.result = proxy_header_parse(copy, n, &o.header, &o.used);
	free(copy);
	return o;
}

static void check_same_addresses(const struct proxy_header *a, const struct proxy_header *b)
{
	CHECK(a->local == b->local);
	if (a->local)
		return;
	CHECK(net_addr_equal(&a->source, &b->source));
	CHECK(net_addr_equal(&a->destination, &b->destination));
}

/* `whole` is the outcome with all of the wire: with less of it there is that or none yet. */
static void check_pieces(const uint8_t *wire, size_t size, const struct outcome *whole)
{
	/* Long inputs are not cut after every byte: they would take too long. */
	size_t step = 1 + size / 512;
	bool known = false;

	for (size_t n = 0; n < size; n += step) {
		struct outcome o = parse(wire, n);

		if (o.result == PROXY_HEADER_MORE) {
			CHECK(!known && n < PROXY_HEADER_MAX);
			CHECK(whole->result != PROXY_HEADER_OK || n < whole->used);
			continue;
		}
		known = true;
		CHECK(o.result == whole->result && o.used == whole->used);
		if (o.result == PROXY_HEADER_OK)
			check_same_addresses(&o.header, &whole->header);
	}
}

static void check_round_trip(const struct proxy_header *header)
{
	for (unsigned version = 1; version <= 2; version++) {
		char out[PROXY_HEADER_WRITE_MAX];
		size_t n = proxy_header_write(version, header->local ? NULL : &header->source,
					      &header->destination, out, sizeof(out));
		struct outcome again = parse(out, n);

		CHECK(n > 0 && again.result == PROXY_HEADER_OK && again.used == n);
		check_same_addresses(&again.header, header);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = parse(data, size);

	CHECK(whole.result != PROXY_HEADER_MORE || size < PROXY_HEADER_MAX);
	check_pieces(data, size, &whole);
	if (whole.result != PROXY_HEADER_OK)
		return 0;
	CHECK(whole.used <= size && whole.used <= PROXY_HEADER_MAX);
	check_round_trip(&whole.header);
	return 0;
}
