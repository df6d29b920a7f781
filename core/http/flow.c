/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Slices, and the operations of a filter that changes nothing. The message's loop.
 */
#include "core/http/flow.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* A copy with its owner in front. */
struct copy {
	struct slice_owner owner;
	char bytes[];
};

static void copy_release(struct slice_owner *owner)
{
	free(CONTAINER_OF(owner, struct copy, owner));
}

bool slice_keep(struct slice *slice)
{
	struct copy *copy;

	if (slice->n == 0 || slice->owner) {
		if (slice->owner)
			slice->owner->refs++;
		return true;
	}
	copy = malloc(sizeof(*copy) + slice->n);
	if (!copy)
		return false;
	copy->owner = (struct slice_owner){.refs = 1, .release = copy_release};
	memcpy(copy->bytes, slice->p, slice->n);
	slice->p = copy->bytes;
	slice->owner = &copy->owner;
	return true;
}

void slice_drop(struct slice *slice)
{
	struct slice_owner *owner = slice->owner;

	*slice = (struct slice){0};
	if (owner && --owner->refs == 0)
		owner->release(owner);
}

void flow_pass_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct flow_sink *after = CONTAINER_OF(sink, struct flow_filter, sink)->after;

	after->ops->head(after, head, end);
}

void flow_pass_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct flow_sink *after = CONTAINER_OF(sink, struct flow_filter, sink)->after;

	after->ops->body(after, slice, end);
}

void flow_pass_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct flow_sink *after = CONTAINER_OF(sink, struct flow_filter, sink)->after;

	after->ops->trailers(after, trailers);
}

void flow_pass_reset(struct flow_sink *sink, enum reason reason)
{
	struct flow_sink *after = CONTAINER_OF(sink, struct flow_filter, sink)->after;

	after->ops->reset(after, reason);
}

void flow_pass_grant(struct flow_source *source, size_t n)
{
	struct flow_source *before = CONTAINER_OF(source, struct flow_filter, source)->before;

	before->ops->grant(before, n);
}

void flow_pass_stop(struct flow_source *source, enum reason reason)
{
	struct flow_source *before = CONTAINER_OF(source, struct flow_filter, source)->before;

	before->ops->stop(before, reason);
}
