/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each slot has a number that is odd while it is written (a seqlock): who reads an odd one, or
 * finds another one afterwards than before, has read nothing. All of a slot is atomics: words are
 * stored with release and loaded with acquire, so that none of them moves past the number.
 */
#include "edge/terms/hints.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define SETS 512
#define WAYS 4
#define WORDS (EDGE_HINT_MAX / sizeof(uint64_t))
/* What is said again is written again so often at most. */
#define RENEW_AFTER DUR_S(60)

struct slot {
	_Atomic uint64_t number;
	_Atomic uint64_t key;
	_Atomic int64_t learned; /* ns; 0: the slot is empty */
	_Atomic uint64_t length;
	_Atomic uint64_t text[WORDS];
};

struct edge_hints {
	struct slot slots[SETS][WAYS];
};

struct edge_hints *edge_hints_create(void)
{
	return xcalloc(1, sizeof(struct edge_hints));
}

void edge_hints_destroy(struct edge_hints **hintsp)
{
	free(TAKE(hintsp));
}

static uint64_t load(_Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

static bool is_old(const struct slot *slot, mono_time now, duration age)
{
	int64_t learned = atomic_load_explicit(&slot->learned, memory_order_acquire);

	return learned == 0 || mono_since(now, (mono_time){learned}).ns > age.ns;
}

/* Copies whole words. False: it was written meanwhile. */
static bool read_slot(struct slot *slot, uint64_t key, char out[EDGE_HINT_MAX], size_t *n)
{
	uint64_t before = load(&slot->number), length;

	if (before % 2 == 1 || load(&slot->key) != key)
		return false;
	length = load(&slot->length);
	if (length > EDGE_HINT_MAX)
		return false;
	for (size_t i = 0; i * sizeof(uint64_t) < length; i++) {
		uint64_t word = load(&slot->text[i]);

		memcpy(out + i * sizeof(word), &word, sizeof(word));
	}
	*n = length;
	return atomic_load_explicit(&slot->number, memory_order_relaxed) == before;
}

size_t edge_hints_find(struct edge_hints *hints, uint64_t key, mono_time now,
		       char out[EDGE_HINT_MAX])
{
	struct slot *set = hints->slots[key % SETS];
	size_t n;

	for (unsigned i = 0; i < WAYS; i++) {
		if (load(&set[i].key) == key && !is_old(&set[i], now, EDGE_HINTS_TIME) &&
		    read_slot(&set[i], key, out, &n))
			return n;
	}
	return 0;
}

static void write_slot(struct slot *slot, uint64_t key, struct span links, mono_time now)
{
	uint64_t number = load(&slot->number);

	/* Somebody else writes it: one of us is enough. */
	if (number % 2 == 1 || !atomic_compare_exchange_strong(&slot->number, &number, number + 1))
		return;
	store(&slot->key, key);
	store(&slot->length, links.n);
	for (size_t i = 0; i * sizeof(uint64_t) < links.n; i++) {
		uint64_t word = 0;
		size_t at = i * sizeof(word);

		memcpy(&word, links.p + at, MIN(sizeof(word), links.n - at));
		store(&slot->text[i], word);
	}
	atomic_store_explicit(&slot->learned, links.n > 0 ? now.ns : 0, memory_order_release);
	store(&slot->number, number + 2);
}

/* That of the key, or else the one that has learned nothing for longest. */
static struct slot *slot_of(struct edge_hints *hints, uint64_t key, bool *known)
{
	struct slot *set = hints->slots[key % SETS], *oldest = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		*known = load(&set[i].key) == key;
		if (*known)
			return &set[i];
		if (atomic_load(&set[i].learned) < atomic_load(&oldest->learned))
			oldest = &set[i];
	}
	return oldest;
}

void edge_hints_learn(struct edge_hints *hints, uint64_t key, struct span links, mono_time now)
{
	char text[EDGE_HINT_MAX];
	struct slot *slot;
	bool known;
	size_t n;

	CHECK(links.n <= EDGE_HINT_MAX);
	slot = slot_of(hints, key, &known);
	if (!known && links.n == 0)
		return;
	if (known && !is_old(slot, now, RENEW_AFTER) && read_slot(slot, key, text, &n) &&
	    span_equal((struct span){text, n}, links))
		return;
	write_slot(slot, key, links, now);
}

/* Link */

static bool is_heeded(struct span rel)
{
	static const char *const heeded[] = {"preload", "modulepreload", "preconnect"};

	if (rel.n >= 2 && rel.p[0] == '"' && rel.p[rel.n - 1] == '"')
		rel = (struct span){rel.p + 1, rel.n - 2};
	for (size_t i = 0; i < ARRAY_SIZE(heeded); i++) {
		if (span_equal_nocase(rel, span_of(heeded[i])))
			return true;
	}
	return false;
}

/* `<uri>; rel=preload; as=style`: by its first rel (RFC 8288 section 3.3). */
static bool is_hint(struct span member)
{
	const char *end = member.p + member.n, *p;

	if (member.p[0] != '<' || !(p = memchr(member.p, '>', member.n)))
		return false;
	while ((p = memchr(p, ';', (size_t)(end - p)))) {
		const char *next = memchr(p + 1, ';', (size_t)(end - p - 1));
		struct span parameter =
		    http_trim((struct span){p + 1, (size_t)((next ? next : end) - p - 1)});

		if (parameter.n > 4 &&
		    span_equal_nocase((struct span){parameter.p, 4}, SPAN("rel=")))
			return is_heeded(
			    http_trim((struct span){parameter.p + 4, parameter.n - 4}));
		p++;
	}
	return false;
}

size_t edge_hints_links(const struct http_fields *fields, char out[EDGE_HINT_MAX])
{
	const struct http_field *field;
	unsigned from = 0;
	size_t n = 0;

	while ((field = http_fields_find(fields, SPAN("Link"), &from))) {
		struct span rest = field->value, member;

		while (http_list_next(&rest, &member)) {
			size_t comma = n > 0 ? 2 : 0;

			if (!is_hint(member) || n + comma + member.n > EDGE_HINT_MAX)
				continue;
			memcpy(out + n, ", ", comma);
			memcpy(out + n + comma, member.p, member.n);
			n += comma + member.n;
		}
	}
	return n;
}
