/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The nodes of a zone, by canonical order and by name. Private to dns/zone/.
 */
#pragma once

#include <stddef.h>

#include "dns/zone/zone.h"

/* Gives the zone its nodes: those of `base` (or NULL), one more reference each, but for what
 * `fresh` (sorted, and consumed) has in their place. A name that has neither records nor names
 * below it any more is left out. False: there is no room. */
bool dns_index_fill(struct dns_zone *zone, const struct dns_zone *base,
		    const struct dns_node **fresh, size_t n_fresh);

void dns_node_unref(const struct dns_node *node);
