/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the look at a client's first bytes. The input is the wire. What must hold: a verdict that
 * was given with some of the wire stays with more of it, nothing beyond the longest hello is asked
 * for, and what is bad has an alert.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/conn/hello.h"

/* From a copy of its exact size, so that a sanitizer sees a read beyond it. */
static enum edge_hello look(const void *wire, size_t n)
{
	char *copy = xmalloc(n > 0 ? n : 1);
	uint8_t alert = 0;
	enum edge_hello found;

	if (n > 0)
		memcpy(copy, wire, n);
	found = edge_hello_look(copy, n, &alert);
	free(copy);
	CHECK((found == EDGE_HELLO_BAD) == (alert != 0));
	CHECK(found != EDGE_HELLO_MORE || n < EDGE_HELLO_MAX);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Long inputs are not cut after every byte: they would take too long. */
	size_t step = 1 + size / 512;
	enum edge_hello last = EDGE_HELLO_MORE;

	for (size_t n = 0; n <= size; n += step) {
		enum edge_hello found = look(data, n);

		CHECK(last == EDGE_HELLO_MORE || found == last);
		last = found;
	}
	return 0;
}
