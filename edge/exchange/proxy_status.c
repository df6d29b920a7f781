/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One member of Proxy-Status. What others have said before stays: a list may stand in several
 * fields, so that ours is one more field behind theirs.
 */
#include "edge/exchange/proxy_status.h"

#include <string.h>

#include "core/base/check.h"

static const char *const errors[REASON_COUNT] = {
    /* Most of these leave nobody to be told; the others come with a 4xx. */
    [REASON_CLIENT_CLOSED] = "http_request_error",
    [REASON_CLIENT_RESET] = "http_request_error",
    [REASON_CLIENT_MALFORMED] = "http_request_error",
    [REASON_CLIENT_HANDSHAKE_TIMEOUT] = "http_request_error",
    [REASON_CLIENT_HANDSHAKE_FAILED] = "http_request_error",
    [REASON_CLIENT_HEAD_TIMEOUT] = "http_request_error",
    [REASON_CLIENT_BODY_TIMEOUT] = "http_request_error",
    [REASON_CLIENT_WRITE_TIMEOUT] = "http_request_error",
    [REASON_CLIENT_IDLE_TIMEOUT] = "http_request_error",
    [REASON_TUNNEL_IDLE_TIMEOUT] = "http_request_error",
    [REASON_CLIENT_STALLED] = "http_request_error",
    [REASON_CLIENT_DISPLACED] = "http_request_error",
    [REASON_CLIENT_MISDIRECTED] = "destination_not_found",
    [REASON_CLIENT_CONTENT_LIMIT] = "http_request_error",
    [REASON_CLIENT_TOO_SLOW] = "http_request_error",
    [REASON_CLIENT_DENIED] = "http_request_denied",
    [REASON_CLIENT_LIMITED] = "http_request_denied",
    [REASON_CLIENT_FLOOD] = "http_request_denied",
    [REASON_ORIGIN_ALL_DOWN] = "destination_unavailable",
    [REASON_ORIGIN_BREAKER_OPEN] = "destination_unavailable",
    [REASON_ORIGIN_RESOLVE_FAILED] = "dns_error",
    [REASON_ORIGIN_CONNECT_REFUSED] = "connection_refused",
    [REASON_ORIGIN_CONNECT_FAILED] = "destination_ip_unroutable",
    [REASON_ORIGIN_CONNECT_TIMEOUT] = "connection_timeout",
    [REASON_ORIGIN_HANDSHAKE_TIMEOUT] = "connection_timeout",
    [REASON_ORIGIN_QUEUE_FULL] = "connection_limit_reached",
    [REASON_ORIGIN_QUEUE_TIMEOUT] = "connection_limit_reached",
    [REASON_ORIGIN_CLOSED] = "connection_terminated",
    [REASON_ORIGIN_RESET] = "connection_terminated",
    [REASON_ORIGIN_HEAD_TIMEOUT] = "http_response_timeout",
    [REASON_ORIGIN_BODY_TIMEOUT] = "connection_read_timeout",
    [REASON_ORIGIN_WRITE_TIMEOUT] = "connection_write_timeout",
    [REASON_ORIGIN_TOTAL_TIMEOUT] = "http_response_timeout",
    [REASON_ORIGIN_STALLED] = "connection_write_timeout",
    [REASON_ORIGIN_MALFORMED] = "http_protocol_error",
    [REASON_ORIGIN_TRUNCATED] = "http_response_incomplete",
    [REASON_ORIGIN_CERTIFICATE] = "tls_certificate_error",
    [REASON_ORIGIN_HANDSHAKE_FAILED] = "tls_protocol_error",
    [REASON_EDGE_NO_DESCRIPTORS] = "proxy_internal_error",
    [REASON_EDGE_NO_PORTS] = "proxy_internal_error",
    [REASON_EDGE_DEADLINE] = "http_response_timeout",
    [REASON_LIMIT] = "proxy_internal_error",
    [REASON_SHUTDOWN] = "proxy_internal_error",
};

const char *edge_proxy_error(enum reason reason)
{
	CHECK((unsigned)reason < REASON_COUNT);
	return errors[reason];
}

const char *edge_proxy_error_of_status(int status)
{
	switch (status) {
	case 401:
	case 403:
	case 429:
		return "http_request_denied";
	case 404:
	case 421:
		return "destination_not_found";
	case 508:
		return "proxy_loop_detected";
	default:
		return status >= 500   ? "proxy_internal_error"
		       : status >= 400 ? "http_request_error"
				       : NULL;
	}
}

static char *put(char *p, struct span s)
{
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

/* An sf-string (RFC 8941 section 3.3.3); names of ours are made of what may stand in one. */
static char *put_string(char *p, struct span s)
{
	return put(put(put(p, SPAN("\"")), s), SPAN("\""));
}

static char *put_error(char *p, const struct edge_proxy_status *what, int status)
{
	const char *error = edge_proxy_error(what->reason);

	if (error != NULL) {
		p = put(put(p, SPAN("; error=")), span_of(error));
		p = put(p, SPAN("; details="));
		return put_string(p, span_of(reason_text(what->reason)));
	}
	error = edge_proxy_error_of_status(status);
	return error != NULL ? put(put(p, SPAN("; error=")), span_of(error)) : p;
}

/* All fixed words, the longest error and reason, two statuses. */
#define TEXT_MAX 192

bool edge_proxy_status_add(struct http_head *response, const struct edge_proxy_status *what)
{
	size_t size = TEXT_MAX + what->proxy.n + what->next_hop.n;
	char *text = arena_alloc(response->arena, size), *p = text, digits[HTTP_DIGITS_MAX];

	if (text == NULL)
		return false;
	p = put(p, what->proxy);
	if (what->own)
		p = put_error(p, what, response->status);
	if (what->next_hop.n > 0)
		p = put_string(put(p, SPAN("; next-hop=")), what->next_hop);
	if (what->received != 0)
		p = put(put(p, SPAN("; received-status=")),
			http_digits((uint64_t)what->received, digits));
	CHECK((size_t)(p - text) <= size);
	return http_fields_add(&response->fields, response->arena, SPAN("Proxy-Status"),
			       (struct span){text, (size_t)(p - text)});
}
