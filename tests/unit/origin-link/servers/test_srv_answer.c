/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SRV records of answers: by table, in whatever order, too many of them, and answers that are cut
 * or lie about themselves.
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
#include "origin-link/servers/srv_answer.h"

#define PACKET_MAX 65536

struct packet {
	unsigned char *v;
	size_t n;
	unsigned answers;
};

static void put(struct packet *p, const void *bytes, size_t n)
{
	assert_true(p->n + n <= PACKET_MAX);
	memcpy(p->v + p->n, bytes, n);
	p->n += n;
}

static void put16(struct packet *p, unsigned v)
{
	put(p, (unsigned char[]){(unsigned char)(v >> 8), (unsigned char)v}, 2);
}

static void put_name(struct packet *p, const char *name)
{
	while (*name) {
		unsigned char len = (unsigned char)strcspn(name, ".");

		put(p, &len, 1);
		put(p, name, len);
		name += len + (name[len] == '.');
	}
	put(p, "", 1);
}

/* With a question for s.test, SRV. */
static void packet_init(struct packet *p)
{
	static const unsigned char header[12] = {0, 1, 0x81, 0x80, 0, 1};

	*p = (struct packet){.v = xcalloc(1, PACKET_MAX)};
	put(p, header, sizeof(header));
	put_name(p, "s.test");
	put16(p, SRV_TYPE);
	put16(p, SRV_CLASS);
}

static void count_answer(struct packet *p)
{
	p->answers++;
	p->v[6] = (unsigned char)(p->answers >> 8);
	p->v[7] = (unsigned char)p->answers;
}

/* The owner is what was asked for; returns where the record's length stands. */
static size_t put_fixed(struct packet *p, unsigned type, unsigned ttl)
{
	put(p, "\xc0\x0c", 2);
	put16(p, type);
	put16(p, SRV_CLASS);
	put16(p, ttl >> 16);
	put16(p, ttl & 0xffff);
	put16(p, 0);
	return p->n - 2;
}

static void end_record(struct packet *p, size_t at)
{
	unsigned len = (unsigned)(p->n - at - 2);

	p->v[at] = (unsigned char)(len >> 8);
	p->v[at + 1] = (unsigned char)len;
	count_answer(p);
}

/* "priority weight port target", with that time to live. */
static void put_srv(struct packet *p, const char *text, unsigned ttl)
{
	unsigned priority, weight, port;
	char target[256];
	size_t at = put_fixed(p, SRV_TYPE, ttl);

	assert_int_equal(sscanf(text, "%u %u %u %255s", &priority, &weight, &port, target), 4);
	put16(p, priority);
	put16(p, weight);
	put16(p, port);
	put_name(p, strcmp(target, ".") == 0 ? "" : target);
	end_record(p, at);
}

static const struct row {
	const char *in[4], *out[4];
	bool no_service;
} rows[] = {
    {{"10 5 80 b.test", "10 6 80 a.test"}, {"10 6 80 a.test", "10 5 80 b.test"}, false},
    {{"20 0 80 a.test", "10 0 80 b.test"}, {"10 0 80 b.test", "20 0 80 a.test"}, false},
    /* One target at several ports are several servers. */
    {{"1 1 81 a.test", "1 1 80 a.test"}, {"1 1 80 a.test", "1 1 81 a.test"}, false},
    /* Twice the same, in another spelling. */
    {{"2 1 80 a.test", "1 1 80 A.test", "1 9 80 a.test"}, {"1 1 80 A.test"}, false},
    {{"0 0 0 ."}, {NULL}, true},
    {{"0 0 80 ."}, {NULL}, true},
    /* Which it must not do. */
    {{"0 0 80 .", "1 1 80 a.test"}, {"1 1 80 a.test"}, false},
    /* Nobody listens there. */
    {{"1 1 0 a.test", "1 1 80 b.test"}, {"1 1 80 b.test"}, false},
    /* Neither a socket nor an address, whatever a name server may write as a name. */
    {{"1 1 80 unix:/run/a.sock", "1 1 80 b.test"}, {"1 1 80 b.test"}, false},
    {{"1 1 80 0.0.0.0", "1 1 80 192.0.2.1", "1 1 80 *", "1 1 80 [::1]"}, {NULL}, false},
    {{"65535 65535 65535 a.test"}, {"65535 65535 65535 a.test"}, false},
    {{NULL}, {NULL}, false},
};

