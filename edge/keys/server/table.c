/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See table.h. Files are read once however many sites name them, and a key that is in several files
 * stands there once.
 */
#include "edge/keys/server/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/progress.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signer_message.h"

struct row {
	struct keys_entry entry;
	struct edge_key *key;
	unsigned char *edges; /* a bit for each of the fleet: whether it may use the key */
};

struct keys_table {
	size_t edges_size;
	struct row *rows; /* in the order of their ids */
	unsigned n;
};

/* A site that names a file. */
struct naming {
	const struct cfg_certificate *cfg;
	const struct cfg_site *site;
};

struct namings {
	struct naming *v; /* in the order of the files */
	unsigned n;
};

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct naming *)a)->cfg->key, ((const struct naming *)b)->cfg->key);
}

static struct namings list_namings(const struct cfg_fleet *fleet)
{
	struct namings all = {0};

	for (unsigned s = 0; s < fleet->n_sites; s++)
		all.n += fleet->sites[s].n_certificates;
	all.v = xcalloc(all.n + 1, sizeof(*all.v));
	all.n = 0;
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		for (unsigned c = 0; c < site->n_certificates; c++)
			all.v[all.n++] = (struct naming){&site->certificates[c], site};
	}
	qsort(all.v, all.n, sizeof(*all.v), by_file);
	return all;
}

/* False: it cannot be used, which was complained about. */
static bool load_row(struct row *row, const struct keys_table *table, const struct naming *first,
		     struct diag *diag)
{
	char *error = NULL;

	row->key = local_key_load(first->cfg->key, &error);
	if (row->key != NULL && row->key->bits > SIGNER_SIGNATURE_MAX * 8) {
		edge_key_unref(&row->key);
		error = xstrdup("is a key too large");
	}
	if (row->key == NULL) {
		diag_add(diag, first->cfg->place, "%s %s", first->cfg->key, error);
		free(error);
		return false;
	}
	row->entry = (struct keys_entry){row->key->id, row->key, edge_key_handle(row->key)};
	row->edges = xcalloc(1, table->edges_size);
	return true;
}

static void add_edges(struct row *row, const struct cfg_fleet *fleet, const struct cfg_site *site)
{
	for (unsigned e = 0; e < fleet->n_edges; e++) {
		if (cfg_site_is_served_by(site, &fleet->edges[e]))
			row->edges[e / 8] |= (unsigned char)(1 << e % 8);
	}
}

static void free_row(struct row *row)
{
	gnutls_privkey_deinit(row->entry.handle);
	edge_key_unref(&row->key);
	free(row->edges);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct row *)a)->entry.id, ((const struct row *)b)->entry.id,
		      SIGNER_KEY_ID_SIZE);
}

/* Those that are the same key become one. */
static void merge(struct keys_table *table)
{
	unsigned kept = 0;

	qsort(table->rows, table->n, sizeof(*table->rows), by_id);
	for (unsigned i = 0; i < table->n; i++) {
		struct row *last = kept > 0 ? &table->rows[kept - 1] : NULL;

		if (last == NULL || by_id(last, &table->rows[i]) != 0) {
			table->rows[kept++] = table->rows[i];
			continue;
		}
		for (size_t b = 0; b < table->edges_size; b++)
			last->edges[b] |= table->rows[i].edges[b];
		free_row(&table->rows[i]);
	}
	table->n = kept;
}

struct keys_table *keys_table_load(const struct cfg_fleet *fleet, struct diag *diag)
{
	struct keys_table *table = xcalloc(1, sizeof(*table));
	struct namings all = list_namings(fleet);
	bool ok = true;

	table->edges_size = fleet->n_edges / 8 + 1;
	table->rows = xcalloc(all.n + 1, sizeof(*table->rows));
	for (unsigned i = 0, next; i < all.n; i = next) {
		struct row *row = &table->rows[table->n];
		bool loaded;

		progress_say("key %u of %u", i + 1, all.n);
		loaded = load_row(row, table, &all.v[i], diag);
		table->n += loaded;
		ok &= loaded;
		for (next = i; next < all.n && by_file(&all.v[i], &all.v[next]) == 0; next++) {
			if (loaded)
				add_edges(row, fleet, all.v[next].site);
		}
	}
	free(all.v);
	merge(table);
	if (!ok)
		keys_table_destroy(&table);
	return table;
}

void keys_table_destroy(struct keys_table **tablep)
{
	struct keys_table *table = TAKE(tablep);

	for (unsigned i = 0; i < table->n; i++)
		free_row(&table->rows[i]);
	free(table->rows);
	free(table);
}

unsigned keys_table_count(const struct keys_table *table)
{
	return table->n;
}

const struct keys_entry *keys_table_find(const struct keys_table *table, const unsigned char *id,
					 const struct cfg_edge *edge, const char **why)
{
	const struct row sought = {.entry = {.id = id}};
	const struct row *row =
	    bsearch(&sought, table->rows, table->n, sizeof(*table->rows), by_id);

	*why = "it is of no certificate in the configuration there";
	if (row == NULL)
		return NULL;
	*why = "it is of no site that the edge serves";
	return (row->edges[edge->id / 8] & 1 << edge->id % 8) != 0 ? &row->entry : NULL;
}
