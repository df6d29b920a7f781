/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The PROXY header by table. Each row is given to the parser cut after every byte, and says with
 * which byte the outcome is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/net/proxy_header.h"

struct row {
	const char *bytes;
	size_t n;
	enum proxy_header_result result;
	size_t known; /* with how many bytes; before, more are wanted */
	const char *source, *destination;
};

/* Bytes that follow the header do not count. */
#define GOOD(header, rest, source, destination)                                                    \
	{                                                                                          \
		header rest, sizeof(header rest) - 1, PROXY_HEADER_OK, sizeof(header) - 1, source, \
		    destination                                                                    \
	}
#define LOCAL(header, rest) GOOD(header, rest, NULL, NULL)
/* The first byte of `junk` is where it stops being a header. */
#define JUNK(good, junk)                                                                           \
	{                                                                                          \
		good junk, sizeof(good junk) - 1, PROXY_HEADER_BAD, sizeof(good), NULL, NULL       \
	}
#define UNFINISHED(bytes)                                                                          \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, PROXY_HEADER_MORE, sizeof(bytes), NULL, NULL             \
	}

static enum proxy_header_result parse_cut(const char *bytes, size_t n, struct proxy_header *out,
					  size_t *used)
{
	/* Of its exact size, so that a sanitizer sees a read beyond it. */
	char *copy = malloc(n > 0 ? n : 1);
	enum proxy_header_result result;

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, bytes, n);
	result = proxy_header_parse(copy, n, out, used);
	free(copy);
	return result;
}

static void assert_address(const struct net_addr *addr, const char *expected)
{
	char text[NET_ADDR_TEXT];

	if (expected == NULL)
		assert_int_equal(addr->sa.sa_family, AF_UNSPEC);
	else
		assert_string_equal(net_addr_format(addr, text), expected);
}

static void check_rows(const struct row *rows, size_t n)
{
	static const struct proxy_header untouched = {.local = true,
						      .source = {.in = {.sin_port = 1}}};

	for (size_t i = 0; i < n; i++) {
		const struct row *row = &rows[i];

		for (size_t len = 0; len <= row->n; len++) {
			struct proxy_header header = untouched;
			size_t used = 12345;
			enum proxy_header_result want = len < row->known ? PROXY_HEADER_MORE
									 : row->result,
						 got = parse_cut(row->bytes, len, &header, &used);

			if (got != want)
				fail_msg("row %zu, %zu bytes: %d, not %d", i, len, got, want);
			if (got != PROXY_HEADER_OK) {
				assert_int_equal(used, 12345);
				assert_memory_equal(&header, &untouched, sizeof(header));
				continue;
			}
			assert_int_equal(used, row->known);
			assert_int_equal(header.local, row->source == NULL);
			assert_address(&header.source, row->source);
			assert_address(&header.destination, row->destination);
		}
	}
}

#define FFFF8 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define MAPPED "0000:0000:0000:0000:0000:ffff:255.255.255.25"
#define X10 "xxxxxxxxxx"
#define X90 X10 X10 X10 X10 X10 X10 X10 X10 X10

