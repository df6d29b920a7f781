# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of edge/: they link $(LINK_EDGE), so nothing above it.

known_request = tests/support/known_request.c tests/support/known_request.h
check_PROGRAMS += tests/unit/edge/auth/test_password
tests_unit_edge_auth_test_password_SOURCES = tests/unit/edge/auth/test_password.c
tests_unit_edge_auth_test_password_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/auth/test_password

check_PROGRAMS += tests/unit/edge/auth/test_verifier
tests_unit_edge_auth_test_verifier_SOURCES = tests/unit/edge/auth/test_verifier.c
tests_unit_edge_auth_test_verifier_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/auth/test_verifier

check_PROGRAMS += tests/unit/edge/keys/test_keys
tests_unit_edge_keys_test_keys_SOURCES = tests/unit/edge/keys/test_keys.c
tests_unit_edge_keys_test_keys_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/test_keys

check_PROGRAMS += tests/unit/edge/keys/test_signable
tests_unit_edge_keys_test_signable_SOURCES = tests/unit/edge/keys/test_signable.c
tests_unit_edge_keys_test_signable_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/test_signable

check_PROGRAMS += tests/unit/edge/keys/test_signer
tests_unit_edge_keys_test_signer_SOURCES = tests/unit/edge/keys/test_signer.c
tests_unit_edge_keys_test_signer_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/test_signer

check_PROGRAMS += tests/unit/edge/keys/test_x25519
tests_unit_edge_keys_test_x25519_SOURCES = tests/unit/edge/keys/test_x25519.c
tests_unit_edge_keys_test_x25519_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/test_x25519

check_PROGRAMS += tests/unit/edge/keys/test_signer_message
tests_unit_edge_keys_test_signer_message_SOURCES = tests/unit/edge/keys/test_signer_message.c
tests_unit_edge_keys_test_signer_message_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/test_signer_message

check_PROGRAMS += tests/unit/edge/keys/signing/test_rate
tests_unit_edge_keys_signing_test_rate_SOURCES = tests/unit/edge/keys/signing/test_rate.c
tests_unit_edge_keys_signing_test_rate_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/signing/test_rate

check_PROGRAMS += tests/unit/edge/keys/remote/test_keys_server
tests_unit_edge_keys_remote_test_keys_server_SOURCES = tests/unit/edge/keys/remote/test_keys_server.c \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_edge_keys_remote_test_keys_server_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/remote/test_keys_server

check_PROGRAMS += tests/unit/edge/keys/remote/test_wire
tests_unit_edge_keys_remote_test_wire_SOURCES = tests/unit/edge/keys/remote/test_wire.c \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_edge_keys_remote_test_wire_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/remote/test_wire

check_PROGRAMS += tests/unit/edge/keys/server/test_table
tests_unit_edge_keys_server_test_table_SOURCES = tests/unit/edge/keys/server/test_table.c \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_edge_keys_server_test_table_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/keys/server/test_table

check_PROGRAMS += tests/unit/edge/log/test_access_log
tests_unit_edge_log_test_access_log_SOURCES = tests/unit/edge/log/test_access_log.c
tests_unit_edge_log_test_access_log_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/log/test_access_log

check_PROGRAMS += tests/unit/edge/log/test_format
tests_unit_edge_log_test_format_SOURCES = tests/unit/edge/log/test_format.c
tests_unit_edge_log_test_format_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/log/test_format

check_PROGRAMS += tests/unit/edge/facts/test_match
tests_unit_edge_facts_test_match_SOURCES = tests/unit/edge/facts/test_match.c
tests_unit_edge_facts_test_match_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/facts/test_match

check_PROGRAMS += tests/unit/edge/tls/test_certs
tests_unit_edge_tls_test_certs_SOURCES = tests/unit/edge/tls/test_certs.c
tests_unit_edge_tls_test_certs_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_certs

check_PROGRAMS += tests/unit/edge/tls/test_client_auth
tests_unit_edge_tls_test_client_auth_SOURCES = tests/unit/edge/tls/test_client_auth.c \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_edge_tls_test_client_auth_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_client_auth
check_PROGRAMS += tests/unit/edge/tls/test_client_hello
tests_unit_edge_tls_test_client_hello_SOURCES = tests/unit/edge/tls/test_client_hello.c
tests_unit_edge_tls_test_client_hello_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_client_hello

