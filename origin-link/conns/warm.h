/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections opened ahead of need, so that the first client does not pay for them.
 */
#pragma once

struct endpoint;
struct lease_terms;

/* Has the loops, by turns, open what is missing of `want` idle connections. What fails is tried
 * again at the next call. Control loop. */
void warm_top_up(struct endpoint *e, const struct lease_terms *terms, unsigned want);
