# SPDX-License-Identifier: GPL-3.0-or-later
#
# Benchmarks are never part of `make check`: they take time and want a quiet machine.

EXTRA_DIST += tests/bench/http.py

.PHONY: bench
bench: all
	PERIGEE_BUILD=. PERIGEE_SRC=$(srcdir) /usr/bin/python3 $(srcdir)/tests/bench/http.py $(BENCH_ARGS)
