/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections opened ahead of need, so that no request waits for one to be made: at a start, after
 * a reload, for a server that has come (back) up, in place of those that end, and when more are in
 * use than before. warmth.h says how many.
 *
 * Control says every second, and when something has changed, at which endpoints and how many it
 * wants; in between the loops tell when there are too few. Control loop only.
 */
#pragma once

#include <stdbool.h>

struct conns_node;
struct endpoint;
struct lease_terms;

/* Between these two, warm_want() says all that is wanted; nothing any more where it does not. */
void warm_begin(struct conns_node *node);
void warm_end(struct conns_node *node);
/* So many more than were in use at a time lately; of several wishes for one endpoint the largest
 * counts. 0: none now, for it is not known to serve; as soon as it is, requests should find some.
 * Nothing comes of it where connections are not shared (PROXY protocol). */
void warm_want(struct endpoint *e, const struct lease_terms *terms, unsigned spare);
/* The most that were in use at a time lately. */
unsigned warm_most_in_use(const struct endpoint *e);
/* Those that are wanted are there, or some have failed, or none is wanted. */
bool warm_is_settled(const struct endpoint *e);
