/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who the client is that a trusted proxy speaks for. Pure; any thread.
 */
#pragma once

#include "config/values.h"
#include "core/http/message.h"

/* Whether an address is in one of the networks. */
bool edge_is_trusted(const struct cfg_prefixes *trusted, const struct net_addr *addr);
/* Of the chain in X-Forwarded-For, or where that is missing in Forwarded (RFC 7239): the last
 * address that is not trusted itself, for what stands before it anybody may have written. False
 * when there is none, or that part of the chain cannot be read. */
bool edge_forwarded_client(const struct http_head *request, const struct cfg_prefixes *trusted,
			   struct net_addr *client);
