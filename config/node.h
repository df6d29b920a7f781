/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which node of a fleet is meant by a name. All share one file, so a name that nobody has is a
 * mistake like those in the file, and is complained about as they are. One thread.
 */
#pragma once

struct cfg_edge;
struct cfg_fleet;
struct cfg_nameserver;
struct diag;

/* NULL: complained about, with the nearest name that there is. */
const struct cfg_edge *cfg_expect_edge(const struct cfg_fleet *fleet, const char *name,
				       struct diag *diag);
const struct cfg_nameserver *cfg_expect_nameserver(const struct cfg_fleet *fleet, const char *name,
						   struct diag *diag);
/* Either kind will do; at least one of the two is not NULL, or it was complained about. */
struct cfg_node {
	const struct cfg_edge *edge;
	const struct cfg_nameserver *nameserver;
};
struct cfg_node cfg_expect_node(const struct cfg_fleet *fleet, const char *name, struct diag *diag);
