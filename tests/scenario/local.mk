# SPDX-License-Identifier: GPL-3.0-or-later
#
# Each file is a test of its own: several run at a time.

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(SHELL) $(srcdir)/tests/scenario/run

scenarios = \
	tests/scenario/test_bench.py \
	tests/scenario/test_chromium.py \
	tests/scenario/test_compression.py \
	tests/scenario/test_config.py \
	tests/scenario/test_demo.py \
	tests/scenario/test_dns.py \
	tests/scenario/test_edge_auth.py \
	tests/scenario/test_edge_balance.py \
	tests/scenario/test_edge_checks.py \
	tests/scenario/test_edge_certificates.py \
	tests/scenario/test_edge_client_certs.py \
	tests/scenario/test_edge_desync.py \
	tests/scenario/test_edge_desync_origin.py \
	tests/scenario/test_edge_early_data.py \
	tests/scenario/test_edge_exchange.py \
	tests/scenario/test_edge_grpc.py tests/scenario/test_edge_grpc_origin.py \
	tests/scenario/test_edge_h2.py \
	tests/scenario/test_edge_h2_conformance.py \
	tests/scenario/test_edge_h2_floods.py \
	tests/scenario/test_edge_handshake_threads.py \
	tests/scenario/test_edge_hints.py \
	tests/scenario/test_edge_http.py \
	tests/scenario/test_edge_inlet.py \
	tests/scenario/test_edge_ja4.py \
	tests/scenario/test_edge_keys.py \
	tests/scenario/test_edge_life.py \
	tests/scenario/test_edge_limits.py \
	tests/scenario/test_edge_log.py \
	tests/scenario/test_edge_min_rate.py \
	tests/scenario/test_edge_mirror.py \
	tests/scenario/test_edge_misdirected.py \
	tests/scenario/test_edge_ocsp.py \
	tests/scenario/test_edge_origin_tls.py \
	tests/scenario/test_edge_pkcs11.py \
	tests/scenario/test_edge_origin_connection.py \
	tests/scenario/test_edge_origin_h2.py tests/scenario/test_edge_plain.py \
	tests/scenario/test_edge_proxy_tls.py \
	tests/scenario/test_edge_routes.py \
	tests/scenario/test_edge_rules.py \
	tests/scenario/test_edge_slowhttptest.py \
	tests/scenario/test_edge_standards.py \
	tests/scenario/test_edge_streams.py \
	tests/scenario/test_edge_terms.py \
	tests/scenario/test_edge_tickets.py \
	tests/scenario/test_edge_timeouts.py \
	tests/scenario/test_edge_tls_failures.py \
	tests/scenario/test_edge_tls_hostile.py \
	tests/scenario/test_edge_tls_scanners.py \
	tests/scenario/test_edge_tunnel.py \
	tests/scenario/test_edge_unix_origin.py \
	tests/scenario/test_edge_x25519.py \
	tests/scenario/test_fault_blame.py \
	tests/scenario/test_fault_certificates.py \
	tests/scenario/test_fault_client_fields.py \
	tests/scenario/test_fault_closing.py \
	tests/scenario/test_fault_connections.py \
	tests/scenario/test_fault_cost.py \
	tests/scenario/test_fault_descriptors.py \
	tests/scenario/test_fault_dns_end.py \
	tests/scenario/test_fault_edge_certificates.py \
	tests/scenario/test_fault_files.py \
	tests/scenario/test_fault_h2_times.py \
	tests/scenario/test_fault_heads.py \
	tests/scenario/test_fault_health_page.py \
	tests/scenario/test_fault_late_checks.py \
	tests/scenario/test_fault_log_reader.py \
	tests/scenario/test_fault_no_end.py \
	tests/scenario/test_fault_no_ipv6.py \
	tests/scenario/test_fault_origin_kinds.py \
	tests/scenario/test_fault_origin_names.py \
	tests/scenario/test_fault_origin_all_down.py \
	tests/scenario/test_fault_origin_outliers.py \
	tests/scenario/test_fault_origin_race.py \
	tests/scenario/test_fault_origin_retries.py \
	tests/scenario/test_fault_origins.py \
	tests/scenario/test_fault_paths.py \
	tests/scenario/test_fault_relay.py \
	tests/scenario/test_fault_reload_blocks.py \
	tests/scenario/test_fault_resolver.py \
	tests/scenario/test_fault_restart.py \
	tests/scenario/test_fault_sigint_ignored.py \
	tests/scenario/test_fault_signals.py \
	tests/scenario/test_fault_skipped_silently.py \
	tests/scenario/test_fault_stage_timeouts.py \
	tests/scenario/test_fault_started_twice.py \
	tests/scenario/test_fault_steering.py \
	tests/scenario/test_fault_tcp_holders.py \
	tests/scenario/test_fault_tls_policy.py \
	tests/scenario/test_fault_unproven_address.py \
	tests/scenario/test_fault_verdicts.py \
	tests/scenario/test_fault_versions.py \
	tests/scenario/test_http1_h11.py \
	tests/scenario/test_keys.py \
	tests/scenario/test_keys_strangers.py \
	tests/scenario/test_log_levels.py \
	tests/scenario/test_perigeectl.py \
	tests/scenario/test_privileges.py \
	tests/scenario/test_relay.py tests/scenario/test_relay_link.py
TESTS += $(scenarios)
EXTRA_DIST += tests/scenario/run tests/scenario/conftest.py $(scenarios)
