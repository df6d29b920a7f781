/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Messages as bytes: what is malformed gets FORMERR or silence, and never more than that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/packet/pkt.h>

#include "core/base/check.h"
#include "tests/unit/dns/fixture.h"

static const char zone[] = "$TTL 300\n"
			   "@ SOA ns1 hostmaster 7 7200 900 1209600 60\n"
			   "@ NS ns1\n"
			   "ns1 A 192.0.2.53\n";

#define HEADER(qd, an, ns, ar) "1234 0100 000" #qd " 000" #an " 000" #ns " 000" #ar " "
#define NS1 "03 6e7331 07 6578616d706c65 03 636f6d 00 "
#define QUESTION NS1 "0001 0001 "
#define OPT(rdlen) "00 0029 1000 00000000 " rdlen " "
#define SILENCE (-1)

struct message_case {
	const char *what, *hex;
	int rcode; /* or SILENCE */
	bool question_echoed;
};

static const struct message_case cases[] = {
    {"plain", HEADER(1, 0, 0, 0) QUESTION, 0, true},
    {"nothing", "", SILENCE, false},
    {"short header", "1234 0100 0001 0000 0000 00", SILENCE, false},
    {"response", "1234 8100 0001 0000 0000 0000 " QUESTION, SILENCE, false},
    {"header only", HEADER(1, 0, 0, 0), 1, false},
    {"no question", HEADER(0, 0, 0, 0), 1, false},
    {"two questions", HEADER(2, 0, 0, 0) QUESTION QUESTION, 1, false},
    {"question cut in the name", HEADER(1, 0, 0, 0) "03 6e73", 1, false},
    {"question cut in the class", HEADER(1, 0, 0, 0) NS1 "0001 00", 1, false},
    {"label of 64", HEADER(1, 0, 0, 0) "40 00 0001 0001", 1, false},
    {"name is a pointer into the header", HEADER(1, 0, 0, 0) "c004 0001 0001", 1, false},
    {"name is a pointer to itself", HEADER(1, 0, 0, 0) "c00c 0001 0001", 1, false},
    {"trailing octets", HEADER(1, 0, 0, 0) QUESTION "00", 1, true},
    {"record promised, none there", HEADER(1, 0, 0, 1) QUESTION, 1, true},
    {"additional record cut", HEADER(1, 0, 0, 1) QUESTION "00 0029 1000", 1, true},
    {"record's name loops", HEADER(1, 1, 0, 0) QUESTION "c021 0001 0001 00000000 0000", 1, true},
    {"OPT", HEADER(1, 0, 0, 1) QUESTION OPT("0000"), 0, true},
    {"two OPTs", HEADER(1, 0, 0, 2) QUESTION OPT("0000") OPT("0000"), 1, true},
    {"OPT in the answer section", HEADER(1, 1, 0, 0) QUESTION OPT("0000"), 1, true},
    {"OPT not at the root", HEADER(1, 0, 0, 1) QUESTION "c00c 0029 1000 00000000 0000", 1, true},
    {"option longer than OPT", HEADER(1, 0, 0, 1) QUESTION OPT("0004") "0008 0009", 1, true},
    {"unknown option", HEADER(1, 0, 0, 1) QUESTION OPT("0006") "fde9 0002 abcd", 0, true},
    {"ECS", HEADER(1, 0, 0, 1) QUESTION OPT("000b") "0008 0007 0001 18 00 c00002", 0, true},
    {"ECS too short", HEADER(1, 0, 0, 1) QUESTION OPT("0007") "0008 0003 0001 18", 1, true},
    {"ECS unknown family", HEADER(1, 0, 0, 1) QUESTION OPT("000b") "0008 0007 0003 18 00 c00002", 1,
     true},
    {"ECS IPv4 /33", HEADER(1, 0, 0, 1) QUESTION OPT("000d") "0008 0009 0001 21 00 c000020080", 1,
     true},
    {"ECS bits past the prefix",
     HEADER(1, 0, 0, 1) QUESTION OPT("000b") "0008 0007 0001 17 00 c00003", 1, true},
    {"ECS octets past the prefix",
     HEADER(1, 0, 0, 1) QUESTION OPT("000c") "0008 0008 0001 18 00 c0000200", 1, true},
    {"ECS octets missing", HEADER(1, 0, 0, 1) QUESTION OPT("000a") "0008 0006 0001 18 00 c000", 1,
     true},
    {"ECS with a scope", HEADER(1, 0, 0, 1) QUESTION OPT("000b") "0008 0007 0001 18 18 c00002", 1,
     true},
    {"ECS family 0", HEADER(1, 0, 0, 1) QUESTION OPT("0008") "0008 0004 0000 00 00", 0, true},
    {"ECS family 0 with a length",
     HEADER(1, 0, 0, 1) QUESTION OPT("0009") "0008 0005 0000 08 00 0a", 1, true},
    {"ECS IPv6 /129",
     HEADER(1, 0, 0, 1) QUESTION OPT("0019") "0008 0015 0002 81 00 "
					     "20010db8000000000000000000000000 00",
     1, true},
    {"an answer in the query", HEADER(1, 1, 0, 0) QUESTION "c00c 0001 0001 00000000 0004 c0000201",
     0, true},
    {"TSIG without a key of ours",
     HEADER(1, 0, 0, 1) QUESTION "016b00 00fa 00ff 00000000 003a "
				 "08686d61632d6d6435077369672d616c670372656703696e7400 "
				 "000000000000 012c 0010 00000000000000000000000000000000 "
				 "1234 0000 0000",
     9, true},
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t digits = 0;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		unsigned d = *hex <= '9' ? *hex - '0' : *hex - 'a' + 10;

		assert_in_range(d, 0, 15);
		out[digits / 2] = out[digits / 2] << 4 | d;
		digits++;
	}
	assert_int_equal(digits % 2, 0);
	return digits / 2;
}

