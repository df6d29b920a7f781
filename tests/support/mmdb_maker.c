/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See mmdb_maker.h; the format is at https://maxmind.github.io/MaxMind-DB/.
 */
#include "tests/support/mmdb_maker.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

void mmdb_put(struct mmdb_file *f, const void *bytes, size_t n)
{
	if (f->n + n > f->cap) {
		f->cap = 2 * (f->n + n);
		f->bytes = xreallocarray(f->bytes, f->cap, 1);
	}
	if (n > 0)
		memcpy(f->bytes + f->n, bytes, n);
	f->n += n;
}

void mmdb_put_big_endian(struct mmdb_file *f, uint64_t v, unsigned n)
{
	while (n-- > 0)
		MMDB_PUT(f, (uint8_t)(v >> (8 * n)));
}

void mmdb_put_string(struct mmdb_file *f, const char *s)
{
	CHECK(strlen(s) < 29);
	MMDB_PUT(f, (uint8_t)(2 << 5 | strlen(s)));
	mmdb_put(f, s, strlen(s));
}

void mmdb_put_map(struct mmdb_file *f, unsigned pairs)
{
	CHECK(pairs < 29);
	MMDB_PUT(f, (uint8_t)(7 << 5 | pairs));
}

void mmdb_put_unsigned(struct mmdb_file *f, const char *key, unsigned type, uint64_t v)
{
	unsigned n = type == 5 ? 2 : type == 6 ? 4 : 8;

	mmdb_put_string(f, key);
	if (type > 7)
		MMDB_PUT(f, (uint8_t)n, (uint8_t)(type - 7));
	else
		MMDB_PUT(f, (uint8_t)(type << 5 | n));
	mmdb_put_big_endian(f, v, n);
}

void mmdb_put_double(struct mmdb_file *f, const char *key, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	mmdb_put_string(f, key);
	MMDB_PUT(f, 3 << 5 | 8);
	mmdb_put_big_endian(f, bits, 8);
}

void mmdb_put_node(struct mmdb_file *f, uint32_t zero, uint32_t one)
{
	mmdb_put_big_endian(f, zero, 3);
	mmdb_put_big_endian(f, one, 3);
}

void mmdb_put_separator(struct mmdb_file *f)
{
	static const uint8_t zeros[16];

	mmdb_put(f, zeros, sizeof(zeros));
}

void mmdb_put_metadata(struct mmdb_file *f, const struct mmdb_metadata *m)
{
	static const uint8_t languages[] = {1, 4, 2 << 5 | 2, 'e', 'n'}, description[] = {7 << 5};

	mmdb_put(f, "\xab\xcd\xefMaxMind.com", 14);
	mmdb_put_map(f, 9);
	mmdb_put_unsigned(f, "node_count", 6, m->nodes);
	mmdb_put_unsigned(f, "record_size", 5, m->bits ? m->bits : 24);
	mmdb_put_unsigned(f, "ip_version", 5, m->version ? m->version : 4);
	mmdb_put_unsigned(f, "binary_format_major_version", 5, 2);
	mmdb_put_unsigned(f, "binary_format_minor_version", 5, 0);
	mmdb_put_unsigned(f, "build_epoch", 9, 1);
	mmdb_put_string(f, "database_type");
	mmdb_put_string(f, m->type ? m->type : "Test-City");
	mmdb_put_string(f, "languages");
	mmdb_put(f, m->languages ? m->languages : languages,
		 m->languages ? m->languages_size : sizeof(languages));
	mmdb_put_string(f, "description");
	mmdb_put(f, m->description ? m->description : description,
		 m->description ? m->description_size : sizeof(description));
}

static void put_code(struct mmdb_file *f, const char *section, const char *name, const char *code)
{
	if (code[0] == '\0')
		return;
	mmdb_put_string(f, section);
	mmdb_put_map(f, 1);
	mmdb_put_string(f, name);
	mmdb_put_string(f, code);
}

void mmdb_put_facts(struct mmdb_file *f, const struct mmdb_facts *facts)
{
	mmdb_put_map(f, (facts->located != 0) + (facts->country[0] != '\0') +
			    (facts->continent[0] != '\0') + (facts->asn != 0));
	put_code(f, "country", "iso_code", facts->country);
	put_code(f, "continent", "code", facts->continent);
	if (facts->located) {
		mmdb_put_string(f, "location");
		mmdb_put_map(f, 2);
		mmdb_put_double(f, "latitude", facts->latitude);
		mmdb_put_double(f, "longitude", facts->longitude);
	}
	if (facts->asn != 0)
		mmdb_put_unsigned(f, "autonomous_system_number", 6, facts->asn);
}

/* A half of a node: another node, or a record. */
#define NONE UINT32_MAX /* neither */
#define RECORD ((uint32_t)1 << 31)

struct mmdb_maker {
	unsigned version;
	uint32_t (*nodes)[2];
	uint32_t n_nodes, max_nodes;
	struct mmdb_file data;
};