static void test_records(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct srv_answer got;
		struct packet p;
		unsigned n = 0;

		packet_init(&p);
		for (unsigned k = 0; k < 4 && row->in[k]; k++)
			put_srv(&p, row->in[k], 60 + k);
		assert_true(srv_answer_parse(p.v, p.n, &got));
		for (; n < 4 && row->out[n]; n++) {
			char text[300];

			assert_true(n < got.n);
			snprintf(text, sizeof(text), "%u %u %u %s", got.v[n].priority,
				 got.v[n].weight, got.v[n].port, got.v[n].target);
			/* Of doubles it is not said which spelling counts. */
			if (strcasecmp(text, row->out[n]) != 0 && i != 3)
				fail_msg("row %u: %s", i, text);
		}
		assert_int_equal(got.n, n);
		assert_int_equal(got.no_service, row->no_service);
		assert_int_equal(got.ttl, row->in[0] ? 60 : -1);
		free(p.v);
	}
}

/* What is left out is the same, however they are turned around. */
static void test_a_thousand_records_in_any_order(void **state)
{
	for (unsigned turn = 0; turn < 1000; turn += 300) {
		struct srv_answer got;
		struct packet p;

		packet_init(&p);
		for (unsigned i = 0; i < 1000; i++) {
			char text[64];

			snprintf(text, sizeof(text), "1 1 80 t%03u.test", (i + turn) % 1000);
			put_srv(&p, text, 60);
		}
		assert_true(srv_answer_parse(p.v, p.n, &got));
		assert_int_equal(got.n, SRV_RECORDS_MAX);
		for (unsigned i = 0; i < got.n; i++) {
			char target[32];

			snprintf(target, sizeof(target), "t%03u.test", i);
			assert_string_equal(got.v[i].target, target);
		}
		free(p.v);
	}
}

/* An alias on the way has a time to live too; other records do not matter. */
static void test_behind_an_alias(void **state)
{
	struct srv_answer got;
	struct packet p;
	size_t at;

	packet_init(&p);
	at = put_fixed(&p, 5, 30);
	put_name(&p, "alias.test");
	end_record(&p, at);
	put_srv(&p, "1 2 3 a.test", 60);
	assert_true(srv_answer_parse(p.v, p.n, &got));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.ttl, 30);
	free(p.v);
}

/* Wherever it is cut, and whatever byte is wrong: it is refused, or read, and nothing else. */
static void test_cut_and_changed(void **state)
{
	struct srv_answer got;
	struct packet p;

	packet_init(&p);
	put_srv(&p, "1 2 80 a.test", 60);
	put_srv(&p, "1 2 80 b.test", 60);
	for (size_t n = 0; n < p.n; n++) {
		unsigned char *exact = xmalloc(n + 1);

		memcpy(exact, p.v, n);
		assert_false(srv_answer_parse(exact, n, &got));
		free(exact);
	}
	for (size_t i = 0; i < p.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			unsigned char *exact = xmalloc(p.n);

			memcpy(exact, p.v, p.n);
			exact[i] ^= 1 << bit;
			srv_answer_parse(exact, p.n, &got);
			assert_true(got.n <= 2);
			free(exact);
		}
	}
	free(p.v);
}

static void test_name_without_end(void **state)
{
	struct srv_answer got;
	struct packet p;
	size_t at;

	packet_init(&p);
	at = put_fixed(&p, SRV_TYPE, 60);
	put16(&p, 1);
	put16(&p, 1);
	put16(&p, 80);
	put16(&p, 0xc000 | (unsigned)p.n); /* a pointer to itself */
	end_record(&p, at);
	assert_false(srv_answer_parse(p.v, p.n, &got));
	free(p.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_a_thousand_records_in_any_order),
	    cmocka_unit_test(test_behind_an_alias),
	    cmocka_unit_test(test_cut_and_changed),
	    cmocka_unit_test(test_name_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
