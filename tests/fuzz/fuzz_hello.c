/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes the look at a client's first bytes, and of a ClientHello the parser and its fingerprint.
 * The input is the wire. What must hold: a verdict that was given with some of the wire stays with
 * more of it, nothing beyond the longest hello is asked for, and what is bad has an alert; a hello
 * says the same in whatever records it comes, and has a fingerprint of the known form.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/conn/hello.h"
#include "edge/tls/client_hello.h"
#include "edge/tls/ja4.h"

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

/* "t13d1516h2_8daaf6152771_e5627efa2ab1" */
static void check_ja4(const char *ja4)
{
	CHECK(strlen(ja4) == EDGE_JA4_SIZE - 1 && ja4[0] == 't');
	CHECK(strspn(ja4 + 1, "0123s") >= 1 && strspn(ja4 + 4, "0123456789") >= 4);
	CHECK(ja4[10] == '_' && ja4[23] == '_');
	CHECK(strspn(ja4 + 11, "0123456789abcdef") == 12);
	CHECK(strspn(ja4 + 24, "0123456789abcdef") == 12);
}

/* From a copy of its exact size, likewise. */
static bool fingerprint(struct span message, char *ja4)
{
	char *copy = xmalloc(message.n > 0 ? message.n : 1);
	struct edge_client_hello hello;
	bool ok;

	if (message.n > 0)
		memcpy(copy, message.p, message.n);
	ok = edge_client_hello_parse((struct span){copy, message.n}, &hello);
	if (ok) {
		edge_ja4_write(&hello, ja4);
		check_ja4(ja4);
		CHECK(edge_client_hello_offers(&hello, edge_client_hello_version(&hello)) ||
		      edge_client_hello_version(&hello) == 0 || hello.versions.n == 0);
	}
	free(copy);
	return ok;
}

/* The same message in records of one byte each. */
static char *cut(struct span message, size_t *n)
{
	size_t length = message.n;
	char *wire = xmalloc(6 * (4 + length)), *p = wire;
	const char header[] = {1, (char)(length >> 16), (char)(length >> 8), (char)length};

	for (size_t i = 0; i < 4 + length; i++) {
		memcpy(p, "\x16\x03\x01\x00\x01", 5);
		p[5] = i < 4 ? header[i] : message.p[i - 4];
		p += 6;
	}
	*n = (size_t)(p - wire);
	return wire;
}

static void read_hello(const char *wire, size_t size)
{
	char ja4[EDGE_JA4_SIZE], other[EDGE_JA4_SIZE], *copy, *copy2, *cut_wire;
	struct span message, again;
	size_t n;

	CHECK(edge_client_hello_gather((struct span){wire, size}, &message, &copy));
	cut_wire = cut(message, &n);
	CHECK(edge_client_hello_gather((struct span){cut_wire, n}, &again, &copy2));
	CHECK(span_equal(message, again));
	if (fingerprint(message, ja4))
		CHECK(fingerprint(again, other) && strcmp(ja4, other) == 0);
	free(cut_wire);
	free(copy2);
	free(copy);
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
	if (look(data, size) == EDGE_HELLO_WHOLE)
		read_hello((const char *)data, size);
	return 0;
}
