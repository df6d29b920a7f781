/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See known_request.h.
 */
#include "tests/support/known_request.h"

#include "core/base/check.h"

void known_request_add(struct http_head *head, const char *name, const char *value)
{
	CHECK(http_fields_add(&head->fields, head->arena, span_of(name), span_of(value)));
}

void known_request_init(struct known_request *k, const char *target)
{
	const char *why;

	*k = (struct known_request){.client = {.protocol = "HTTP/1.1",
					       .tls = "TLS1.3",
					       .tls_suite = "TLS_AES_128_GCM_SHA256",
					       .sni = "www.example.com",
					       .ip = "2001:db8::7",
					       .scheme = SPAN("https")},
				    .place = {.asn = 64500, .country = "DE", .continent = "EU"}};
	arena_init(&k->arena, 1 << 20);
	http_head_init(&k->request, &k->arena);
	http_head_init(&k->response, &k->arena);
	CHECK(net_addr_parse(k->client.ip, 4711, &k->client.addr));
	k->request.method = SPAN("GET");
	k->request.method_id = HTTP_METHOD_GET;
	k->request.scheme = SPAN("https");
	k->request.authority = SPAN("www.example.com");
	k->request.target = span_of(target);
	k->response.status = 404;
	CHECK(http_path_parse(&k->path, k->request.target, &k->arena, &why) == HTTP_PATH_OK);
	k->facts = (struct edge_facts){
	    .client = &k->client,
	    .place = &k->place,
	    .request = &k->request,
	    .path = &k->path,
	    .response = &k->response,
	    .node = SPAN("fra1"),
	    .site = SPAN("www"),
	    .route = SPAN("api"),
	    .origin = SPAN("app"),
	    .user = SPAN("jo"),
	    .request_id = SPAN("0190-1"),
	    .trace_id = SPAN("4bf92f3577b34da6a3ce929d0e0e4736"),
	};
}

void known_request_fini(struct known_request *k)
{
	arena_fini(&k->arena);
}
