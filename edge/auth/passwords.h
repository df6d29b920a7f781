/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files of passwords that the routes of an edge ask for (auth.basic), read with the rest of the
 * configuration: part of the view. Immutable once loaded; any thread.
 */
#pragma once

#include "core/http/message.h"

struct cfg_auth_basic;
struct cfg_edge;
struct cfg_fleet;
struct diag;
struct edge_passwords;

/* Of all the sites that `self` serves, or of the fleet when it is NULL; NULL with every error in
 * `diag`. Blocking. */
struct edge_passwords *edge_passwords_load(const struct cfg_fleet *fleet,
					   const struct cfg_edge *self, struct diag *diag);
/* Overwrites what it holds. */
void edge_passwords_destroy(struct edge_passwords **passwords);

/* What to check a password against, so that what is wrong costs as much whatever the name, and
 * nobody learns which names there are. */
struct edge_password_check {
	const char
	    *hash; /* that name's, or the costliest of the file; NULL: there is none at all */
	const char
	    *decoy; /* to be checked as well when it is wrong; NULL: it is as costly as any */
	bool known; /* there is such a name */
};

struct edge_password_check edge_passwords_find(const struct edge_passwords *passwords,
					       const struct cfg_auth_basic *basic,
					       struct span name);
/* The value of WWW-Authenticate. */
struct span edge_passwords_challenge(const struct edge_passwords *passwords,
				     const struct cfg_auth_basic *basic);
