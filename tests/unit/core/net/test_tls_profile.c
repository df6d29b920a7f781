/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Profiles: what they allow, what is said of priority strings that make no sense or are weak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/net/tls_profile.h"

static bool knows_none(const char *group)
{
	return false;
}

static bool knows_hybrid(const char *group)
{
	return strcmp(group, "X25519-MLKEM768") == 0;
}

static gnutls_priority_t good(const char *profile)
{
	char *error = NULL;
	gnutls_priority_t priority = tls_profile_create(profile, &error);

	if (priority == NULL)
		fail_msg("%s: %s", profile, error);
	return priority;
}

static void assert_versions(const char *profile, const unsigned *expected, int n)
{
	gnutls_priority_t priority = good(profile);
	const unsigned *versions;

	assert_int_equal(gnutls_priority_protocol_list(priority, &versions), n);
	for (int i = 0; i < n; i++)
		assert_int_equal(versions[i], expected[i]);
	assert_null(tls_profile_doubts(priority));
	gnutls_priority_deinit(priority);
}

static void test_profiles_allow_their_versions_and_nothing_weak(void **state)
{
	static const unsigned both[] = {GNUTLS_TLS1_3, GNUTLS_TLS1_2};

	assert_versions(TLS_PROFILE_MODERN, both, 1);
	assert_versions(TLS_PROFILE_INTERMEDIATE, both, 2);
}

static void test_hybrid_group_comes_first_where_it_is_known(void **state)
{
	static const char *const profiles[] = {TLS_PROFILE_MODERN, TLS_PROFILE_INTERMEDIATE};

	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		assert_non_null(strstr(tls_profile_priority(profiles[i], knows_hybrid),
				       ":-GROUP-ALL:+GROUP-X25519-MLKEM768:+GROUP-X25519:"));
		assert_null(strstr(tls_profile_priority(profiles[i], knows_none), "MLKEM"));
	}
	assert_string_equal(tls_profile_priority("NORMAL", knows_hybrid), "NORMAL");
}

static void test_senseless_priority_is_explained(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
	    {"", "it ends too early"},
	    {"moderm", "GnuTLS does not know \"moderm\", with which it begins"},
	    {"NORMAL:+VERS-TLS1.4:%COMPAT", "GnuTLS does not know \"+VERS-TLS1.4\""},
	    {"NORMAL:%NONSENSE", "GnuTLS does not know \"%NONSENSE\""},
	    {"NORMAL:-VERS-ALL:+VERS-DTLS1.2",
	     "it allows no connection: no version of TLS is left"},
	    {"NORMAL:-GROUP-ALL", "it allows no connection: no group is left"},
	    {"NORMAL:-SIGN-ALL", "it allows no connection: no signature algorithm is left"},
	    {"NONE", "it allows no connection: No or insufficient priorities were set."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *error = NULL;

		assert_null(tls_profile_create(cases[i].text, &error));
		assert_string_equal(error, cases[i].error);
		free(error);
	}
}

static void test_weak_parts_are_named(void **state)
{
	static const struct {
		const char *text, *doubts;
	} cases[] = {
	    {"NONE:+VERS-TLS1.2:+VERS-TLS1.1:+ECDHE-RSA:+RSA:+AES-128-GCM:+3DES-CBC:+AEAD:+SHA1:"
	     "+MD5:+GROUP-X25519:+SIGN-ALL:+COMP-NULL",
	     "TLS1.1, RSA, 3DES-CBC, MD5"},
	    {"SECURE192:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-RSA", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gnutls_priority_t priority = good(cases[i].text);
		char *doubts = tls_profile_doubts(priority);

		if (cases[i].doubts != NULL)
			assert_string_equal(doubts, cases[i].doubts);
		else
			assert_null(doubts);
		free(doubts);
		gnutls_priority_deinit(priority);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_profiles_allow_their_versions_and_nothing_weak),
	    cmocka_unit_test(test_hybrid_group_comes_first_where_it_is_known),
	    cmocka_unit_test(test_senseless_priority_is_explained),
	    cmocka_unit_test(test_weak_parts_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
