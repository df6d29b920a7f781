/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SipHash as its paper has it: two rounds for each word of eight bytes, four at the end.
 */
#include "core/base/siphash.h"

#include <endian.h>
#include <string.h>

#define ROUNDS_WORD 2
#define ROUNDS_END 4

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, unsigned by)
{
	return word << by | word >> (64 - by);
}

static void mix(struct state *s, unsigned rounds)
{
	while (rounds-- > 0) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static void take(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s, ROUNDS_WORD);
	s->v0 ^= word;
}

static uint64_t word_at(const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, p, n);
	return le64toh(word);
}

uint64_t siphash(const struct siphash_seed *seed, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t k0 = word_at(seed->bytes, 8), k1 = word_at(seed->bytes + 8, 8);
	/* "somepseudorandomlygeneratedbytes" */
	struct state s = {
	    .v0 = k0 ^ UINT64_C(0x736f6d6570736575),
	    .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
	    .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
	    .v3 = k1 ^ UINT64_C(0x7465646279746573),
	};
	size_t left = n;

	for (; left >= 8; left -= 8, p += 8)
		take(&s, word_at(p, 8));
	take(&s, (uint64_t)n << 56 | (left > 0 ? word_at(p, left) : 0));
	s.v2 ^= 0xff;
	mix(&s, ROUNDS_END);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
