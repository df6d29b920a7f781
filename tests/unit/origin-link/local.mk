# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of origin-link/: they link $(LINK_ORIGIN_LINK), so nothing above it.

check_PROGRAMS += \
	tests/unit/origin-link/test_olink \
	tests/unit/origin-link/test_server_metrics \
	tests/unit/origin-link/conns/test_connector \
	tests/unit/origin-link/conns/test_endpoint \
	tests/unit/origin-link/h2/test_h2_response \
	tests/unit/origin-link/h2/test_h2_session \
	tests/unit/origin-link/h2/test_h2_stream \
	tests/unit/origin-link/h2/test_h2_window \
	tests/unit/origin-link/conns/h2/test_shared \
	tests/unit/origin-link/conns/test_expiry \
	tests/unit/origin-link/conns/test_lease \
	tests/unit/origin-link/conns/test_lease_queue \
	tests/unit/origin-link/conns/test_lease_tls \
	tests/unit/origin-link/conns/test_load \
	tests/unit/origin-link/conns/test_origin_conn \
	tests/unit/origin-link/conns/test_patience \
	tests/unit/origin-link/conns/test_quota \
	tests/unit/origin-link/conns/test_outcome \
	tests/unit/origin-link/conns/test_sharing \
	tests/unit/origin-link/conns/test_stress \
	tests/unit/origin-link/conns/test_transport \
	tests/unit/origin-link/conns/test_warmth \
	tests/unit/origin-link/servers/test_balance \
	tests/unit/origin-link/servers/test_balance_points \
	tests/unit/origin-link/servers/test_gather \
	tests/unit/origin-link/health/test_health \
	tests/unit/origin-link/health/test_breaker \
	tests/unit/origin-link/health/test_outlier \
	tests/unit/origin-link/health/test_probe_answer \
	tests/unit/origin-link/health/test_history \
	tests/unit/origin-link/servers/test_lookout \
	tests/unit/origin-link/servers/test_origins \
	tests/unit/origin-link/servers/test_seen \
	tests/unit/origin-link/servers/test_service \
	tests/unit/origin-link/servers/test_srv_answer \
	tests/unit/origin-link/health/test_probe \
	tests/unit/origin-link/health/test_probe_end \
	tests/unit/origin-link/health/test_probe_gate \
	tests/unit/origin-link/request/test_content \
	tests/unit/origin-link/request/test_credit \
	tests/unit/origin-link/request/test_memory \
	tests/unit/origin-link/request/test_outcomes \
	tests/unit/origin-link/recent/test_budget \
	tests/unit/origin-link/request/test_race \
	tests/unit/origin-link/request/test_repeat \
	tests/unit/origin-link/request/test_retry \
	tests/unit/origin-link/request/test_killed \
	tests/unit/origin-link/request/test_tries \
	tests/unit/origin-link/request/test_request \
	tests/unit/origin-link/request/test_response \
	tests/unit/origin-link/request/test_time \
	tests/unit/origin-link/request/test_tunnel \
	tests/unit/origin-link/request/test_vanish \
	tests/unit/origin-link/servers/test_resolver \
	tests/unit/origin-link/request/test_workers
