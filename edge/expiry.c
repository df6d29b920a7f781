/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The timer of certificates that run out.
 */
#include "edge/expiry.h"

#include "core/base/check.h"
#include "core/loop/loop.h"
#include "edge/node/view.h"
#include "edge/tls/certs.h"

#define EXPIRY_MAGIC 0x45787069u
/* Even certificates of six days are warned of for two. */
#define EVERY DUR_S(3600)

static void look(evutil_socket_t fd, short what, void *arg)
{
	struct edge_expiry *e = arg;
	wall_time now = clock_wall();

	MAGIC_CHECK(e, EXPIRY_MAGIC);
	edge_certs_tell_time(edge_view_current(e->views)->certs, e->last, now);
	e->last = now;
}

void edge_expiry_start(struct edge_expiry *e, struct loop *control, struct snapshot_slot *views)
{
	const struct timeval every = dur_to_timeval(EVERY);

	e->magic = EXPIRY_MAGIC;
	e->views = views;
	e->last = clock_wall();
	CHECK(event_assign(&e->timer, loop_base(control), -1, EV_PERSIST, look, e) == 0);
	CHECK(event_add(&e->timer, &every) == 0);
}

void edge_expiry_stop(struct edge_expiry *e)
{
	if (e->magic == EXPIRY_MAGIC)
		event_del(&e->timer);
	e->magic = MAGIC_DEAD;
}
