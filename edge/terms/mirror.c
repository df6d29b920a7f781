/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A copy is gathered, or on its way. Its head goes out with the length that its content has come
 * to, whatever framing the request had.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "edge/terms/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "edge/node/view.h"
#include "edge/node/worker.h"
#include "origin-link/olink.h"

#define MIRROR_MAGIC 0x4d495252u

/* So much of a response is read, so that its connection can be used again. */
#define RESPONSE_READ (64 * 1024)
/* Beside the time that its origin has for the response, for all else: a copy that is taken, or a
 * response that comes, by the byte would keep its place for as long as the other side likes. */
#define SPARE_TIME DUR_S(10)
/* Of the head; what forwarding has added to it is little. */
#define ARENA_MAX (1024 * 1024)

struct edge_mirror {
	unsigned magic;
	LIST_ENTRY(edge_mirror) link;
	struct edge_worker *worker;
	const struct cfg_origin *origin; /* of the view that the request has pinned: until sent */
	struct olink_affinity affinity;
	struct proxy_parties client;
	uint64_t max;
	struct arena arena;
	struct http_head head;
	char *content;
	size_t n, size;
	/* On its way. */
	struct olink_request *request; /* NULL: it is being gathered */
	struct flow_leg leg;
	struct flow_source source;
	struct flow_sink sink;
	size_t sent, credit; /* of the request's content */
	size_t to_read;      /* of the response's */
	struct deadline deadline;
	struct loop_task turn_end; /* pushes, or frees it */
	bool over;
};

static void free_mirror(struct edge_mirror *m)
{
	struct edge_worker *w = m->worker;

	LIST_REMOVE(m, link);
	w->n_mirrors--;
	loop_task_cancel(w->loop, &m->turn_end);
	deadline_fini(&m->deadline);
	if (m->request)
		olink_request_close(&m->request);
	arena_fini(&m->arena);
	free(m->content);
	m->magic = MAGIC_DEAD;
	free(m);
}

/* At the end of the turn: not inside a call of the link's. */
static void end(struct edge_mirror *m)
{
	m->over = true;
	loop_defer(m->worker->loop, &m->turn_end);
}

static void took_too_long(struct deadline *deadline)
{
	struct edge_mirror *m = CONTAINER_OF(deadline, struct edge_mirror, deadline);

	MAGIC_CHECK(m, MIRROR_MAGIC);
	edge_count(m->worker, EDGE_MIRROR_FAILURES, 1);
	end(m);
}

/* The request */

static bool copy_span(struct arena *arena, struct span *span)
{
	char *copy = arena_copy(arena, span->p, span->n);

	span->p = copy;
	return copy != NULL;
}

static bool copy_head(struct edge_mirror *m, const struct http_head *head)
{
	struct http_head *own = &m->head;

	if (!http_head_copy(own, head, &m->arena))
		return false;
	own->expect_continue = false;
	http_fields_remove(&own->fields, SPAN("Expect"));
	http_fields_remove(&own->fields, SPAN("Trailer"));
	for (unsigned i = 0; i < own->fields.n; i++) {
		if (!copy_span(&m->arena, &own->fields.v[i].name) ||
		    !copy_span(&m->arena, &own->fields.v[i].value))
			return false;
	}
	return copy_span(&m->arena, &own->method) && copy_span(&m->arena, &own->scheme) &&
	       copy_span(&m->arena, &own->authority) && copy_span(&m->arena, &own->target);
}

static bool copy_tlvs(struct edge_mirror *m)
{
	struct proxy_parties *client = &m->client;

	if (client->tlvs != NULL)
		client->tlvs = arena_copy(&m->arena, client->tlvs, client->n_tlvs);
	return client->tlvs != NULL || client->n_tlvs == 0;
}

static void push(struct edge_mirror *m)
{
	size_t n = MIN(m->credit, m->n - m->sent);
	struct slice slice = {.p = m->content + m->sent, .n = n};

	if (n == 0)
		return;
	m->credit -= n;
	m->sent += n;
	m->leg.request->ops->body(m->leg.request, slice, m->sent == m->n);
}

static void turn_end(struct loop_task *task)
{
	struct edge_mirror *m = CONTAINER_OF(task, struct edge_mirror, turn_end);

	MAGIC_CHECK(m, MIRROR_MAGIC);
	if (m->over)
		free_mirror(m);
	else
		push(m);
}

static struct edge_mirror *of_source(struct flow_source *source)
{
	struct edge_mirror *m = CONTAINER_OF(source, struct edge_mirror, source);

	MAGIC_CHECK(m, MIRROR_MAGIC);
	return m;
}

static void source_grant(struct flow_source *source, size_t n)
{
	struct edge_mirror *m = of_source(source);

	m->credit += n;
	loop_defer(m->worker->loop, &m->turn_end);
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	struct edge_mirror *m = of_source(source);

	m->sent = m->n;
}

static const struct flow_source_ops source_ops = {source_grant, source_stop};

/* The response */

static struct edge_mirror *of_sink(struct flow_sink *sink)
{
	struct edge_mirror *m = CONTAINER_OF(sink, struct edge_mirror, sink);

	MAGIC_CHECK(m, MIRROR_MAGIC);
	return m;
}

