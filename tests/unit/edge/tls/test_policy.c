/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What priorities share with hellos; and that every group of the library's has its number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/client_hello.h"
#include "edge/tls/policy.h"

#define NUMBERS(text) ((struct edge_u16s){(const uint8_t *)(text), (sizeof(text) - 1) / 2})

static struct edge_tls_policy policy_of(const char *text)
{
	struct edge_tls_policy policy;
	gnutls_priority_t priority;

	assert_int_equal(gnutls_priority_init(&priority, text, NULL), 0);
	policy = edge_tls_policy_of(priority);
	gnutls_priority_deinit(priority);
	return policy;
}

static void test_versions(void **state)
{
	struct edge_tls_policy policy = policy_of("NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-DTLS1.2");
	struct edge_client_hello new = {.versions = NUMBERS("\x0a\x0a\x03\x04")};
	struct edge_client_hello old = {.legacy_version = 0x0303};

	assert_int_equal(policy.n_versions, 1);
	assert_int_equal(policy.versions[0], 0x0304);
	assert_true(edge_tls_policy_shares_version(&policy, &new));
	assert_false(edge_tls_policy_shares_version(&policy, &old));
	policy = policy_of("NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.0");
	assert_false(edge_tls_policy_shares_version(&policy, &new));
	assert_true(edge_tls_policy_shares_version(&policy, &old));
	old.legacy_version = 0x0301;
	assert_true(edge_tls_policy_shares_version(&policy, &old));
	old.legacy_version = 0x0300;
	assert_false(edge_tls_policy_shares_version(&policy, &old));
}

static void test_groups(void **state)
{
	struct edge_tls_policy policy =
	    policy_of("NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP384R1");
	struct edge_client_hello hello = {.groups = NUMBERS("\x11\xec\x00\x1d")};

	assert_int_equal(policy.n_groups, 2);
	assert_true(edge_tls_policy_shares_group(&policy, &hello));
	hello.groups = NUMBERS("\x11\xec\x00\x17");
	assert_false(edge_tls_policy_shares_group(&policy, &hello));
	hello.groups = (struct edge_u16s){NULL, 0};
	assert_true(edge_tls_policy_shares_group(&policy, &hello));
}

/* One without would look as if no client had it. Those of Russia's GOST are for TLS 1.2 with suites
 * of its own. */
static void test_every_group_is_known(void **state)
{
	const gnutls_group_t *group = gnutls_group_list();

	for (; *group != GNUTLS_GROUP_INVALID; group++) {
		const char *name = gnutls_group_get_name(*group);
		char text[128];

		if (strncmp(name, "GC", 2) == 0)
			continue;
		snprintf(text, sizeof(text), "NORMAL:-GROUP-ALL:+GROUP-%s", name);
		assert_int_equal(policy_of(text).n_groups, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_every_group_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