static void test_version_1(void **state)
{
	static const struct row rows[] = {
	    GOOD("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "GET / HTTP/1.1\r\n",
		 "192.168.0.1:56324", "192.168.0.11:443"),
	    GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "",
		 "255.255.255.255:65535", "255.255.255.255:65535"),
	    GOOD("PROXY TCP4 0.0.0.0 1.2.3.4 0 1\r\n", "\r\n", "0.0.0.0:0", "1.2.3.4:1"),
	    GOOD("PROXY TCP6 2001:DB8::1 2001:0db8:0:0:0::2 1 65535\r\n", "\0", "[2001:db8::1]:1",
		 "[2001:db8::2]:65535"),
	    GOOD("PROXY TCP6 " FFFF8 " " FFFF8 " 65535 65535\r\n", "", "[" FFFF8 "]:65535",
		 "[" FFFF8 "]:65535"),
	    GOOD("PROXY TCP6 ::ffff:192.0.2.1 :: 1 2\r\n", "", "192.0.2.1:1", "[::]:2"),
	    GOOD("PROXY TCP6 ::ffff:c000:201 ::1 1 2\r\n", "", "192.0.2.1:1", "[::1]:2"),
	    /* 107 bytes, as many as there may be */
	    GOOD("PROXY TCP6 " MAPPED " " MAPPED "5 1 2\r\n", "", "255.255.255.25:1",
		 "255.255.255.255:2"),
	    LOCAL("PROXY UNKNOWN " FFFF8 " " FFFF8 " 65535 65535\r\n", ""),
	    LOCAL("PROXY UNKNOWN\r\n", "GET"),
	    LOCAL("PROXY UNKNOWN \r\n", ""),
	    LOCAL("PROXY UNKNOWN 1.2.3.4 nonsense \0\xff  \t\r\n", "\r\n"),
	    UNFINISHED("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r"),
	    UNFINISHED("PROXY TCP6 ::1 ::"),
	    UNFINISHED("PROXY UNKNOWN " X90 "x\r"),
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_junk_of_version_1(void **state)
{
	static const struct row rows[] = {
	    JUNK("", "G"),
	    JUNK("", "\0"),
	    JUNK("", " PROXY UNKNOWN\r\n"),
	    JUNK("", "proxy UNKNOWN\r\n"),
	    JUNK("PROX", "x"),
	    JUNK("PROXY", "\tTCP4 "),
	    JUNK("PROXY ", " TCP4 "),
	    JUNK("PROXY ", "SCTP4 "),
	    JUNK("PROXY U", "DP4 "),
	    JUNK("PROXY TCP", "5 "),
	    JUNK("PROXY TCP", " 1.2.3.4"),
	    JUNK("PROXY TCP4", "\r\n"),
	    JUNK("PROXY UNKNOWN", "X\r\n"),
	    JUNK("PROXY UNKNOWN", "\n"),
	    JUNK("PROXY UNKNOWN\r", "\r\n"),
	    JUNK("PROXY UNKNOWN x", "\n\r\n"),
	    JUNK("PROXY UNKNOWN x\r", "x\r\n"),
	    /* one byte more than the longest line */
	    /* no room for the CRLF in 107 bytes */
	    JUNK("PROXY UNKNOWN " X90 "x", "x\r\n"),
	    JUNK("PROXY TCP6 " MAPPED "5 " MAPPED "5 65", "535 1\r\n"),
	    JUNK("PROXY TCP6 " MAPPED "5 " MAPPED "5 1 ", "2\r\n"),
	    /* addresses */
	    JUNK("PROXY TCP4 ", " 1.2.3.4 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 ", "::1 ::1 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.", "x 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.", "\0 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4", ":80 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3", " 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4.5", " 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.256", " 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.04", " 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 111.111.111.111", "1 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 ", " 1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4", "\t1.2.3.4 1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4", "\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 ", "::1 1 2\r\n"),
	    JUNK("PROXY TCP6 1.2.3.4", " ::1 1 2\r\n"),
	    JUNK("PROXY TCP6 1::2::3", " ::1 1 2\r\n"),
	    JUNK("PROXY TCP6 1:2:3:4:5:6:7", " ::1 1 2\r\n"),
	    JUNK("PROXY TCP6 00001::", " ::1 1 2\r\n"),
	    JUNK("PROXY TCP6 ::1", "%lo ::1 1 2\r\n"),
	    JUNK("PROXY TCP6 ", "[::1] ::1 1 2\r\n"),
	    JUNK("PROXY TCP6 ::1 ", "g::1 1 2\r\n"),
	    /* ports */
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4", "\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 ", "\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1", "\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1 ", "\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1 2", " \r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1 2", "\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r", "\0"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1 2", " 3\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 65536", " 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1 99999", "\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 10000", "0 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 00", " 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 080", " 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 ", "+1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 ", "-1 2\r\n"),
	    JUNK("PROXY TCP4 1.2.3.4 1.2.3.4 1", ".0 2\r\n"),
	    JUNK("PROXY TCP6 ::1 ::1 ", "a 2\r\n"),
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES4 "\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\xd2\x01\xbb"
#define SOURCE4 "192.0.2.1:1234"
#define DESTINATION4 "192.0.2.2:443"
#define ADDRESSES6                                                                                 \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                               \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"                                               \
	"\x04\xd2\x01\xbb"
#define SOURCE6 "[2001:db8::1]:1234"
#define DESTINATION6 "[2001:db8::2]:443"
#define TCP4(length) SIGNATURE "\x21\x11" length ADDRESSES4
#define TCP6(length) SIGNATURE "\x21\x21" length ADDRESSES6
#define NUL36 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void test_version_2(void **state)
{
	static const struct row rows[] = {
	    GOOD(TCP4("\0\x0c"), "GET / HTTP/1.1\r\n", SOURCE4, DESTINATION4),
	    GOOD(TCP6("\0\x24"), "\x16\x03", SOURCE6, DESTINATION6),
	    GOOD(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
			   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0",
		 "", "192.0.2.1:65535", "[::]:0"),
	    /* LOCAL, whatever is said of the family and after it */
	    LOCAL(SIGNATURE "\x20\0\0\0", "GET"),
	    LOCAL(SIGNATURE "\x20\x11\0\x0c" ADDRESSES4, ""),
	    LOCAL(SIGNATURE "\x20\xff\0\1x", ""),
	    LOCAL(SIGNATURE "\x20\x11\0\x0f" ADDRESSES4 "\3\xff\xff", ""),
	    /* the valid ones that are not TCP */
	    LOCAL(SIGNATURE "\x21\0\0\0", "GET"),
	    LOCAL(SIGNATURE "\x21\0\0\3abc", "\0"),
	    LOCAL(SIGNATURE "\x21\x01\0\0", ""),
	    LOCAL(SIGNATURE "\x21\x10\0\x0c" ADDRESSES4, ""),
	    LOCAL(SIGNATURE "\x21\x12\0\x0c" ADDRESSES4, ""),
	    LOCAL(SIGNATURE "\x21\x22\0\x24" ADDRESSES6, ""),
	    LOCAL(SIGNATURE "\x21\x31\0\xd8" NUL36 NUL36 NUL36 NUL36 NUL36 NUL36, "\0"),
	    LOCAL(SIGNATURE "\x21\x32\0\1x", ""),
	    UNFINISHED(TCP6("\0\x27")),
	    UNFINISHED(SIGNATURE "\x20\0\0\1"),
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_junk_of_version_2(void **state)
{
	static const struct row rows[] = {
	    JUNK("\r\n", "\n"),
	    JUNK("\r\n\r\n", "GET"),
	    JUNK("\r\n\r\n\0\r\nQUIT", "\r\n"),
	    JUNK(SIGNATURE, "\x11\x11\0\x0c"), /* version 1 */
	    JUNK(SIGNATURE, "\x31\x11\0\x0c"),
	    JUNK(SIGNATURE, "\x01\x11\0\x0c"),
	    JUNK(SIGNATURE, "\x22\x11\0\x0c"), /* no such command */
	    JUNK(SIGNATURE, "\x2f\x11\0\x0c"),
	    JUNK(SIGNATURE "\x21", "\x41\0\x0c"), /* no such family */
	    JUNK(SIGNATURE "\x21", "\xf1\0\x0c"),
	    JUNK(SIGNATURE "\x21", "\x13\0\x0c"), /* no such protocol */
	    JUNK(SIGNATURE "\x21", "\x0f\0\x0c"),
	    /* shorter than the addresses */
	    JUNK(SIGNATURE "\x21\x11\0", "\0"),
	    JUNK(SIGNATURE "\x21\x11\0", "\x0b" ADDRESSES4),
	    JUNK(SIGNATURE "\x21\x21\0", "\x23" ADDRESSES6),
	    JUNK(SIGNATURE "\x21\x21\0", "\x0c" ADDRESSES4),
	    /* longer than we read */
	    JUNK(SIGNATURE "\x21\x11\x10", "\1" ADDRESSES4),
	    JUNK(SIGNATURE "\x21\x11", "\x11\0" ADDRESSES4),
	    JUNK(SIGNATURE "\x20\0", "\xff\xff"),
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

/* The sums were computed by a program of its own. */
static void test_tlvs(void **state)
{
	static const struct row rows[] = {
	    GOOD(TCP4("\0\x0f") "\4\0\0", "", SOURCE4, DESTINATION4),
	    GOOD(TCP4("\0\x1a") "\1\0\x08http/1.1\xe0\0\0", "GET", SOURCE4, DESTINATION4),
	    GOOD(TCP6("\0\x2a") "\xff\0\3abc", "", SOURCE6, DESTINATION6),
	    /* a vector with others inside that would not fit: they are not ours to read */
	    GOOD(TCP4("\0\x17") "\x20\0\x08\1\0\0\0\0\3\xff\xff", "", SOURCE4, DESTINATION4),
	    /* one or two bytes are no vector */
	    JUNK(SIGNATURE "\x21\x11\0", "\x0d" ADDRESSES4 "\4"),
	    JUNK(SIGNATURE "\x21\x11\0", "\x0e" ADDRESSES4 "\4\0"),
	    JUNK(SIGNATURE "\x21\x21\0", "\x26" ADDRESSES6 "\4\0"),
	    JUNK(TCP4("\0\x11") "\4\0", "\0\4\0"),
	    /* past the end */
	    JUNK(TCP4("\0\x0f") "\4\0", "\1x"),
	    JUNK(TCP4("\0\x10") "\4\xff", "\xffx"),
	    JUNK(TCP4("\0\x13") "\4\0\1x\4\0", "\1"),

	    GOOD(TCP4("\0\x13") "\3\0\4\xc9\x1d\x66\x93", "GET", SOURCE4, DESTINATION4),
	    GOOD(TCP4("\0\x16") "\3\0\4\x0e\x44\x74\xb2\4\0\0", "", SOURCE4, DESTINATION4),
	    GOOD(TCP4("\0\x1c") "\2\0\1a\3\0\4\xff\xa3\x4c\xad\4\0\2bc", "", SOURCE4, DESTINATION4),
	    GOOD(TCP6("\0\x2f") "\xe0\0\1z\3\0\4\x9d\x1f\xda\xed", "", SOURCE6, DESTINATION6),
	    JUNK(TCP4("\0\x13") "\3\0\4\xc9\x1d\x66", "\x92"),
	    JUNK(TCP4("\0\x13") "\3\0\4\x93\x66\x1d", "\xc9"), /* as SCTP sends it */
	    JUNK(TCP4("\0\x13") "\3\0\4\0\0\0", "\0"),
	    JUNK(TCP4("\0\x16") "\3\0\4\x0e\x44\x74\xb2\4\0", "\1"),
	    JUNK(TCP4("\0\x1c") "\2\0\1A\3\0\4\xff\xa3\x4c\xad\4\0\2b", "c"),
	    /* not four bytes; two of them */
	    JUNK(TCP4("\0\x12") "\3\0", "\3abc"),
	    JUNK(TCP4("\0\x14") "\3\0", "\5abcde"),
	    JUNK(TCP4("\0\x1a") "\3\0\4\xc9\x1d\x66\x93\3\0", "\4\xc9\x1d\x66\x93"),
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

/* A bit turned where only the sum can tell: in the addresses, a value, the sum itself. */
static void test_checksum_covers_every_bit(void **state)
{
	static const char good[] = TCP4("\0\x1c") "\2\0\1a\3\0\4\xff\xa3\x4c\xad\4\0\2bc";
	static const struct {
		size_t from, to;
	} places[] = {{16, 28}, {31, 32}, {35, 39}, {42, 44}};

	assert_int_equal(sizeof(good) - 1, 44);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		for (size_t bit = places[i].from * 8; bit < places[i].to * 8; bit++) {
			char bytes[sizeof(good) - 1];
			struct proxy_header header;
			size_t used;

			memcpy(bytes, good, sizeof(bytes));
			bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
			if (parse_cut(bytes, sizeof(bytes), &header, &used) != PROXY_HEADER_BAD)
				fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		}
	}
}

static void test_longest_header(void **state)
{
	static const char start[] = TCP4("\x10\0") "\4\x0f\xf1";
	char bytes[PROXY_HEADER_MAX] = {0};
	struct proxy_header header;
	size_t used = 0;

	memcpy(bytes, start, sizeof(start) - 1);
	for (size_t n = 0; n < sizeof(bytes); n++)
		assert_int_equal(proxy_header_parse(bytes, n, &header, &used), PROXY_HEADER_MORE);
	assert_int_equal(proxy_header_parse(bytes, sizeof(bytes), &header, &used), PROXY_HEADER_OK);
	assert_int_equal(used, PROXY_HEADER_MAX);
	assert_address(&header.source, SOURCE4);
	assert_int_equal(proxy_header_parse(NULL, 0, &header, &used), PROXY_HEADER_MORE);
}

static void test_written(void **state)
{
	static const struct {
		const char *source, *destination, *v1, *v2;
		size_t v2_n;
	} rows[] = {
#define V2(bytes) bytes, sizeof(bytes) - 1
	    {NULL, NULL, "PROXY UNKNOWN\r\n", V2(SIGNATURE "\x20\0\0\0")},
	    {SOURCE4, DESTINATION4, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n",
	     V2(TCP4("\0\x0c"))},
	    {"[::ffff:192.0.2.1]:1234", DESTINATION4, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n",
	     V2(TCP4("\0\x0c"))},
	    {SOURCE6, DESTINATION6, "PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n",
	     V2(TCP6("\0\x24"))},
	    {SOURCE4, "[2001:db8::2]:0", "PROXY TCP6 ::ffff:c000:201 2001:db8::2 1234 0\r\n",
	     V2(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
			  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x04\xd2\0\0")},
	    {"[2001:db8::1]:65535", "[::ffff:0.0.0.0]:443",
	     "PROXY TCP6 2001:db8::1 ::ffff:0:0 65535 443\r\n",
	     V2(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
			  "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\xff\xff\x01\xbb")},
	    /* inet_ntop() would write ::192.0.2.1 */
	    {"[::c000:201]:1234", "[::1]:443", "PROXY TCP6 ::c000:201 ::1 1234 443\r\n",
	     V2(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\xc0\0\2\1"
			  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x04\xd2\x01\xbb")},
	    {"[" FFFF8 "]:65535", "[" FFFF8 "]:65535",
	     "PROXY TCP6 " FFFF8 " " FFFF8 " 65535 65535\r\n",
	     V2(SIGNATURE
		"\x21\x21\0\x24\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		"\xff\xff\xff\xff")},
#undef V2
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned version = 1; version <= 2; version++) {
			const char *expected = version == 1 ? rows[i].v1 : rows[i].v2;
			size_t n = version == 1 ? strlen(expected) : rows[i].v2_n, used;
			struct net_addr source, destination, *from = NULL;
			char out[PROXY_HEADER_WRITE_MAX];
			struct proxy_header header;

			if (rows[i].source != NULL) {
				from = &source;
				assert_true(net_addr_parse(rows[i].source, 0, &source));
				assert_true(net_addr_parse(rows[i].destination, 0, &destination));
			}
			memset(out, 'x', sizeof(out));
			assert_int_equal(
			    proxy_header_write(version, from, &destination, out, n - 1), 0);
			assert_int_equal(out[0], 'x');
			assert_int_equal(proxy_header_write(version, from, &destination, out, n),
					 n);
			assert_memory_equal(out, expected, n);
			assert_true(n == sizeof(out) || out[n] == 'x');

			assert_int_equal(parse_cut(out, n, &header, &used), PROXY_HEADER_OK);
			assert_int_equal(used, n);
			assert_int_equal(header.local, from == NULL);
			if (header.local)
				continue;
			assert_true(net_addr_equal(&header.source, &source));
			assert_true(net_addr_equal(&header.destination, &destination));
		}
	}
}

/* TLVs that are written: section 2.2 and, of PP2_TYPE_SSL, 2.2.6. */
static const struct {
	struct proxy_header_tls tls;
	const char *bytes;
	size_t n;
} tlv_rows[] = {
#define BYTES(bytes) bytes, sizeof(bytes) - 1
    {{"h2", "www.example.com", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "alice", true, true, true},
     BYTES("\1\0\2h2"
	   "\2\0\x0fwww.example.com"
	   "\x20\0\x30\7\0\0\0\0"
	   "\x21\0\7TLSv1.3"
	   "\x23\0\x16TLS_AES_128_GCM_SHA256"
	   "\x22\0\5alice")},
    /* resumed */
    {{"http/1.1", "", "TLSv1.2", NULL, "\xc3\xa9", true, false, true},
     BYTES("\1\0\x08http/1.1"
	   "\x20\0\x14\5\0\0\0\0"
	   "\x21\0\7TLSv1.2"
	   "\x22\0\2\xc3\xa9")},
    /* a certificate that is not valid */
    {{NULL, NULL, NULL, NULL, NULL, true, true, false}, BYTES("\x20\0\5\7\0\0\0\1")},
    /* none, which nobody can have verified */
    {{NULL, NULL, NULL, NULL, NULL, false, false, false}, BYTES("\x20\0\5\1\0\0\0\1")},
    {{NULL, NULL, NULL, NULL, NULL, false, false, true}, BYTES("\x20\0\5\1\0\0\0\1")},
#undef BYTES
};

static void test_written_tlvs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(tlv_rows); i++) {
		char tlvs[PROXY_HEADER_TLVS_MAX];
		size_t n = proxy_header_write_tlvs(&tlv_rows[i].tls, tlvs);

		assert_int_equal(n, tlv_rows[i].n);
		assert_memory_equal(tlvs, tlv_rows[i].bytes, n);
	}
}

static void test_appended_tlvs(void **state)
{
	static const char expected[] = SIGNATURE "\x21\x21\x01\x2c" ADDRESSES6;
	char tlvs[0x12c - 36] = "\xe0\1\5", out[PROXY_HEADER_LONGEST];
	struct net_addr source, destination;
	struct proxy_header header;
	size_t n, used;

	assert_true(net_addr_parse(SOURCE6, 0, &source));
	assert_true(net_addr_parse(DESTINATION6, 0, &destination));
	n = proxy_header_write(2, &source, &destination, out, sizeof(out));
	assert_int_equal(proxy_header_append(out, n, NULL, 0), n);
	n = proxy_header_append(out, n, tlvs, sizeof(tlvs));
	assert_int_equal(n, 16 + 0x12c);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
	assert_memory_equal(out + sizeof(expected) - 1, tlvs, sizeof(tlvs));
	assert_int_equal(parse_cut(out, n, &header, &used), PROXY_HEADER_OK);
	assert_int_equal(used, n);
	assert_true(net_addr_equal(&header.source, &source));
}

/* What is too long, or does not fit any more, is left out whole. */
static void test_too_much_for_tlvs(void **state)
{
	char longest[256], longer[257], tlvs[PROXY_HEADER_TLVS_MAX];
	struct proxy_header_tls tls = {
	    .alpn = longest, .authority = longest, .version = longest, .cipher = longest};

	memset(longest, 'x', sizeof(longest) - 1);
	longest[255] = '\0';
	memset(longer, 'x', sizeof(longer) - 1);
	longer[256] = '\0';
	/* The cipher suite does not fit, the name does. */
	tls.common_name = "alice";
	assert_int_equal(proxy_header_write_tlvs(&tls, tlvs), 3 * 258 + 8 + 8);
	assert_memory_equal(tlvs, "\1\0\xff", 3);
	assert_memory_equal(tlvs + 258, "\2\0\xff", 3);
	assert_memory_equal(tlvs + 2 * 258, "\x20\1\x0f\1", 4);
	assert_memory_equal(tlvs + 2 * 258 + 8, "\x21\0\xff", 3);
	assert_memory_equal(tlvs + 3 * 258 + 8, "\x22\0\5alice", 8);
	tls = (struct proxy_header_tls){longer, longer, longer, longer, longer, true, true, true};
	assert_int_equal(proxy_header_write_tlvs(&tls, tlvs), 8);
	assert_memory_equal(tlvs, "\x20\0\5\7\0\0\0\0", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_version_1),
	    cmocka_unit_test(test_junk_of_version_1),
	    cmocka_unit_test(test_version_2),
	    cmocka_unit_test(test_junk_of_version_2),
	    cmocka_unit_test(test_tlvs),
	    cmocka_unit_test(test_checksum_covers_every_bit),
	    cmocka_unit_test(test_longest_header),
	    cmocka_unit_test(test_written),
	    cmocka_unit_test(test_written_tlvs),
	    cmocka_unit_test(test_appended_tlvs),
	    cmocka_unit_test(test_too_much_for_tlvs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
