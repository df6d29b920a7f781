/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See policy.h.
 */
#include "edge/tls/policy.h"

#include "core/tls/groups.h"
#include "edge/tls/client_hello.h"

static void add_group(struct edge_tls_policy *policy, gnutls_group_t group)
{
	uint16_t number = tls_group_number(group);

	if (number != 0 && policy->n_groups < EDGE_POLICY_MAX)
		policy->groups[policy->n_groups++] = number;
}

struct edge_tls_policy edge_tls_policy_of(gnutls_priority_t priority)
{
	struct edge_tls_policy policy = {.n_versions = 0};
	const unsigned *list;
	int n = gnutls_priority_protocol_list(priority, &list);

	/* Both count from SSL 3.0 on. */
	for (int i = 0; i < n && policy.n_versions < EDGE_POLICY_MAX; i++) {
		if (list[i] <= GNUTLS_TLS_VERSION_MAX)
			policy.versions[policy.n_versions++] =
			    (uint16_t)(0x0300 + list[i] - GNUTLS_SSL3);
	}
	n = gnutls_priority_group_list(priority, &list);
	for (int i = 0; i < n; i++)
		add_group(&policy, (gnutls_group_t)list[i]);
	return policy;
}

bool edge_tls_policy_shares_version(const struct edge_tls_policy *policy,
				    const struct edge_client_hello *hello)
{
	for (unsigned i = 0; i < policy->n_versions; i++) {
		if (edge_client_hello_offers(hello, policy->versions[i]))
			return true;
	}
	return false;
}

bool edge_tls_policy_shares_group(const struct edge_tls_policy *policy,
				  const struct edge_client_hello *hello)
{
	if (hello->groups.n == 0)
		return true;
	for (unsigned i = 0; i < policy->n_groups; i++) {
		if (edge_u16s_have(hello->groups, policy->groups[i]))
			return true;
	}
	return false;
}
