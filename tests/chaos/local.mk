# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything at once, a little of it in `make check`. For longer: make chaos CHAOS_ARGS="--seconds 300"

TESTS += tests/chaos/chaos
EXTRA_DIST += tests/chaos/chaos tests/chaos/clients.py tests/chaos/names.py tests/chaos/origins.py \
	tests/chaos/record.py tests/chaos/world.py

.PHONY: chaos
chaos: all
	@PERIGEE_BUILD=. PERIGEE_SRC=$(srcdir) $(PYTHON) $(srcdir)/tests/chaos/chaos $(CHAOS_ARGS)
