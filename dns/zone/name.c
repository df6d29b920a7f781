/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/name.h"

#include <string.h>

/* Labels are short: a call would cost more than what it does. */
#define XXH_INLINE_ALL
#include <xxhash.h>

void dns_name_init(struct dns_name *name, const uint8_t *wire)
{
	uint8_t forward[DNS_NAME_LABELS];
	unsigned n = 0, at = 0;

	while (wire[at] != 0) {
		forward[n++] = at;
		at += wire[at] + 1;
	}
	name->wire = wire;
	name->n_labels = n;
	name->size = at + 1;
	name->start[0] = at;

	/* Label by label from the root, so that each suffix's hash is a prefix of the work.
	 * Strangers cannot choose what is stored, so the hash needs no secret. */
	name->hash[0] = 0;
	for (unsigned i = 1; i <= n; i++) {
		const uint8_t *label = wire + forward[n - i];

		name->start[i] = forward[n - i];
		name->hash[i] = XXH3_64bits_withSeed(label, label[0] + 1, name->hash[i - 1]);
	}
}

uint64_t dns_name_wildcard_hash(uint64_t parent)
{
	return XXH3_64bits_withSeed("\1*", 2, parent);
}

bool dns_name_is_under(const uint8_t *name, const uint8_t *above)
{
	size_t size = knot_dname_size(name), wanted = knot_dname_size(above);

	while (size > wanted) {
		size -= 1 + *name;
		name += 1 + *name;
	}
	return size == wanted && knot_dname_is_case_equal(name, above);
}

const char *dns_name_format(const uint8_t *wire, char buf[DNS_NAME_TEXT])
{
	if (knot_dname_to_str(buf, wire, DNS_NAME_TEXT) == NULL)
		strcpy(buf, "?");
	return buf;
}

unsigned dns_name_key(const uint8_t *wire, unsigned skip, uint8_t key[static DNS_NAME_KEY])
{
	const uint8_t *labels[DNS_NAME_LABELS];
	unsigned n_labels = 0, n = 0;

	for (; *wire != 0; wire += *wire + 1)
		labels[n_labels++] = wire;
	while (n_labels > 0 && skip-- > 0)
		n_labels--;
	while (n_labels-- > 0) {
		const uint8_t *label = labels[n_labels];

		for (unsigned i = 1; i <= label[0]; i++) {
			if (label[i] <= 1)
				key[n++] = 1;
			key[n++] = label[i] == 0 ? 1 : label[i] == 1 ? 2 : label[i];
		}
		key[n++] = 0;
	}
	return n;
}
