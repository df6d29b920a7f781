/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See ja4.h. Owns nothing.
 */
#include "edge/tls/ja4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>

#include "core/base/check.h"
#include "edge/tls/client_hello.h"

/* Of a list, the most that goes into its hash: browsers have up to 20 of each, and whoever sends
 * thousands is not to make us sort them. */
#define LIST_MAX 512
/* "1301," */
#define NUMBER_SIZE 5
#define COUNT_MAX 99U
#define SHA256_SIZE 32
/* Of a hash, in hexadecimal digits. */
#define HASH_SHOWN 12

static const char hex[] = "0123456789abcdef";

struct numbers {
	uint16_t v[LIST_MAX];
	unsigned n;
	unsigned all; /* with those that had no room */
};

static void add(struct numbers *list, uint16_t number)
{
	if (edge_is_grease(number))
		return;
	list->all++;
	if (list->n < LIST_MAX)
		list->v[list->n++] = number;
}

static void add_all(struct numbers *list, struct edge_u16s from)
{
	for (size_t i = 0; i < from.n; i++)
		add(list, edge_u16s_get(from, i));
}

static int compare(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* What is hashed. */
struct text {
	char p[2 * LIST_MAX * NUMBER_SIZE];
	size_t n;
};

static void put(struct text *text, const struct numbers *list, char before)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (text->n > 0)
			text->p[text->n++] = i == 0 ? before : ',';
		for (int shift = 12; shift >= 0; shift -= 4)
			text->p[text->n++] = hex[list->v[i] >> shift & 15];
	}
}

static void write_hash(const struct text *text, char *out)
{
	uint8_t hash[SHA256_SIZE] = {0};

	if (text->n > 0)
		CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA256, text->p, text->n, hash) == 0);
	for (unsigned i = 0; i < HASH_SHOWN; i++)
		out[i] = hex[hash[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	out[HASH_SHOWN] = '\0';
}

static const char *version_text(uint16_t version)
{
	static const struct {
		uint16_t version;
		const char *text;
	} known[] = {{0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"},
		     {0x0301, "10"}, {0x0300, "s3"}, {0x0002, "s2"}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].version == version)
			return known[i].text;
	}
	return "00";
}

/* The first and the last character of its name; of one that has others than letters and digits
 * there, of its hexadecimal form. */
static void protocol_text(struct span name, char out[3])
{
	unsigned char first, last;

	strcpy(out, "00");
	if (name.n == 0)
		return;
	first = (unsigned char)name.p[0];
	last = (unsigned char)name.p[name.n - 1];
	if (first < 0x80 && isalnum(first) && last < 0x80 && isalnum(last)) {
		out[0] = (char)first;
		out[1] = (char)last;
	} else {
		out[0] = hex[first >> 4];
		out[1] = hex[last & 15];
	}
}

static void write_suites(const struct edge_client_hello *hello, struct numbers *suites, char *out)
{
	struct text text = {.n = 0};

	add_all(suites, hello->suites);
	qsort(suites->v, suites->n, sizeof(suites->v[0]), compare);
	put(&text, suites, ',');
	write_hash(&text, out);
}

/* How many there are, with those that are not hashed. */
static unsigned write_extensions(const struct edge_client_hello *hello, char *out)
{
	struct numbers extensions = {.n = 0}, signatures = {.n = 0};
	struct span rest = hello->extensions, data;
	struct text text = {.n = 0};
	unsigned told_apart = 0;
	uint16_t type;

	while (edge_client_hello_next(&rest, &type, &data)) {
		if (type == EDGE_EXTENSION_SERVER_NAME || type == EDGE_EXTENSION_ALPN)
			told_apart++;
		else
			add(&extensions, type);
	}
	qsort(extensions.v, extensions.n, sizeof(extensions.v[0]), compare);
	add_all(&signatures, hello->signatures);
	put(&text, &extensions, ',');
	put(&text, &signatures, '_');
	write_hash(&text, out);
	return extensions.all + told_apart;
}

void edge_ja4_write(const struct edge_client_hello *hello, char ja4[EDGE_JA4_SIZE])
{
	struct numbers suites = {.n = 0};
	char of_suites[HASH_SHOWN + 1], of_extensions[HASH_SHOWN + 1], protocol[3];
	unsigned n_extensions;

	write_suites(hello, &suites, of_suites);
	n_extensions = write_extensions(hello, of_extensions);
	protocol_text(hello->protocol, protocol);
	snprintf(ja4, EDGE_JA4_SIZE, "t%s%c%02u%02u%s_%s_%s",
		 version_text(edge_client_hello_version(hello)), hello->has_name ? 'd' : 'i',
		 MIN(suites.all, COUNT_MAX), MIN(n_extensions, COUNT_MAX), protocol, of_suites,
		 of_extensions);
}
