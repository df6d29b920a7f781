/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who sends over a new connection begins with 10 packets, and with twice as many after each round
 * trip (RFC 6928, RFC 5681): 1 MB over an ocean would take half a second longer than the way of its
 * bytes. Who receives begins with a buffer of 64 KiB, likewise. Both have grown once something has
 * been sent that fills them; that they stay so in a pause is up to the relay's congestion control
 * (edges.NAME.relay.congestion_control).
 *
 * The content is a response of the relay's own (edge/exchange/exchange_relay.c) on a stream of its
 * own, which is no user of the connection: it does not keep it from being idle, or from being
 * closed. Responses for clients go before it (RFC 9218).
 */
#define LOG_MODULE LOG_POOL
#include "origin-link/conns/h2/widening.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/relay_field.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/h2/h2.h"

#define WIDENING_MAGIC 0x77696465u

/* The request's only field, and the response's few. */
#define ARENA_MAX (16 * 1024)
static const struct h1_limits limits = {.head_bytes = 4096, .fields = 20};

struct widening {
	unsigned magic;
	struct conns *conns;
	struct origin_h2_stream stream;
	struct arena arena;
	struct http_head head;
	mono_time began;
	int status;
	size_t received;
};

static struct widening *widening_of(struct origin_h2_stream *s)
{
	struct widening *w = CONTAINER_OF(s, struct widening, stream);

	MAGIC_CHECK(w, WIDENING_MAGIC);
	return w;
}

/* What is left is for widening_end(). */
static void is_over(struct widening *w, const char *how)
{
	log_debug("a link to a relay: %s: status %d, %zu bytes in %.0f ms", how, w->status,
		  w->received, (double)mono_since(loop_now(w->conns->loop), w->began).ns / 1e6);
	origin_h2_stream_close(&w->stream);
	arena_fini(&w->arena);
}

static void whole(struct widening *w)
{
	if (w->status == 200)
		conns_count(w->conns, OLINK_WIDENED, 1);
	is_over(w, "whole");
}

static void head_cb(struct origin_h2_stream *s, struct http_head *head, bool end)
{
	struct widening *w = widening_of(s);

	if (head->status < 200)
		return;
	w->status = head->status;
	if (end)
		whole(w);
}

static void content_cb(struct origin_h2_stream *s, struct slice slice, bool end)
{
	struct widening *w = widening_of(s);

	w->received += slice.n;
	if (end)
		whole(w);
	else
		origin_h2_stream_grant(s, slice.n);
}

static void trailers_cb(struct origin_h2_stream *s, struct http_fields *trailers)
{
	whole(widening_of(s));
}

static void drained_cb(struct origin_h2_stream *s)
{
}

static void died_cb(struct origin_h2_stream *s, const struct origin_h2_death *death)
{
	is_over(widening_of(s), reason_text(death->reason));
}

static const struct origin_h2_stream_ops stream_ops = {
    .head = head_cb,
    .content = content_cb,
    .trailers = trailers_cb,
    .drained = drained_cb,
    .died = died_cb,
};

struct widening *widening_begin(struct origin_h2 *h, struct conns *conns)
{
	struct widening *w = xcalloc(1, sizeof(*w));
	const struct origin_h2_order order = {
	    .head = &w->head,
	    .end = true,
	    .arena = &w->arena,
	    .limits = &limits,
	};

	w->magic = WIDENING_MAGIC;
	w->conns = conns;
	w->began = loop_now(conns->loop);
	arena_init(&w->arena, ARENA_MAX);
	http_head_init(&w->head, &w->arena);
	w->head.method = SPAN("GET");
	w->head.method_id = HTTP_METHOD_GET;
	w->head.target = SPAN(RELAY_FILLING_TARGET);
	w->head.authority = SPAN("relay");
	origin_h2_stream_init(&w->stream, &stream_ops);
	if (!http_fields_add(&w->head.fields, &w->arena, SPAN("Priority"), SPAN("u=7")) ||
	    !origin_h2_stream_open(h, &w->stream, &order)) {
		widening_end(&w);
		return NULL;
	}
	origin_h2_stream_grant(&w->stream, RELAY_FILLING);
	return w;
}

void widening_end(struct widening **widening)
{
	struct widening *w = TAKE(widening);

	if (w == NULL)
		return;
	MAGIC_CHECK(w, WIDENING_MAGIC);
	origin_h2_stream_close(&w->stream);
	arena_fini(&w->arena);
	w->magic = MAGIC_DEAD;
	free(w);
}
