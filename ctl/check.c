/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A configuration with all files that it names, loaded by the daemons' own code, so that what
 * passes here passes there. What only the daemons may read (keys, most often) is named and passed
 * over.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "ctl/perigeectl.h"
#include "dns/view/parts.h"
#include "edge/tls/certs.h"
#include "origin-link/servers/origins.h"

/* NULL stands for a file that is not needed. */
static bool may_read(const char *path)
{
	if (path == NULL || access(path, R_OK) == 0 || errno != EACCES)
		return true;
	fprintf(stderr, "not checked, since you may not read it: %s\n", path);
	return false;
}

static void pass_over_certificates(struct cfg_site *site)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < site->n_certificates; i++) {
		struct cfg_certificate *c = &site->certificates[i];

		if (may_read(c->certificate) && may_read(c->key))
			site->certificates[kept++] = *c;
	}
	site->n_certificates = kept;
}

static void pass_over_zones(struct cfg_fleet *fleet)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < fleet->n_zones; i++) {
		if (may_read(fleet->zones[i].file))
			fleet->zones[kept++] = fleet->zones[i];
	}
	fleet->n_zones = kept;
}

static void pass_over_unreadable(struct cfg_fleet *fleet)
{
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		struct cfg_origin_tls *tls = &fleet->origins[i].tls;

		tls->enabled = tls->enabled && may_read(tls->ca) && may_read(tls->certificate) &&
			       may_read(tls->key);
	}
	for (unsigned i = 0; i < fleet->n_sites; i++)
		pass_over_certificates(&fleet->sites[i]);
	pass_over_zones(fleet);
	for (unsigned i = 0; i < fleet->geo.databases.n; i++) {
		if (!may_read(fleet->geo.databases.v[i]))
			fleet->geo.databases.n = 0;
	}
}

/* Consumes *fleet. */
static void check_files(struct cfg_fleet **fleet, struct diag *diag)
{
	struct olink_origins *origins = olink_origins_load(*fleet, diag);
	struct dns_parts *parts;

	olink_origins_destroy(&origins);
	edge_certs_check(*fleet, clock_wall(), diag);
	parts = dns_parts_load(fleet, NULL, diag);
	dns_parts_unref(&parts);
	cfg_fleet_destroy(fleet);
}

int ctl_check(const char *file)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(file, diag);
	bool good;

	if (fleet != NULL) {
		pass_over_unreadable(fleet);
		check_files(&fleet, diag);
	}
	diag_print(diag, stderr);
	good = diag_count(diag) == 0;
	if (good)
		good = puts("ok") >= 0 && fflush(stdout) == 0;
	diag_destroy(&diag);
	return good ? CTL_OK : CTL_BAD;
}