TESTS += \
	tests/unit/origin-link/test_olink \
	tests/unit/origin-link/test_server_metrics \
	tests/unit/origin-link/conns/test_connector \
	tests/unit/origin-link/conns/test_endpoint \
	tests/unit/origin-link/h2/test_h2_response \
	tests/unit/origin-link/h2/test_h2_session \
	tests/unit/origin-link/h2/test_h2_stream \
	tests/unit/origin-link/h2/test_h2_window \
	tests/unit/origin-link/conns/h2/test_shared \
	tests/unit/origin-link/conns/test_expiry \
	tests/unit/origin-link/conns/test_lease \
	tests/unit/origin-link/conns/test_lease_queue \
	tests/unit/origin-link/conns/test_lease_tls \
	tests/unit/origin-link/conns/test_load \
	tests/unit/origin-link/conns/test_origin_conn \
	tests/unit/origin-link/conns/test_patience \
	tests/unit/origin-link/conns/test_quota \
	tests/unit/origin-link/conns/test_outcome \
	tests/unit/origin-link/conns/test_sharing \
	tests/unit/origin-link/conns/test_stress \
	tests/unit/origin-link/conns/test_transport \
	tests/unit/origin-link/conns/test_warmth \
	tests/unit/origin-link/servers/test_balance \
	tests/unit/origin-link/servers/test_balance_points \
	tests/unit/origin-link/servers/test_gather \
	tests/unit/origin-link/health/test_health \
	tests/unit/origin-link/health/test_breaker \
	tests/unit/origin-link/health/test_outlier \
	tests/unit/origin-link/health/test_probe_answer \
	tests/unit/origin-link/health/test_history \
	tests/unit/origin-link/servers/test_lookout \
	tests/unit/origin-link/servers/test_origins \
	tests/unit/origin-link/servers/test_seen \
	tests/unit/origin-link/servers/test_service \
	tests/unit/origin-link/servers/test_srv_answer \
	tests/unit/origin-link/health/test_probe \
	tests/unit/origin-link/health/test_probe_end \
	tests/unit/origin-link/health/test_probe_gate \
	tests/unit/origin-link/request/test_content \
	tests/unit/origin-link/request/test_credit \
	tests/unit/origin-link/request/test_memory \
	tests/unit/origin-link/request/test_outcomes \
	tests/unit/origin-link/recent/test_budget \
	tests/unit/origin-link/request/test_race \
	tests/unit/origin-link/request/test_repeat \
	tests/unit/origin-link/request/test_retry \
	tests/unit/origin-link/request/test_killed \
	tests/unit/origin-link/request/test_tries \
	tests/unit/origin-link/request/test_request \
	tests/unit/origin-link/request/test_response \
	tests/unit/origin-link/request/test_time \
	tests/unit/origin-link/request/test_tunnel \
	tests/unit/origin-link/request/test_vanish \
	tests/unit/origin-link/servers/test_resolver \
	tests/unit/origin-link/request/test_workers

tests_unit_origin_link_test_olink_SOURCES = tests/unit/origin-link/test_olink.c \
	tests/unit/origin-link/origins_rig.c tests/unit/origin-link/origins_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_test_olink_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_balance_SOURCES = \
	tests/unit/origin-link/servers/test_balance.c
tests_unit_origin_link_servers_test_balance_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_balance_points_SOURCES = \
	tests/unit/origin-link/servers/test_balance_points.c
tests_unit_origin_link_servers_test_balance_points_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_gather_SOURCES = tests/unit/origin-link/servers/test_gather.c
tests_unit_origin_link_servers_test_gather_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_health_test_health_SOURCES = tests/unit/origin-link/health/test_health.c
tests_unit_origin_link_health_test_health_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
tests_unit_origin_link_health_test_breaker_SOURCES = tests/unit/origin-link/health/test_breaker.c
tests_unit_origin_link_health_test_breaker_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
tests_unit_origin_link_health_test_outlier_SOURCES = tests/unit/origin-link/health/test_outlier.c
tests_unit_origin_link_health_test_outlier_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
tests_unit_origin_link_health_test_probe_answer_SOURCES = tests/unit/origin-link/health/test_probe_answer.c
tests_unit_origin_link_health_test_probe_answer_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
tests_unit_origin_link_health_test_history_SOURCES = tests/unit/origin-link/health/test_history.c
tests_unit_origin_link_health_test_history_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_lookout_SOURCES = tests/unit/origin-link/servers/test_lookout.c \
	tests/unit/origin-link/origins_rig.c tests/unit/origin-link/origins_rig.h \
	tests/unit/origin-link/name_server.c tests/unit/origin-link/name_server.h
tests_unit_origin_link_servers_test_lookout_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_origins_SOURCES = tests/unit/origin-link/servers/test_origins.c \
	tests/unit/origin-link/origins_rig.c tests/unit/origin-link/origins_rig.h \
	tests/unit/origin-link/name_server.c tests/unit/origin-link/name_server.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_servers_test_origins_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_test_server_metrics_SOURCES = tests/unit/origin-link/test_server_metrics.c \
	tests/unit/origin-link/origins_rig.c tests/unit/origin-link/origins_rig.h
