/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of leases share: connections, and an origin that echoes at an endpoint.
 */
#pragma once

#include "tests/unit/origin-link/conns_rig.h"

struct lease_rig {
	struct conns_rig rig;
	struct echo_origin origin;
	struct endpoint *e;
};

/* cmocka's setup and teardown: one in *state. */
int lease_rig_setup(void **state);
int lease_rig_teardown(void **state);
#define LEASE_TEST(name) cmocka_unit_test_setup_teardown(name, lease_rig_setup, lease_rig_teardown)

int64_t lease_rig_count(struct lease_rig *t, enum olink_counter id);
/* Connections of its endpoint. */
unsigned lease_rig_open(struct lease_rig *t);
/* The origin has closed it, whether or not the loop was told yet. */
bool lease_rig_has_ended(const struct origin_conn *conn);
