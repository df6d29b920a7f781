/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the edge counts: one table for core/process/metrics.h. Reasons are counted twice over: how
 * exchanges ended (edge_end_*), and how client connections did (edge_connection_end_*). Why
 * handshakes failed is counted by kind (edge_handshake_failures_*).
 */
#pragma once

#include "core/base/reason.h"
#include "core/process/metrics.h"
#include "edge/tls/failure.h"

#define EDGE_COUNTER_LIST(X)                                                                       \
	X(EDGE_CONNECTIONS, "edge_connections_total", COUNTER, "Client connections accepted")      \
	X(EDGE_CONNECTIONS_ACTIVE, "edge_connections_active", GAUGE,                               \
	  "Client connections that are open")                                                      \
	X(EDGE_CONNECTIONS_REFUSED, "edge_connections_refused_total", COUNTER,                     \
	  "Client connections closed at once: over the limit")                                     \
	X(EDGE_CONNECTIONS_DISPLACED, "edge_connections_displaced_total", COUNTER,                 \
	  "Client connections, silent or idle, that gave way to others")                           \
	X(EDGE_CONNECTIONS_DENIED, "edge_connections_denied_total", COUNTER,                       \
	  "Client connections closed at once: http.access denies their network")                   \
	X(EDGE_CONNECTIONS_TOO_MANY, "edge_connections_too_many_total", COUNTER,                   \
	  "Client connections closed at once: over http.per_client.connections")                   \
	X(EDGE_CONNECTIONS_TOO_FAST, "edge_connections_too_fast_total", COUNTER,                   \
	  "Client connections closed at once: over http.per_client.connection_rate")               \
	X(EDGE_SILENT_ACTIVE, "edge_silent_active", GAUGE,                                         \
	  "Client connections that have not yet said enough")                                      \
	X(EDGE_PROXY_HEADERS, "edge_proxy_headers_total", COUNTER, "PROXY headers received")       \
	X(EDGE_PROXY_HEADER_FAILURES, "edge_proxy_header_failures_total", COUNTER,                 \
	  "Client connections that lacked the PROXY header they had to begin with")                \
	X(EDGE_HANDSHAKES, "edge_handshakes_total", COUNTER, "TLS handshakes completed")           \
	X(EDGE_HANDSHAKES_RESUMED, "edge_handshakes_resumed_total", COUNTER,                       \
	  "TLS handshakes that resumed a session")                                                 \
	X(EDGE_HANDSHAKES_ACTIVE, "edge_handshakes_active", GAUGE, "TLS handshakes in flight")     \
	X(EDGE_HANDSHAKES_WAITING, "edge_handshakes_waiting", GAUGE,                               \
	  "TLS handshakes that wait for a place")                                                  \
	X(EDGE_HANDSHAKES_TLS12, "edge_handshakes_tls12_total", COUNTER,                           \
	  "TLS handshakes by TLS 1.2 or before; the others are by TLS 1.3")                        \
	X(EDGE_HANDSHAKES_X25519, "edge_handshakes_x25519_total", COUNTER,                         \
	  "TLS handshakes that agreed on keys by X25519")                                          \
	X(EDGE_HANDSHAKES_HYBRID, "edge_handshakes_x25519mlkem768_total", COUNTER,                 \
	  "TLS handshakes that agreed on keys by X25519MLKEM768")                                  \
	X(EDGE_HANDSHAKE_FAILURES, "edge_handshake_failures_total", COUNTER,                       \
	  "TLS handshakes that failed or took too long")                                           \
	X(EDGE_CLIENT_CERT_NONE, "edge_client_cert_none_total", COUNTER,                           \
	  "Clients that were asked for a certificate and have shown none")                         \
	X(EDGE_CLIENT_CERT_OK, "edge_client_cert_ok_total", COUNTER,                               \
	  "Clients with a valid certificate")                                                      \
	X(EDGE_CLIENT_CERT_UNKNOWN_CA, "edge_client_cert_unknown_ca_total", COUNTER,               \
	  "Clients with a certificate of none of the site's authorities")                          \
	X(EDGE_CLIENT_CERT_EXPIRED, "edge_client_cert_expired_total", COUNTER,                     \
	  "Clients with a certificate that has expired")                                           \
	X(EDGE_CLIENT_CERT_NOT_YET_VALID, "edge_client_cert_not_yet_valid_total", COUNTER,         \
	  "Clients with a certificate that is not valid yet")                                      \
	X(EDGE_CLIENT_CERT_REVOKED, "edge_client_cert_revoked_total", COUNTER,                     \
	  "Clients with a certificate that was revoked")                                           \
	X(EDGE_CLIENT_CERT_NO_CRL, "edge_client_cert_no_crl_total", COUNTER,                       \
	  "Clients with a certificate that no current list of revoked ones is there for")          \
	X(EDGE_CLIENT_CERT_PURPOSE, "edge_client_cert_purpose_total", COUNTER,                     \
	  "Clients with a certificate that is not for clients")                                    \
	X(EDGE_CLIENT_CERT_WEAK, "edge_client_cert_weak_total", COUNTER,                           \
	  "Clients with a certificate by a weak algorithm or key")                                 \
	X(EDGE_CLIENT_CERT_TOO_LARGE, "edge_client_cert_too_large_total", COUNTER,                 \
	  "Clients with too large a certificate, or too many")                                     \
	X(EDGE_CLIENT_CERT_INVALID, "edge_client_cert_invalid_total", COUNTER,                     \
	  "Clients with a certificate that is wrong in another way")                               \
	X(EDGE_EARLY_DATA, "edge_early_data_total", COUNTER,                                       \
	  "Client connections whose early data was taken")                                         \
	X(EDGE_EARLY_DATA_REFUSED, "edge_early_data_refused_total", COUNTER,                       \
	  "Client connections whose early data was not taken")                                     \
	X(EDGE_REQUESTS_EARLY, "edge_requests_early_total", COUNTER,                               \
	  "Requests that were served before the handshake was done")                               \
	X(EDGE_TOO_EARLY, "edge_too_early_total", COUNTER, "Responses 425 (Too Early) of our own") \
	X(EDGE_HELLOS, "edge_hellos_total", COUNTER, "ClientHellos received whole")                \
	X(EDGE_HELLOS_TLS13, "edge_hellos_tls13_total", COUNTER,                                   \
	  "ClientHellos that offer TLS 1.3")                                                       \
	X(EDGE_HELLOS_OLD, "edge_hellos_old_total", COUNTER,                                       \
	  "ClientHellos that offer nothing later than TLS 1.1")                                    \
	X(EDGE_HELLOS_HYBRID, "edge_hellos_x25519mlkem768_total", COUNTER,                         \
	  "ClientHellos that offer X25519MLKEM768, which also withstands quantum computers")       \
	X(EDGE_CERTIFICATES_ENDING, "edge_certificates_ending", GAUGE,                             \
	  "Certificates in the last third of their time")                                          \
	X(EDGE_CERTIFICATES_EXPIRED, "edge_certificates_expired", GAUGE,                           \
	  "Certificates that have expired")                                                        \
	X(EDGE_OCSP_RESPONSES, "edge_ocsp_responses_total", COUNTER,                               \
	  "OCSP responses that were fetched and are right")                                        \
	X(EDGE_OCSP_FAILURES, "edge_ocsp_failures_total", COUNTER,                                 \
	  "Times that an OCSP responder gave none, or a wrong one")                                \
	X(EDGE_REQUESTS, "edge_requests_total", COUNTER, "Requests, refused ones too")             \
	X(EDGE_REQUESTS_ACTIVE, "edge_requests_active", GAUGE, "Requests being served")            \
	X(EDGE_DENIED_NETWORK, "edge_denied_network_total", COUNTER,                               \
	  "Requests that access denied by the client's network")                                   \
	X(EDGE_DENIED_ASN, "edge_denied_asn_total", COUNTER,                                       \
	  "Requests that access denied by the client's autonomous system")                         \
	X(EDGE_DENIED_COUNTRY, "edge_denied_country_total", COUNTER,                               \
	  "Requests that access denied by the client's country")                                   \
	X(EDGE_DENIED_CONTINENT, "edge_denied_continent_total", COUNTER,                           \
	  "Requests that access denied by the client's continent")                                 \
	X(EDGE_DENIED_JA4, "edge_denied_ja4_total", COUNTER,                                       \
	  "Requests that access denied by the client's JA4 fingerprint")                           \
	X(EDGE_REQUESTS_TOO_MANY, "edge_requests_too_many_total", COUNTER,                         \
	  "Requests refused over http.per_client.requests")                                        \
	X(EDGE_REQUESTS_TOO_FAST, "edge_requests_too_fast_total", COUNTER,                         \
	  "Requests refused over http.per_client.request_rate")                                    \
	X(EDGE_REQUESTS_LIMITED, "edge_requests_limited_total", COUNTER,                           \
	  "Requests refused over one of limits")                                                   \
	X(EDGE_LIMITS_FORGOTTEN, "edge_limits_forgotten_total", COUNTER,                           \
	  "Clients and keys that limits forgot for others while they still counted")               \
	X(EDGE_LIMITS_MISSED, "edge_limits_missed_total", COUNTER,                                 \
	  "Clients that were not counted, as too many others were")                                \
	X(EDGE_AUTH_REFUSED, "edge_auth_refused_total", COUNTER,                                   \
	  "Requests that were not let in, by name and password or by an origin that was asked")    \
	X(EDGE_AUTH_BUSY, "edge_auth_busy_total", COUNTER,                                         \
	  "Requests refused because too many passwords were waiting to be checked")                \
	X(EDGE_H2_CONNECTIONS, "edge_h2_connections_total", COUNTER,                               \
	  "Client connections that speak HTTP/2")                                                  \
	X(EDGE_H2_STREAMS_REFUSED, "edge_h2_streams_refused_total", COUNTER,                       \
	  "HTTP/2 streams over http.h2.streams, which were refused")                               \
	X(EDGE_H2_FLOOD_RESET, "edge_h2_flood_reset_total", COUNTER,                               \
	  "HTTP/2 connections ended: clients that reset their streams too often")                  \
	X(EDGE_H2_FLOOD_MADE_RESET, "edge_h2_flood_made_reset_total", COUNTER,                     \
	  "HTTP/2 connections ended: clients that made the edge reset their streams too often")    \
	X(EDGE_H2_FLOOD_PING, "edge_h2_flood_ping_total", COUNTER,                                 \
	  "HTTP/2 connections ended: clients that sent too many PING frames")                      \
	X(EDGE_H2_FLOOD_SETTINGS, "edge_h2_flood_settings_total", COUNTER,                         \
	  "HTTP/2 connections ended: clients that sent too many SETTINGS frames")                  \
	X(EDGE_H2_FLOOD_PRIORITY, "edge_h2_flood_priority_total", COUNTER,                         \
	  "HTTP/2 connections ended: clients that sent too many PRIORITY or PRIORITY_UPDATE "      \
	  "frames")                                                                                \
	X(EDGE_H2_FLOOD_EMPTY, "edge_h2_flood_empty_total", COUNTER,                               \
	  "HTTP/2 connections ended: clients that sent too many frames without content")           \
	X(EDGE_H2_FLOOD_WINDOW_UPDATE, "edge_h2_flood_window_update_total", COUNTER,               \
	  "HTTP/2 connections ended: clients that sent too many WINDOW_UPDATE frames")             \
	X(EDGE_H2_FLOOD_TINY_WINDOW, "edge_h2_flood_tiny_window_total", COUNTER,                   \
	  "HTTP/2 connections ended: clients that took responses in too small pieces")             \
	X(EDGE_H2_FLOOD_CONTINUATION, "edge_h2_flood_continuation_total", COUNTER,                 \
	  "HTTP/2 connections ended: clients whose header section had too many frames")            \
	X(EDGE_H2_FLOOD_HEADER_LIST, "edge_h2_flood_header_list_total", COUNTER,                   \
	  "HTTP/2 connections ended: clients whose header section was far over the limit")         \
	X(EDGE_H2_FLOOD_UNKNOWN, "edge_h2_flood_unknown_total", COUNTER,                           \
	  "HTTP/2 connections ended: clients that sent too many frames of unknown types")          \
	X(EDGE_RELAYED, "edge_relayed_total", COUNTER,                                             \
	  "Requests of other edges that were sent on to their origin")                             \
	X(EDGE_MIRRORED, "edge_mirrored_total", COUNTER, "Copies of requests sent to mirrors")     \
	X(EDGE_MIRROR_DROPPED, "edge_mirror_dropped_total", COUNTER,                               \
	  "Copies of requests that were not sent: too large, too many, or not whole")              \
	X(EDGE_MIRROR_FAILURES, "edge_mirror_failures_total", COUNTER,                             \
	  "Copies of requests that their mirror did not answer")                                   \
	X(EDGE_EARLY_HINTS, "edge_early_hints_total", COUNTER,                                     \
	  "Responses 103 (Early Hints) of our own")                                                \
	X(EDGE_RESPONSES_1XX, "edge_responses_1xx_total", COUNTER, "Informational responses")      \
	X(EDGE_RESPONSES_2XX, "edge_responses_2xx_total", COUNTER, "Responses of class 2xx")       \
	X(EDGE_RESPONSES_3XX, "edge_responses_3xx_total", COUNTER, "Responses of class 3xx")       \
	X(EDGE_RESPONSES_4XX, "edge_responses_4xx_total", COUNTER, "Responses of class 4xx")       \
	X(EDGE_RESPONSES_5XX, "edge_responses_5xx_total", COUNTER, "Responses of class 5xx")       \
	X(EDGE_BYTES_RECEIVED, "edge_client_bytes_received_total", COUNTER,                        \
	  "Bytes from clients, TLS taken off")                                                     \
	X(EDGE_BYTES_SENT, "edge_client_bytes_sent_total", COUNTER,                                \
	  "Bytes to clients, before TLS")                                                          \
	X(EDGE_COMPRESSED, "edge_compressed_total", COUNTER, "Responses compressed")               \
	X(EDGE_COMPRESSED_ACTIVE, "edge_compressed_active", GAUGE,                                 \
	  "Responses that are being compressed")                                                   \
	X(EDGE_COMPRESSED_REFUSED, "edge_compressed_refused_total", COUNTER,                       \
	  "Responses that went out as they were because http.limit.compression was used up, or "   \
	  "there was no memory")                                                                   \
	X(EDGE_COMPRESSED_IN, "edge_compressed_in_bytes_total", COUNTER,                           \
	  "Bytes of content that were compressed")                                                 \
	X(EDGE_COMPRESSED_OUT, "edge_compressed_out_bytes_total", COUNTER,                         \
	  "Bytes that they became")                                                                \
	X(EDGE_STALLED_CUT, "edge_stalled_cut_total", COUNTER,                                     \
	  "Connections, of clients and to origins, cut off because they took nothing and "         \
	  "http.limit.buffered was used up")                                                       \
	X(EDGE_ACCESS_LOG_DROPPED, "edge_access_log_dropped_total", COUNTER,                       \
	  "Lines of the access log that could not be written in time")                             \
	X(EDGE_ACCESS_LOG_UNSAMPLED, "edge_access_log_unsampled_total", COUNTER,                   \
	  "Requests that got no line in the access log, by http.access_log.sample")                \
	X(EDGE_LOG_DROPPED, "edge_log_dropped_total", COUNTER,                                     \
	  "Lines of the program's log that could not be written in time")                          \
	X(EDGE_RELOADS, "edge_reloads_total", COUNTER, "Configurations taken over while running")  \
	X(EDGE_RELOAD_FAILURES, "edge_reload_failures_total", COUNTER,                             \
	  "Configurations refused while running")

enum edge_counter {
	EDGE_COUNTER_LIST(METRIC_ID)                                 /* in the order of the list */
	EDGE_END,                                                    /* + enum reason */
	EDGE_CONNECTION_END = EDGE_END + REASON_COUNT,               /* + enum reason */
	EDGE_HANDSHAKE_FAILURE = EDGE_CONNECTION_END + REASON_COUNT, /* + enum edge_failure - 1 */
	EDGE_N_COUNTERS = EDGE_HANDSHAKE_FAILURE + EDGE_FAILURES - 1,
};

struct metrics *edge_counters_create(unsigned n_shards);
