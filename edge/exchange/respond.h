/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The responses that the edge gives itself: refusals, failures, and the health answer. Pure.
 */
#pragma once

#include "core/base/reason.h"
#include "core/http/message.h"

struct edge_content;

/* To https, for good, with the same method (RFC 9110 section 15.4.9). */
#define EDGE_REDIRECT_STATUS 308

/* A final response with its own fields, framing, Date and *body in `arena`; the body goes with it
 * unless the request was HEAD. Any final status may have content of ours but 204 and 304. False: no
 * room. */
bool edge_respond(struct http_head *head, struct arena *arena, int status, struct span date,
		  struct span *body);
/* Of a 405: only what a content of ours is there for. False: no room. */
bool edge_respond_only_read(struct http_head *head);
/* One without content, by its status. */
bool edge_respond_empty(struct http_head *head, struct arena *arena, int status, struct span date);
/* Adds where a redirect goes: the request's host and target, by https. False: no room. */
bool edge_respond_location(struct http_head *head, const struct http_head *request);
/* A redirect elsewhere, with a line of content. False: no room. */
bool edge_respond_redirect(struct http_head *head, struct arena *arena, int status,
			   struct span date, struct span location, struct span *body);
/* What a route answers. With 200 it says which version it is; else it is not to be stored. */
bool edge_respond_content(struct http_head *head, struct arena *arena, int status, struct span date,
			  const struct edge_content *content);
/* Makes a 304 of that response when the request names its version as one that the client has; else
 * false. */
bool edge_respond_unchanged(struct http_head *head, const struct http_head *request);
/* Of a response, our own or an origin's: `page` in place of its content. False: no room. */
bool edge_respond_page(struct http_head *head, const struct edge_content *page);
/* The status that tells a client what went wrong behind us, or in what it sent. */
int edge_respond_status(enum reason reason);
