/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Ranges against a brute force that knows nothing of how they are packed: the value of each address
 * is that of the longest network around it, and the scope is the largest prefix in which all pieces
 * have that value.
 */
#include <stdlib.h>
#include <string.h>

#include "geo/ranges.h"
#include "tests/unit/geo/geo_test.h"

struct network {
	int family;
	geo_bits first, last;
	unsigned len;
	uint32_t value;
};

static unsigned width_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

static geo_bits last_of(int family, geo_bits first, unsigned len)
{
	unsigned width = width_of(family);

	return len == width ? first : first | (~(geo_bits)0 >> (128 - width + len));
}

static geo_bits random_bits(void)
{
	geo_bits v = 0;

	for (unsigned i = 0; i < 6; i++)
		v = v << 24 ^ (geo_bits)(rand() & 0xffffff);
	return v;
}

static struct net_prefix prefix_of(int family, geo_bits v, unsigned len)
{
	struct net_prefix p = {.family = (uint8_t)family, .len = (uint8_t)len};

	for (int i = width_of(family) / 8 - 1; i >= 0; i--, v >>= 8)
		p.bytes[i] = (uint8_t)v;
	return p;
}

/* A cut of a family: from `start` on to the next one, the value. */
struct piece {
	geo_bits start;
	uint32_t value;
};

struct pieces {
	struct piece *v;
	size_t n;
};

static int compare_networks(const void *va, const void *vb)
{
	const struct network *a = va, *b = vb;

	return a->len != b->len ? (a->len < b->len ? -1 : 1) : 0;
}

static int compare_pieces(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;

	return a->start != b->start ? (a->start < b->start ? -1 : 1) : 0;
}

/* The last piece that begins at `at` or before. */
static size_t piece_of(const struct pieces *p, geo_bits at)
{
	size_t from = 0, to = p->n;

	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (p->v[middle].start <= at)
			from = middle;
		else
			to = middle;
	}
	return from;
}

/* Paints the networks over each other, the widest first. Pieces are not merged. */
static struct pieces paint(int family, struct network *networks, size_t n)
{
	struct pieces p = {xcalloc(2 * n + 1, sizeof(struct piece)), 1};
	size_t distinct = 1;

	for (size_t i = 0; i < n; i++) {
		p.v[p.n++].start = networks[i].first;
		if (networks[i].last != last_of(family, 0, 0))
			p.v[p.n++].start = networks[i].last + 1;
	}
	qsort(p.v, p.n, sizeof(*p.v), compare_pieces);
	for (size_t i = 1; i < p.n; i++) {
		if (p.v[i].start != p.v[distinct - 1].start)
			p.v[distinct++] = p.v[i];
	}
	p.n = distinct;
	qsort(networks, n, sizeof(*networks), compare_networks);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = piece_of(&p, networks[i].first);
		     k < p.n && p.v[k].start <= networks[i].last; k++)
			p.v[k].value = networks[i].value;
	}
	return p;
}

static uint32_t value_of(const struct pieces *p, geo_bits at)
{
	return p->v[piece_of(p, at)].value;
}

static bool is_uniform(const struct pieces *p, geo_bits first, geo_bits last)
{
	size_t i = piece_of(p, first);
	uint32_t value = p->v[i].value;

	for (; i < p->n && p->v[i].start <= last; i++) {
		if (p->v[i].value != value)
			return false;
	}
	return true;
}

/* The scope is the shortest prefix that is uniform. */
static void expect_at(const struct geo_ranges *r, int family, const struct pieces *p, geo_bits at)
{
	unsigned width = width_of(family), scope = 0;
	struct net_prefix prefix = prefix_of(family, at, width);
	struct geo_found found = geo_ranges_find(r, &prefix);
	geo_bits first = 0, last;
	char text[NET_ADDR_TEXT];

	for (; scope <= width; scope++) {
		first = scope == 0 ? 0 : at >> (width - scope) << (width - scope);
		last = last_of(family, first, scope);
		if (is_uniform(p, first, last))
			break;
	}
	if (found.value != value_of(p, at) || found.scope != scope)
		fail_msg("%s: %u/%u, expected %u/%u", net_prefix_format(&prefix, text), found.value,
			 found.scope, value_of(p, at), scope);
}

