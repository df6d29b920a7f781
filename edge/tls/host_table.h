/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A table from host names to something: exact names first, then the longest wildcard. Built once by
 * the job that loads it, then immutable and read by every worker. Values belong to the caller.
 */
#pragma once

#include "core/http/message.h"

enum edge_wildcard {
	EDGE_WILDCARD_ONE_LABEL,  /* certificates: *.example.com is not a.b.example.com */
	EDGE_WILDCARD_ANY_LABELS, /* sites: one label or more */
};

struct edge_host_table;

struct edge_host_table *edge_host_table_create(void);
void edge_host_table_destroy(struct edge_host_table **names);
/* "www.example.com" or "*.example.com", without regard to case; copied. The first value given to a
 * name stays: false when it had one, or when the name is longer than any name can be. */
bool edge_host_table_add(struct edge_host_table *names, struct span name, const void *value);
/* `host` without port; a final dot is ignored. NULL when nothing matches. */
const void *edge_host_table_find(const struct edge_host_table *names, struct span host,
				 enum edge_wildcard wildcard);
