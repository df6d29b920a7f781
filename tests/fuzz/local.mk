# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fuzz targets. Configured with CC=clang --enable-fuzzing each is a libFuzzer program:
#
#   tests/fuzz/fuzz_http1 -max_len=4096 NEW_CORPUS SRCDIR/tests/fuzz/corpus/http1
#
# Otherwise each replays its corpus, tests/fuzz/corpus/NAME for fuzz_NAME, under `make check`. What
# made one crash becomes a file of its corpus. A new target: its lines as below, its name in
# fuzz_targets, and its folder in tests/fuzz/corpus.

fuzz_targets = tests/fuzz/fuzz_config tests/fuzz/fuzz_dns tests/fuzz/fuzz_early \
	tests/fuzz/fuzz_fields tests/fuzz/fuzz_flow tests/fuzz/fuzz_h2 tests/fuzz/fuzz_hello \
	tests/fuzz/fuzz_http1 tests/fuzz/fuzz_mmdb tests/fuzz/fuzz_ocsp tests/fuzz/fuzz_olink_h2 \
	tests/fuzz/fuzz_options \
	tests/fuzz/fuzz_path \
	tests/fuzz/fuzz_proxy tests/fuzz/fuzz_request tests/fuzz/fuzz_rules \
	tests/fuzz/fuzz_signer tests/fuzz/fuzz_srv tests/fuzz/fuzz_zone

if FUZZING
fuzz_main =
fuzz_flags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_main = tests/fuzz/replay.c
fuzz_flags = $(AM_LDFLAGS)
TESTS += $(fuzz_targets)
endif

check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/fuzz.h

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(fuzz_main)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_config_LDADD = $(LINK_CONFIG)

tests_fuzz_fuzz_dns_SOURCES = tests/fuzz/fuzz_dns.c $(fuzz_main)
tests_fuzz_fuzz_dns_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_dns_LDADD = $(LINK_DNS)

tests_fuzz_fuzz_early_SOURCES = tests/fuzz/fuzz_early.c $(fuzz_main)
tests_fuzz_fuzz_early_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_early_LDADD = $(LINK_CORE)

tests_fuzz_fuzz_fields_SOURCES = tests/fuzz/fuzz_fields.c $(fuzz_main)
tests_fuzz_fuzz_fields_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_fields_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_flow_SOURCES = tests/fuzz/fuzz_flow.c $(fuzz_main) \
	tests/support/flow_chain.c tests/support/flow_chain.h \
	tests/support/flow_filters.c tests/support/flow_filters.h \
	tests/support/flow_party.c tests/support/flow_party.h
tests_fuzz_fuzz_flow_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_flow_LDADD = $(LINK_CORE)

tests_fuzz_fuzz_h2_SOURCES = tests/fuzz/fuzz_h2.c $(fuzz_main) \
	tests/support/flow_chain.c tests/support/flow_chain.h \
	tests/support/flow_filters.c tests/support/flow_filters.h \
	tests/support/flow_party.c tests/support/flow_party.h
tests_fuzz_fuzz_h2_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_h2_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_hello_SOURCES = tests/fuzz/fuzz_hello.c $(fuzz_main)
tests_fuzz_fuzz_hello_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_hello_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_http1_SOURCES = tests/fuzz/fuzz_http1.c $(fuzz_main) \
	tests/support/h1_run.c tests/support/h1_run.h
tests_fuzz_fuzz_http1_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_http1_LDADD = $(LINK_CORE)

tests_fuzz_fuzz_mmdb_SOURCES = tests/fuzz/fuzz_mmdb.c $(fuzz_main)
tests_fuzz_fuzz_mmdb_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_mmdb_LDADD = $(LINK_GEO)

tests_fuzz_fuzz_ocsp_SOURCES = tests/fuzz/fuzz_ocsp.c $(fuzz_main)
tests_fuzz_fuzz_ocsp_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_ocsp_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_olink_h2_SOURCES = tests/fuzz/fuzz_olink_h2.c $(fuzz_main) \
	tests/support/flow_chain.c tests/support/flow_chain.h \
	tests/support/flow_filters.c tests/support/flow_filters.h \
	tests/support/flow_party.c tests/support/flow_party.h
tests_fuzz_fuzz_olink_h2_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_olink_h2_LDADD = $(LINK_ORIGIN_LINK)

tests_fuzz_fuzz_options_SOURCES = tests/fuzz/fuzz_options.c $(fuzz_main)
tests_fuzz_fuzz_options_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_options_LDADD = $(LINK_DNS)

tests_fuzz_fuzz_path_SOURCES = tests/fuzz/fuzz_path.c $(fuzz_main)
tests_fuzz_fuzz_path_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_path_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c $(fuzz_main)
tests_fuzz_fuzz_proxy_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_proxy_LDADD = $(LINK_CORE)

tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(fuzz_main) \
	tests/support/flow_chain.c tests/support/flow_chain.h \
	tests/support/flow_filters.c tests/support/flow_filters.h \
	tests/support/flow_party.c tests/support/flow_party.h \
	tests/support/polled_origin.c tests/support/polled_origin.h
tests_fuzz_fuzz_request_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_request_LDADD = $(LINK_ORIGIN_LINK)

tests_fuzz_fuzz_rules_SOURCES = tests/fuzz/fuzz_rules.c $(fuzz_main)
tests_fuzz_fuzz_rules_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_rules_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_signer_SOURCES = tests/fuzz/fuzz_signer.c $(fuzz_main)
tests_fuzz_fuzz_signer_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_signer_LDADD = $(LINK_EDGE)

tests_fuzz_fuzz_srv_SOURCES = tests/fuzz/fuzz_srv.c $(fuzz_main)
tests_fuzz_fuzz_srv_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_srv_LDADD = $(LINK_ORIGIN_LINK)

tests_fuzz_fuzz_zone_SOURCES = tests/fuzz/fuzz_zone.c $(fuzz_main)
tests_fuzz_fuzz_zone_LDFLAGS = $(fuzz_flags)
tests_fuzz_fuzz_zone_LDADD = $(LINK_DNS)
