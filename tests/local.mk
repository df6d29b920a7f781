# SPDX-License-Identifier: GPL-3.0-or-later

include tests/unit/core/local.mk
include tests/unit/config/local.mk
include tests/unit/geo/local.mk
include tests/unit/origin-link/local.mk
include tests/unit/fleet/local.mk
include tests/unit/edge/local.mk
include tests/unit/dns/local.mk
include tests/fuzz/local.mk
include tests/lint/local.mk
include tests/support/local.mk
include tests/scenario/local.mk
include tests/suite/local.mk
include tests/chaos/local.mk
include tests/bench/local.mk
include tests/wan/local.mk
