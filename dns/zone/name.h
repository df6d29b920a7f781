/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A domain name taken apart for look-ups: where each label begins, and a hash of every suffix, all
 * from one pass over the name. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libknot/dname.h>

/* 255 octets of one-octet labels (RFC 1035 section 2.3.4). */
#define DNS_NAME_LABELS 127

/* Index 0 is the root, index n_labels the whole name: the suffix of n labels begins at
 * wire + start[n] and hashes to hash[n]. */
struct dns_name {
	const uint8_t *wire; /* lower case, not owned */
	unsigned n_labels;
	unsigned size; /* octets, with the root's */
	uint8_t start[DNS_NAME_LABELS + 1];
	uint64_t hash[DNS_NAME_LABELS + 1];
};

/* `wire` is an uncompressed, valid name in lower case and must outlive `name`. */
void dns_name_init(struct dns_name *name, const uint8_t *wire);

/* Of "*" and the name that hashes to `parent`. */
uint64_t dns_name_wildcard_hash(uint64_t parent);

static inline const uint8_t *dns_name_suffix(const struct dns_name *name, unsigned labels)
{
	return name->wire + name->start[labels];
}

static inline unsigned dns_name_suffix_size(const struct dns_name *name, unsigned labels)
{
	return name->size - name->start[labels];
}

/* Whether `name` is `above` or a name under it. Uncompressed, valid names, as they were written:
 * case does not count (RFC 4343). */
bool dns_name_is_under(const uint8_t *name, const uint8_t *above);

/* Presentation form with a final dot, for people; "?" when it cannot be written. Returns buf. */
#define DNS_NAME_TEXT KNOT_DNAME_TXT_MAXLEN + 1
const char *dns_name_format(const uint8_t *wire, char buf[DNS_NAME_TEXT]);

/* A name's place in canonical order (RFC 4034 section 6.1), as octets for memcmp(): its labels from
 * the root down without the first `skip`, each ended by a 0, with 0 and 1 in a label escaped. */
#define DNS_NAME_KEY 512
/* Returns its length. */
unsigned dns_name_key(const uint8_t *wire, unsigned skip, uint8_t key[static DNS_NAME_KEY]);
