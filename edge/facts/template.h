/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts with variables, compiled: read once when the view is built, expanded for each request that
 * needs them. Immutable between _create and _destroy; expansion is of the exchange's loop.
 */
#pragma once

#include "edge/facts/variables.h"

struct arena;
struct edge_template;

/* Of what a text becomes, so that a request for 8 KiB and a template that repeats it stay small. */
#define EDGE_TEMPLATE_MAX (16 * 1024)

/* `text` is one that the configuration has checked, and must outlive it. */
struct edge_template *edge_template_create(const char *text, enum edge_text_use use);
void edge_template_destroy(struct edge_template **t);
bool edge_template_has_variables(const struct edge_template *t);
/* Into *out, which points into the template when it has no variables, else into the arena. False:
 * no room, or it is longer than EDGE_TEMPLATE_MAX. */
bool edge_template_expand(const struct edge_template *t, const struct edge_facts *facts,
			  struct arena *arena, struct span *out);
