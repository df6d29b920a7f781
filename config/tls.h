/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tls: how every edge speaks TLS with clients. A part of config/fleet.h.
 */
#pragma once

struct cfg_tls {
	const char *profile; /* for tls_profile_create() */
};
