/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Open addressing over lower-case names; "*.example.com" is kept as ".example.com", so that every
 * candidate is a suffix of the lower-cased host. What is put in comes from the operator, so the
 * hash needs no secret.
 */
#include "edge/tls/host_table.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/types/domain_name.h"
#include "core/base/check.h"

struct entry {
	char *name; /* NULL: free */
	size_t len;
	const void *value;
};

struct edge_host_table {
	struct entry *entries;
	size_t n, size; /* size is a power of two */
};

static struct entry *slot_of(const struct edge_host_table *table, const char *name, size_t len)
{
	size_t i = XXH3_64bits(name, len) & (table->size - 1);

	while (table->entries[i].name != NULL &&
	       (table->entries[i].len != len || memcmp(table->entries[i].name, name, len) != 0))
		i = (i + 1) & (table->size - 1);
	return &table->entries[i];
}

static void grow(struct edge_host_table *table)
{
	struct edge_host_table old = *table;

	table->size = old.size * 2;
	table->entries = xcalloc(table->size, sizeof(*table->entries));
	for (size_t i = 0; i < old.size; i++) {
		if (old.entries[i].name != NULL)
			*slot_of(table, old.entries[i].name, old.entries[i].len) = old.entries[i];
	}
	free(old.entries);
}

/* A wildcard's label may be anything that a domain name has: not what only the syntax of URIs
 * allows in a host, such as "%77ww", which an origin might take for the name of another site. */
static bool is_possible(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || memchr("-._:[]*", c, 7) != NULL;
}

/* Lower-cases into `out`; the length, or 0 when it is no possible name. */
static size_t lower(struct span name, char out[CFG_DOMAIN_MAX + 1])
{
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > CFG_DOMAIN_MAX)
		return 0;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		if (!is_possible(out[i]))
			return 0;
	}
	out[name.n] = '\0';
	return name.n;
}

struct edge_host_table *edge_host_table_create(void)
{
	struct edge_host_table *table = xcalloc(1, sizeof(*table));

	table->size = 16;
	table->entries = xcalloc(table->size, sizeof(*table->entries));
	return table;
}

void edge_host_table_destroy(struct edge_host_table **tablep)
{
	struct edge_host_table *table = TAKE(tablep);

	if (table == NULL)
		return;
	for (size_t i = 0; i < table->size; i++)
		free(table->entries[i].name);
	free(table->entries);
	free(table);
}

bool edge_host_table_add(struct edge_host_table *table, struct span name, const void *value)
{
	char text[CFG_DOMAIN_MAX + 1];
	size_t len;
	struct entry *e;

	if (name.n > 2 && name.p[0] == '*' && name.p[1] == '.')
		name = (struct span){name.p + 1, name.n - 1};
	len = lower(name, text);
	if (len == 0)
		return false;
	if (table->n * 2 >= table->size)
		grow(table);
	e = slot_of(table, text, len);
	if (e->name != NULL)
		return false;
	*e = (struct entry){xstrdup(text), len, value};
	table->n++;
	return true;
}

const void *edge_host_table_find(const struct edge_host_table *table, struct span host,
				 enum edge_wildcard wildcard)
{
	char text[CFG_DOMAIN_MAX + 1];
	size_t len = lower(host, text);
	const char *end = text + len;

	/* A host that begins with a dot would be taken for a wildcard's key. */
	if (len == 0 || text[0] == '.')
		return NULL;
	for (const char *p = text; p != NULL; p = memchr(p + 1, '.', (size_t)(end - p) - 1)) {
		const struct entry *e = slot_of(table, p, (size_t)(end - p));

		if (e->name != NULL)
			return e->value;
		if (p != text && wildcard == EDGE_WILDCARD_ONE_LABEL)
			break;
	}
	return NULL;
}
