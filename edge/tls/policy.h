/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What of a ClientHello's offers a priority of GnuTLS has: known before its handshake costs
 * anything. Immutable; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

struct edge_client_hello;

#define EDGE_POLICY_MAX 16

/* By their numbers in the protocol. */
struct edge_tls_policy {
	uint16_t versions[EDGE_POLICY_MAX], groups[EDGE_POLICY_MAX];
	unsigned n_versions, n_groups;
};

struct edge_tls_policy edge_tls_policy_of(gnutls_priority_t priority);

bool edge_tls_policy_shares_version(const struct edge_tls_policy *policy,
				    const struct edge_client_hello *hello);
/* So too when it names no groups at all, as clients of TLS 1.2 may (RFC 8422, 4). */
bool edge_tls_policy_shares_group(const struct edge_tls_policy *policy,
				  const struct edge_client_hello *hello);
