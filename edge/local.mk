# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += edge/libedge.a
edge_libedge_a_SOURCES = \
	edge/auth/password.c edge/auth/password.h \
	edge/auth/passwords.c edge/auth/passwords.h \
	edge/auth/verifier.c edge/auth/verifier.h \
	edge/conn/admission.c edge/conn/admission.h \
	edge/conn/conn.c edge/conn/conn.h edge/conn/conns.h \
	edge/conn/early.c edge/conn/early.h \
	edge/conn/greeting.c edge/conn/greeting.h \
	edge/conn/hello.c edge/conn/hello.h \
	edge/conn/inlet.c edge/conn/inlet.h edge/conn/inlet_internal.h edge/conn/inlet_tls.c \
	edge/conn/judge.c \
	edge/conn/listener.c edge/conn/listener.h \
	edge/conn/pacing.c edge/conn/pacing.h \
	edge/conn/reason.c edge/conn/reason.h \
	edge/conn/review.c edge/conn/review.h \
	edge/filter/coding_choice.c edge/filter/coding_choice.h \
	edge/filter/compress.c edge/filter/compress.h \
	edge/filter/compressor.c edge/filter/compressor.h \
	edge/filter/encoder.c edge/filter/encoder.h \
	edge/log/access_log.c edge/log/access_log.h \
	edge/log/entry.h \
	edge/log/format.c edge/log/format.h \
	edge/log/text.c edge/log/text.h \
	edge/exchange/authority.c edge/exchange/authority.h \
	edge/exchange/all_down.c \
	edge/exchange/auth_basic.c \
	edge/exchange/auth_forward.c \
	edge/exchange/dispatch.c edge/exchange/dispatch.h \
	edge/exchange/exchange.c edge/exchange/exchange.h edge/exchange/exchange_internal.h \
	edge/exchange/exchange_early.c \
	edge/exchange/exchange_hints.c \
	edge/exchange/exchange_mirror.c \
	edge/exchange/exchange_reply.c \
	edge/exchange/exchange_request.c \
	edge/exchange/exchange_terms.c \
	edge/exchange/finish.c \
	edge/rules/cors.c edge/rules/cors.h \
	edge/exchange/proxy_status.c edge/exchange/proxy_status.h \
	edge/rules/field_rules.c edge/rules/field_rules.h \
	edge/rules/identity.c edge/rules/identity.h \
	edge/rules/rewrite.c edge/rules/rewrite.h \
	edge/rules/rules.c edge/rules/rules.h \
	edge/rules/security.c edge/rules/security.h \
	edge/exchange/exchange_relay.c \
	edge/exchange/forward.c edge/exchange/forward.h \
	edge/terms/grpc.c edge/terms/grpc.h \
	edge/terms/hints.c edge/terms/hints.h \
	edge/terms/mirror.c edge/terms/mirror.h \
	edge/exchange/guard.c \
	edge/exchange/respond.c edge/exchange/respond.h \
	edge/exchange/route_answer.c \
	edge/exchange/server_timing.c edge/exchange/server_timing.h \
	edge/exchange/steps.c \
	edge/facts/client.c edge/facts/client.h edge/facts/facts.h \
	edge/facts/early.c edge/facts/early.h \
	edge/facts/forwarded.c edge/facts/forwarded.h \
	edge/facts/match.c edge/facts/match.h \
	edge/facts/parties.c edge/facts/parties.h \
	edge/facts/template.c edge/facts/template.h \
	edge/facts/variables.c edge/facts/variables.h \
	edge/h1/h1.h \
	edge/h1/h1_conn.c \
	edge/h1/h1_internal.h \
	edge/h1/h1_reply.c \
	edge/h1/h1_request.c \
	edge/h1/h1_response.c edge/h1/h1_response.h \
	edge/h2/h2.h \
	edge/h2/h2_conn.c \
	edge/h2/h2_head.c edge/h2/h2_head.h \
	edge/h2/h2_internal.h \
	edge/h2/h2_memory.c \
	edge/h2/h2_pace.c \
	edge/h2/h2_priority.c edge/h2/h2_priority.h \
	edge/h2/h2_request.c \
	edge/h2/h2_response.c \
	edge/h2/h2_session.c \
	edge/h2/h2_stream.c \
	edge/h2/h2_write.c \
	edge/keys/gnutls_key.c \
	edge/keys/keys.c edge/keys/keys.h edge/keys/keys_internal.h \
	edge/keys/libcrypto_key.c \
	edge/keys/local_key.c \
	edge/keys/remote/credentials.c edge/keys/remote/credentials.h \
	edge/keys/remote/keys_server.c edge/keys/remote/keys_server.h \
	edge/keys/remote/relay.c edge/keys/remote/relay.h \
	edge/keys/remote/remote_key.c \
	edge/keys/remote/wire.c edge/keys/remote/wire.h \
	edge/keys/server/conns.c edge/keys/server/conns.h \
	edge/keys/server/edges.c edge/keys/server/edges.h \
	edge/keys/server/request.c edge/keys/server/request.h \
	edge/keys/server/table.c edge/keys/server/table.h \
	edge/keys/server/view.c edge/keys/server/view.h \
	edge/keys/signable.c edge/keys/signable.h \
	edge/keys/signed_data.c edge/keys/signed_data.h \
	edge/keys/signed_data_works.c \
	edge/keys/signer.c edge/keys/signer.h \
	edge/keys/signer_ask.c edge/keys/signer_ask.h \
	edge/keys/signer_channels.c edge/keys/signer_channels.h \
	edge/keys/signer_files.c edge/keys/signer_files.h \
	edge/keys/signer_keeper.c edge/keys/signer_keeper.h \
	edge/keys/signer_key.c \
	edge/keys/signer_link.c edge/keys/signer_link.h \
	edge/keys/signer_message.c edge/keys/signer_message.h \
	edge/keys/x25519.c edge/keys/x25519.h \
	edge/keys/signing/rate.c edge/keys/signing/rate.h \
	edge/keys/signing/sign.c edge/keys/signing/sign.h \
	edge/limit/access.c edge/limit/access.h \
	edge/limit/buckets.c edge/limit/buckets.h \
	edge/limit/guard.c edge/limit/guard.h \
	edge/limit/pace.c edge/limit/pace.h \
	edge/limit/rates.c edge/limit/rates.h \
	edge/limit/tally.c edge/limit/tally.h \
	edge/node/counters.c edge/node/counters.h \
	edge/node/date.c edge/node/date.h \
	edge/relay/edges.c edge/relay/edges.h \
	edge/route/affinity.c edge/route/affinity.h \
	edge/route/content.c edge/route/content.h \
	edge/route/route.c edge/route/route.h \
	edge/route/split.c edge/route/split.h \
	edge/route/sticky.c edge/route/sticky.h \
	edge/node/view.c edge/node/view.h \
	edge/node/worker.h \
	edge/tls/cert_doubts.c \
	edge/tls/cert_pair.c \
	edge/tls/cert_sets.c \
	edge/tls/cert_store.c \
	edge/tls/certs.c edge/tls/certs.h edge/tls/certs_internal.h \
	edge/tls/certs_status.c \
	edge/clients/client_auth.c edge/clients/client_auth.h edge/clients/client_auth_internal.h \
	edge/clients/client_auths.c \
	edge/clients/client_cert.c edge/clients/client_cert.h \
	edge/tls/ticket_keys.c edge/tls/ticket_keys.h \
	edge/tls/ticket_names.c edge/tls/ticket_names.h \
	edge/tls/tickets.c edge/tls/tickets.h \
	edge/tls/handshake.h \
	edge/tls/client_hello.c edge/tls/client_hello.h \
	edge/tls/ocsp_http.c edge/tls/ocsp_http.h \
	edge/tls/staple.c edge/tls/staple.h \
	edge/tls/failure.c edge/tls/failure.h \
	edge/tls/host_table.c edge/tls/host_table.h \
	edge/tls/ja4.c edge/tls/ja4.h \
	edge/tls/policy.c edge/tls/policy.h \
	edge/expiry.c edge/expiry.h \
	edge/stapling.c edge/stapling.h \
	edge/status.c edge/status.h \
	edge/worker.c edge/worker.h

sbin_PROGRAMS += edge/perigee-edge
edge_perigee_edge_SOURCES = edge/main.c
edge_perigee_edge_LDADD = $(LINK_EDGE)

sbin_PROGRAMS += edge/keys/server/perigee-keys
edge_keys_server_perigee_keys_SOURCES = edge/keys/server/main.c
edge_keys_server_perigee_keys_LDADD = $(LINK_EDGE)

dist_man_MANS += edge/perigee-edge.8 edge/perigee-keys.8