static void check_case(struct fixture *f, const struct message_case *c)
{
	struct dns_request request;
	uint8_t buf[512], out[DNS_UDP_PAYLOAD];
	size_t len = from_hex(c->hex, buf);
	/* Its own allocation, so that a sanitizer sees what is read past the end. */
	uint8_t *query = xmalloc(len > 0 ? len : 1);

	memcpy(query, buf, len);
	print_message("%s\n", c->what);
	request = fixture_request("198.51.100.7", DNS_UDP, query, len);
	size_t n = fixture_handle(f, &request, out);

	if (c->rcode == SILENCE) {
		assert_int_equal(n, 0);
	} else {
		assert_in_range(n, 12, sizeof(out));
		assert_memory_equal(out, query, 2);
		assert_true(knot_wire_get_qr(out));
		assert_true(knot_wire_get_rd(out));
		assert_int_equal(knot_wire_get_rcode(out), c->rcode);
		assert_int_equal(dns_answerer_facts(f->answerer)->rcode, c->rcode);
		assert_int_equal(knot_wire_get_qdcount(out), c->question_echoed);
		free(fixture_response_text(out, n));
	}
	free(query);
}

static void test_messages(void **state)
{
	struct fixture f = {0};

	fixture_init(&f, zone, "{}", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_case(&f, &cases[i]);
	fixture_fini(&f);
}

/* Returns the length of the answer to a query in hex. */
static size_t ask_hex(struct fixture *f, const char *hex, uint8_t out[DNS_UDP_PAYLOAD])
{
	uint8_t query[1024];
	struct dns_request request =
	    fixture_request("198.51.100.7", DNS_UDP, query, from_hex(hex, query));

	return fixture_handle(f, &request, out);
}

/* The answer to a query with an OPT had none where the query was refused for its form or opcode
 * (RFC 6891 section 6.1.1). */
static void test_refusal_of_query_with_opt(void **state)
{
	static const struct {
		const char *what, *hex;
		int rcode;
		bool has_opt;
	} rows[] = {
	    {"STATUS", "1234 1000 0001 0000 0000 0001 " QUESTION OPT("0000"), 4, true},
	    {"STATUS without OPT", "1234 1000 0001 0000 0000 0000 " QUESTION, 4, false},
	    {"NOTIFY", "1234 2000 0001 0000 0000 0001 " QUESTION OPT("0000"), 4, true},
	    {"UPDATE", "1234 2800 0001 0000 0000 0001 " QUESTION OPT("0000"), 4, true},
	    {"unknown opcode without a question", "1234 3000 0000 0000 0000 0001 " OPT("0000"), 4,
	     true},
	    {"octet after OPT", HEADER(1, 0, 0, 1) QUESTION OPT("0000") "00", 1, true},
	    {"octet after the question", HEADER(1, 0, 0, 0) QUESTION "00", 1, false},
	    {"no question", HEADER(0, 0, 0, 1) OPT("0000"), 1, true},
	    {"two questions", HEADER(2, 0, 0, 1) QUESTION QUESTION OPT("0000"), 1, true},
	    {"compressed question", HEADER(1, 0, 0, 1) "c004 0001 0001" OPT("0000"), 1, true},
	    {"two OPTs", HEADER(1, 0, 0, 2) QUESTION OPT("0000") OPT("0000"), 1, true},
	    {"OPT in the answer section", HEADER(1, 1, 0, 0) QUESTION OPT("0000"), 1, true},
	    {"option longer than OPT", HEADER(1, 0, 0, 1) QUESTION OPT("0004") "0008 0009", 1,
	     true},
	    {"half an option", HEADER(1, 0, 0, 1) QUESTION OPT("0002") "0008", 1, true},
	    {"OPT before a broken record",
	     HEADER(1, 0, 0, 2) QUESTION OPT("0000") "00 0001 0001 00000000 0009", 1, true},
	    {"AXFR", HEADER(1, 0, 0, 1) NS1 "00fc 0001 " OPT("0000"), 5, true},
	    {"CHAOS", HEADER(1, 0, 0, 1) NS1 "0010 0003 " OPT("0000"), 5, true},
	};
	struct fixture f = {0};
	uint8_t out[DNS_UDP_PAYLOAD];

	fixture_init(&f, zone, "{}", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = ask_hex(&f, rows[i].hex, out);

		print_message("%s\n", rows[i].what);
		assert_true(len >= 12);
		assert_int_equal(knot_wire_get_rcode(out), rows[i].rcode);
		assert_int_equal(knot_wire_get_arcount(out), rows[i].has_opt);
		free(fixture_response_text(out, len));
		if (rows[i].has_opt) /* the last 11 octets */
			assert_memory_equal(out + len - 11, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
	}
	fixture_fini(&f);
}

#define ALGORITHM "08686d61632d6d6435077369672d616c670372656703696e7400 "
#define TSIG_FIXED "016b00 00fa 00ff 00000000 "
#define TSIG                                                                                       \
	TSIG_FIXED "003a " ALGORITHM                                                               \
		   "000000000001 0123 0010 00000000000000000000000000000000 4321 0000 0000 "

/* A signed query was refused without a TSIG, so that its client could not tell why (RFC 8945
 * section 5.2.1). */
static void test_unknown_key_is_told_badkey(void **state)
{
	/* Of 2023-11-14, unsigned, with the fudge, the algorithm and the ID of the query's. */
	static const char expected[] =
	    TSIG_FIXED "002a " ALGORITHM "00006553f100 0123 0000 4321 0011 0000";
	uint8_t out[DNS_UDP_PAYLOAD], tsig[128];
	size_t size = from_hex(expected, tsig), len;
	struct fixture f = {0};

	fixture_init(&f, zone, "{}", NULL);
	len = ask_hex(&f, HEADER(1, 0, 0, 1) QUESTION TSIG, out);
	assert_int_equal(len, 12 + 21 + size);
	assert_int_equal(knot_wire_get_rcode(out), 9);
	assert_int_equal(knot_wire_get_arcount(out), 1);
	assert_memory_equal(out + len - size, tsig, size);
	/* The OPT comes first: a TSIG is the last record. */
	len = ask_hex(
	    &f, HEADER(1, 0, 0, 2) QUESTION OPT("000b") "0008 0007 0001 18 00 c00002" TSIG, out);
	assert_int_equal(len, 12 + 21 + 11 + 11 + size);
	assert_int_equal(knot_wire_get_rcode(out), 9);
	assert_int_equal(knot_wire_get_arcount(out), 2);
	assert_memory_equal(out + len - size, tsig, size);
	/* An update as well. */
	len = ask_hex(&f, "1234 2800 0001 0000 0000 0001 " QUESTION TSIG, out);
	assert_int_equal(knot_wire_get_rcode(out), 9);
	assert_memory_equal(out + len - size, tsig, size);
	fixture_fini(&f);
}

/* Section 5.2: what cannot be understood, or stands elsewhere, is a fault of form. */
static void test_broken_tsig(void **state)
{
	static const struct {
		const char *what, *hex;
	} rows[] = {
	    {"not last", HEADER(1, 0, 0, 2) QUESTION TSIG OPT("0000")},
	    {"two", HEADER(1, 0, 0, 2) QUESTION TSIG TSIG},
	    {"in the answer section", HEADER(1, 1, 0, 0) QUESTION TSIG},
	    {"no data", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED "0000"},
	    {"algorithm cut", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED "0004 08686d61"},
	    {"algorithm alone", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED "001a " ALGORITHM},
	    {"algorithm compressed", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED
	     "0012 c00c 000000000001 0123 0000 4321 0000 0000"},
	    {"MAC longer than the data", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED
	     "002a " ALGORITHM "000000000001 0123 0001 4321 0000 0000"},
	    {"other data missing", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED
	     "002a " ALGORITHM "000000000001 0123 0000 4321 0000 0006"},
	    {"octets left over", HEADER(1, 0, 0, 1) QUESTION TSIG_FIXED
	     "002b " ALGORITHM "000000000001 0123 0000 4321 0000 0000 00"},
	    {"class IN", HEADER(1, 0, 0, 1) QUESTION "016b00 00fa 0001 00000000 002a " ALGORITHM
						     "000000000001 0123 0000 4321 0000 0000"},
	};
	struct fixture f = {0};
	uint8_t out[DNS_UDP_PAYLOAD];

	fixture_init(&f, zone, "{}", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_true(ask_hex(&f, rows[i].hex, out) >= 12);
		assert_int_equal(knot_wire_get_rcode(out), 1);
	}
	fixture_fini(&f);
}

static size_t put_long_name(uint8_t *at, uint8_t letter)
{
	for (unsigned i = 0; i < 250; i += 50) {
		at[i] = 49;
		memset(at + i + 1, letter, 49);
	}
	at[250] = 0;
	return 251;
}

/* Names may be so long that question and TSIG do not fit together: then TC says so. */
static void test_tsig_that_does_not_fit(void **state)
{
	struct dns_request request;
	struct fixture f = {0};
	uint8_t query[2048], out[DNS_TCP_PAYLOAD];
	size_t len = from_hex(HEADER(1, 0, 0, 1), query);

	len += put_long_name(query + len, 'q');
	len += from_hex("0001 0001", query + len);
	len += put_long_name(query + len, 'k');
	len += from_hex("00fa 00ff 00000000 010b", query + len);
	len += put_long_name(query + len, 'a');
	len += from_hex("000000000001 0123 0000 4321 0000 0000", query + len);
	fixture_init(&f, zone, "{}", NULL);
	request = fixture_request("198.51.100.7", DNS_UDP, query, len);
	assert_int_equal(fixture_handle(&f, &request, out), 12 + 255);
	assert_int_equal(knot_wire_get_rcode(out), 9);
	assert_true(knot_wire_get_tc(out));
	assert_int_equal(knot_wire_get_arcount(out), 0);
	request.transport = DNS_TCP;
	assert_int_equal(fixture_handle(&f, &request, out), 12 + 255 + 251 + 10 + 251 + 16);
	assert_false(knot_wire_get_tc(out));
	assert_int_equal(knot_wire_get_arcount(out), 1);
	fixture_fini(&f);
}

/* Thousands of records in one query would cost memory: it is refused, and the next is served. */
static void test_query_with_too_many_records(void **state)
{
	struct dns_request request;
	struct fixture f = {0};
	uint8_t *query = xcalloc(1, DNS_TCP_PAYLOAD), *out = xmalloc(DNS_TCP_PAYLOAD);
	size_t len = from_hex(HEADER(1, 0, 0, 0) QUESTION, query), records = 0;

	while (len + 11 <= DNS_TCP_PAYLOAD) {
		len += from_hex("00 0001 0001 00000000 0000", query + len);
		records++;
	}
	knot_wire_set_ancount(query, records);
	fixture_init(&f, zone, "{}", NULL);
	request = fixture_request("198.51.100.7", DNS_TCP, query, len);
	assert_int_equal(fixture_handle(&f, &request, out), 12 + 21);
	assert_int_equal(knot_wire_get_rcode(out), 1);
	fixture_expect(&f, "ns1.example.com A",
		       "NOERROR aa\nanswer: ns1.example.com. 300 A 192.0.2.53\n");
	fixture_fini(&f);
	free(query);
	free(out);
}

/* A query that left no memory for the OPT of its response, or for its growth, ended the server. */
static void test_query_that_leaves_little_memory(void **state)
{
	struct dns_request request;
	struct fixture f = {0};
	uint8_t *query = xcalloc(1, DNS_TCP_PAYLOAD), *out = xmalloc(DNS_TCP_PAYLOAD);

	fixture_init(&f, zone, "{}", NULL);
	for (unsigned records = 0; records < 256; records += records < 16 ? 1 : 16) {
		/* Each allocation is a multiple of 16. */
		for (unsigned size = 1; size < 60000; size += records < 15 ? 2048 : 16) {
			size_t len = from_hex(HEADER(1, 0, 0, 0) QUESTION, query);

			for (unsigned i = 0; i < records; i++)
				len += from_hex("00 0010 0001 00000000 0001 00", query + len);
			len += from_hex("00 0010 0001 00000000", query + len);
			knot_wire_write_u16(query + len, size);
			len += 2 + size;
			len += from_hex(OPT("000b") "0008 0007 0001 18 00 c00002", query + len);
			knot_wire_set_ancount(query, records + 1);
			knot_wire_set_arcount(query, 1);
			request = fixture_request("198.51.100.7", DNS_TCP, query, len);
			assert_in_range(fixture_handle(&f, &request, out), 12, DNS_TCP_PAYLOAD);
		}
	}
	fixture_fini(&f);
	free(query);
	free(out);
}

/* An RRset whose additional addresses outgrew the memory of an answer ended the server. */
static void test_answer_with_too_many_records(void **state)
{
	struct fixture f = {0};
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	fputs(zone, file);
	for (unsigned i = 0; i < 1000; i++)
		fprintf(file, "many SRV 0 0 1 t%u\nt%u A 192.0.2.1\nt%u AAAA 2001:db8::1\n", i, i,
			i);
	fclose(file);
	fixture_init(&f, text, "{}", NULL);
	free(text);

	struct dns_request request;
	uint8_t query[512], *out = xmalloc(DNS_TCP_PAYLOAD);

	fixture_query("many.example.com SRV tcp edns", query, sizeof(query), &request);
	fixture_handle(&f, &request, out);
	assert_int_equal(knot_wire_get_rcode(out), 0);
	assert_false(knot_wire_get_tc(out));
	assert_int_equal(knot_wire_get_ancount(out), 1000);
	assert_true(knot_wire_get_arcount(out) > 100);
	fixture_fini(&f);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_refusal_of_query_with_opt),
	    cmocka_unit_test(test_unknown_key_is_told_badkey),
	    cmocka_unit_test(test_broken_tsig),
	    cmocka_unit_test(test_tsig_that_does_not_fit),
	    cmocka_unit_test(test_query_with_too_many_records),
	    cmocka_unit_test(test_query_that_leaves_little_memory),
	    cmocka_unit_test(test_answer_with_too_many_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
