/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The look at a ClientHello, by a table: each case whole and cut at every byte, and one that is cut
 * into many records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/conn/hello.h"

/* A message of five bytes in one record, and the same cut in the middle of its header. */
#define HELLO "\x16\x03\x01\x00\x09\x01\x00\x00\x05hello"
#define HELLO_CUT "\x16\x03\x01\x00\x02\x01\x00\x16\x03\x03\x00\x07\x00\x05hello"

struct look_case {
	const char *name;
	const char *bytes;
	size_t n;
	enum edge_hello expect; /* from `from` bytes on; MORE before */
	size_t from;
	uint8_t alert;
};
#define BYTES(text) (text), sizeof(text) - 1

static const struct look_case cases[] = {
    {"nothing", BYTES(""), EDGE_HELLO_MORE, 0, 0},
    {"one record", BYTES(HELLO), EDGE_HELLO_WHOLE, 14, 0},
    {"two records", BYTES(HELLO_CUT), EDGE_HELLO_WHOLE, 19, 0},
    {"more behind it", BYTES(HELLO "\x17junk"), EDGE_HELLO_WHOLE, 14, 0},
    {"more in its record", BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x00\x0b"), EDGE_HELLO_WHOLE, 9,
     0},
    {"unknown minor version", BYTES("\x16\x03\x7f\x00\x04\x01\x00\x00\x00"), EDGE_HELLO_WHOLE, 9,
     0},
    {"SSLv2", BYTES("\x80\x2e\x01\x03\x01"), EDGE_HELLO_BAD, 4, 70},
    {"SSLv2 alone", BYTES("\x80\x2e\x01\x00\x02"), EDGE_HELLO_BAD, 4, 70},
    {"another message of SSLv2", BYTES("\x80\x2e\x02\x00\x02"), EDGE_HELLO_BAD, 3, 10},
    {"high bytes", BYTES("\x80\x2e\x01\x05"), EDGE_HELLO_BAD, 4, 10},
    {"application data", BYTES("\x17\x03\x03\x00\x01x"), EDGE_HELLO_BAD, 1, 10},
    {"another major version", BYTES("\x16\x02\x00"), EDGE_HELLO_BAD, 2, 70},
    {"an empty record", BYTES("\x16\x03\x01\x00\x00"), EDGE_HELLO_BAD, 5, 10},
    {"a long record", BYTES("\x16\x03\x01\x40\x01"), EDGE_HELLO_BAD, 5, 22},
    {"another message", BYTES("\x16\x03\x01\x00\x04\x02"), EDGE_HELLO_BAD, 6, 10},
    {"a long message", BYTES("\x16\x03\x01\x00\x04\x01\x01\x00\x01"), EDGE_HELLO_BAD, 9, 50},
    {"another record in between", BYTES("\x16\x03\x01\x00\x04\x01\x00\x00\x05\x15"), EDGE_HELLO_BAD,
     10, 10},
    {"GET", BYTES("GET / HTTP/1.1\r\n"), EDGE_HELLO_HTTP, 4, 0},
    {"the preface of HTTP/2", BYTES("PRI * HTTP/2.0\r\n"), EDGE_HELLO_HTTP, 4, 0},
    {"a word", BYTES("HELO\r\n"), EDGE_HELLO_BAD, 5, 10},
    {"no word", BYTES("get /"), EDGE_HELLO_BAD, 1, 10},
    {"a long word", BYTES("AAAAAAAAAAAAAAAAAAAAAAAA"), EDGE_HELLO_BAD, 21, 10},
    {"a space", BYTES(" GET"), EDGE_HELLO_BAD, 1, 10},
    {"a PROXY header that nobody asked for", BYTES("PROXY TCP4 "), EDGE_HELLO_HTTP, 6, 0},
};

static void test_table(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct look_case *c = &cases[i];

		for (size_t n = 0; n <= c->n; n++) {
			uint8_t alert = 0;
			/* Exactly so many, for the sanitizer. */
			char *copy = xmalloc(n + 1);
			enum edge_hello got;
			enum edge_hello expect = n < c->from ? EDGE_HELLO_MORE : c->expect;

			memcpy(copy + 1, c->bytes, n);
			got = edge_hello_look(copy + 1, n, &alert);
			free(copy);
			if (got != expect)
				fail_msg("%s, %zu bytes: %d", c->name, n, got);
			assert_int_equal(alert, got == EDGE_HELLO_BAD ? c->alert : 0);
		}
	}
}

/* A message of `length` bytes in records of `piece`; returns its size. */
static size_t make(char *out, size_t length, size_t piece)
{
	const uint8_t header[4] = {1, length >> 16, length >> 8 & 0xff, length & 0xff};
	size_t n = 0;

	for (size_t done = 0; done < length + sizeof(header);) {
		size_t now = MIN(piece, length + sizeof(header) - done);
		const uint8_t record[5] = {22, 3, 1, now >> 8, now & 0xff};

		memcpy(out + n, record, sizeof(record));
		n += sizeof(record);
		for (size_t i = 0; i < now; i++, done++)
			out[n++] = done < sizeof(header) ? header[done] : 'x';
	}
	return n;
}

static void test_many_records(void **state)
{
	static char buf[8 * EDGE_HELLO_MAX];
	uint8_t alert;
	size_t n;

	for (size_t piece = 1; piece <= 16384; piece = piece * 3 + 1) {
		n = make(buf, 9000, piece);
		assert_int_equal(edge_hello_look(buf, n, &alert), EDGE_HELLO_WHOLE);
		assert_int_equal(edge_hello_look(buf, n - 1, &alert), EDGE_HELLO_MORE);
	}
}

static void test_bound(void **state)
{
	static char buf[8 * EDGE_HELLO_MAX];
	uint8_t alert = 0;
	size_t n;

	/* The header's word is within the bound, but with the records' headers it is not. */
	n = make(buf, EDGE_HELLO_MAX - 100, 1000);
	assert_true(n > EDGE_HELLO_MAX);
	assert_int_equal(edge_hello_look(buf, EDGE_HELLO_MAX - 1, &alert), EDGE_HELLO_MORE);
	assert_int_equal(edge_hello_look(buf, EDGE_HELLO_MAX, &alert), EDGE_HELLO_BAD);
	assert_int_equal(alert, 50);
	n = make(buf, EDGE_HELLO_MAX - 100, 16384);
	assert_true(n <= EDGE_HELLO_MAX);
	assert_int_equal(edge_hello_look(buf, n, &alert), EDGE_HELLO_WHOLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_many_records),
	    cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