check_PROGRAMS += tests/unit/edge/tls/test_host_table
tests_unit_edge_tls_test_host_table_SOURCES = tests/unit/edge/tls/test_host_table.c
tests_unit_edge_tls_test_host_table_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_host_table

check_PROGRAMS += tests/unit/edge/tls/test_ticket_keys
tests_unit_edge_tls_test_ticket_keys_SOURCES = tests/unit/edge/tls/test_ticket_keys.c
tests_unit_edge_tls_test_ticket_keys_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_ticket_keys

check_PROGRAMS += tests/unit/edge/tls/test_staple
tests_unit_edge_tls_test_staple_SOURCES = tests/unit/edge/tls/test_staple.c
tests_unit_edge_tls_test_staple_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_staple

check_PROGRAMS += tests/unit/edge/tls/test_tickets
tests_unit_edge_tls_test_tickets_SOURCES = tests/unit/edge/tls/test_tickets.c tests/support/test_cert.c
tests_unit_edge_tls_test_tickets_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_tickets
check_PROGRAMS += tests/unit/edge/tls/test_ja4
tests_unit_edge_tls_test_ja4_SOURCES = tests/unit/edge/tls/test_ja4.c
tests_unit_edge_tls_test_ja4_CPPFLAGS = $(AM_CPPFLAGS) \
	-DCORPUS='"$(abs_top_srcdir)/tests/fuzz/corpus/hello"'
tests_unit_edge_tls_test_ja4_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_ja4

check_PROGRAMS += tests/unit/edge/tls/test_ocsp_http
tests_unit_edge_tls_test_ocsp_http_SOURCES = tests/unit/edge/tls/test_ocsp_http.c
tests_unit_edge_tls_test_ocsp_http_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_ocsp_http

check_PROGRAMS += tests/unit/edge/tls/test_policy
tests_unit_edge_tls_test_policy_SOURCES = tests/unit/edge/tls/test_policy.c
tests_unit_edge_tls_test_policy_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/tls/test_policy

check_PROGRAMS += tests/unit/edge/rules/test_field_rules
tests_unit_edge_rules_test_field_rules_SOURCES = tests/unit/edge/rules/test_field_rules.c $(known_request)
tests_unit_edge_rules_test_field_rules_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/rules/test_field_rules

check_PROGRAMS += tests/unit/edge/exchange/test_forward
tests_unit_edge_exchange_test_forward_SOURCES = tests/unit/edge/exchange/test_forward.c
tests_unit_edge_exchange_test_forward_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/exchange/test_forward

check_PROGRAMS += tests/unit/edge/exchange/test_proxy_status
tests_unit_edge_exchange_test_proxy_status_SOURCES = tests/unit/edge/exchange/test_proxy_status.c
tests_unit_edge_exchange_test_proxy_status_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/exchange/test_proxy_status
check_PROGRAMS += tests/unit/edge/terms/test_grpc
tests_unit_edge_terms_test_grpc_SOURCES = tests/unit/edge/terms/test_grpc.c
tests_unit_edge_terms_test_grpc_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/terms/test_grpc

check_PROGRAMS += tests/unit/edge/exchange/test_server_timing
tests_unit_edge_exchange_test_server_timing_SOURCES = tests/unit/edge/exchange/test_server_timing.c
tests_unit_edge_exchange_test_server_timing_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/exchange/test_server_timing

check_PROGRAMS += tests/unit/edge/terms/test_hints
tests_unit_edge_terms_test_hints_SOURCES = tests/unit/edge/terms/test_hints.c
tests_unit_edge_terms_test_hints_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/terms/test_hints

check_PROGRAMS += tests/unit/edge/exchange/test_respond
tests_unit_edge_exchange_test_respond_SOURCES = tests/unit/edge/exchange/test_respond.c
tests_unit_edge_exchange_test_respond_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/exchange/test_respond

