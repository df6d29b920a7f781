/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is complained about in what is said of the access log, and of fields and variables that are
 * not for everybody.
 */
#include "tests/unit/config/support.h"

static void test_wrong_access_log(void **state)
{
	assert_complaints(
	    "http:\n"
	    "  access_log:\n"
	    "    format: jsn\n"
	    "    sample: 101%\n"
	    "    failures: none\n"
	    "    syslog: {receiver: \"*:514\", facility: local8}\n",
	    "fleet.yaml:3:13: http.access_log.format: \"jsn\" is not json, combined or a text with "
	    "variables such as {client.ip}\n"
	    "fleet.yaml:4:13: http.access_log.sample: \"101%\" is not a share such as 10% or 0.5%, "
	    "at most 100%\n"
	    "fleet.yaml:5:15: http.access_log.failures: \"none\" is not one of all, sampled\n"
	    "fleet.yaml:6:24: http.access_log.syslog.receiver: \"*:514\" is not the path of a "
	    "socket "
	    "such as /dev/log, or an address such as 192.0.2.1:514\n"
	    "fleet.yaml:6:43: http.access_log.syslog.facility: \"local8\" is not one of kern, "
	    "user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, audit, "
	    "alert, clock, local0, local1, local2, local3, local4, local5, local6, local7; did you "
	    "mean \"local0\"?\n");
	assert_complaints(
	    "http: {access_log: {format: \"{client.ipp} {end}\"}}\n",
	    "fleet.yaml:1:29: http.access_log.format: \"{client.ipp} {end}\": there is no "
	    "variable {client.ipp}; did you mean {client.ip}?\n");
}

/* Where a request is under way, its end is not known. */
static void test_what_only_the_log_knows(void **state)
{
	assert_complaints(
	    "origins: {app: {servers: s}}\n"
	    "sites: {w: {hosts: h, certificates: {certificate: c, key: k},\n"
	    "  routes: {origin: app, response_fields: {name: x, value: \"{bytes}\"}}}}\n",
	    "fleet.yaml:3:59: sites.w.routes[0].response_fields[0].value: \"{bytes}\": "
	    "{bytes} is known to the access log only\n");
}

/* RFC 8586 section 2: whoever could take it away could send requests round for ever. */
static void test_the_guard_against_loops_is_no_field_to_change(void **state)
{
	assert_complaints(
	    "http: {trusted_fields: [cdn-loop]}\n",
	    "fleet.yaml:1:25: http.trusted_fields[0]: \"cdn-loop\": it keeps requests "
	    "from going in circles for ever\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_access_log),
	    cmocka_unit_test(test_what_only_the_log_knows),
	    cmocka_unit_test(test_the_guard_against_loops_is_no_field_to_change),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
