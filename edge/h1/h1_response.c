/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Response framing by RFC 9112 section 6.3, seen from the server.
 */
#include "edge/h1/h1_response.h"

static void add(struct edge_h1_pieces *out, const void *data, size_t len)
{
	if (len == 0)
		return;
	out->v[out->n++] = (struct iovec){(void *)data, len};
	out->bytes += len;
}

static bool serialize(const struct http_head *head, struct span *out)
{
	size_t size = h1_head_size(head);
	char *text = arena_alloc(head->arena, size);

	if (text == NULL)
		return false;
	*out = (struct span){text, h1_write_head(head, false, text, size)};
	return out->n > 0;
}

bool edge_h1_response_inform(struct edge_h1_response *r, const struct http_head *head,
			     struct edge_h1_pieces *out)
{
	struct http_head copy = *head;
	struct span text;

	copy.framing = HTTP_FRAMING_NONE;
	copy.length_declared = false;
	copy.keep_alive = true;
	*out = (struct edge_h1_pieces){0};
	if (!serialize(&copy, &text))
		return false;
	add(out, text.p, text.n);
	return true;
}

bool edge_h1_response_start(struct edge_h1_response *r, struct http_head *head,
			    const struct http_head *request, bool end, bool keep_alive)
{
	bool unknown_length =
	    head->framing == HTTP_FRAMING_CHUNKED || head->framing == HTTP_FRAMING_CLOSE;

	*r = (struct edge_h1_response){.bodiless = request->method_id == HTTP_METHOD_HEAD};
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
	if (head->keep_alive && request->minor == 0 &&
	    !http_fields_add(&head->fields, head->arena, SPAN("Connection"), SPAN("keep-alive")))
		return false;
	return serialize(head, &r->held);
}

void edge_h1_response_flush(struct edge_h1_response *r, struct edge_h1_pieces *out)
{
	*out = (struct edge_h1_pieces){0};
	add(out, r->held.p, r->held.n);
	r->held = (struct span){NULL, 0};
}

void edge_h1_response_body(struct edge_h1_response *r, const void *data, size_t len, bool end,
			   struct edge_h1_pieces *out)
{
	edge_h1_response_flush(r, out);
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

bool edge_h1_response_trailers(struct edge_h1_response *r, const struct http_fields *trailers,
			       struct arena *arena, struct edge_h1_pieces *out)
{
	size_t size = 5;
	char *text;

	edge_h1_response_flush(r, out);
	if (!r->chunked)
		return true;
	for (unsigned i = 0; i < trailers->n; i++)
		size += trailers->v[i].name.n + trailers->v[i].value.n + 4;
	text = arena_alloc(arena, size);
	if (text == NULL)
		return false;
	add(out, text, h1_write_last_chunk(trailers, text, size));
	return true;
}
