/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules about several values together: limits of requests, and the sections one by one, which have
 * files of their own.
 */
#include "config/load/validate.h"

#include <stdlib.h>

#include "config/load/rules.h"
#include "core/base/check.h"
#include "core/net/tls_profile.h"

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

/* What the signer does not sign, since it does not know that form. */
static void validate_tls(struct validator *v)
{
	const struct cfg_tls *tls = &v->fleet->tls;
	const struct cfg_entry *section = cfg_entry_get(v->root, "tls");
	char *error;
	gnutls_priority_t priority;

	if (tls->keys.place != CFG_KEYS_SIGNER)
		return;
	priority = tls_profile_create(tls->profile, &error);
	CHECK(priority != NULL); /* it was tried when it was read */
	if (tls_profile_allows_dhe(priority))
		diag_warn(v->diag, cfg_place_of(section, "profile", v->root->place),
			  "tls.profile allows DHE, by which handshakes fail: the signer of "
			  "tls.keys.place does not sign them");
	gnutls_priority_deinit(priority);
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
	validate_tls(&v);
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
