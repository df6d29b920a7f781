# SPDX-License-Identifier: GPL-3.0-or-later
#
# Benchmarks: never part of `make check`, but for a short run that asserts nothing about time
# (tests/scenario/test_bench.py). ONLY=WORK,... chooses works; BENCH_ARGS has more (BENCH_ARGS=--help).

if BENCH
bench_programs = tests/bench/bench-tlsload tests/bench/bench-dnsload \
	tests/bench/bench-streams tests/bench/bench-messages tests/bench/bench-pool \
	tests/bench/bench-checks
endif
check_PROGRAMS += $(bench_programs)
EXTRA_PROGRAMS = tests/bench/bench-tlsload tests/bench/bench-dnsload tests/bench/bench-geo \
	tests/bench/bench-streams tests/bench/bench-messages tests/bench/bench-pool \
	tests/bench/bench-checks
EXTRA_DIST += tests/bench/bench.py tests/bench/city_database.pl \
	tests/bench/check_works.py tests/bench/dns_scale_works.py \
	tests/bench/dns_works.py tests/bench/edge_works.py \
	tests/bench/edges.py tests/bench/goals.toml \
	tests/bench/measure.py tests/bench/profiler.py tests/bench/report.py \
	tests/bench/responders.py tests/bench/waits.py tests/bench/work.py
CLEANFILES += bench/city.mmdb

tests_bench_bench_tlsload_SOURCES = tests/bench/tlsload.c tests/bench/load.c tests/bench/load.h
tests_bench_bench_tlsload_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_bench_bench_tlsload_LDADD = $(LINK_CORE) $(OPENSSL_LIBS) -lm

tests_bench_bench_dnsload_SOURCES = tests/bench/dnsload.c tests/bench/load.c tests/bench/load.h
tests_bench_bench_dnsload_LDADD = $(KNOT_LIBS) $(LINK_CORE)

tests_bench_bench_streams_SOURCES = tests/bench/streams.c tests/bench/load.c tests/bench/load.h
tests_bench_bench_streams_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS) $(NGHTTP2_CFLAGS)
tests_bench_bench_streams_LDADD = $(LINK_CORE) $(OPENSSL_LIBS) $(NGHTTP2_LIBS)

tests_bench_bench_messages_SOURCES = tests/bench/messages.c tests/bench/load.c tests/bench/load.h
tests_bench_bench_messages_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_bench_bench_messages_LDADD = $(LINK_CORE) $(OPENSSL_LIBS)

tests_bench_bench_pool_SOURCES = tests/bench/pool.c tests/bench/load.c tests/bench/load.h
tests_bench_bench_pool_LDADD = $(LINK_ORIGIN_LINK)

tests_bench_bench_checks_SOURCES = tests/bench/checks.c
tests_bench_bench_checks_LDADD = $(LINK_CORE)

tests_bench_bench_geo_SOURCES = tests/bench/geo.c
tests_bench_bench_geo_LDADD = $(LINK_GEO)

bench/city.mmdb: tests/bench/city_database.pl
	$(AM_V_GEN)$(MKDIR_P) bench && $(PERL) $(srcdir)/tests/bench/city_database.pl $@

bench_python = PERIGEE_BUILD=. PERIGEE_SRC=$(srcdir) PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
# What cannot run here says why and is no failure.
bench_skip = || test $$? = 77

.PHONY: bench bench-waits profile
if BENCH
bench: all $(bench_programs) bench/city.mmdb
	@$(bench_python) $(srcdir)/tests/bench/bench.py --database bench/city.mmdb --out bench \
		--only "$(ONLY)" $(BENCH_ARGS) $(bench_skip)

# How many requests wait for an origin connection to be made; takes three minutes.
bench-waits: all $(bench_programs)
	@$(bench_python) $(srcdir)/tests/bench/waits.py $(BENCH_ARGS)

profile: all $(bench_programs) bench/city.mmdb
	@$(bench_python) $(srcdir)/tests/bench/profiler.py --database bench/city.mmdb --out bench \
		--work "$(WORK)" $(BENCH_ARGS)
else
bench bench-waits profile:
	@echo "configured without libssl: install libssl-dev (./bootstrap bench does) and configure anew"
endif