static uint32_t new_node(struct mmdb_maker *m, uint32_t both)
{
	if (m->n_nodes == m->max_nodes) {
		m->max_nodes = 2 * m->max_nodes + 64;
		m->nodes = xreallocarray(m->nodes, m->max_nodes, sizeof(*m->nodes));
	}
	m->nodes[m->n_nodes][0] = m->nodes[m->n_nodes][1] = both;
	return m->n_nodes++;
}

struct mmdb_maker *mmdb_maker_create(unsigned version)
{
	struct mmdb_maker *m = xcalloc(1, sizeof(*m));

	m->version = version;
	new_node(m, NONE);
	return m;
}

/* The bits of a prefix in the tree; IPv4 has 96 zeros before it in a tree of IPv6. */
static unsigned bits_of(const struct mmdb_maker *m, const struct net_prefix *p, uint8_t bytes[16])
{
	unsigned before = m->version == 6 && p->family == AF_INET ? 96 : 0;

	CHECK(m->version == 6 || p->family == AF_INET);
	memset(bytes, 0, 16);
	memcpy(bytes + before / 8, p->bytes, p->family == AF_INET ? 4 : 16);
	return before + p->len;
}

/* Where the prefix of that many bits, one at least, hangs; made when it is not there. */
static uint32_t *half_of(struct mmdb_maker *m, const uint8_t bytes[16], unsigned len)
{
	uint32_t node = 0, next;
	unsigned bit;

	for (unsigned i = 0;; i++) {
		bit = bytes[i / 8] >> (7 - i % 8) & 1;
		next = m->nodes[node][bit];
		if (i + 1 == len)
			return &m->nodes[node][bit];
		if (next == NONE || next & RECORD) {
			next = new_node(m, next);
			m->nodes[node][bit] = next;
		}
		node = next;
	}
}

void mmdb_maker_add(struct mmdb_maker *m, const struct net_prefix *network,
		    const struct mmdb_facts *facts)
{
	uint32_t record = RECORD | (uint32_t)m->data.n;
	uint8_t bytes[16];
	unsigned len = bits_of(m, network, bytes);

	mmdb_put_facts(&m->data, facts);
	if (len == 0)
		m->nodes[0][0] = m->nodes[0][1] = record;
	else
		*half_of(m, bytes, len) = record;
}

void mmdb_maker_alias(struct mmdb_maker *m, const struct net_prefix *prefix)
{
	static const uint8_t zeros[16];
	uint32_t ipv4 = *half_of(m, zeros, 96);

	*half_of(m, prefix->bytes, prefix->len) = ipv4;
}

/* Nodes in the order of a walk, without those that nothing leads to any more. */
static uint32_t number_nodes(const struct mmdb_maker *m, uint32_t node, uint32_t *numbers,
			     uint32_t *order, uint32_t n)
{
	if (numbers[node] != NONE)
		return n;
	numbers[node] = n;
	order[n++] = node;
	for (unsigned i = 0; i < 2; i++) {
		if (!(m->nodes[node][i] & RECORD))
			n = number_nodes(m, m->nodes[node][i], numbers, order, n);
	}
	return n;
}

static void put_halves(struct mmdb_file *f, const uint32_t half[2], unsigned bits)
{
	if (bits != 28) {
		mmdb_put_big_endian(f, half[0], bits / 8);
		mmdb_put_big_endian(f, half[1], bits / 8);
		return;
	}
	mmdb_put_big_endian(f, half[0] & 0xffffff, 3);
	MMDB_PUT(f, (uint8_t)(half[0] >> 24 << 4 | half[1] >> 24));
	mmdb_put_big_endian(f, half[1] & 0xffffff, 3);
}

struct mmdb_file mmdb_maker_finish(struct mmdb_maker **mp, unsigned bits, const char *type)
{
	struct mmdb_maker *m = TAKE(mp);
	uint32_t *numbers = xcalloc(m->n_nodes, sizeof(*numbers)), n;
	uint32_t *order = xcalloc(m->n_nodes, sizeof(*order));
	struct mmdb_file f = {0};

	memset(numbers, 0xff, m->n_nodes * sizeof(*numbers));
	n = number_nodes(m, 0, numbers, order, 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t half[2];

		for (unsigned k = 0; k < 2; k++) {
			uint32_t to = m->nodes[order[i]][k];

			half[k] = to == NONE    ? n
				  : to & RECORD ? n + 16 + (to & ~RECORD)
						: numbers[to];
		}
		put_halves(&f, half, bits);
	}
	mmdb_put_separator(&f);
	mmdb_put(&f, m->data.bytes, m->data.n);
	mmdb_put_metadata(&f, &(struct mmdb_metadata){.nodes = n,
						      .bits = (uint16_t)bits,
						      .version = (uint16_t)m->version,
						      .type = type});
	free(numbers);
	free(order);
	free(m->data.bytes);
	free(m->nodes);
	free(m);
	return f;
}