/* Networks as addresses are given out: close to each other, of all sizes, in each other. */
static struct network random_network(int family, const struct network *others, size_t n,
				     unsigned shortest, unsigned values)
{
	unsigned width = width_of(family);
	geo_bits at = random_bits() & last_of(family, 0, 0);
	struct network net = {.family = family,
			      .len = shortest + (unsigned)rand() % (width - shortest + 1)};

	if (n > 0 && rand() % 2 > 0) {
		const struct network *other = &others[(size_t)rand() % n];
		unsigned keep = (unsigned)rand() % (width + 1);

		at = other->first ^ (keep == width ? 0 : at >> keep);
	}
	net.first = net.len == 0 ? 0 : at >> (width - net.len) << (width - net.len);
	net.last = last_of(family, net.first, net.len);
	net.value = (uint32_t)rand() % values;
	return net;
}

/* Prefixes of IPv6 in which addresses carry IPv4 addresses. */
static const struct net_prefix carriers[] = {
    {AF_INET6, 96, {0}},
    {AF_INET6, 96, {[10] = 0xff, [11] = 0xff}},
    {AF_INET6, 96, {0, 0x64, 0xff, 0x9b}},
    {AF_INET6, 32, {0x20, 0x01}},
    {AF_INET6, 16, {0x20, 0x02}},
};

/* The values of their pieces: nothing is merged over them. */
#define CARRIER ((uint32_t)1 << 30)

/* Ranges, and what is true of them. */
struct sample {
	struct network *networks4, *networks6;
	size_t n4, n6;
	struct pieces v4, v6; /* v6 with the carriers */
	struct geo_ranges *ranges;
};

static void add_pieces(struct geo_builder *b, int family, const struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		geo_builder_add(b, family, p->v[i].start, p->v[i].value);
}

static bool is_one(const struct pieces *p)
{
	return is_uniform(p, 0, UINT32_MAX);
}

/* Lays the carriers over the networks of IPv6. */
static struct pieces with_carriers(const struct sample *s)
{
	size_t n = s->n6 + ARRAY_SIZE(carriers);
	struct network *all = xcalloc(n, sizeof(*all));
	struct pieces p;

	memcpy(all, s->networks6, s->n6 * sizeof(*all));
	for (unsigned i = 0; i < ARRAY_SIZE(carriers); i++) {
		geo_bits first = geo_bits_of(&carriers[i]);

		all[s->n6 + i] = (struct network){
		    AF_INET6, first, last_of(AF_INET6, first, carriers[i].len),
		    129 /* painted last */, is_one(&s->v4) ? s->v4.v[0].value : CARRIER + i};
	}
	p = paint(AF_INET6, all, n);
	free(all);
	return p;
}

static struct sample sample_create(size_t n4, size_t n6, unsigned shortest, unsigned values)
{
	struct sample s = {xcalloc(n4 + 1, sizeof(struct network)),
			   xcalloc(n6 + 1, sizeof(struct network)),
			   n4,
			   n6,
			   {0},
			   {0},
			   NULL};
	struct geo_builder *b = geo_builder_create();
	struct pieces v6;

	for (size_t i = 0; i < n4; i++)
		s.networks4[i] = random_network(AF_INET, s.networks4, i, shortest, values);
	for (size_t i = 0; i < n6; i++)
		s.networks6[i] = random_network(AF_INET6, s.networks6, i, shortest, values);
	s.v4 = paint(AF_INET, s.networks4, n4);
	v6 = paint(AF_INET6, s.networks6, n6);
	s.v6 = with_carriers(&s);
	add_pieces(b, AF_INET, &s.v4);
	add_pieces(b, AF_INET6, &v6);
	free(v6.v);
	s.ranges = geo_builder_finish(&b);
	return s;
}

static void sample_free(struct sample *s)
{
	free(s->networks4);
	free(s->networks6);
	free(s->v4.v);
	free(s->v6.v);
	geo_ranges_free(&s->ranges);
}

