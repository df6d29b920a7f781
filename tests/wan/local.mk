# SPDX-License-Identifier: GPL-3.0-or-later
#
# The long-path rig: hosts in network namespaces, joined by a delay line.

check_PROGRAMS += tests/wan/test_path
tests_wan_test_path_SOURCES = tests/wan/test_path.c tests/wan/path.c tests/wan/path.h
tests_wan_test_path_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/wan/test_path

noinst_PROGRAMS += tests/wan/wan-line tests/wan/wan-probe
tests_wan_wan_line_SOURCES = tests/wan/line.c tests/wan/host.c tests/wan/host.h \
	tests/wan/path.c tests/wan/path.h tests/wan/world.c tests/wan/world.h
tests_wan_wan_line_LDADD = $(LINK_CORE)
tests_wan_wan_probe_SOURCES = tests/wan/probe.c
tests_wan_wan_probe_LDADD = $(LINK_CORE)

if BENCH
noinst_PROGRAMS += tests/wan/wan-visit
tests_wan_wan_visit_SOURCES = tests/wan/visit.c tests/wan/ask.c tests/wan/ask.h \
	tests/wan/wire.c tests/wan/wire.h
tests_wan_wan_visit_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_wan_wan_visit_LDADD = $(OPENSSL_LIBS) $(CARES_LIBS) $(LINK_CORE)
endif

TESTS += tests/wan/smoke
EXTRA_DIST += tests/wan/smoke tests/wan/bench_wan.py tests/wan/chart.py tests/wan/fleet.py \
	tests/wan/limits.py tests/wan/pauses.py tests/wan/rig.py tests/wan/world.txt

.PHONY: bench-wan wan
if BENCH
# The bench, and the same fleet to walk about in until Ctrl-C.
bench-wan: all
	@$(bench_python) $(srcdir)/tests/wan/bench_wan.py --out bench $(BENCH_ARGS) $(bench_skip)

wan: all
	@$(bench_python) $(srcdir)/tests/wan/fleet.py $(bench_skip)
else
bench-wan wan:
	@echo "configured without libssl: install libssl-dev (./bootstrap bench does) and configure anew"
endif