check_PROGRAMS += tests/unit/edge/route/test_content
tests_unit_edge_route_test_content_SOURCES = tests/unit/edge/route/test_content.c
tests_unit_edge_route_test_content_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/route/test_content

check_PROGRAMS += tests/unit/edge/route/test_route
tests_unit_edge_route_test_route_SOURCES = tests/unit/edge/route/test_route.c
tests_unit_edge_route_test_route_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/route/test_route

check_PROGRAMS += tests/unit/edge/route/test_affinity
tests_unit_edge_route_test_affinity_SOURCES = tests/unit/edge/route/test_affinity.c $(known_request)
tests_unit_edge_route_test_affinity_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/route/test_affinity

check_PROGRAMS += tests/unit/edge/route/test_sticky
tests_unit_edge_route_test_sticky_SOURCES = tests/unit/edge/route/test_sticky.c
tests_unit_edge_route_test_sticky_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/route/test_sticky

check_PROGRAMS += tests/unit/edge/route/test_split
tests_unit_edge_route_test_split_SOURCES = tests/unit/edge/route/test_split.c
tests_unit_edge_route_test_split_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/route/test_split

check_PROGRAMS += tests/unit/edge/h1/test_h1_response
tests_unit_edge_h1_test_h1_response_SOURCES = tests/unit/edge/h1/test_h1_response.c
tests_unit_edge_h1_test_h1_response_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/h1/test_h1_response

check_PROGRAMS += tests/unit/edge/node/test_date
tests_unit_edge_node_test_date_SOURCES = tests/unit/edge/node/test_date.c
tests_unit_edge_node_test_date_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/node/test_date

check_PROGRAMS += tests/unit/edge/conn/test_hello
tests_unit_edge_conn_test_hello_SOURCES = tests/unit/edge/conn/test_hello.c
tests_unit_edge_conn_test_hello_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/conn/test_hello

check_PROGRAMS += tests/unit/edge/conn/test_admission
tests_unit_edge_conn_test_admission_SOURCES = tests/unit/edge/conn/test_admission.c
tests_unit_edge_conn_test_admission_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/conn/test_admission

check_PROGRAMS += tests/unit/edge/conn/test_inlet
tests_unit_edge_conn_test_inlet_SOURCES = tests/unit/edge/conn/test_inlet.c \
	tests/unit/edge/conn/inlet_world.c tests/unit/edge/conn/inlet_world.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_edge_conn_test_inlet_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/conn/test_inlet

check_PROGRAMS += tests/unit/edge/conn/test_listener
tests_unit_edge_conn_test_listener_SOURCES = tests/unit/edge/conn/test_listener.c
tests_unit_edge_conn_test_listener_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/conn/test_listener

check_PROGRAMS += tests/unit/edge/conn/test_review
tests_unit_edge_conn_test_review_SOURCES = tests/unit/edge/conn/test_review.c
tests_unit_edge_conn_test_review_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/conn/test_review

check_PROGRAMS += tests/unit/edge/node/test_counters
tests_unit_edge_node_test_counters_SOURCES = tests/unit/edge/node/test_counters.c
tests_unit_edge_node_test_counters_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/node/test_counters

check_PROGRAMS += tests/unit/edge/filter/test_coding_choice
tests_unit_edge_filter_test_coding_choice_SOURCES = tests/unit/edge/filter/test_coding_choice.c
tests_unit_edge_filter_test_coding_choice_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/filter/test_coding_choice

check_PROGRAMS += tests/unit/edge/filter/test_compress
tests_unit_edge_filter_test_compress_SOURCES = tests/unit/edge/filter/test_compress.c
tests_unit_edge_filter_test_compress_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/filter/test_compress

check_PROGRAMS += tests/unit/edge/filter/test_compressor
tests_unit_edge_filter_test_compressor_SOURCES = tests/unit/edge/filter/test_compressor.c
tests_unit_edge_filter_test_compressor_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/filter/test_compressor

check_PROGRAMS += tests/unit/edge/filter/test_encoder
tests_unit_edge_filter_test_encoder_SOURCES = tests/unit/edge/filter/test_encoder.c
tests_unit_edge_filter_test_encoder_LDADD = $(LINK_EDGE) -lbrotlidec $(CMOCKA_LIBS)
TESTS += tests/unit/edge/filter/test_encoder

