/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * nghttp2's memory. Each of its sessions has a buffer of 16 KiB, in which it puts one frame after
 * the other together: the largest part of what an idle connection would hold. Nothing is in it
 * between two calls, as we always take all that it has, so the sessions of a worker share one.
 * Worker's loop only.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/h2/h2.h"
#include "edge/h2/h2_internal.h"

/* Whatever is larger than a frame's content, while a session is made, is that buffer. */
#define FRAME_MIN (16 * 1024)
#define FRAME_MAX (20 * 1024)

static void *take(size_t size, void *arg)
{
	return malloc(size);
}

static void give(void *p, void *arg)
{
	struct edge_h2 *c = arg;

	if (p != c->worker->h2_frame)
		free(p);
}

static void *take_zeroed(size_t n, size_t size, void *arg)
{
	return calloc(n, size);
}

static bool is_first_frame(const struct edge_h2 *c, const void *p, size_t size)
{
	return p == NULL && c->session == NULL && !c->shares_frame && size >= FRAME_MIN &&
	       size <= FRAME_MAX;
}

static void *take_frame(struct edge_h2 *c)
{
	struct edge_worker *w = c->worker;

	if (w->h2_frame == NULL)
		w->h2_frame = malloc(FRAME_MAX);
	c->shares_frame = w->h2_frame != NULL;
	return w->h2_frame;
}

static void *resize(void *p, size_t size, void *arg)
{
	struct edge_h2 *c = arg;
	void *grown;

	if (is_first_frame(c, p, size))
		return take_frame(c);
	if (p == NULL || p != c->worker->h2_frame)
		return realloc(p, size);
	grown = malloc(size);
	if (grown != NULL)
		memcpy(grown, p, MIN(size, (size_t)FRAME_MAX));
	return grown;
}

void h2_memory_init(struct edge_h2 *c)
{
	c->memory = (nghttp2_mem){
	    .mem_user_data = c,
	    .malloc = take,
	    .free = give,
	    .calloc = take_zeroed,
	    .realloc = resize,
	};
}

void edge_h2_free_memory(struct edge_worker *w)
{
	free(w->h2_frame);
	w->h2_frame = NULL;
}
