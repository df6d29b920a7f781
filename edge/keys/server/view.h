/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What perigee-keys answers by: a configuration, its keys, and what edges are shown and verified
 * by. Made by a job, then immutable but for the references, which any thread takes and gives back.
 */
#pragma once

#include <stdatomic.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/tls/revoked.h"
#include "edge/keys/server/edges.h"
#include "edge/keys/server/table.h"

struct keys_view {
	atomic_uint refs;
	struct cfg_fleet *fleet;
	struct keys_table *table;
	gnutls_certificate_credentials_t credentials;
	struct revoked *revoked;  /* NULL: nothing is */
	struct keys_edge **edges; /* by the ids of the fleet's; from its publication on */
};

/* NULL: something is wrong, which was complained about. Consumes *fleet then too. Blocking. */
struct keys_view *keys_view_load(struct cfg_fleet **fleet, struct diag *diag);
struct keys_view *keys_view_ref(struct keys_view *view);
/* *view may be NULL. */
void keys_view_unref(struct keys_view **view);
