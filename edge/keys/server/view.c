/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See view.h.
 */
#include "edge/keys/server/view.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "edge/keys/remote/credentials.h"

static bool load_credentials(struct keys_view *view, struct diag *diag)
{
	const struct cfg_keys *keys = &view->fleet->tls.keys;
	const struct wire_files files = {keys->certificate, keys->key, keys->ca, keys->crl};
	char *error = NULL;

	view->credentials = wire_credentials_load(&files, &error);
	if (view->credentials == NULL)
		diag_add(diag, (struct cfg_place){.file = view->fleet->file}, "tls.keys: %s",
			 error);
	free(error);
	return view->credentials != NULL;
}

struct keys_view *keys_view_load(struct cfg_fleet **fleet, struct diag *diag)
{
	struct keys_view *view = xcalloc(1, sizeof(*view));
	bool ok;

	view->refs = 1;
	view->fleet = TAKE(fleet);
	if (view->fleet->tls.keys.place != CFG_KEYS_REMOTE) {
		diag_add(diag, (struct cfg_place){.file = view->fleet->file},
			 "tls.keys.place is not \"remote\": nobody would ask perigee-keys");
		keys_view_unref(&view);
		return NULL;
	}
	ok = load_credentials(view, diag);
	view->table = keys_table_load(view->fleet, diag);
	if (!ok || view->table == NULL)
		keys_view_unref(&view);
	return view;
}

struct keys_view *keys_view_ref(struct keys_view *view)
{
	atomic_fetch_add(&view->refs, 1);
	return view;
}

void keys_view_unref(struct keys_view **viewp)
{
	struct keys_view *view = TAKE(viewp);

	if (view == NULL || atomic_fetch_sub(&view->refs, 1) > 1)
		return;
	if (view->table != NULL)
		keys_table_destroy(&view->table);
	if (view->credentials != NULL)
		gnutls_certificate_free_credentials(view->credentials);
	cfg_fleet_destroy(&view->fleet);
	free(view->edges);
	free(view);
}
