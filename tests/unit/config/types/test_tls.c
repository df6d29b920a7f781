/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is complained about in what is said of TLS.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>

static void test_wrong_profile(void **state)
{
	assert_complaints("tls: {profile: moderm}\n",
			  "fleet.yaml:1:16: tls.profile: \"moderm\": GnuTLS does not know "
			  "\"moderm\", with which it begins\n");
	assert_complaints("tls:\n"
			  "  profile: NORMAL:-VERS-ALL:+VERS-TLS1.4\n",
			  "fleet.yaml:2:12: tls.profile: \"NORMAL:-VERS-ALL:+VERS-TLS1.4\": GnuTLS "
			  "does not know \"+VERS-TLS1.4\"\n");
}

static void test_weak_profile_is_warned_of(void **state)
{
	char *complaints;
	struct cfg_fleet *fleet = load_text(
	    "edges: {a: {}}\n"
	    "tls: {profile: \"NONE:+VERS-TLS1.0:+RSA:+AES-128-CBC:+SHA1:+COMP-NULL:+GROUP-X25519:"
	    "+SIGN-ALL\"}\n",
	    &complaints);

	assert_non_null(fleet);
	assert_string_equal(complaints,
			    "fleet.yaml:2:16: warning: tls.profile: \"NONE:+VERS-TLS1.0:+RSA:"
			    "+AES-128-CBC:+SHA1:+COMP-NULL:+GROUP-X25519:+SIGN-ALL\" allows what "
			    "is no longer safe: TLS1.0, RSA\n");
	free(complaints);
	cfg_fleet_destroy(&fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_profile),
	    cmocka_unit_test(test_weak_profile_is_warned_of),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