static void expect_at6(const struct geo_ranges *r, const struct pieces *p, geo_bits at)
{
	if (value_of(p, at) < CARRIER)
		expect_at(r, AF_INET6, p, at);
}

/* At the ends of all pieces, and anywhere. */
static void expect_right(const struct geo_ranges *r, const struct pieces *p4,
			 const struct pieces *p6)
{
	for (size_t i = 0; i < p4->n; i++) {
		expect_at(r, AF_INET, p4, p4->v[i].start);
		expect_at(r, AF_INET, p4, (uint32_t)(p4->v[i].start - 1));
	}
	for (size_t i = 0; i < p6->n; i++) {
		expect_at6(r, p6, p6->v[i].start);
		expect_at6(r, p6, p6->v[i].start - 1);
	}
	for (unsigned i = 0; i < 2000; i++) {
		geo_bits at = random_bits();

		expect_at(r, AF_INET, p4, (uint32_t)at);
		expect_at6(r, p6, at);
	}
}

static void ranges_equal_a_brute_force(void **state)
{
	static const struct {
		size_t n4, n6;
		unsigned shortest, values;
	} cases[] = {
	    {0, 0, 0, 1},           {1, 0, 0, 2},        {0, 1, 0, 2},     {3, 3, 0, 2},
	    {20, 20, 0, 2},         {20, 20, 20, 2},     {300, 300, 0, 3}, {300, 300, 24, 400},
	    {3000, 3000, 1, 70000}, {3000, 3000, 16, 2}, {0, 500, 60, 5},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned seed = 0; seed < (cases[i].n4 > 1000 ? 1 : 10); seed++) {
			struct sample s;

			srand(seed);
			s = sample_create(cases[i].n4, cases[i].n6, cases[i].shortest,
					  cases[i].values);
			expect_right(s.ranges, &s.v4, &s.v6);
			sample_free(&s);
		}
	}
}

static void a_hundred_thousand_networks(void **state)
{
	struct sample s;

	srand(7);
	s = sample_create(100000, 100000, 12, 300);
	print_message("    %zu ranges, %zu bytes\n", geo_ranges_count(s.ranges),
		      geo_ranges_bytes(s.ranges));
	expect_right(s.ranges, &s.v4, &s.v6);
	sample_free(&s);
}

/* So many ranges in one /8 that IPv4 is kept in its larger form, and few in all the rest: those
 * begin and end in other /16s than the addresses that are looked up. */
static void wide_ranges_beside_many_narrow_ones(void **state)
{
	enum { NARROW = 180000, WIDE = 40 };
	struct pieces p = {xcalloc(NARROW + WIDE + 1, sizeof(struct piece)), 1};
	struct geo_builder *b = geo_builder_create();
	struct geo_ranges *r;

	srand(11);
	for (unsigned i = 0; i < NARROW; i++)
		p.v[p.n++] = (struct piece){(UINT32_C(64) << 24) + i * 93, i % 5};
	for (unsigned i = 0; i < WIDE; i++)
		p.v[p.n++] = (struct piece){(uint32_t)random_bits() | UINT32_C(1) << 31, i % 3};
	for (unsigned i = 0; i < WIDE; i++) /* some on borders of large networks */
		p.v[p.n - 1 - i].start &= ~(geo_bits)0 << (i % 3 * 10);
	qsort(p.v, p.n, sizeof(*p.v), compare_pieces);
	add_pieces(b, AF_INET, &p);
	r = geo_builder_finish(&b);
	for (size_t i = 0; i < p.n; i++) {
		expect_at(r, AF_INET, &p, p.v[i].start);
		expect_at(r, AF_INET, &p, (uint32_t)(p.v[i].start - 1));
	}
	for (unsigned i = 0; i < 20000; i++)
		expect_at(r, AF_INET, &p, (uint32_t)random_bits());
	geo_ranges_free(&r);
	free(p.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_equal_a_brute_force),
	    cmocka_unit_test(a_hundred_thousand_networks),
	    cmocka_unit_test(wide_ranges_beside_many_narrow_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
