/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules about several values together: limits of requests, and the sections one by one, which have
 * files of their own.
 */
#include "config/load/validate.h"

#include <stdlib.h>

#include "config/load/rules.h"
#include "core/base/check.h"

static void validate_http(struct validator *v)
{
	const struct cfg_http *http = &v->fleet->http;
	const struct cfg_entry *limit = cfg_entry_get(cfg_entry_get(v->root, "http"), "limit");

	if (http->limit.head_bytes != 0 && http->limit.target_bytes > http->limit.head_bytes)
		diag_add(v->diag,
			 cfg_place_of(limit, "target_bytes",
				      cfg_place_of(limit, "head_bytes", v->root->place)),
			 "http.limit: target_bytes is more than head_bytes, of which it is a part");
}

void cfg_validate(const struct cfg_fleet *fleet, const struct cfg_entry *root, struct diag *diag)
{
	struct validator v = {
	    .fleet = fleet,
	    .root = root,
	    .diag = diag,
	    .seen_by = xcalloc(fleet->n_edges + 1, sizeof(*v.seen_by)),
	};

	if (root->n == 0)
		diag_add(diag, root->place, "nothing is configured");
	validate_http(&v);
	cfg_validate_tls(&v);
	cfg_validate_edges(&v);
	cfg_validate_nameservers(&v);
	cfg_validate_origins(&v);
	cfg_validate_sites(&v);
	cfg_validate_changes(&v);
	cfg_validate_zones(&v);
	cfg_validate_geo(&v);
	cfg_validate_limits(&v);
	cfg_hash_fini(&v.hosts);
	free(v.seen_by);
}
