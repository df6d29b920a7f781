/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Response framing by RFC 9112 section 6.3, seen from the server.
 */
#include "edge/h1/h1_response.h"

static void add(struct h1_pieces *out, const void *data, size_t len)
{
	if (len == 0)
		return;
	out->v[out->n++] = (struct iovec){(void *)data, len};
	out->bytes += len;
}

bool h1_response_start(struct h1_response *r, struct http_head *head,
		       const struct http_head *request, bool end, bool keep_alive)
{
	bool unknown_length =
	    head->framing == HTTP_FRAMING_CHUNKED || head->framing == HTTP_FRAMING_CLOSE;

	*r = (struct h1_response){.bodiless = request->method_id == HTTP_METHOD_HEAD &&
					      head->framing != HTTP_FRAMING_TUNNEL};
	if (unknown_length && r->bodiless) {
		head->framing = HTTP_FRAMING_NONE;
	} else if (unknown_length && end) {
		head->framing = HTTP_FRAMING_LENGTH;
		head->content_length = 0;
	} else if (unknown_length) {
		/* HTTP/1.0 knows no chunks: the end of the connection is the end. */
		r->chunked = request->minor > 0;
		head->framing = r->chunked ? HTTP_FRAMING_CHUNKED : HTTP_FRAMING_CLOSE;
	}
	head->keep_alive = keep_alive && head->framing != HTTP_FRAMING_CLOSE;
	return !head->keep_alive || request->minor > 0 ||
	       http_fields_add(&head->fields, head->arena, SPAN("Connection"), SPAN("keep-alive"));
}

void h1_response_body(struct h1_response *r, const void *data, size_t len, bool end,
		      struct h1_pieces *out)
{
	*out = (struct h1_pieces){0};
	if (r->bodiless)
		return;
	if (r->chunked && len > 0)
		add(out, r->size_line, h1_write_chunk_header(len, r->size_line));
	add(out, data, len);
	if (r->chunked && len > 0)
		add(out, "\r\n", 2);
	if (r->chunked && end)
		add(out, "0\r\n\r\n", 5);
}

bool h1_response_takes_trailers(const struct h1_response *r)
{
	return r->chunked && !r->bodiless;
}