tests_unit_origin_link_test_server_metrics_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_seen_SOURCES = tests/unit/origin-link/servers/test_seen.c \
	tests/unit/origin-link/origins_rig.c tests/unit/origin-link/origins_rig.h
tests_unit_origin_link_servers_test_seen_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_connector_SOURCES = tests/unit/origin-link/conns/test_connector.c \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_conns_test_connector_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

h2_rig = tests/unit/origin-link/h2_rig.c tests/unit/origin-link/h2_rig.h \
	tests/support/h2_peer.c tests/support/h2_peer.h

tests_unit_origin_link_h2_test_h2_response_SOURCES = tests/unit/origin-link/h2/test_h2_response.c
tests_unit_origin_link_h2_test_h2_response_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_h2_test_h2_session_SOURCES = tests/unit/origin-link/h2/test_h2_session.c \
	$(h2_rig)
tests_unit_origin_link_h2_test_h2_session_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_h2_test_h2_stream_SOURCES = tests/unit/origin-link/h2/test_h2_stream.c \
	$(h2_rig)
tests_unit_origin_link_h2_test_h2_stream_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_h2_test_h2_window_SOURCES = tests/unit/origin-link/h2/test_h2_window.c
tests_unit_origin_link_h2_test_h2_window_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_lease_SOURCES = tests/unit/origin-link/conns/test_lease.c \
	tests/unit/origin-link/lease_rig.c tests/unit/origin-link/lease_rig.h \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_conns_test_lease_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_lease_queue_SOURCES = tests/unit/origin-link/conns/test_lease_queue.c \
	tests/unit/origin-link/lease_rig.c tests/unit/origin-link/lease_rig.h \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_conns_test_lease_queue_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_lease_tls_SOURCES = tests/unit/origin-link/conns/test_lease_tls.c \
	tests/unit/origin-link/lease_rig.c tests/unit/origin-link/lease_rig.h \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_conns_test_lease_tls_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_endpoint_SOURCES = tests/unit/origin-link/conns/test_endpoint.c \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_conns_test_endpoint_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_sharing_SOURCES = tests/unit/origin-link/conns/test_sharing.c \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_conns_test_sharing_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_load_SOURCES = tests/unit/origin-link/conns/test_load.c
tests_unit_origin_link_conns_test_load_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_expiry_SOURCES = tests/unit/origin-link/conns/test_expiry.c
tests_unit_origin_link_conns_test_expiry_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_origin_conn_SOURCES = tests/unit/origin-link/conns/test_origin_conn.c \
	tests/unit/origin-link/lease_rig.c tests/unit/origin-link/lease_rig.h \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_conns_test_origin_conn_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_patience_SOURCES = tests/unit/origin-link/conns/test_patience.c
tests_unit_origin_link_conns_test_patience_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_h2_test_shared_SOURCES = \
	tests/unit/origin-link/conns/h2/test_shared.c \
	tests/support/h2_peer.c tests/support/h2_peer.h \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_conns_h2_test_shared_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_quota_SOURCES = tests/unit/origin-link/conns/test_quota.c \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_conns_test_quota_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_stress_SOURCES = tests/unit/origin-link/conns/test_stress.c \
	tests/unit/origin-link/conns_rig.c tests/unit/origin-link/conns_rig.h \
	tests/unit/origin-link/echo_origin.c tests/unit/origin-link/echo_origin.h
tests_unit_origin_link_conns_test_stress_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
tests_unit_origin_link_conns_test_outcome_SOURCES = tests/unit/origin-link/conns/test_outcome.c
tests_unit_origin_link_conns_test_outcome_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_warmth_SOURCES = tests/unit/origin-link/conns/test_warmth.c
tests_unit_origin_link_conns_test_warmth_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_conns_test_transport_SOURCES = tests/unit/origin-link/conns/test_transport.c \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_conns_test_transport_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_health_test_probe_SOURCES = tests/unit/origin-link/health/test_probe.c \
	tests/unit/origin-link/probe_rig.c tests/unit/origin-link/probe_rig.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_health_test_probe_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_health_test_probe_end_SOURCES = tests/unit/origin-link/health/test_probe_end.c \
	tests/unit/origin-link/probe_rig.c tests/unit/origin-link/probe_rig.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h
