/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See view.h.
 */
#include "edge/keys/server/view.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/net/tls.h"
#include "edge/keys/remote/credentials.h"

static bool load_credentials(struct keys_view *view, struct diag *diag)
{
	const struct cfg_keys *keys = &view->fleet->tls.keys;
	const struct wire_files files = {keys->certificate, keys->key, keys->ca};
	char *error = NULL;

	view->credentials = wire_credentials_load(&files, &error);
	if (view->credentials == NULL)
		diag_add(diag, (struct cfg_place){.file = view->fleet->file}, "tls.keys: %s",
			 error);
	free(error);
	return view->credentials != NULL;
}

/* Lists of revoked certificates */

static void complain(const struct keys_view *view, struct diag *diag, const char *path,
		     const char *what)
{
	diag_add(diag, (struct cfg_place){.file = view->fleet->file}, "tls.keys: %s %s", path,
		 what);
}

static bool read_file(const struct keys_view *view, const char *path, size_t max, struct file *out,
		      struct diag *diag)
{
	char *error = file_read(out, path, max);

	if (error != NULL)
		complain(view, diag, path, error);
	free(error);
	return error == NULL;
}

/* What does not keep anybody out, and should. */
static void warn_of_lists(const struct keys_view *view, const gnutls_x509_crt_t *cas, unsigned n,
			  struct diag *diag)
{
	const struct cfg_place place = {.file = view->fleet->file};
	const struct cfg_keys *keys = &view->fleet->tls.keys;
	bool all = true;

	for (unsigned i = 0; i < n; i++)
		all &= revoked_has(view->revoked, cas[i]);
	if (!all)
		diag_warn(diag, place,
			  "tls.keys: %s has no list of some authority in %s: none of its "
			  "certificates is taken for revoked",
			  keys->crl, keys->ca);
	if (revoked_until(view->revoked).ns < clock_wall().ns)
		diag_warn(diag, place,
			  "tls.keys: %s has a list that is out of date: what was revoked since is "
			  "not in it",
			  keys->crl);
}

static bool use_lists(struct keys_view *view, const struct file *lists, const struct file *ca,
		      struct diag *diag)
{
	const gnutls_datum_t pem = {(unsigned char *)ca->data, (unsigned)ca->len};
	gnutls_x509_crt_t *cas = NULL;
	char *error = NULL;
	unsigned n = 0;

	/* That there are some was seen to by who has loaded credentials. */
	if (gnutls_x509_crt_list_import2(&cas, &n, &pem, GNUTLS_X509_FMT_PEM, 0) < 0)
		return false;
	view->revoked = revoked_create(lists, cas, n, &error);
	if (view->revoked != NULL)
		warn_of_lists(view, cas, n, diag);
	else
		complain(view, diag, view->fleet->tls.keys.crl, error);
	free(error);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(cas[i]);
	gnutls_free(cas);
	return view->revoked != NULL;
}

static bool load_revoked(struct keys_view *view, struct diag *diag)
{
	const struct cfg_keys *keys = &view->fleet->tls.keys;
	struct file lists = {0}, ca = {0};
	bool ok;

	if (keys->crl == NULL)
		return true;
	ok = read_file(view, keys->crl, REVOKED_FILE_MAX, &lists, diag) &&
	     read_file(view, keys->ca, TLS_PEM_MAX, &ca, diag) &&
	     use_lists(view, &lists, &ca, diag);
	file_wipe(&lists);
	file_wipe(&ca);
	return ok;
}

/* All of it */

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
	ok = load_credentials(view, diag) && load_revoked(view, diag);
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
	revoked_destroy(&view->revoked);
	cfg_fleet_destroy(&view->fleet);
	free(view->edges);
	free(view);
}
