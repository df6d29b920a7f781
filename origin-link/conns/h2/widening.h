/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A new link to a relay is filled once with content that means nothing, so that the first response
 * for a client finds it wide. Loop of the session only.
 */
#pragma once

struct conns;
struct origin_h2;
struct widening;

/* Asks the relay for it, as the last thing that it is to send. NULL: it cannot be asked. */
struct widening *widening_begin(struct origin_h2 *h, struct conns *conns);
/* Whether or not all of it has come; before the session is destroyed. */
void widening_end(struct widening **widening);