tests_unit_origin_link_health_test_probe_end_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_health_test_probe_gate_SOURCES = tests/unit/origin-link/health/test_probe_gate.c
tests_unit_origin_link_health_test_probe_gate_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

request_rig = tests/unit/origin-link/rig.c tests/unit/origin-link/rig.h \
	tests/support/flow_filters.c tests/support/flow_filters.h \
	tests/support/scripted_origin.c tests/support/scripted_origin.h \
	tests/support/test_cert.c tests/support/test_cert.h

tests_unit_origin_link_request_test_content_SOURCES = tests/unit/origin-link/request/test_content.c \
	$(request_rig)
tests_unit_origin_link_request_test_content_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_credit_SOURCES = tests/unit/origin-link/request/test_credit.c \
	$(request_rig)
tests_unit_origin_link_request_test_credit_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_memory_SOURCES = tests/unit/origin-link/request/test_memory.c \
	$(request_rig) \
	tests/support/polled_origin.c tests/support/polled_origin.h
tests_unit_origin_link_request_test_memory_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
# Allocations of our own code, so that they can be made to fail.
tests_unit_origin_link_request_test_memory_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	-Wl,--wrap=xmalloc,--wrap=xcalloc,--wrap=xreallocarray

tests_unit_origin_link_request_test_outcomes_SOURCES = tests/unit/origin-link/request/test_outcomes.c \
	$(request_rig)
tests_unit_origin_link_request_test_outcomes_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_repeat_SOURCES = tests/unit/origin-link/request/test_repeat.c \
	$(request_rig)
tests_unit_origin_link_request_test_repeat_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_recent_test_budget_SOURCES = tests/unit/origin-link/recent/test_budget.c
tests_unit_origin_link_recent_test_budget_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_retry_SOURCES = tests/unit/origin-link/request/test_retry.c
tests_unit_origin_link_request_test_retry_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_killed_SOURCES = tests/unit/origin-link/request/test_killed.c \
	$(request_rig)
tests_unit_origin_link_request_test_killed_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_tries_SOURCES = tests/unit/origin-link/request/test_tries.c \
	$(request_rig)
tests_unit_origin_link_request_test_tries_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_request_SOURCES = tests/unit/origin-link/request/test_request.c \
	$(request_rig)
tests_unit_origin_link_request_test_request_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_response_SOURCES = tests/unit/origin-link/request/test_response.c \
	$(request_rig)
tests_unit_origin_link_request_test_response_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_time_SOURCES = tests/unit/origin-link/request/test_time.c \
	$(request_rig)
tests_unit_origin_link_request_test_time_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_tunnel_SOURCES = tests/unit/origin-link/request/test_tunnel.c \
	$(request_rig)
tests_unit_origin_link_request_test_tunnel_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_vanish_SOURCES = tests/unit/origin-link/request/test_vanish.c \
	$(request_rig)
tests_unit_origin_link_request_test_vanish_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_resolver_SOURCES = tests/unit/origin-link/servers/test_resolver.c \
	tests/unit/origin-link/name_server.c tests/unit/origin-link/name_server.h
tests_unit_origin_link_servers_test_resolver_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_workers_SOURCES = tests/unit/origin-link/request/test_workers.c \
	$(request_rig)
tests_unit_origin_link_request_test_workers_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_service_SOURCES = tests/unit/origin-link/servers/test_service.c \
	tests/unit/origin-link/name_server.c tests/unit/origin-link/name_server.h
tests_unit_origin_link_servers_test_service_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_servers_test_srv_answer_SOURCES = tests/unit/origin-link/servers/test_srv_answer.c
tests_unit_origin_link_servers_test_srv_answer_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)

tests_unit_origin_link_request_test_race_SOURCES = tests/unit/origin-link/request/test_race.c
tests_unit_origin_link_request_test_race_LDADD = $(LINK_ORIGIN_LINK) $(CMOCKA_LIBS)
