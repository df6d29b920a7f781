/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is complained about in what is said of TLS.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>

#include "core/base/check.h"

#define NO_JA4 " is not a JA4 fingerprint such as t13d1516h2_8daaf6152771_e5627efa2ab1\n"

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

static void test_wrong_fingerprint(void **state)
{
	assert_complaints(
	    "http: {access: {deny: {ja4: [t13d1516h2_8daaf6152771_e5627efa2ab1,\n"
	    "  q13d1516h2_8daaf6152771_e5627efa2ab1, t13d1516h2_8daaf6152771_e5627efa2ab,\n"
	    "  T13d1516h2_8daaf6152771_e5627efa2ab1, t13x1516h2_8daaf6152771_e5627efa2ab1]}}}\n",
	    "fleet.yaml:2:3: http.access[0].deny.ja4[1]: "
	    "\"q13d1516h2_8daaf6152771_e5627efa2ab1\"" NO_JA4
	    "fleet.yaml:2:41: http.access[0].deny.ja4[2]: "
	    "\"t13d1516h2_8daaf6152771_e5627efa2ab\"" NO_JA4
	    "fleet.yaml:3:3: http.access[0].deny.ja4[3]: "
	    "\"T13d1516h2_8daaf6152771_e5627efa2ab1\"" NO_JA4
	    "fleet.yaml:3:41: http.access[0].deny.ja4[4]: "
	    "\"t13x1516h2_8daaf6152771_e5627efa2ab1\"" NO_JA4);
}

/* What nothing asks for is not computed. */
static void test_who_needs_fingerprints(void **state)
{
	static const struct {
		const char *text;
		bool needs;
	} cases[] = {
	    {"http: {access_log: {format: json}}\n", true},
	    {"http: {access_log: {output: \"\"}}\n", false},
	    {"http: {access_log: {format: combined}}\n", false},
	    {"http: {access_log: {format: \"{client.ip} {tls.ja4}\"}}\n", true},
	    {"http: {access_log: {output: \"\"}, access: {deny: {ja4: "
	     "t13d1516h2_8daaf6152771_e5627efa2ab1}}}\n",
	     true},
	    {"http: {access_log: {output: \"\"}, limits: {name: a, rate: 1/s, key: "
	     "\"{tls.ja4}\"}}\n",
	     true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_fleet *fleet = load_good(cases[i].text);

		assert_int_equal(cfg_needs_ja4(fleet), cases[i].needs);
		cfg_fleet_destroy(&fleet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_profile),
	    cmocka_unit_test(test_weak_profile_is_warned_of),
	    cmocka_unit_test(test_wrong_fingerprint),
	    cmocka_unit_test(test_who_needs_fingerprints),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