static void sink_head(struct flow_sink *sink, struct http_head *head, bool is_end)
{
	struct edge_mirror *m = of_sink(sink);

	if (head->status < 200)
		return;
	if (is_end || head->content_length > RESPONSE_READ)
		end(m);
	else
		m->leg.response->ops->grant(m->leg.response, RESPONSE_READ);
	m->to_read = RESPONSE_READ;
}

static void sink_body(struct flow_sink *sink, struct slice slice, bool is_end)
{
	struct edge_mirror *m = of_sink(sink);

	m->to_read -= MIN(m->to_read, slice.n);
	if (is_end || m->to_read == 0)
		end(m);
}

static void sink_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	end(of_sink(sink));
}

static void sink_reset(struct flow_sink *sink, enum reason reason)
{
	struct edge_mirror *m = of_sink(sink);

	edge_count(m->worker, EDGE_MIRROR_FAILURES, 1);
	end(m);
}

static const struct flow_sink_ops sink_ops = {sink_head, sink_body, sink_trailers, sink_reset};

/* Life */

struct edge_mirror *edge_mirror_open(struct edge_worker *w, const struct cfg_mirror *cfg,
				     const struct http_head *head,
				     const struct olink_affinity *affinity,
				     const struct proxy_parties *client)
{
	struct edge_mirror *m = NULL;

	if (w->n_mirrors < EDGE_MIRRORS_MAX)
		m = calloc(1, sizeof(*m));
	if (!m) {
		edge_count(w, EDGE_MIRROR_DROPPED, 1);
		return NULL;
	}
	*m = (struct edge_mirror){
	    .magic = MIRROR_MAGIC,
	    .worker = w,
	    .origin = cfg->origin,
	    .affinity = *affinity,
	    .client = *client,
	    .max = cfg->body,
	    .source.ops = &source_ops,
	    .sink.ops = &sink_ops,
	    .turn_end.run = turn_end,
	};
	LIST_INSERT_HEAD(&w->mirrors, m, link);
	w->n_mirrors++;
	arena_init(&m->arena, ARENA_MAX);
	if (!copy_head(m, head) || !copy_tlvs(m) ||
	    (head->framing == HTTP_FRAMING_LENGTH && head->content_length > m->max))
		edge_mirror_drop(&m);
	return m;
}

/* False: too much, or memory is gone. */
static bool make_room(struct edge_mirror *m, size_t n)
{
	size_t size = MAX(m->size, (size_t)1024);
	char *grown;

	if (n > m->max - m->n)
		return false;
	while (size < m->n + n)
		size *= 2;
	if (size == m->size)
		return true;
	grown = realloc(m->content, size);
	if (!grown)
		return false;
	m->content = grown;
	m->size = size;
	return true;
}

void edge_mirror_body(struct edge_mirror **mirror, const struct slice *slice)
{
	struct edge_mirror *m = *mirror;

	MAGIC_CHECK(m, MIRROR_MAGIC);
	if (slice->n == 0)
		return;
	if (!make_room(m, slice->n)) {
		edge_mirror_drop(mirror);
		return;
	}
	memcpy(m->content + m->n, slice->p, slice->n);
	m->n += slice->n;
}

static void settle_framing(struct edge_mirror *m)
{
	struct http_head *head = &m->head;

	if (m->n > 0 || head->framing != HTTP_FRAMING_NONE) {
		head->framing = HTTP_FRAMING_LENGTH;
		head->content_length = m->n;
	}
}

void edge_mirror_send(struct edge_mirror **mirror, const struct edge_view *view)
{
	struct edge_mirror *m = TAKE(mirror);
	/* What is lost is lost. */
	static const struct cfg_retries never = {.attempts = 0};
	struct olink_terms terms = {.retries = &never};
	struct olink_open open = {
	    .origins = view->origins,
	    .origin = m->origin,
	    .affinity = m->affinity,
	    .client = m->client,
	    .terms = &terms,
	    .ends = {.request = &m->source, .response = &m->sink},
	};
	duration wait;

	MAGIC_CHECK(m, MIRROR_MAGIC);
	if (olink_origins_let_pass(view->origins, m->origin, m->worker->loop, &wait) !=
	    REASON_NONE) {
		edge_mirror_drop(&m);
		return;
	}
	deadline_init(&m->deadline, m->worker->loop, took_too_long);
	deadline_set(&m->deadline, DUR_NS(m->origin->timeout.response.ns + SPARE_TIME.ns));
	m->origin = NULL;
	settle_framing(m);
	m->request = olink_request_open(m->worker->olink, &open, &m->leg);
	if (!m->request) {
		edge_mirror_drop(&m);
		return;
	}
	edge_count(m->worker, EDGE_MIRRORED, 1);
	m->leg.request->ops->head(m->leg.request, &m->head, m->n == 0);
}

void edge_mirror_drop(struct edge_mirror **mirror)
{
	struct edge_mirror *m = TAKE(mirror);

	if (!m)
		return;
	edge_count(m->worker, EDGE_MIRROR_DROPPED, 1);
	free_mirror(m);
}

void edge_mirrors_end(struct edge_worker *w)
{
	struct edge_mirror *m;

	while ((m = LIST_FIRST(&w->mirrors)))
		free_mirror(m);
}