check_PROGRAMS += tests/unit/edge/h2/test_h2_head
tests_unit_edge_h2_test_h2_head_SOURCES = tests/unit/edge/h2/test_h2_head.c
tests_unit_edge_h2_test_h2_head_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/h2/test_h2_head
check_PROGRAMS += tests/unit/edge/limit/test_access
tests_unit_edge_limit_test_access_SOURCES = tests/unit/edge/limit/test_access.c
tests_unit_edge_limit_test_access_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/limit/test_access

check_PROGRAMS += tests/unit/edge/limit/test_buckets
tests_unit_edge_limit_test_buckets_SOURCES = tests/unit/edge/limit/test_buckets.c
tests_unit_edge_limit_test_buckets_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/limit/test_buckets
check_PROGRAMS += tests/unit/edge/limit/test_pace
tests_unit_edge_limit_test_pace_SOURCES = tests/unit/edge/limit/test_pace.c
tests_unit_edge_limit_test_pace_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/limit/test_pace

check_PROGRAMS += tests/unit/edge/limit/test_rates
tests_unit_edge_limit_test_rates_SOURCES = tests/unit/edge/limit/test_rates.c
tests_unit_edge_limit_test_rates_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/limit/test_rates

check_PROGRAMS += tests/unit/edge/limit/test_tally
tests_unit_edge_limit_test_tally_SOURCES = tests/unit/edge/limit/test_tally.c
tests_unit_edge_limit_test_tally_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/limit/test_tally

check_PROGRAMS += tests/unit/edge/facts/test_template
tests_unit_edge_facts_test_template_SOURCES = tests/unit/edge/facts/test_template.c $(known_request)
tests_unit_edge_facts_test_template_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/facts/test_template

check_PROGRAMS += tests/unit/edge/facts/test_client
tests_unit_edge_facts_test_client_SOURCES = tests/unit/edge/facts/test_client.c
tests_unit_edge_facts_test_client_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/facts/test_client

check_PROGRAMS += tests/unit/edge/facts/test_parties
tests_unit_edge_facts_test_parties_SOURCES = tests/unit/edge/facts/test_parties.c
tests_unit_edge_facts_test_parties_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/facts/test_parties

check_PROGRAMS += tests/unit/edge/clients/test_client_cert
tests_unit_edge_clients_test_client_cert_SOURCES = tests/unit/edge/clients/test_client_cert.c \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_edge_clients_test_client_cert_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/clients/test_client_cert

check_PROGRAMS += tests/unit/edge/facts/test_forwarded
tests_unit_edge_facts_test_forwarded_SOURCES = tests/unit/edge/facts/test_forwarded.c
tests_unit_edge_facts_test_forwarded_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/facts/test_forwarded

check_PROGRAMS += tests/unit/edge/limit/test_guard
tests_unit_edge_limit_test_guard_SOURCES = tests/unit/edge/limit/test_guard.c
tests_unit_edge_limit_test_guard_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/limit/test_guard

check_PROGRAMS += tests/unit/edge/h2/test_h2_priority
tests_unit_edge_h2_test_h2_priority_SOURCES = tests/unit/edge/h2/test_h2_priority.c
tests_unit_edge_h2_test_h2_priority_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/h2/test_h2_priority

check_PROGRAMS += tests/unit/edge/rules/test_cors
tests_unit_edge_rules_test_cors_SOURCES = tests/unit/edge/rules/test_cors.c $(known_request)
tests_unit_edge_rules_test_cors_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/rules/test_cors

check_PROGRAMS += tests/unit/edge/rules/test_rewrite
tests_unit_edge_rules_test_rewrite_SOURCES = tests/unit/edge/rules/test_rewrite.c $(known_request)
tests_unit_edge_rules_test_rewrite_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/rules/test_rewrite

check_PROGRAMS += tests/unit/edge/rules/test_rules
tests_unit_edge_rules_test_rules_SOURCES = tests/unit/edge/rules/test_rules.c $(known_request)
tests_unit_edge_rules_test_rules_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/rules/test_rules
