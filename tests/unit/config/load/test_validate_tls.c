/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys on another machine: what must be said of them, what follows from that, and what a reload of
 * perigee-keys cannot change.
 */
#include "tests/unit/config/support.h"

#include <string.h>

#include "core/base/check.h"

#define EDGES "edges: {a: {location: \"1,1\", addresses: [192.0.2.1]}}\n"
#define REMOTE(more) "tls: {keys: {place: remote, " more "}}\n"
#define WHOLE "servers: [k1, \"[2001:db8::1]:99\"], certificate: c, key: k, ca: a"

static void test_defaults(void **state)
{
	struct cfg_fleet *f = load_good(EDGES REMOTE(WHOLE));
	const struct cfg_keys *keys = &f->tls.keys;

	assert_int_equal(keys->place, CFG_KEYS_REMOTE);
	assert_int_equal(keys->n_servers, 2);
	assert_string_equal(keys->servers[0].host, "k1");
	assert_int_equal(keys->servers[0].port, CFG_KEYS_PORT);
	assert_string_equal(keys->servers[1].host, "2001:db8::1");
	assert_int_equal(keys->servers[1].port, 99);
	assert_int_equal(keys->listen.n, 1);
	assert_int_equal(net_addr_port(&keys->listen.v[0]), CFG_KEYS_PORT);
	assert_string_equal(keys->control, "/run/perigee/keys.sock");
	assert_null(keys->crl);
	assert_int_equal(keys->rate.count, 0);
	cfg_fleet_destroy(&f);
}

static void test_what_is_missing(void **state)
{
	assert_complaints(
	    EDGES "tls: {keys: {place: remote}}\n",
	    "fleet.yaml:2:21: tls.keys.place: remote without servers: where perigee-keys listens\n"
	    "fleet.yaml:2:21: tls.keys.place: remote without certificate: what this machine shows "
	    "to the other\n"
	    "fleet.yaml:2:21: tls.keys.place: remote without key: the private key of that "
	    "certificate\n"
	    "fleet.yaml:2:21: tls.keys.place: remote without ca: whom both machines trust\n");
}

static void test_servers_that_are_alike_or_too_many(void **state)
{
	struct cfg_fleet *f = load_good(EDGES REMOTE("servers: [a, b, c, d, e, f, g, h], "
						     "certificate: c, key: k, ca: a"));

	assert_int_equal(f->tls.keys.n_servers, 8);
	cfg_fleet_destroy(&f);
	assert_complaints(EDGES REMOTE("servers: [a, b, c, d, e, f, g, h, i], certificate: c, "
				       "key: k, ca: a"),
			  "fleet.yaml:2:38: tls.keys.servers: no more than 8 can be asked\n");
	assert_complaints(EDGES REMOTE("servers: [a, \"A:8853\"], certificate: c, key: k, ca: a"),
			  "fleet.yaml:2:42: tls.keys.servers: \"a:8853\" is there twice; first at "
			  "fleet.yaml:2:39\n");
}

static void test_threads_for_handshakes(void **state)
{
	struct cfg_fleet *f = load_good(EDGES REMOTE(WHOLE));

	assert_int_equal(cfg_handshake_threads(&f->tls, 2), 128);
	assert_int_equal(cfg_handshake_threads(&f->tls, 64), 1024);
	cfg_fleet_destroy(&f);
	f = load_good(EDGES "tls: {keys: {place: signer}}\n");
	assert_int_equal(cfg_handshake_threads(&f->tls, 2), 2);
	cfg_fleet_destroy(&f);
	f = load_good(EDGES "tls: {handshake_threads: 7}\n");
	assert_int_equal(cfg_handshake_threads(&f->tls, 2), 7);
	cfg_fleet_destroy(&f);
}

/* Elsewhere they would do nothing. */
static void test_only_with_keys_on_another_machine(void **state)
{
	assert_complaints(EDGES "tls: {keys: {place: signer, ca: a}}\n",
			  "fleet.yaml:2:29: tls.keys.ca belongs to place remote, but here place is "
			  "signer\n");
}

static void test_what_takes_a_restart_of_perigee_keys(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
	    {EDGES REMOTE(WHOLE), NULL},
	    {EDGES "log: {level: debug}\n" REMOTE(WHOLE ", crl: r"), NULL},
	    {EDGES REMOTE(WHOLE ", listen: \"*:1\""), "tls.keys.listen"},
	    {EDGES REMOTE(WHOLE ", control: /x"), "tls.keys.control"},
	    {EDGES REMOTE(WHOLE ", rate: 1/s"), "tls.keys.rate"},
	    {EDGES "user: nobody\n" REMOTE(WHOLE), "user"},
	};
	struct cfg_fleet *before = load_good(EDGES REMOTE(WHOLE));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_fleet *after = load_good(cases[i].text);
		char path[64] = "";

		assert_int_equal(cfg_keys_need_restart(before, after, path, sizeof(path)),
				 cases[i].path != NULL);
		assert_string_equal(path, cases[i].path != NULL ? cases[i].path : "");
		cfg_fleet_destroy(&after);
	}
	cfg_fleet_destroy(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_what_is_missing),
	    cmocka_unit_test(test_servers_that_are_alike_or_too_many),
	    cmocka_unit_test(test_threads_for_handshakes),
	    cmocka_unit_test(test_only_with_keys_on_another_machine),
	    cmocka_unit_test(test_what_takes_a_restart_of_perigee_keys),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
